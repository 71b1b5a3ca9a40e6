"""During planned maintenance, silence of a source opens no alert and proves nothing."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from tests.builders.alerts import statements
from tests.builders.sources import ERP_NUMBERS, create_source
from tests.builders.users import signed_in
from tests.builders.watched_source import (
    send_and_process,
    set_received_at_of_waiting_messages,
    store_message,
)
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.ingest.source_maintenance import end_maintenance, plan_maintenance
from visibility.models import Alert, Source, SourceMaintenance
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def plan(source: Source, start: datetime, end: datetime, *, by: User, now: datetime) -> int:
    window = plan_maintenance(source, starts_at=start, ends_at=end, why="Upgrade", by=by, now=now)
    return window.pk


def silence_alerts() -> list[str]:
    return list(Alert.objects.filter(kind="source_silent").values_list("state", flat=True))


def test_silence_opens_an_alert_only_after_the_limit_from_the_end(
    wms: Source, olga: User, now: datetime
) -> None:
    Source.objects.update(expect_every=HOUR)
    send_and_process(wms, "order.received", now)
    plan(wms, now + 30 * MINUTE, now + 4 * HOUR, by=olga, now=now)
    sweep(now=now + 3 * HOUR)
    assert silence_alerts() == []
    # The maintenance ends by itself; the limit of an hour counts from its end.
    sweep(now=now + 4 * HOUR + 50 * MINUTE)
    assert silence_alerts() == []
    sweep(now=now + 5 * HOUR + MINUTE)
    assert silence_alerts() == ["open"]


def test_ending_it_early_counts_from_then(wms: Source, olga: User, now: datetime) -> None:
    Source.objects.update(expect_every=HOUR)
    send_and_process(wms, "order.received", now)
    window = plan(wms, now, now + 9 * HOUR, by=olga, now=now)
    assert end_maintenance(window, source=wms, by=olga, now=now + HOUR)
    sweep(now=now + 90 * MINUTE)
    assert silence_alerts() == []
    sweep(now=now + 3 * HOUR)
    assert silence_alerts() == ["open"]


def test_canceled_maintenance_has_no_effect(wms: Source, olga: User, now: datetime) -> None:
    Source.objects.update(expect_every=HOUR)
    send_and_process(wms, "order.received", now)
    window = plan(wms, now + HOUR, now + 9 * HOUR, by=olga, now=now)
    assert end_maintenance(window, source=wms, by=olga, now=now + MINUTE)
    sweep(now=now + 2 * HOUR)
    assert silence_alerts() == ["open"]


def test_an_open_alert_closes_when_maintenance_starts(
    wms: Source, olga: User, now: datetime
) -> None:
    Source.objects.update(expect_every=HOUR)
    send_and_process(wms, "order.received", now)
    sweep(now=now + 2 * HOUR)
    assert silence_alerts() == ["open"]
    plan(wms, now + 2 * HOUR, now + 5 * HOUR, by=olga, now=now + 2 * HOUR)
    sweep(now=now + 3 * HOUR)
    assert silence_alerts() == ["resolved"]
    entries = Alert.objects.get(kind="source_silent").entries.values_list("text", flat=True)
    assert "The source is in planned maintenance." in set(entries)


def test_a_missed_step_of_an_order_is_on_hold_and_the_page_says_why(
    wms: Source, olga: User, now: datetime
) -> None:
    # The source is never silent: only the maintenance explains why nothing is known.
    Source.objects.filter(pk=wms.pk).update(expect_every=None, config=dict(ERP_NUMBERS))
    erp = create_source("erp", role="erp", expect_every=None, config=dict(ERP_NUMBERS))
    wms.refresh_from_db()
    for source, kind, hours in ((wms, "order.accepted", 3), (erp, "order.released", 5)):
        store_message(source, kind, now - hours * HOUR, "SO-1")
        set_received_at_of_waiting_messages(now - hours * HOUR, source=source)
    plan(wms, now - 2 * HOUR, now + 2 * HOUR, by=olga, now=now - 2 * HOUR)
    job_functions.process_messages_and_refold()
    sweep(now=now)
    suppressed = Alert.objects.get(order__isnull=False)
    assert suppressed.state == "suppressed"
    assert [entry.text for entry in suppressed.entries.all()] == [
        "On hold: Dallas is in planned maintenance."
    ]
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    page = " ".join(client.get(f"/orders/{suppressed.order_id}").content.decode().split())
    assert "Dallas in maintenance until" in page
    assert "Dallas silent since" not in page
    unknown = client.get("/orders?state=unknown").content.decode()
    assert "SO-1" in unknown


def test_the_state_says_until_when_and_never_that_it_reports(
    wms: Source, olga: User, now: datetime
) -> None:
    send_and_process(wms, "order.received", now)
    before = statements(signed_in(UserRole.INTEGRATOR, "ines"), "/sources")
    for start in (0, 1, 2):
        plan(wms, now - start * MINUTE, now + 2 * HOUR, by=olga, now=now)
    client = signed_in(UserRole.INTEGRATOR, "ines")
    assert statements(client, "/sources") == before
    page = " ".join(client.get("/sources").content.decode().split())
    assert "0 of 1 sources reporting, none failing. In maintenance: Dallas." in page
    assert "In maintenance until" in " ".join(client.get("/sources/wms").content.decode().split())
    assert client.get("/sources-not-reporting").json()["titles"] == ["Dallas"]
    health = client.get("/api/v1/sources/wms/health").json()
    assert (health["state"], bool(health["maintenance_until"])) == ("maintenance", True)
    ended = now - timedelta(seconds=30)
    SourceMaintenance.objects.update(starts_at=now - HOUR, ends_at=ended)
    assert client.get("/api/v1/sources/wms/health").json()["state"] == "live"
