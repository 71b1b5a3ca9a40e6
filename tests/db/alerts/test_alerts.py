"""Alerts: opened once, suppressed while a source is silent, closed on evidence, reopened."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from pytest_django.fixtures import Settings

from tests.builders.sla_rules import create_rule
from tests.builders.watched_source import (
    send_and_process,
    set_received_at_of_waiting_messages,
    states,
    store_message,
)
from visibility.alerts import actions
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    Alert,
    AlertEntry,
    AlertState,
    AuditEntry,
    InboundMessage,
    Notification,
    Order,
    RefoldRequest,
    SlaClock,
    SlaRule,
    Source,
)
from visibility.models.audit import broken_entry_ids
from visibility.notify import outbox
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db


def test_overdue_clock_opens_one_alert(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=3, minutes=59))
    assert states() == []
    later = now + timedelta(minutes=2)
    assert sweep(now=later) == 1
    assert sweep(now=later) == 0
    alert = Alert.objects.get()
    assert alert.due_at == SlaClock.objects.get().due_at
    assert alert.title == "No ship confirmation 4 h 1 min after the release"
    assert alert.title_with_age(later + timedelta(hours=2)) == (
        "No ship confirmation 6 h 1 min after the release"
    )


def test_alert_discovered_late_has_the_original_due_time(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    assert Alert.objects.get().due_at == now - timedelta(hours=6)


def test_past_deadline_waits_until_the_backlog_is_processed(wms: Source, now: datetime) -> None:
    waiting = IncomingMessage(wms.pk, "unread", {}, b"{")
    store_messages([waiting])
    set_received_at_of_waiting_messages(now - timedelta(seconds=30))
    InboundMessage.objects.update(next_attempt_at=now + timedelta(hours=1))
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    assert states() == []
    InboundMessage.objects.filter(dedupe_key="unread").update(next_attempt_at=None)
    job_functions.process_messages_and_refold()
    sweep(now=database_now())
    assert states() == ["open"]


def test_past_deadline_waits_for_the_refold_of_a_large_order(wms: Source, now: datetime) -> None:
    store_message(wms, "order.released", now - timedelta(hours=10))
    job_functions.process_messages_and_refold()
    order = Order.objects.get()
    Order.objects.update(event_count=5_000, folded_at=database_now())
    store_message(wms, "shipment.confirmed", now - timedelta(hours=9), shipment="S1")
    job_functions.process_messages_and_refold()
    assert sweep(now=database_now()) == 0
    # Its rest is over.
    Order.objects.update(folded_at=now - timedelta(hours=1))
    RefoldRequest.objects.filter(object_id=order.pk).update(due_at=now)
    job_functions.process_messages_and_refold()
    sweep(now=database_now())
    assert states() == []


def test_deadline_known_in_advance_opens_an_alert_despite_a_backlog(
    wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=3, minutes=59))
    store_messages([IncomingMessage(wms.pk, "unread", {}, b"{")])
    InboundMessage.objects.filter(dedupe_key="unread").update(
        received_at=now - timedelta(seconds=30)
    )
    assert sweep(now=now + timedelta(minutes=2)) == 1


def test_late_completion_resolves_the_alert_with_the_delay(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    send_and_process(wms, "shipment.confirmed", now - timedelta(hours=1), shipment="S1")
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "Completed 5:00:00 late.")


def test_evidence_of_completion_on_time_withdraws_the_alert(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    send_and_process(wms, "shipment.confirmed", now - timedelta(hours=8), shipment="S1")
    assert states() == ["withdrawn"]


def test_withdrawn_alert_is_resolved_when_completion_was_late_after_all(
    wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    send_and_process(wms, "shipment.confirmed", now - timedelta(hours=8), shipment="S1", part="S1")
    assert states() == ["withdrawn"]
    store_message(wms, "shipment.void", now - timedelta(hours=7), shipment="S1", part="S1")
    send_and_process(wms, "shipment.confirmed", now - timedelta(hours=1), shipment="S2", part="S2")
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "Completed 5:00:00 late.")


def test_breach_discovered_after_the_fact_notifies_nobody(
    wms: Source, olga: User, now: datetime
) -> None:
    send_and_process(wms, "shipment.confirmed", now - timedelta(hours=1), shipment="S1")
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    assert states() == ["resolved"]
    assert not Notification.objects.exists()


def test_subscribers_receive_one_email(
    wms: Source, olga: User, now: datetime, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    assert outbox.send_due_notifications(now=now + timedelta(minutes=1)) == 1
    assert outbox.send_due_notifications(now=now + timedelta(minutes=9)) == 0
    (message,) = mail.outbox
    assert message.to == ["olga@example.invalid"]
    assert str(Notification.objects.get().message_id) in message.extra_headers["Message-ID"]


def test_failed_email_is_retried(
    wms: Source, olga: User, now: datetime, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    assert outbox.send_due_notifications(now=now + timedelta(minutes=1)) == 0
    row = Notification.objects.get()
    assert (row.state, row.attempts) == ("pending", 1)
    assert "refused" in row.error
    assert row.next_attempt_at > now + timedelta(minutes=1)


def test_acknowledgment_records_user_time_and_note(wms: Source, olga: User, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    alert = Alert.objects.get()
    actions.acknowledge(alert.pk, by=olga, now=now, note="on it")
    alert.refresh_from_db()
    assert (alert.state, alert.owner, alert.acknowledged_by) == ("acknowledged", olga, olga)
    entry = AlertEntry.objects.get(action="acknowledged")
    assert (entry.user, entry.at, entry.text) == (olga, now, "on it")
    assert AuditEntry.objects.filter(action="alert.acknowledged", user=olga).exists()
    assert broken_entry_ids() == []
    with pytest.raises(actions.ActionRejected, match="already"):
        actions.acknowledge(alert.pk, by=olga, now=now)


def test_resolved_alert_reopens_while_the_condition_holds(
    wms: Source, olga: User, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    alert = actions.resolve(Alert.objects.get().pk, by=olga, now=now, note="done")
    alert.refresh_from_db()
    assert (alert.state, alert.episode) == ("open", 2)


def test_snooze_ends(wms: Source, olga: User, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=10))
    alert = Alert.objects.get()
    actions.snooze(alert.pk, by=olga, until=now + timedelta(hours=1), now=now)
    assert sweep(now=now + timedelta(minutes=59)) == 0
    assert states() == ["snoozed"]
    assert sweep(now=now + timedelta(minutes=61)) == 1
    assert states() == ["open"]
    with pytest.raises(actions.ActionRejected, match="future"):
        actions.snooze(alert.pk, by=olga, until=now, now=now)


def test_silent_source_opens_one_alert_and_suppresses_the_others(
    wms: Source, now: datetime
) -> None:
    Source.objects.update(expect_every=timedelta(minutes=30))
    for number in range(5):
        send_and_process(
            wms, "order.released", now - timedelta(hours=3, minutes=30), order=f"SO-{number}"
        )
    later = now + timedelta(minutes=45)
    sweep(now=later)
    assert Alert.objects.filter(source=wms, state=AlertState.OPEN).count() == 1
    assert (
        Alert.objects.filter(order__isnull=False).values_list("state", flat=True).distinct()[0]
        == AlertState.SUPPRESSED
    )
    Source.objects.update(expect_every=timedelta(hours=2))
    sweep(now=later)
    assert set(states()) == {"resolved", "open"}


def test_most_specific_rule_applies_to_an_order(wms: Source, now: datetime) -> None:
    general = SlaRule.objects.get()
    create_rule(
        general.calendar,
        code="north",
        title="North",
        params={"within": 8},
        scope={"warehouse": "North"},
        severity="low",
        team="North",
    )
    released = now - timedelta(hours=6)
    send_and_process(
        wms, "order.released", released, order="SO-1", attributes={"warehouse": "North"}
    )
    send_and_process(
        wms, "order.released", released, order="SO-2", attributes={"warehouse": "Dallas"}
    )
    assert set(SlaClock.objects.values_list("rule__code", flat=True)) == {"north", "stuck"}
    assert [a.rule.code for a in Alert.objects.all() if a.rule] == ["stuck"]
