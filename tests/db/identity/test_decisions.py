"""Identity decisions of people: they apply, survive a rebuild, and can be undone."""

import random

import pytest
from django.core.management import call_command
from django.db import transaction

from tests.builders.identity import (
    SourceMessage,
    clear_state,
    create_sources,
    decision_user,
    dump_state,
    keys,
    order_of,
    process_messages,
    source_message,
)
from tests.builders.sla_rules import create_rule
from visibility.alerts import actions as alerting
from visibility.db.database_time import database_now
from visibility.identity import decisions
from visibility.identity.decisions import DecisionRejected
from visibility.models import (
    Alert,
    AuditEntry,
    BusinessObject,
    IdentityDecision,
    Order,
    Source,
    UnmatchedObject,
)
from visibility.pipeline import refold_orders

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def connected() -> dict[str, Source]:
    return create_sources(wms={})


def unrelated_orders() -> list[SourceMessage]:
    """Build messages for SO-1 of the ERP and 900 of the warehouse; no message names both."""
    return [
        source_message("erp", "order.received", 1, order="SO-1", lines=LINE),
        source_message("erp", "order.released", 1.5, order="SO-1"),
        source_message("wms", "order.released", 2, order="900"),
        source_message(
            "wms", "shipment.confirmed", 3, order="900", shipment="S1", tracking="1Z001"
        ),
    ]


SO_1 = {"scheme": "sales_order", "issuer": "erp", "value": "SO-1"}


def wrongly_merged() -> list[SourceMessage]:
    """Build messages for SO-1 and the shop's SO-2, and a wrong one that names a number of each."""
    return [
        source_message(
            "erp", "order.received", 1, order={"number": "SO-1", "id": "71"}, lines=LINE
        ),
        source_message(
            "shop", "order.received", 2, order={"number": "SO-2", "id": "72"}, lines=LINE
        ),
        source_message("shop", "order.released", 2.5, order={"id": "72"}),
        source_message("shop", "order.changed", 3, order={"numbers": [SO_1], "id": "72"}),
    ]


def merge_orders(left: str, right: str) -> IdentityDecision:
    """Merge two orders."""
    a, b = order_of(left).pk, order_of(right).pk
    return refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.merge_or_attach_objects(
            a, b, by=decision_user(), reason="same goods", now=database_now()
        )
    )


def split_order(order: str, *values: str) -> IdentityDecision:
    """Split numbers from an order."""
    row = order_of(order)
    moved = [
        (i.scheme, i.issuer, i.value)
        for i in row.object.identifier_set.filter(is_identity=True, value__in=values)
    ]
    return refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.split_order(
            row.pk, moved, by=decision_user(), reason="two orders", now=database_now()
        )
    )


def undo_decision(decision: IdentityDecision) -> IdentityDecision:
    """Undo a decision."""
    return refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.undo_decision(decision.pk, by=decision_user(), now=database_now())
    )


def test_merged_orders_share_a_timeline() -> None:
    process_messages(unrelated_orders())
    first, second = order_of("SO-1").pk, order_of("900").pk
    merge_orders("SO-1", "900")
    order = Order.objects.get()
    assert (order.pk, order.event_count, order.number) == (min(first, second), 4, "SO-1")
    assert AuditEntry.objects.get().action == "join.join"
    process_messages([source_message("wms", "order.changed", 4, order="900")])
    assert Order.objects.get().event_count == 5


def test_undoing_a_merge_restores_both_orders_with_their_ids() -> None:
    process_messages(unrelated_orders())
    separate, ids = dump_state(), {order_of("SO-1").pk, order_of("900").pk}
    decision = merge_orders("SO-1", "900")
    merged = dump_state()
    undo_decision(decision)
    assert dump_state() == separate
    assert set(Order.objects.values_list("pk", flat=True)) == ids
    assert not BusinessObject.objects.exclude(merged_into=None).exists()
    merge_orders("SO-1", "900")
    assert dump_state() == merged


def open_alert(number: str, subject_key: str, note: str) -> Alert:
    """Create an open alert on an order, with a note."""
    order = order_of(number)
    now = database_now()
    alert: Alert = Alert.objects.create(
        rule=create_rule(enabled=False),
        order_id=order.pk,
        subject_key=subject_key,
        severity="high",
        title=f"{number} {subject_key}",
        started_at=now,
        due_at=now,
        opened_at=now,
    )
    alerting.add_note(alert.pk, by=decision_user(), now=now, note=note)
    return alert


def alert_states() -> dict[str, tuple[object, ...]]:
    """Return the order number, state, users, episode and notes of each alert, by title."""
    orders = dict(Order.objects.values_list("pk", "number"))
    return {
        a.title: (
            orders.get(a.order_id or 0),
            a.state,
            a.acknowledged_by_id,
            a.owner_id,
            a.episode,
            sorted(a.entries.values_list("text", flat=True)),
        )
        for a in Alert.objects.all()
    }


def test_merge_and_undo_of_orders_with_alerts_and_notes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two alerts have the same subject, two have their own: none is lost or doubled."""
    monkeypatch.setattr(
        "visibility.pipeline.refold_orders.write_clocks_and_alerts.write_clocks_and_reconcile_alerts",
        lambda *_, **__: [],
    )
    process_messages(unrelated_orders())
    open_alert("SO-1", "release", "called Dallas")
    open_alert("SO-1", "price", "asked Nora")
    open_alert("900", "scan", "asked UPS")
    acknowledged = open_alert("900", "release", "on it")
    alerting.acknowledge(acknowledged.pk, by=decision_user(), now=database_now(), note="mine")
    before = alert_states()
    decision = merge_orders("SO-1", "900")
    merged = alert_states()
    both = merged["SO-1 release"]
    assert both[:4] == ("SO-1", "acknowledged", decision_user().pk, decision_user().pk)
    assert both[5] == ["called Dallas", "mine", "on it"]
    assert merged["900 scan"][0] == "SO-1"
    assert merged["900 release"][1] == "withdrawn"
    notes = [text for *_, texts in merged.values() for text in texts]  # type: ignore[attr-defined]
    assert sorted(notes) == ["asked Nora", "asked UPS", "called Dallas", "mine", "on it"]
    undo_decision(decision)
    assert alert_states() == before


def test_actions_after_a_merge_survive_its_undo() -> None:
    process_messages(unrelated_orders())
    open_alert("SO-1", "release", "a")
    acknowledged = open_alert("900", "release", "b")
    alerting.acknowledge(acknowledged.pk, by=decision_user(), now=database_now())
    decision = merge_orders("SO-1", "900")
    survivor = Alert.objects.get(title="SO-1 release")
    Alert.objects.filter(pk=survivor.pk).update(state="acknowledged")
    alerting.add_note(survivor.pk, by=decision_user(), now=database_now(), note="after")
    undo_decision(decision)
    assert "after" in survivor.entries.values_list("text", flat=True)


def test_split_gives_each_order_its_own_events() -> None:
    process_messages(wrongly_merged())
    assert keys() == ["sales_order:erp:SO-1"]
    split_order("SO-1", "SO-2", "72")
    assert {o.number: o.event_count for o in Order.objects.all()} == {"SO-1": 2, "SO-2": 2}
    process_messages([source_message("shop", "order.cancelled", 5, order={"id": "72"})])
    assert {o.number: o.event_count for o in Order.objects.all()} == {"SO-1": 2, "SO-2": 3}


def test_split_survives_a_rebuild_and_any_order_of_arrival() -> None:
    process_messages(wrongly_merged())
    split_order("SO-1", "SO-2", "72")
    expected = dump_state()
    call_command("rebuild")
    assert dump_state() == expected
    for seed in range(4):
        clear_state()
        messages = wrongly_merged()
        random.Random(seed).shuffle(messages)
        for message in messages:
            process_messages([message])
        assert dump_state() == expected, seed


def test_undoing_a_split_restores_the_original_timeline() -> None:
    process_messages(wrongly_merged())
    expected, first = dump_state(), Order.objects.get().pk
    undo_decision(split_order("SO-1", "SO-2", "72"))
    assert dump_state() == expected
    assert Order.objects.get().pk == first


def test_split_orders_cannot_be_merged_before_the_split_is_undone() -> None:
    process_messages(wrongly_merged())
    decision = split_order("SO-1", "SO-2", "72")
    with pytest.raises(DecisionRejected, match="are different"):
        merge_orders("SO-1", "SO-2")
    assert Order.objects.count() == 2
    undo_decision(decision)
    assert Order.objects.count() == 1


def test_orders_marked_as_different_are_never_merged() -> None:
    process_messages(wrongly_merged()[:3])
    a, b = order_of("SO-1").pk, order_of("SO-2").pk
    refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.decide_objects_are_distinct(
            a, b, by=decision_user(), reason="", now=database_now()
        )
    )
    process_messages(wrongly_merged()[3:])
    assert Order.objects.count() == 2


def test_orphan_package_is_attached_to_an_order_and_detached_by_undo() -> None:
    process_messages(
        [
            *unrelated_orders()[:1],
            source_message("carrier", "shipment.delivered", 4, tracking="1Z777"),
        ]
    )
    orphan = UnmatchedObject.objects.get().object_id
    order = order_of("SO-1").pk
    decision = refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.merge_or_attach_objects(
            order, orphan, by=decision_user(), reason="", now=database_now()
        )
    )
    assert decision.verdict == "belongs"
    assert Order.objects.get().event_count == 2
    assert not UnmatchedObject.objects.exists()
    call_command("rebuild")
    assert Order.objects.get().event_count == 2
    undo_decision(decision)
    assert Order.objects.get().event_count == 1
    assert UnmatchedObject.objects.get().object_id == orphan


def test_split_that_moves_nothing_is_rejected() -> None:
    process_messages(
        [source_message("erp", "order.received", 1, order={"number": "SO-1", "id": "71"})]
    )
    with pytest.raises(DecisionRejected, match="would move nothing"):
        split_order("SO-1", "71")
    with pytest.raises(DecisionRejected, match="at least one"):
        split_order("SO-1", "71", "SO-1")
    with pytest.raises(DecisionRejected, match="do not belong to this order"):
        decisions.split_order(
            order_of("SO-1").pk,
            [("rma", "x", "y")],
            by=decision_user(),
            reason="",
            now=database_now(),
        )
    assert not IdentityDecision.objects.exists()


def test_decision_can_be_undone_only_once() -> None:
    process_messages(unrelated_orders())
    decision = merge_orders("SO-1", "900")
    undo_decision(decision)
    with pytest.raises(DecisionRejected, match="already"), transaction.atomic():
        decisions.undo_decision(decision.pk, by=decision_user(), now=database_now())


@pytest.mark.parametrize("seed", range(4))
def test_decisions_and_messages_in_any_order_give_the_same_state(seed: int) -> None:
    rng = random.Random(seed)
    messages = []
    for day in range(30):
        a, b = f"SO-{rng.randrange(4)}", f"{rng.randrange(5)}"
        shape = rng.choice([{"number": a}, {"id": b}, {"number": a, "id": b}])
        messages.append(
            source_message("erp", "order.changed", day, order=shape, tracking=f"1Z{day % 3}")
        )
    process_messages(messages)
    for _ in range(3):
        order = rng.choice(list(Order.objects.order_by("key")))
        values = [
            i.value for i in order.object.identifier_set.filter(is_identity=True).order_by("value")
        ]
        if len(values) > 1:
            try:
                split_order(values[0], *values[len(values) // 2 :])
            except DecisionRejected:
                continue
    expected = dump_state()
    call_command("rebuild")
    assert dump_state() == expected
    for _ in range(2):
        clear_state()
        rng.shuffle(messages)
        for start in range(0, len(messages), 7):
            process_messages(messages[start : start + 7])
        assert dump_state() == expected
