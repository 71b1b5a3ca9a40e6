"""Rules about sources run from the sweep, with rows, parameters and severities like all others."""

from datetime import datetime, timedelta

import pytest

from tests.builders.rule_kinds import TooManyParked, register
from tests.builders.sla_rules import create_rule
from tests.builders.users import user_of_role
from tests.builders.watched_source import send_and_process, store_message
from visibility.alerts.source_snapshots import load_watched_sources
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Alert, AlertEntry, SlaClock, SlaRule, Source, WorkCalendar
from visibility.pipeline import job_functions
from visibility.sla.create_default_source_rules import create_source_rules_for_kinds_without_rule
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def rule(kind: str) -> SlaRule:
    create_source_rules_for_kinds_without_rule()
    return SlaRule.objects.get(kind=kind)


def silent_alert() -> Alert:
    return Alert.objects.get(kind="source_silent")


def open_silent_alert(wms: Source, now: datetime) -> None:
    Source.objects.update(expect_every=HOUR)
    send_and_process(wms, "order.received", now)
    sweep(now=now + 2 * HOUR)


def park_messages(source: Source, count: int) -> None:
    for number in range(count):
        headers = {"content-type": "application/cloudevents+json"}
        store_messages([IncomingMessage(source.pk, f"{number}", headers, b"not JSON")])
    job_functions.process_messages_and_refold()


def test_sweep_creates_the_rules_about_sources_once(wms: Source, now: datetime) -> None:
    sweep(now=now)
    sweep(now=now)
    rows = SlaRule.objects.exclude(kind="stuck_in_released").order_by("kind")
    assert [(r.kind, r.severity, r.team) for r in rows.filter(enabled=True)] == [
        ("batch_doubled", "medium", "Integration"),
        ("batch_empty", "medium", "Integration"),
        ("batch_late", "high", "Integration"),
        ("batch_out_of_order", "high", "Integration"),
        ("batch_short", "high", "Integration"),
        ("call_errors", "high", "Integration"),
        ("changed_fields", "medium", "Integration"),
        ("outdated_version", "medium", "Integration"),
        ("queue_backlog", "high", "Integration"),
        ("run_failed", "medium", "Integration"),
        ("secret_ending", "high", "Integration"),
        ("source_silent", "high", "Integration"),
        ("unmapped_status", "medium", "Integration"),
    ]
    # Nobody has agreed to a limit of a KPI, or to escalations.
    disabled = rows.filter(enabled=False).values_list("kind", flat=True)
    assert list(disabled) == ["kpi_off_limit", "unacknowledged_alert"]
    assert all(r.owner_team and r.owner_team.title == r.team for r in rows)


def test_alert_of_a_silent_source_names_its_rule_and_subject(wms: Source, now: datetime) -> None:
    rule("source_silent")
    SlaRule.objects.filter(kind="source_silent").update(severity="critical")
    open_silent_alert(wms, now)
    alert = silent_alert()
    assert (alert.rule, alert.severity) == (rule("source_silent"), "critical")
    assert (alert.subject_kind, alert.subject_key, alert.title) == (
        "source",
        "",
        "No data from Dallas",
    )
    assert alert.owner_team is not None
    assert alert.team == alert.owner_team.title == "Integration"


def test_alert_of_a_source_with_an_owner_goes_to_the_team_of_the_source(
    wms: Source, now: datetime
) -> None:
    Source.objects.update(owner="Dallas IT")
    open_silent_alert(wms, now)
    alert = silent_alert()
    assert alert.owner_team is not None
    assert (alert.team, alert.owner_team.slug) == ("Dallas IT", "dallas-it")


def test_alert_of_a_source_that_a_person_owns_is_assigned_to_that_person(
    wms: Source, now: datetime
) -> None:
    owner = user_of_role(UserRole.OPERATIONS, "olga")
    Source.objects.update(owner_user=owner)
    open_silent_alert(wms, now)
    assert (silent_alert().owner, silent_alert().team) == (owner, "Integration")


def test_grace_period_of_the_rule_delays_the_alert(wms: Source, now: datetime) -> None:
    rule("source_silent")
    SlaRule.objects.filter(kind="source_silent").update(params={"grace": 2})
    open_silent_alert(wms, now)
    assert not Alert.objects.exists()
    sweep(now=now + 3 * HOUR + timedelta(minutes=1))
    assert silent_alert().state == "open"


def test_disabled_rule_withdraws_its_alerts(wms: Source, now: datetime) -> None:
    open_silent_alert(wms, now)
    SlaRule.objects.filter(kind="source_silent").update(enabled=False)
    sweep(now=now + 2 * HOUR)
    assert (silent_alert().state, silent_alert().resolution) == (
        "withdrawn",
        "The rule no longer applies to this source.",
    )
    SlaRule.objects.filter(kind="source_silent").update(enabled=True)
    sweep(now=now + 2 * HOUR)
    assert (silent_alert().state, silent_alert().episode) == ("open", 2)


def test_unmapped_status_alerts_again_after_its_rule_was_disabled(
    wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.nonsense", now)
    sweep(now=now)
    assert Alert.objects.get(kind="unmapped_status").state == "open"
    for enabled, state in ((False, "withdrawn"), (True, "open")):
        SlaRule.objects.filter(kind="unmapped_status").update(enabled=enabled)
        sweep(now=now)
        assert Alert.objects.get(kind="unmapped_status").state == state


def test_most_specific_rule_applies_to_a_source(wms: Source, now: datetime) -> None:
    general = rule("source_silent")
    narrow = create_rule(
        general.calendar,
        code="wms-silent",
        kind="source_silent",
        params={},
        scope={"role": "wms"},
        severity="low",
    )
    open_silent_alert(wms, now)
    assert (silent_alert().rule, silent_alert().severity) == (narrow, "low")
    SlaRule.objects.filter(pk=narrow.pk).update(enabled=False)
    sweep(now=now + 2 * HOUR)
    assert (silent_alert().rule, silent_alert().state) == (general, "open")


def test_alert_of_an_older_release_keeps_its_identity_and_history(
    wms: Source, now: datetime
) -> None:
    open_silent_alert(wms, now)
    before = silent_alert()
    Alert.objects.update(rule=None, subject_kind="", owner_team=None)
    sweep(now=now + 2 * HOUR)
    after = silent_alert()
    assert (after.pk, after.episode, after.state) == (before.pk, 1, "open")
    assert (after.rule, after.subject_kind) == (rule("source_silent"), "source")
    assert AlertEntry.objects.filter(alert=after).count() == 1


def test_snapshot_counts_pending_and_parked_messages(wms: Source, now: datetime) -> None:
    park_messages(wms, 2)
    store_message(wms, "order.received", now)
    (watched,) = load_watched_sources(now)
    assert (watched.snapshot.pending_count, watched.snapshot.parked_count) == (1, 2)
    assert watched.snapshot.last_message_at is not None


def test_new_kind_of_rule_about_sources_is_one_class(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, TooManyParked())
    park_messages(wms, 2)
    sweep(now=now)
    alert = Alert.objects.get()
    assert (alert.kind, alert.title) == (
        "too_many_parked",
        "Too many parked messages from Dallas",
    )
    SlaRule.objects.filter(kind="too_many_parked").update(params={"limit": 5})
    sweep(now=now)
    assert (Alert.objects.get().state, Alert.objects.get().resolution) == (
        "resolved",
        "The condition has ended.",
    )


def test_failing_rule_about_sources_opens_one_alert_and_heals(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = TooManyParked()
    register(monkeypatch, kind)
    Source.objects.create(slug="3pl", title="3PL", connector="cloudevents", role="3pl")
    park_messages(wms, 2)
    sweep(now=now)
    kind.is_broken = True
    sweep(now=now)
    assert sweep(now=now) == 0
    parked, failing = Alert.objects.get(source=wms), Alert.objects.get(kind="rule_failed")
    assert parked.state == "open"
    assert (failing.state, failing.subject_kind, failing.subject_key) == (
        "open",
        "rule",
        "too-many-parked",
    )
    assert failing.title == (
        "Rule “Too many parked messages” fails for 2 sources: "
        "This rule failed with an internal error (ZeroDivisionError). See the worker log."
    )
    kind.is_broken = False
    sweep(now=now)
    failing.refresh_from_db()
    assert (failing.state, failing.resolution) == ("resolved", "The rule works again.")


def test_rule_about_sources_with_an_invalid_scope_is_reported(wms: Source, now: datetime) -> None:
    rule("source_silent")
    SlaRule.objects.filter(kind="source_silent").update(scope={"channel": "web"})
    sweep(now=now)
    assert "sources have no field 'channel'" in Alert.objects.get(kind="rule_failed").title


def test_rules_about_sources_set_no_clocks_on_orders(wms: Source, now: datetime) -> None:
    sweep(now=now)
    assert WorkCalendar.objects.filter(code="around-the-clock").exists()
    send_and_process(wms, "order.released", now)
    assert not Alert.objects.filter(kind="rule_failed").exists()


def test_long_currency_is_shortened_on_clocks_as_on_orders(wms: Source, now: datetime) -> None:
    create_rule()
    money = {"total": "10", "currency": "DOUBLOONS AND MORE"}
    send_and_process(wms, "order.released", now, attributes=money)
    assert SlaClock.objects.get().currency == "DOUBLOON"


def test_alerts_of_a_disabled_source_are_withdrawn(wms: Source, now: datetime) -> None:
    open_silent_alert(wms, now)
    assert silent_alert().state == "open"
    Source.objects.update(enabled=False)
    assert sweep(now=now + 2 * HOUR) == 1
    assert sweep(now=now + 2 * HOUR) == 0
    assert (silent_alert().state, silent_alert().resolution) == (
        "withdrawn",
        "The source is disabled.",
    )
    Source.objects.update(enabled=True)
    assert sweep(now=now + 2 * HOUR) == 1
    assert silent_alert().state == "open"
