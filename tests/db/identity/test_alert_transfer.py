"""Acknowledgments, owners and notes of alerts when orders are joined, split and parted again."""

from datetime import timedelta

import pytest
from django.db import transaction

from tests.builders.identity import (
    DAY,
    START,
    SourceMessage,
    create_sources,
    decision_user,
    order_of,
    process_messages,
    source_message,
)
from tests.builders.sla_rules import always_open, create_rule
from visibility.alerts import actions
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.identity import decisions
from visibility.models import Alert, AlertEntry, Notification, Subscription
from visibility.pipeline import refold_orders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def connected() -> None:
    create_sources(wms={})
    create_rule(always_open())


def released_orders() -> list[SourceMessage]:
    """Build messages for two orders that were released and not shipped."""
    return [
        source_message("erp", "order.released", 1, order="SO-1"),
        source_message("wms", "order.released", 2, order="900"),
    ]


def alert_of(number: str) -> Alert:
    return Alert.objects.get(order=order_of(number).pk)


def annotated(number: str, note: str) -> Alert:
    """Acknowledge the alert of an order as its owner, with a note."""
    alert = alert_of(number)
    actions.acknowledge(alert.pk, by=decision_user(), now=database_now(), note=note)
    alert.refresh_from_db()
    return alert


def facts(alert: Alert) -> tuple[object, ...]:
    alert.refresh_from_db()
    return alert.state, alert.owner_id, alert.acknowledged_by_id, alert.acknowledged_at


def notes(alert: Alert) -> list[str]:
    entries = AlertEntry.objects.filter(alert=alert, user__isnull=False)
    return sorted(entries.values_list("text", flat=True))


def decide(decision: object) -> object:
    stored = refold_orders.apply_identity_decision_and_refold(decision)  # type: ignore[arg-type]
    sweep(now=database_now())
    return stored


@pytest.mark.parametrize("acknowledged", ["SO-1", "900"])
def test_join_by_an_event_keeps_who_acknowledged_what(acknowledged: str) -> None:
    process_messages(released_orders())
    sweep(now=database_now())
    other = alert_of("900" if acknowledged == "SO-1" else "SO-1")
    actions.add_note(other.pk, by=decision_user(), now=database_now(), note="asked Nora")
    before = facts(annotated(acknowledged, "on it"))
    numbers = [{"scheme": "sales_order", "issuer": "erp", "value": "SO-1"}]
    process_messages(
        [source_message("wms", "order.changed", 3, order={"number": "900", "numbers": numbers})]
    )
    sweep(now=database_now())
    (active,) = Alert.objects.filter(state__in=["open", "acknowledged"])
    assert active.order_id == order_of("SO-1").pk
    assert facts(active) == before
    assert notes(active) == ["asked Nora", "on it"]
    assert active.started_at == START + DAY, "the earlier release"


def test_join_with_a_closed_alert_keeps_the_acknowledgment_of_the_active_one() -> None:
    process_messages(released_orders())
    sweep(now=database_now())
    Alert.objects.filter(order=order_of("SO-1").pk).update(
        state="withdrawn", resolved_at=database_now(), resolution="Late evidence."
    )
    before = facts(annotated("900", "on it"))
    join = decide(merge)
    (active,) = Alert.objects.filter(state="acknowledged")
    assert (active.order_id, active.resolution) == (order_of("SO-1").pk, "")
    assert facts(active) == before
    decide(undo_of(join))
    assert alert_of("SO-1").acknowledged_by is None
    assert facts(alert_of("900")) == before


@pytest.mark.parametrize("is_acknowledged", [False, True])
def test_undo_of_a_join_closes_the_alert_that_the_join_reopened(is_acknowledged: bool) -> None:
    """Without the refold that follows, which evaluates the clock again."""
    process_messages(released_orders())
    sweep(now=database_now())
    closed, other = alert_of("SO-1"), alert_of("900")
    Alert.objects.filter(pk=closed.pk).update(
        state="withdrawn",
        resolved_at=database_now(),
        resolution="Late evidence.",
        closing_reason="condition_ended",
    )
    if is_acknowledged:
        annotated("900", "on it")
    before = closed_fields(closed)
    with transaction.atomic():
        join = merge()
    assert closed_fields(closed)[:2] == (
        "acknowledged" if is_acknowledged else "open",
        2,
    )
    with transaction.atomic():
        undo_of(join)()  # type: ignore[operator]
    assert closed_fields(closed) == before
    assert facts(other)[0] == ("acknowledged" if is_acknowledged else "open")


def test_undo_of_a_join_keeps_an_acknowledgment_of_the_reopened_alert() -> None:
    process_messages(released_orders())
    sweep(now=database_now())
    closed = alert_of("SO-1")
    Alert.objects.filter(pk=closed.pk).update(state="withdrawn", resolved_at=database_now())
    with transaction.atomic():
        join = merge()
    actions.acknowledge(closed.pk, by=decision_user(), now=database_now(), note="mine")
    with transaction.atomic():
        undo_of(join)()  # type: ignore[operator]
    assert closed_fields(closed)[0] == "acknowledged"
    assert closed.acknowledged_by == decision_user()


def closed_fields(alert: Alert) -> tuple[object, ...]:
    """Return the state, the episode, and what the closing of an alert stores."""
    alert.refresh_from_db()
    return (
        alert.state,
        alert.episode,
        alert.resolved_at,
        alert.resolution,
        alert.closing_reason,
        alert.acknowledged_at,
    )


def merge() -> object:
    return decisions.merge_or_attach_objects(
        order_of("SO-1").pk,
        order_of("900").pk,
        by=decision_user(),
        reason="same goods",
        now=database_now(),
    )


def undo_of(decision: object) -> object:
    number: int = decision.pk  # type: ignore[attr-defined]
    return lambda: decisions.undo_decision(number, by=decision_user(), now=database_now())


def test_parted_orders_have_their_own_acknowledgments_and_notes_again() -> None:
    process_messages(released_orders())
    sweep(now=database_now())
    first, second = alert_of("SO-1"), annotated("900", "on it")
    actions.add_note(first.pk, by=decision_user(), now=database_now(), note="asked Nora")
    before = facts(first), facts(second)
    assert before[0][0] == "open"
    join = decide(merge)
    assert facts(first)[1:] == before[1][1:]
    decide(undo_of(join))
    assert (facts(first), facts(second)) == before
    assert (notes(first), notes(second)) == (["asked Nora"], ["on it"])
    assert second.order_id == order_of("900").pk
    assert second.due_at == START + 2 * DAY + timedelta(hours=4)


@pytest.mark.parametrize("batches", [1, 2], ids=["never apart", "merged by a message"])
def test_split_gives_each_order_its_alert_with_acknowledgment_and_notes(batches: int) -> None:
    Subscription.objects.create(user=decision_user())
    so_1 = {"scheme": "sales_order", "issuer": "erp", "value": "SO-1"}
    messages = [
        source_message("erp", "order.released", 1, order={"number": "SO-1", "id": "71"}),
        source_message("shop", "order.released", 2, order={"number": "S-2", "id": "72"}),
        source_message("shop", "order.changed", 3, order={"id": "72", "numbers": [so_1]}),
    ]
    if batches == 2:
        process_messages(messages[:2])
    process_messages(messages)
    sweep(now=database_now())
    before = facts(annotated("SO-1", "on it"))
    row = order_of("SO-1")
    moved = [
        (i.scheme, i.issuer, i.value)
        for i in row.object.identifier_set.filter(is_identity=True, value__in=["S-2", "72"])
    ]
    split = decide(
        lambda: decisions.split_order(
            row.pk, moved, by=decision_user(), reason="two orders", now=database_now()
        )
    )
    alerts = [alert_of("SO-1"), alert_of("72")]
    for alert in alerts:
        assert facts(alert) == before
        assert notes(alert) == ["on it"]
    assert [alert.started_at for alert in alerts] == [START + DAY, START + 2 * DAY]
    assert Notification.objects.count() == 1, "nobody is notified of a copy"
    decide(undo_of(split))
    (active,) = Alert.objects.filter(state="acknowledged")
    assert facts(active) == before
    assert notes(active) == ["on it"]
