"""Breach to alert: opened once, held in silence, closed on evidence, reopened on need."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from pytest_django.fixtures import Settings

from tests.evaluate.watched import say, states, tell
from tests.rules import promise
from visibility.alerts import actions
from visibility.alerts.sweep import sweep
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import (
    Alert,
    AlertEntry,
    AlertState,
    AuditEntry,
    InboundMessage,
    Notification,
    Order,
    Refold,
    SlaClock,
    SlaRule,
    Source,
)
from visibility.models.audit import broken
from visibility.notify import outbox
from visibility.pipeline import stages

pytestmark = pytest.mark.django_db


def test_a_clock_that_runs_out_opens_one_alert(wms: Source, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=3, minutes=59))
    assert states() == []
    later = now + timedelta(minutes=2)
    assert sweep(now=later) == 1
    assert sweep(now=later) == 0
    alert = Alert.objects.get()
    assert alert.due_at == SlaClock.objects.get().due_at
    assert alert.title == "Released 4 h ago and no ship confirmation"


def test_a_breach_found_late_keeps_its_true_deadline(wms: Source, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    assert Alert.objects.get().due_at == now - timedelta(hours=6)


def test_a_deadline_that_had_passed_waits_for_a_backlog(wms: Source, now: datetime) -> None:
    waiting = Arrival(wms.pk, "unread", {}, b"{")
    keep([waiting])
    InboundMessage.objects.update(
        received_at=now - timedelta(seconds=30), next_attempt_at=now + timedelta(hours=1)
    )
    tell(wms, "order.released", now - timedelta(hours=10))
    assert states() == []
    InboundMessage.objects.filter(dedupe_key="unread").update(next_attempt_at=None)
    stages.advance()
    sweep(now=database_now())
    assert states() == ["open"]


def test_a_deadline_that_had_passed_waits_for_a_large_order_that_rests(
    wms: Source, now: datetime
) -> None:
    say(wms, "order.released", now - timedelta(hours=10))
    stages.advance()
    order = Order.objects.get()
    Order.objects.update(event_count=5_000, folded_at=database_now())
    say(wms, "shipment.confirmed", now - timedelta(hours=9), shipment="S1")
    stages.advance()
    assert sweep(now=database_now()) == 0
    # Its rest is over.
    Order.objects.update(folded_at=now - timedelta(hours=1))
    Refold.objects.filter(object_id=order.pk).update(touched_at=now)
    stages.advance()
    sweep(now=database_now())
    assert states() == []


def test_a_deadline_known_before_it_passed_does_not_wait(wms: Source, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=3, minutes=59))
    keep([Arrival(wms.pk, "unread", {}, b"{")])
    InboundMessage.objects.filter(dedupe_key="unread").update(
        received_at=now - timedelta(seconds=30)
    )
    assert sweep(now=now + timedelta(minutes=2)) == 1


def test_late_evidence_resolves_and_says_how_late(wms: Source, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    tell(wms, "shipment.confirmed", now - timedelta(hours=1), shipment="S1")
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "It happened 5:00:00 late.")


def test_evidence_of_a_promise_kept_withdraws_the_alert(wms: Source, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    tell(wms, "shipment.confirmed", now - timedelta(hours=8), shipment="S1")
    assert states() == ["withdrawn"]


def test_what_turns_out_late_after_all_is_no_longer_withdrawn(wms: Source, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    tell(wms, "shipment.confirmed", now - timedelta(hours=8), shipment="S1", part="S1")
    assert states() == ["withdrawn"]
    say(wms, "shipment.void", now - timedelta(hours=7), shipment="S1", part="S1")
    tell(wms, "shipment.confirmed", now - timedelta(hours=1), shipment="S2", part="S2")
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "It happened 5:00:00 late.")


def test_a_breach_that_was_over_before_we_heard_of_it_tells_nobody(
    wms: Source, olga: User, now: datetime
) -> None:
    tell(wms, "shipment.confirmed", now - timedelta(hours=1), shipment="S1")
    tell(wms, "order.released", now - timedelta(hours=10))
    assert states() == ["resolved"]
    assert not Notification.objects.exists()


def test_people_are_told_once_by_mail(
    wms: Source, olga: User, now: datetime, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    tell(wms, "order.released", now - timedelta(hours=10))
    assert outbox.deliver(now=now + timedelta(minutes=1)) == 1
    assert outbox.deliver(now=now + timedelta(minutes=9)) == 0
    (message,) = mail.outbox
    assert message.to == ["olga@example.invalid"]
    assert str(Notification.objects.get().token) in message.extra_headers["Message-ID"]


def test_a_mail_that_fails_is_tried_again(
    wms: Source, olga: User, now: datetime, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    tell(wms, "order.released", now - timedelta(hours=10))
    assert outbox.deliver(now=now + timedelta(minutes=1)) == 0
    row = Notification.objects.get()
    assert (row.state, row.attempts) == ("pending", 1)
    assert "refused" in row.error
    assert row.next_attempt_at > now + timedelta(minutes=1)


def test_acknowledging_says_who_when_and_why(wms: Source, olga: User, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    alert = Alert.objects.get()
    actions.acknowledge(alert.pk, by=olga, now=now, note="on it")
    alert.refresh_from_db()
    assert (alert.state, alert.owner, alert.acknowledged_by) == ("acknowledged", olga, olga)
    entry = AlertEntry.objects.get(what="acknowledged")
    assert (entry.who, entry.at, entry.text) == (olga, now, "on it")
    assert AuditEntry.objects.filter(what="alert.acknowledged", who=olga).exists()
    assert broken() == []
    with pytest.raises(actions.Refused, match="already"):
        actions.acknowledge(alert.pk, by=olga, now=now)


def test_resolving_while_the_promise_is_broken_opens_it_again(
    wms: Source, olga: User, now: datetime
) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    alert = actions.resolve(Alert.objects.get().pk, by=olga, now=now, note="done")
    alert.refresh_from_db()
    assert (alert.state, alert.episode) == ("open", 2)


def test_a_snooze_ends(wms: Source, olga: User, now: datetime) -> None:
    tell(wms, "order.released", now - timedelta(hours=10))
    alert = Alert.objects.get()
    actions.snooze(alert.pk, by=olga, until=now + timedelta(hours=1), now=now)
    assert sweep(now=now + timedelta(minutes=59)) == 0
    assert states() == ["snoozed"]
    assert sweep(now=now + timedelta(minutes=61)) == 1
    assert states() == ["open"]
    with pytest.raises(actions.Refused, match="future"):
        actions.snooze(alert.pk, by=olga, until=now, now=now)


def test_silence_is_one_alert_and_holds_the_others(wms: Source, now: datetime) -> None:
    Source.objects.update(expect_every=timedelta(minutes=30))
    for number in range(5):
        tell(wms, "order.released", now - timedelta(hours=3, minutes=30), order=f"SO-{number}")
    later = now + timedelta(minutes=45)
    sweep(now=later)
    assert Alert.objects.filter(source=wms, state=AlertState.OPEN).count() == 1
    assert (
        Alert.objects.filter(order__isnull=False).values_list("state", flat=True).distinct()[0]
        == AlertState.HELD
    )
    Source.objects.update(expect_every=timedelta(hours=2))
    sweep(now=later)
    assert set(states()) == {"resolved", "open"}


def test_the_most_specific_rule_covers_an_order(wms: Source, now: datetime) -> None:
    general = SlaRule.objects.get()
    promise(
        general.calendar,
        code="north",
        title="North",
        params={"within": 8},
        scope={"warehouse": "North"},
        severity="low",
        team="North",
    )
    released = now - timedelta(hours=6)
    tell(wms, "order.released", released, order="SO-1", attributes={"warehouse": "North"})
    tell(wms, "order.released", released, order="SO-2", attributes={"warehouse": "Dallas"})
    assert set(SlaClock.objects.values_list("rule__code", flat=True)) == {"north", "stuck"}
    assert [a.rule.code for a in Alert.objects.all() if a.rule] == ["stuck"]
