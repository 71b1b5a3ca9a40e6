"""What people decide about who is who holds, survives a rebuild, and can be taken back."""

import random

import pytest
from django.core.management import call_command
from django.db import transaction

from tests.correlate.told import (
    Word,
    connect,
    exported,
    forget,
    keys,
    olga,
    order_of,
    tell,
    word,
)
from tests.web.alert_cast import rule
from visibility.alerts import actions as alerting
from visibility.db.clock import database_now
from visibility.identity import decisions
from visibility.identity.decisions import Refused
from visibility.models import (
    Alert,
    AuditEntry,
    BusinessObject,
    JoinAct,
    Order,
    Orphan,
    Source,
)
from visibility.pipeline import stages

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def connected() -> dict[str, Source]:
    return connect(wms={})


def two() -> list[Word]:
    """The ERP's SO-1 and the warehouse's 900, of which nobody says that they are one."""
    return [
        word("erp", "order.received", 1, order="SO-1", lines=LINE),
        word("erp", "order.released", 1.5, order="SO-1"),
        word("wms", "order.released", 2, order="900"),
        word("wms", "shipment.confirmed", 3, order="900", shipment="S1", tracking="1Z001"),
    ]


def wrongly_joined() -> list[Word]:
    """SO-1 and SO-2, and one message that names an id of each."""
    return [
        word("erp", "order.received", 1, order={"number": "SO-1", "id": "71"}, lines=LINE),
        word("erp", "order.received", 2, order={"number": "SO-2", "id": "72"}, lines=LINE),
        word("erp", "order.released", 2.5, order={"id": "72"}),
        word("erp", "order.changed", 3, order={"number": "SO-1", "id": "72"}),
    ]


def join(left: str, right: str) -> JoinAct:
    """Olga joins two orders."""
    a, b = order_of(left).pk, order_of(right).pk
    return stages.decide(
        lambda: decisions.join(a, b, by=olga(), why="same goods", now=database_now())
    )


def split(order: str, *values: str) -> JoinAct:
    """Olga parts numbers from an order."""
    found = order_of(order)
    moved = [
        (i.scheme, i.issuer, i.value)
        for i in found.object.identifier_set.filter(strong=True, value__in=values)
    ]
    return stages.decide(
        lambda: decisions.split(found.pk, moved, by=olga(), why="two orders", now=database_now())
    )


def undo(act: JoinAct) -> JoinAct:
    """Olga takes it back."""
    return stages.decide(lambda: decisions.undo(act.pk, by=olga(), now=database_now()))


def test_people_join_two_orders_and_the_timeline_is_one() -> None:
    tell(two())
    first, second = order_of("SO-1").pk, order_of("900").pk
    join("SO-1", "900")
    order = Order.objects.get()
    assert (order.pk, order.event_count, order.number) == (min(first, second), 4, "SO-1")
    assert AuditEntry.objects.get().what == "join.join"
    tell([word("wms", "order.changed", 4, order="900")])
    assert Order.objects.get().event_count == 5


def test_undoing_a_join_gives_both_back_under_their_own_ids() -> None:
    tell(two())
    apart, ids = exported(), {order_of("SO-1").pk, order_of("900").pk}
    act = join("SO-1", "900")
    joined = exported()
    undo(act)
    assert exported() == apart
    assert set(Order.objects.values_list("pk", flat=True)) == ids
    assert not BusinessObject.objects.exclude(merged_into=None).exists()
    join("SO-1", "900")
    assert exported() == joined


def alert_of(number: str, obligation: str, note: str) -> Alert:
    """An open alert on an order, with a note."""
    found = order_of(number)
    now = database_now()
    made: Alert = Alert.objects.create(
        rule=rule(enabled=False),
        order_id=found.pk,
        obligation=obligation,
        severity="high",
        title=f"{number} {obligation}",
        started_at=now,
        due_at=now,
        opened_at=now,
    )
    alerting.add_note(made.pk, by=olga(), now=now, note=note)
    return made


def standing() -> dict[str, tuple[object, ...]]:
    """Each alert: its order's number, state, owner, and notes."""
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


def test_a_join_of_orders_with_alerts_and_notes_on_both_and_its_undo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two of the same promise, one of each alone: none lost, none doubled, all given back."""
    monkeypatch.setattr("visibility.pipeline.refold.clocks.set_clocks", lambda *_, **__: [])
    tell(two())
    alert_of("SO-1", "release", "called Dallas")
    alert_of("SO-1", "price", "asked Nora")
    alert_of("900", "scan", "asked UPS")
    mine = alert_of("900", "release", "on it")
    alerting.acknowledge(mine.pk, by=olga(), now=database_now(), note="mine")
    before = standing()
    act = join("SO-1", "900")
    joined = standing()
    both = joined["SO-1 release"]
    assert both[:4] == ("SO-1", "acknowledged", olga().pk, olga().pk)
    assert both[5] == ["called Dallas", "mine", "on it"]
    assert joined["900 scan"][0] == "SO-1"
    assert joined["900 release"][1] == "withdrawn"
    notes = [text for *_, texts in joined.values() for text in texts]  # type: ignore[attr-defined]
    assert sorted(notes) == ["asked Nora", "asked UPS", "called Dallas", "mine", "on it"]
    undo(act)
    assert standing() == before


def test_what_was_done_about_an_alert_after_a_join_stays_done() -> None:
    tell(two())
    alert_of("SO-1", "release", "a")
    mine = alert_of("900", "release", "b")
    alerting.acknowledge(mine.pk, by=olga(), now=database_now())
    act = join("SO-1", "900")
    survivor = Alert.objects.get(title="SO-1 release")
    Alert.objects.filter(pk=survivor.pk).update(state="acknowledged")
    alerting.add_note(survivor.pk, by=olga(), now=database_now(), note="after")
    undo(act)
    assert "after" in survivor.entries.values_list("text", flat=True)


def test_a_split_gives_each_its_own_events_and_the_doubtful_one_stays() -> None:
    tell(wrongly_joined())
    assert keys() == ["sales_order:erp:SO-1"]
    split("SO-1", "SO-2", "72")
    assert {o.number: o.event_count for o in Order.objects.all()} == {"SO-1": 2, "SO-2": 2}
    tell([word("erp", "order.cancelled", 5, order={"id": "72"})])
    assert (order_of("SO-2").status, order_of("SO-1").status) == ("cancelled", "received")


def test_a_split_survives_a_rebuild_and_whatever_arrives_in_whatever_order() -> None:
    tell(wrongly_joined())
    split("SO-1", "SO-2", "72")
    truth = exported()
    call_command("rebuild")
    assert exported() == truth
    for seed in range(4):
        forget()
        words = wrongly_joined()
        random.Random(seed).shuffle(words)
        for one in words:
            tell([one])
        assert exported() == truth, seed


def test_split_then_join_again_gives_the_original_timeline() -> None:
    tell(wrongly_joined())
    truth, first = exported(), Order.objects.get().pk
    undo(split("SO-1", "SO-2", "72"))
    assert exported() == truth
    assert Order.objects.get().pk == first


def test_nobody_joins_what_was_told_apart_before_that_is_undone() -> None:
    tell(wrongly_joined())
    act = split("SO-1", "SO-2", "72")
    with pytest.raises(Refused, match="told them apart"):
        join("SO-1", "SO-2")
    assert Order.objects.count() == 2
    undo(act)
    assert Order.objects.count() == 1


def test_not_the_same_keeps_two_orders_apart_for_ever() -> None:
    tell(wrongly_joined()[:3])
    a, b = order_of("SO-1").pk, order_of("SO-2").pk
    stages.decide(lambda: decisions.tell_apart(a, b, by=olga(), why="", now=database_now()))
    tell(wrongly_joined()[3:])
    assert Order.objects.count() == 2


def test_a_parcel_nobody_claims_is_given_to_an_order_and_taken_back() -> None:
    tell([*two()[:1], word("carrier", "shipment.delivered", 4, tracking="1Z777")])
    orphan = Orphan.objects.get().object_id
    order = order_of("SO-1").pk
    act = stages.decide(
        lambda: decisions.join(order, orphan, by=olga(), why="", now=database_now())
    )
    assert act.verdict == "belongs"
    assert Order.objects.get().event_count == 2
    assert not Orphan.objects.exists()
    call_command("rebuild")
    assert Order.objects.get().event_count == 2
    undo(act)
    assert Order.objects.get().event_count == 1
    assert Orphan.objects.get().object_id == orphan


def test_a_split_that_moves_nothing_is_refused() -> None:
    tell([word("erp", "order.received", 1, order={"number": "SO-1", "id": "71"})])
    with pytest.raises(Refused, match="Nothing would move"):
        split("SO-1", "71")
    with pytest.raises(Refused, match="at least one"):
        split("SO-1", "71", "SO-1")
    with pytest.raises(Refused, match="not all numbers"):
        decisions.split(
            order_of("SO-1").pk, [("rma", "x", "y")], by=olga(), why="", now=database_now()
        )
    assert not JoinAct.objects.exists()


def test_an_act_is_undone_once() -> None:
    tell(two())
    act = join("SO-1", "900")
    undo(act)
    with pytest.raises(Refused, match="already"), transaction.atomic():
        decisions.undo(act.pk, by=olga(), now=database_now())


@pytest.mark.parametrize("seed", range(4))
def test_acts_and_arrival_in_any_order_leave_the_same_facts(seed: int) -> None:
    chance = random.Random(seed)
    words = []
    for day in range(30):
        a, b = f"SO-{chance.randrange(4)}", f"{chance.randrange(5)}"
        shape = chance.choice([{"number": a}, {"id": b}, {"number": a, "id": b}])
        words.append(word("erp", "order.changed", day, order=shape, tracking=f"1Z{day % 3}"))
    tell(words)
    for _ in range(3):
        order = chance.choice(list(Order.objects.order_by("key")))
        values = [
            i.value for i in order.object.identifier_set.filter(strong=True).order_by("value")
        ]
        if len(values) > 1:
            try:
                split(values[0], *values[len(values) // 2 :])
            except Refused:
                continue
    truth = exported()
    call_command("rebuild")
    assert exported() == truth
    for _ in range(2):
        forget()
        chance.shuffle(words)
        for start in range(0, len(words), 7):
            tell(words[start : start + 7])
        assert exported() == truth
