"""Totals and increments: what a line has, whatever the order of arrival."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sdk.events import Measure, QuantityMode
from tests.builders.recorded_events import (
    at,
    delivered,
    line,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import LATER, folded, line_of
from tests.effort import examples
from visibility.timeline import MilestoneCode, RecordedEvent, Status, fold


def increment(measure: str, quantity: int, day: int, **options: Any) -> RecordedEvent:
    """An event of the warehouse that adds a quantity of item A."""
    what = options.pop("what", "shipment.confirmed")
    added = replace(
        line("A"),
        quantities={Measure(measure): Decimal(quantity)},
        quantity_mode=QuantityMode.DELTA,
    )
    return reported("wms", what, at(day), [added], scope=options.pop("scope", ""), **options)


def shipped_quantity(*events: RecordedEvent) -> Decimal:
    return line_of(folded(*events), "A").quantity(Measure.SHIPPED)


EVENTS = [
    ordered({"A": 20}),
    increment("shipped", 3, 3, shipment="S1", key="d1"),
    increment("shipped", 4, 4, shipment="S2", key="d2"),
    increment("shipped", 5, 5, shipment="S3", key="d3"),
    reported("wms", "shipment.void", at(6), shipment="S2", scope=""),
    increment("shipped", 1, 7, shipment="S3", key="d4"),
    increment("allocated", 9, 3, what="line.allocated", key="a1"),
    increment("allocated", -2, 4, what="line.deallocated", key="a2"),
]
EXPECTED = folded(*EVENTS)


def test_increments_add_up_and_a_void_takes_back_those_of_its_shipment() -> None:
    quantities = line_of(EXPECTED, "A").quantities
    assert quantities[Measure.SHIPPED] == 3 + 5 + 1
    assert quantities[Measure.ALLOCATED] == 9 - 2


@settings(max_examples=examples(200))
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=12))
def test_increments_do_not_depend_on_order_and_repetition(
    shuffled: list[RecordedEvent], repeated: list[RecordedEvent]
) -> None:
    timeline = fold([*shuffled, *repeated], key=EXPECTED.key, as_of=LATER)
    # The activity list counts an unchanged repeat; nothing else may differ.
    assert replace(timeline, entries=()) == replace(EXPECTED, entries=())


def test_higher_revision_of_an_increment_replaces_it() -> None:
    first = increment("shipped", 3, 3, key="d1", revision="1")
    second = increment("shipped", 2, 3, key="d1", revision="2")
    assert shipped_quantity(ordered({"A": 9}), second, first) == 2


def test_corrected_increment_does_not_count() -> None:
    correction = reported("wms", "shipment.confirmed", at(5), key="c", corrects=["d1"])
    first = increment("shipped", 3, 3, key="d1")
    assert (
        shipped_quantity(ordered({"A": 9}), correction, first, increment("shipped", 1, 4, key="d2"))
        == 1
    )


def test_later_total_includes_earlier_increments_and_later_increments_add_to_it() -> None:
    events = [
        ordered({"A": 20}),
        increment("shipped", 3, 3, key="d1"),
        shipped({"A": 10}, at(4), scope=""),
        increment("shipped", 2, 5, key="d2"),
    ]
    assert shipped_quantity(*events) == 12
    assert shipped_quantity(*reversed(events)) == 12


def test_increments_within_a_part_are_taken_back_with_the_part() -> None:
    scope = "shipment S1"
    events = [
        ordered({"A": 20}),
        increment("shipped", 3, 3, shipment="S1", scope=scope, key="d1"),
        increment("shipped", 4, 4, shipment="S1", scope=scope, key="d2"),
        shipped({"A": 5}, at(4), shipment="S2"),
    ]
    assert shipped_quantity(*events) == 12
    void = reported("wms", "shipment.void", at(6), shipment="S1")
    assert shipped_quantity(*events, void) == 5


def test_increments_are_delivered_with_the_shipment_that_they_name() -> None:
    events = [
        ordered({"A": 7}),
        increment("shipped", 3, 3, shipment="S1", key="d1"),
        increment("shipped", 4, 4, shipment="S2", key="d2"),
        delivered(at(5), shipment="S1"),
    ]
    timeline = folded(*events)
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert line_of(timeline, "A").quantity(Measure.DELIVERED) == 3
    timeline = folded(*events, delivered(at(6), shipment="S2"))
    assert timeline.milestone_completed_at(MilestoneCode.DELIVERED) == at(6)


def test_line_in_several_packages_counts_once_in_total() -> None:
    halves = [replace(line("A", shipped=n), package_index=index) for index, n in ((1, 3), (2, 4))]
    event = reported("wms", "shipment.confirmed", at(3), halves, tracking="T1", scope="shipment S1")
    second = replace(event.event.objects[1], identifiers=event.event.objects[1].identifiers)
    objects = (*event.event.objects, second)
    event = replace(
        event,
        event=replace(event.event, objects=objects),
        object_keys=(*event.object_keys, "tracking::T2"),
    )
    timeline = folded(ordered({"A": 7}), event)
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 7
    (shipment,) = timeline.shipments
    contents = {p.key: [(i.name, i.quantity) for i in p.items] for p in shipment.packages}
    assert contents == {"tracking::T1": [("A", Decimal(3))], "tracking::T2": [("A", Decimal(4))]}
