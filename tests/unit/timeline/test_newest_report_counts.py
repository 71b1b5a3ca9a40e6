"""Of one source's totals and parts the newest report counts, and a complete report takes back."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sdk.events import (
    Attribute,
    EventIdentifier,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from tests.builders.recorded_events import at, line, lines, ordered, reported, shipped
from tests.builders.timelines import LATER, folded, line_of
from tests.effort import examples
from tests.reference.compare import differences
from visibility.sla.calendar import DAYS, Calendar
from visibility.sla.rules.stuck_in_released import Params, StuckInReleased
from visibility.timeline import MilestoneCode, RecordedEvent, Status, fold
from visibility.timeline.kpi_inputs import demand_and_first_shipped_at_cut_off
from visibility.timeline.state_and_flag_enums import LineState, OrderState

ALWAYS_OPEN = Calendar(hours={day: [("00:00", "24:00")] for day in DAYS})


def order_total(day: int, hour: float = 12, **figures: int | str) -> RecordedEvent:
    """The ERP's order with totals of item A."""
    return reported(
        "erp",
        "order.changed",
        at(day, hour),
        [replace(line("A"), quantities={Measure(n): Decimal(q) for n, q in figures.items()})],
    )


def posted(quantity: int, day: int, hour: float = 12, number: str = "S1") -> RecordedEvent:
    """A shipment that the ERP posted."""
    return shipped({"A": quantity}, at(day, hour), number, source="erp")


def shipped_of_a(*events: RecordedEvent) -> Decimal:
    return line_of(folded(*events), "A").quantity(Measure.SHIPPED)


UNDO = [
    ordered({"A": 10}),
    posted(10, 3, 10),
    order_total(3, 10.1, ordered=10, shipped=10),
    posted(0, 3, 15),
    order_total(3, 15.1, ordered=10, shipped=0),
]


def test_undone_shipment_is_taken_back_by_the_shipment_and_by_the_total() -> None:
    assert shipped_of_a(*UNDO[:3]) == 10
    assert shipped_of_a(*UNDO[:4]) == 0
    assert shipped_of_a(*UNDO[:3], UNDO[4]) == 0
    timeline = folded(*UNDO)
    assert shipped_of_a(*UNDO) == 0
    assert timeline.status is Status.RECEIVED


def test_total_before_its_shipment_is_not_counted_twice() -> None:
    events = [ordered({"A": 10}), order_total(3, 10, shipped=6), posted(6, 3, 10.1)]
    assert shipped_of_a(*events) == 6
    assert shipped_of_a(*events, posted(4, 4, number="S2")) == 10
    lowered_first = [*events, order_total(4, 9, shipped=0), posted(0, 4, 9.1)]
    assert shipped_of_a(*lowered_first) == 0


def test_total_keeps_what_an_unknown_shipment_left_when_a_known_one_is_undone() -> None:
    events = [ordered({"A": 10}), posted(6, 3), order_total(4, shipped=10), posted(0, 5)]
    assert shipped_of_a(*events) == 4


@settings(max_examples=examples(200))
@given(st.permutations(UNDO), st.lists(st.sampled_from(UNDO), max_size=6))
def test_newest_report_does_not_depend_on_the_order_of_arrival(
    shuffled: list[RecordedEvent], repeated: list[RecordedEvent]
) -> None:
    expected = folded(*UNDO)
    timeline = fold([*shuffled, *repeated], key=expected.key, as_of=LATER)
    assert replace(timeline, entries=()) == replace(expected, entries=())


def test_line_that_a_complete_order_omits_is_no_longer_wanted() -> None:
    first = ordered({"A": 5, "B": 3}, complete=["ordered"])
    replaced = reported(
        "erp", "order.changed", at(3), lines("ordered", {"A": 4}), complete=["ordered"]
    )
    for events in ([first, replaced], [replaced, first]):
        timeline = folded(*events, shipped({"A": 4}, at(4)))
        line_b = line_of(timeline, "B")
        assert line_b.quantity(Measure.ORDERED) == 0
        assert line_b.state is LineState.CANCELLED
        assert timeline.status is Status.SHIPPED
    partial = replace(replaced, event=replace(replaced.event, complete_measures=()))
    timeline = folded(first, partial, shipped({"A": 4}, at(4)))
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert line_of(timeline, "B").quantity(Measure.ORDERED) == 3


def test_complete_report_concerns_only_its_measures_its_source_and_its_part() -> None:
    events = [
        ordered({"A": 5, "B": 3}),
        ordered({"A": 5, "B": 3}, source="shop"),
        posted(2, 3),
        reported("erp", "order.changed", at(4), [line("A", shipped=2)], complete=["shipped"]),
        reported(
            "wms", "shipment.confirmed", at(4), [line("A", shipped=2), line("B", shipped=1)],
            shipment="S9", complete=["shipped"], key="a",
        ),
        reported(
            "wms", "shipment.confirmed", at(5), [line("A", shipped=2)],
            shipment="S9", complete=["shipped"], key="b",
        ),
    ]  # fmt: skip
    timeline = folded(*events)
    assert line_of(timeline, "B").quantity(Measure.ORDERED) == 3
    assert line_of(timeline, "B").quantity(Measure.SHIPPED) == 0
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 2
    assert differences(events, key="sales_order:erp:SO-1", as_of=LATER) == []


def test_complete_report_about_another_order_changes_nothing() -> None:
    other = reported(
        "erp", "shipment.confirmed", at(3), shipment="S1", scope="", orders=["SO-2"],
        complete=["ordered"],
    )  # fmt: skip
    timeline = folded(ordered({"A": 5}), other)
    assert line_of(timeline, "A").quantity(Measure.ORDERED) == 5


def test_later_acknowledgment_clears_a_back_order_that_it_does_not_repeat() -> None:
    first = reported(
        "edi", "order.accepted", at(3), [line("A", backordered=10)], complete=["backordered"]
    )
    later = reported("edi", "order.accepted", at(4), [line("A")], complete=["backordered"])
    timeline = folded(ordered({"A": 10}), first)
    assert OrderState.BACKORDERED in timeline.states
    for events in ([first, later], [later, first]):
        timeline = folded(ordered({"A": 10}), *events)
        assert timeline.status is Status.ACCEPTED
        assert OrderState.BACKORDERED not in timeline.states


def test_removed_and_added_line_of_one_item_counts_once() -> None:
    first = [line("A", line_id="10000", ordered=5)]
    second = [line("A", line_id="20000", ordered=7)]
    events = [
        reported("erp", "order.received", at(2), first, complete=["ordered"]),
        reported("erp", "order.changed", at(3), second, complete=["ordered"]),
    ]
    assert line_of(folded(*events), "A").quantity(Measure.ORDERED) == 7


def test_total_of_the_order_and_a_part_with_other_line_ids_are_not_added_up() -> None:
    events = [
        reported("erp", "order.received", at(2), [line("A", line_id="10000", ordered=5)]),
        reported(
            "erp", "invoice.issued", at(3), [line("A", line_id="7", invoiced=5)], invoice="I1"
        ),
        reported("erp", "order.changed", at(4), [line("A", line_id="10000", invoiced=5)]),
    ]
    assert line_of(folded(*events), "A").quantity(Measure.INVOICED) == 5


def test_undone_shipment_is_void_starts_the_clock_again_and_fills_nothing() -> None:
    released = reported("erp", "order.released", at(2, 13))
    timeline = folded(*UNDO, released)
    assert [shipment.status for shipment in timeline.shipments] == ["void"]
    assert timeline.milestone_reached_at(MilestoneCode.SHIPPED) is None
    (clock,) = StuckInReleased().clocks(timeline, Params(), ALWAYS_OPEN)
    assert clock.stopped_at is None
    demand = demand_and_first_shipped_at_cut_off(timeline, "UTC")
    assert demand is not None
    assert demand.excluded == "no_cut_off"
    posted_later = folded(*UNDO, released, posted(10, 5, number="S2"))
    assert posted_later.status is Status.SHIPPED
    assert posted_later.milestone_reached_at(MilestoneCode.SHIPPED) == at(5)


def test_shipment_of_nothing_reaches_no_milestone() -> None:
    nothing = reported(
        "wms", "shipment.confirmed", at(3), [line("A", shipped=0, backordered=10)], shipment="S1"
    )
    timeline = folded(ordered({"A": 10}), nothing)
    assert timeline.milestone_reached_at(MilestoneCode.SHIPPED) is None
    assert timeline.shipments[0].shipped_at is None
    assert timeline.status is Status.BACKORDERED


def test_complete_order_does_not_take_back_the_lines_of_another_order_of_the_source() -> None:
    first = ordered({"A": 1}, complete=["ordered"])
    second = ordered({"B": 5}, at(3), complete=["ordered"], orders=["SO-2"], of="SO-2")
    timeline = folded(first, second)
    assert [entry.quantity(Measure.ORDERED) for entry in timeline.lines] == [1, 5]


def test_invoice_of_several_shipments_bills_the_order_of_each_line() -> None:
    def invoice_of_two_orders() -> RecordedEvent:
        lines_by_shipment = [
            replace(line("A", line_id="item A", invoiced=2), shipment_index=1),
            replace(line("A", line_id="item A", invoiced=3), shipment_index=2),
            replace(line("C", line_id="item C", invoiced=7), shipment_index=3),
        ]
        event = reported(
            "erp", "invoice.issued", at(6), lines_by_shipment, orders=[], invoice="I1", total="99"
        )
        refs = [
            ObjectReference(
                ObjectKind.SHIPMENT, (EventIdentifier(IdentifierScheme.SHIPMENT, number, "wms"),)
            )
            for number in ("S1", "S2", "S3")
        ]
        keys = (f"shipment:wms:{number}" for number in ("S1", "S2", "S3"))
        objects = (*event.event.objects, *refs)
        return replace(
            event,
            event=replace(event.event, objects=objects),
            object_keys=(*event.object_keys, *keys),
        )

    events = [
        reported(
            "erp", "order.received", at(2), [line("A", line_id="10000", ordered=5)], total="7"
        ),
        shipped({"A": 2}, at(3), "S1", source="erp"),
        shipped({"A": 3}, at(4), "S2", source="erp"),
        invoice_of_two_orders(),
    ]
    timeline = folded(*events)
    (entry,) = timeline.lines
    assert entry.quantity(Measure.INVOICED) == 5
    assert OrderState.INVOICED in timeline.states
    assert timeline.attributes[Attribute.TOTAL] == "7"
