"""What an event connected comes apart when a later event of its source withdraws it."""

import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from django.core.management import call_command

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
from tests.builders.sla_rules import always_open, create_rule
from tests.effort import seeds
from visibility.alerts import actions
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.identity import decisions
from visibility.models import (
    Alert,
    AlertEntry,
    EventCorrection,
    Identifier,
    IdentityDecision,
    Order,
)
from visibility.operations import invariants
from visibility.pipeline import refold_orders
from visibility.storage.order_folding import load_and_fold_orders

pytestmark = pytest.mark.django_db
SO_1 = {"scheme": "sales_order", "issuer": "erp", "value": "SO-1"}
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5}]


@pytest.fixture(autouse=True)
def connected() -> None:
    create_sources(wms={})


def joined_orders() -> list[SourceMessage]:
    """Build messages of two orders, and one of the warehouse that names both."""
    return [
        source_message("erp", "order.released", 1, order="SO-1", lines=LINE),
        source_message("wms", "order.released", 2, order="900"),
        source_message(
            "wms", "order.changed", 3, key="j", order={"number": "900", "numbers": [SO_1]}
        ),
    ]


def withdrawal(day: float = 4, **data: Any) -> SourceMessage:
    """Build a message that withdraws the link."""
    return source_message(
        "wms", "order.changed", day, **{"order": "900", "corrects": ["j"], **data}
    )


def events_by_number() -> dict[str, tuple[int, int]]:
    """Return the number of events of each order, and how many of them are superseded."""
    rows = {}
    for number in ("SO-1", "900", "SO-2", "77"):
        identifier = Identifier.objects.filter(kind="order", is_identity=True, value=number).first()
        if identifier is not None:
            (timeline,) = load_and_fold_orders(
                [identifier.object_id], as_of=database_now()
            ).values()
            rows[number] = (len(timeline.entries), sum(e.superseded for e in timeline.entries))
    return rows


def arrive(messages: Sequence[SourceMessage], *, is_single_batch: bool = False) -> None:
    if is_single_batch:
        process_messages(messages)
        return
    for message in messages:
        process_messages([message])


@pytest.mark.slow
@pytest.mark.parametrize("is_single_batch", [False, True], ids=["one by one", "one batch"])
def test_orders_that_a_corrected_event_joined_are_two_in_any_order_of_arrival(
    is_single_batch: bool,
) -> None:
    expected: list[bytes] = []
    for messages in permutations([*joined_orders(), withdrawal()]):
        clear_state()
        arrive(messages, is_single_batch=is_single_batch)
        assert keys() == ["order_number:wms:900", "sales_order:erp:SO-1"], messages
        expected = expected or dump_state()
        assert dump_state() == expected, messages
    assert invariants.check_merged_objects_unreferenced() == []
    call_command("rebuild")
    assert dump_state() == expected


def test_rebuild_indexes_corrections_that_an_older_version_stored() -> None:
    arrive([*joined_orders(), withdrawal()])
    expected = dump_state()
    EventCorrection.objects.all().delete()  # an older version stores none
    call_command("rebuild")
    assert EventCorrection.objects.count() == 1
    assert dump_state() == expected


def test_join_stays_if_another_event_connects_the_orders_too() -> None:
    other = source_message("wms", "order.held", 3.5, order={"number": "900", "numbers": [SO_1]})
    for messages in list(permutations([*joined_orders()[1:], other, withdrawal()]))[::4]:
        clear_state()
        arrive(messages)
        assert keys() == ["sales_order:erp:SO-1"]


def test_join_of_a_person_stays_when_an_event_is_corrected() -> None:
    process_messages(joined_orders()[:2])
    refold_orders.apply_identity_decision_and_refold(merge)
    process_messages([joined_orders()[2], withdrawal()])
    assert keys() == ["sales_order:erp:SO-1"]


def test_correction_without_a_common_number_withdraws_the_link() -> None:
    """The correction names a third order: it says that the link belongs there."""
    expected: list[bytes] = []
    for messages in list(permutations([*joined_orders(), withdrawal(order="901")]))[::3]:
        clear_state()
        arrive(messages)
        assert keys() == [
            "order_number:wms:900",
            "order_number:wms:901",
            "sales_order:erp:SO-1",
        ], messages
        expected = expected or dump_state()
        assert dump_state() == expected, messages
    assert sorted(events_by_number().values()) == [(1, 0), (2, 1)]


def test_corrected_correction_still_withdraws_the_link() -> None:
    """As in the timeline: withdrawing a correction does not restore what it withdrew."""
    messages = [
        *joined_orders(),
        withdrawal(key="c"),
        source_message("wms", "order.changed", 5, order="900", corrects=["c"]),
    ]
    expected: list[bytes] = []
    for ordered in list(permutations(messages))[::29]:
        clear_state()
        arrive(ordered)
        expected = expected or dump_state()
        assert dump_state() == expected
    assert len(keys()) == 2


def test_newer_revision_of_a_correction_restores_the_link() -> None:
    messages = [
        *joined_orders(),
        withdrawal(key="c", revision="1"),
        withdrawal(key="c", revision="2", corrects=[]),
    ]
    expected: list[bytes] = []
    for ordered in list(permutations(messages))[::29]:
        clear_state()
        arrive(ordered)
        assert keys() == ["sales_order:erp:SO-1"]
        expected = expected or dump_state()
        assert dump_state() == expected


def test_number_that_only_a_corrected_event_connected_is_free_for_another_order() -> None:
    messages = [
        source_message("erp", "order.received", 1, key="j", order={"number": "SO-1", "id": "77"}),
        source_message("erp", "order.changed", 2, order="SO-1", corrects=["j"]),
        source_message("erp", "order.received", 3, order={"number": "SO-2", "id": "77"}),
    ]
    expected: list[bytes] = []
    for ordered in permutations(messages):
        clear_state()
        arrive(ordered)
        assert order_of("77").pk == order_of("SO-2").pk != order_of("SO-1").pk
        expected = expected or dump_state()
        assert dump_state() == expected


def test_shipment_that_was_reported_for_the_wrong_order_leaves_it() -> None:
    shipped = [{"line_id": "1", "sku": "A-1", "shipped": 5}]
    messages = [
        source_message("erp", "order.received", 1, order="SO-1", lines=LINE),
        source_message("erp", "order.received", 1, order="SO-2", lines=LINE),
        source_message(
            "wms",
            "shipment.confirmed",
            2,
            key="s",
            shipment="7",
            part="7",
            tracking="1Z1",
            lines=shipped,
            order={"numbers": [SO_1]},
        ),
        source_message(
            "wms",
            "shipment.confirmed",
            3,
            corrects=["s"],
            shipment="7",
            part="7",
            tracking="1Z1",
            lines=shipped,
            order={"numbers": [{**SO_1, "value": "SO-2"}]},
        ),
        source_message("carrier", "shipment.delivered", 4, tracking="1Z1"),
    ]
    expected: list[bytes] = []
    for ordered in list(permutations(messages))[::13]:
        clear_state()
        arrive(ordered)
        statuses = dict(Order.objects.values_list("number", "status"))
        assert statuses == {"SO-1": "received", "SO-2": "delivered"}
        expected = expected or dump_state()
        assert dump_state() == expected


def merge() -> IdentityDecision:
    return decisions.merge_or_attach_objects(
        order_of("SO-1").pk, order_of("900").pk, by=decision_user(), reason="", now=database_now()
    )


def alert_facts(number: str) -> tuple[object, ...]:
    """Return the state, users and notes of the alert of an order."""
    alert = Alert.objects.get(order=order_of(number).pk)
    texts = AlertEntry.objects.filter(alert=alert, user__isnull=False)
    return (
        alert.state,
        alert.owner_id,
        alert.acknowledged_by_id,
        alert.acknowledged_at,
        alert.due_at,
        sorted(texts.values_list("text", flat=True)),
    )


def test_orders_that_come_apart_have_their_own_alerts_acknowledgments_and_notes_again() -> None:
    create_rule(always_open())
    process_messages(joined_orders()[:2])
    sweep(now=database_now())
    ids = order_of("SO-1").pk, order_of("900").pk
    first, second = (Alert.objects.get(order=pk) for pk in ids)
    actions.add_note(first.pk, by=decision_user(), now=database_now(), note="asked Nora")
    actions.acknowledge(second.pk, by=decision_user(), now=database_now(), note="on it")
    before = alert_facts("SO-1"), alert_facts("900")
    process_messages(joined_orders()[2:])
    sweep(now=database_now())
    joined = alert_facts("SO-1")
    assert joined[:4] == before[1][:4], "the join keeps who acknowledged what"
    assert joined[5] == ["asked Nora", "on it"]
    process_messages([withdrawal()])
    sweep(now=database_now())
    assert (order_of("SO-1").pk, order_of("900").pk) == ids
    assert (alert_facts("SO-1"), alert_facts("900")) == before


def test_order_that_was_never_apart_gets_a_copy_of_the_alert() -> None:
    create_rule(always_open())
    arrive([joined_orders()[2], *joined_orders()[:2]])
    sweep(now=database_now())
    alert = Alert.objects.get()
    actions.acknowledge(alert.pk, by=decision_user(), now=database_now(), note="on it")
    process_messages([withdrawal()])
    sweep(now=database_now())
    for number in ("SO-1", "900"):
        state, owner, acknowledged_by, *_, notes = alert_facts(number)
        assert (state, owner, acknowledged_by) == ("acknowledged", *[decision_user().pk] * 2)
        assert notes == ["on it"]


def random_messages(rng: random.Random) -> list[SourceMessage]:
    """Build random messages from few numbers and keys: they join orders and withdraw joins."""
    messages = []
    for _ in range(24):
        number, other = f"N{rng.randrange(3)}", f"X{rng.randrange(4)}"
        data: dict[str, Any] = rng.choice(
            [
                {"order": number},
                {"order": {"number": number, "id": other}},
                {"order": {"number": number, "id": other}},
                {"order": {"id": other}, "tracking": f"1Z{rng.randrange(3)}"},
            ]
        )
        data["key"] = f"k{rng.randrange(12)}"
        if rng.random() < 0.3:
            data["corrects"] = [f"k{rng.randrange(12)}"]
        if rng.random() < 0.3:
            data["revision"] = rng.choice("12")
        messages.append(source_message("shop", "order.changed", rng.randrange(60), **data))
    return messages


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(8))
def test_any_order_of_arrival_with_corrections_gives_the_same_state(seed: int) -> None:
    rng = random.Random(seed)
    messages = random_messages(rng)
    process_messages(sorted(messages, key=lambda message: message.day))
    expected = dump_state()
    for _ in range(3):
        clear_state()
        rng.shuffle(messages)
        remaining = [*messages]
        while remaining:
            size = rng.randint(1, 7)
            process_messages(remaining[:size])
            remaining = remaining[size:]
        assert dump_state() == expected
        assert invariants.check_merged_objects_unreferenced() == []
    call_command("rebuild")
    assert dump_state() == expected
