"""Alerts of unmapped statuses: opened once, closed by a mapping."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.builders.users import signed_in
from tests.db.master_data.conftest import process_all, put_rows, receive_order
from visibility.alerts import actions
from visibility.alerts.source_alerts import update_source_alerts
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.master_data.tables import TABLES
from visibility.models import Alert, Event, IgnoredTerm, Order, SlaRule, Source, TermMapping
from visibility.models.master import TermKind
from visibility.sla.create_default_source_rules import create_source_rules_for_kinds_without_rule
from visibility.sla.source_snapshot import MAPPED
from visibility.storage.request_refold_of_open_orders import request_refold_of_open_orders
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
STATUS = "PRT_SHP"


def alert_states() -> list[tuple[str, str]]:
    alerts = Alert.objects.filter(source__isnull=False).order_by("pk")
    return [(alert.subject_key, alert.state) for alert in alerts]


def changed_by_sweep(now: datetime) -> int:
    return len(update_source_alerts(now=now).changed)


def map_status(now: datetime) -> None:
    row = {"kind": "status", "source": "erp", "external": STATUS, "canonical": "order.released"}
    put_rows("mapping", row, now=now)
    process_all()


def test_unmapped_status_opens_one_alert(erp: Source, now: datetime) -> None:
    for number in range(3):
        receive_order(erp, f"SO-{number}", "A-1", event_type=STATUS)
    receive_order(erp, "SO-9", "A-1")
    process_all()
    assert changed_by_sweep(now) == 1
    assert changed_by_sweep(now) == 0
    assert alert_states() == [(STATUS, "open")]
    assert Alert.objects.get().title == f"Unmapped status “{STATUS}” from {erp.title}"


def test_alert_closes_when_the_status_is_mapped(erp: Source, now: datetime) -> None:
    receive_order(erp, "SO-1", "A-1", event_type=STATUS)
    process_all()
    sweep(now=now)
    map_status(now)
    sweep(now=now)
    assert alert_states() == [(STATUS, "resolved")]
    assert Alert.objects.get().resolution == MAPPED
    assert changed_by_sweep(now) == 0


def test_alert_closes_by_the_effect_of_the_mapping_and_not_by_its_row(
    erp: Source, now: datetime
) -> None:
    receive_order(erp, "SO-1", "A-1", event_type=STATUS)
    process_all()
    sweep(now=now)
    row = {"kind": "status", "source": "erp", "external": STATUS, "canonical": "order.released"}
    put_rows("mapping", row, now=now)
    sweep(now=now)
    assert alert_states() == [(STATUS, "open")]
    assert Order.objects.get().status != "released"
    process_all()
    sweep(now=now)
    assert Order.objects.get().status == "released"
    assert alert_states() == [(STATUS, "resolved")]


def test_stored_mapping_without_one_of_our_statuses_maps_nothing(
    erp: Source, now: datetime
) -> None:
    """An older release accepted any text. The alert that it closed opens again."""
    receive_order(erp, "SO-1", "A-1", event_type=STATUS)
    process_all()
    sweep(now=now)
    map_status(now)
    sweep(now=now)
    TermMapping.objects.update(canonical="held")
    sweep(now=now)
    assert alert_states() == [(STATUS, "open")]
    Order.objects.update(status="")
    request_refold_of_open_orders()
    process_all()
    assert Order.objects.get().status != "released"
    mapping = TermMapping.objects.get()
    fields = {**TABLES["mapping"].format_cells(mapping), "canonical": "order.released"}
    integrator = signed_in(UserRole.INTEGRATOR)
    preview = integrator.post(f"/mappings/mapping/{mapping.pk}", {**fields, "act": "effect"})
    assert "Reprocesses 1 message of 1 order" in preview.content.decode()
    integrator.post(
        f"/mappings/mapping/{mapping.pk}", {**fields, "act": "save", "version": mapping.version}
    )
    process_all()
    sweep(now=now)
    assert alert_states() == [(STATUS, "resolved")]


def test_alert_closes_when_the_status_is_ignored(erp: Source, now: datetime) -> None:
    receive_order(erp, "SO-1", "A-1", event_type=STATUS)
    process_all()
    sweep(now=now)
    IgnoredTerm.objects.create(kind=TermKind.STATUS, source="erp", term=STATUS, decided_at=now)
    sweep(now=now)
    assert alert_states() == [(STATUS, "resolved")]


def test_manually_resolved_alert_does_not_reopen(erp: Source, now: datetime) -> None:
    receive_order(erp, "SO-1", "A-1", event_type=STATUS)
    process_all()
    sweep(now=now)
    somebody = User.objects.create(username="ivan")
    actions.resolve(Alert.objects.get().pk, by=somebody, now=now, note="Known to be noise.")
    assert changed_by_sweep(now) == 0
    assert alert_states() == [(STATUS, "resolved")]


def test_number_of_new_alerts_per_run_is_limited(
    erp: Source,
    now: datetime,
) -> None:
    create_source_rules_for_kinds_without_rule()
    SlaRule.objects.filter(kind="unmapped_status").update(params={"max_alerts": 2})
    for number in range(4):
        receive_order(erp, f"SO-{number}", "A-1", event_type=f"W-{number}")
    receive_order(erp, "SO-8", "A-1", event_type="x" * 300)
    receive_order(erp, "SO-9", "A-1", event_type="x" * 301)
    process_all()
    assert changed_by_sweep(now) == 2
    assert changed_by_sweep(now) == 0
    SlaRule.objects.filter(kind="unmapped_status").update(params={})
    assert changed_by_sweep(now) == 3
    assert Event.objects.filter(type="unmapped").count() == 6


def test_alert_page_explains_the_status_and_links_to_the_mapping_form(
    erp: Source,
    now: datetime,
) -> None:
    receive_order(erp, "SO-1", "A-1", event_type="<b>&")
    process_all()
    sweep(now=now + timedelta(seconds=1))
    integrator = User.objects.create(username="ivan")
    integrator.groups.add(Group.objects.get_or_create(name="integrator")[0])
    client = Client()
    client.force_login(integrator)
    page = client.get(f"/alerts/{Alert.objects.get().pk}").content.decode()
    assert "is not mapped." in page
    assert "when the status is mapped" in page
    assert "This alert has been open for" in page
    assert "This alert is overdue by" not in page
    assert "sends no data" not in page.split("<main")[1]
    link = page.split('href="/mappings/mapping/new?')[1].split('"')[0]
    assert link == "kind=status&amp;source=erp&amp;external=%3Cb%3E%26"
    assert "<b>&" not in page
    form = client.get(f"/mappings/mapping/new?{link.replace('&amp;', '&')}").content.decode()
    assert "&lt;b&gt;&amp;" in form
