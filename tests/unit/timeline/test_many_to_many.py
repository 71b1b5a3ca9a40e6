"""Orders, shipments, packages and invoices in every combination."""

from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import Measure
from tests.builders.recorded_events import (
    SO_1,
    SO_2,
    SO_3,
    at,
    delivered,
    invoiced,
    line,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import folded, line_of
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.timeline import MilestoneCode, RecordedEvent, Status
from visibility.timeline.master_data_dictionary import ItemDefinition, MasterDataDictionary
from visibility.timeline.state_and_flag_enums import LineFlag, LineState, OrderState

KIT = MasterDataDictionary(
    items={"KIT": ItemDefinition("KIT", components={"BOLT": Fraction(4), "PLATE": Fraction(1)})}
)


def test_split_shipment_ships_each_line_separately() -> None:
    timeline = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5, "B": 1}, at(3), "S1"),
        shipped({"B": 2}, at(4), "S2"),
        delivered(at(5), "S1"),
    )
    assert [(x.key, x.state) for x in timeline.lines] == [
        ("A", LineState.DELIVERED),
        ("B", LineState.PARTIALLY_DELIVERED),
    ]
    assert [s.status for s in timeline.shipments] == ["delivered", "shipped"]
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) == at(4)


def consolidated(of_order: str) -> list[RecordedEvent]:
    """One package with the goods of three orders, as events of one of the orders."""
    numbers = (SO_1, SO_2, SO_3)
    items = (
        line("A", shipped=5, order=0),
        line("A", line_id="A2", shipped=2, order=1),
        line("C", shipped=1, order=2),
    )
    box = {"orders": numbers, "of": of_order, "shipment": "S1", "tracking": "1Z1"}
    return [
        reported("wms", "shipment.confirmed", at(3), items, **box),  # type: ignore[arg-type]  # texts
        reported("carrier", "shipment.delivered", at(5), orders=(), tracking="1Z1"),
    ]


def test_package_with_three_orders_gives_each_order_its_own_lines() -> None:
    for number, figures in ((SO_1, {"A": 5}), (SO_2, {"A": 2}), (SO_3, {"C": 1})):
        timeline = folded(
            ordered(figures, orders=(number,), of=number), *consolidated(number), key=number
        )
        assert timeline.status is Status.DELIVERED, number
        assert {x.key: x.quantity(Measure.SHIPPED) for x in timeline.lines} == figures
        assert len(timeline.shipments) == 1


def test_shared_package_does_not_add_lines_of_another_order() -> None:
    own = shipped({"A": 5}, at(3), "S1", tracking="1Z1")
    other = shipped({"A": 7}, at(3, 13), "S2", tracking="1Z1", orders=(SO_2,), of=SO_1, invoice="")
    cancellation = reported(
        "shop", "order.cancelled", at(4), orders=(SO_2,), of=SO_1, tracking="1Z1"
    )
    timeline = folded(ordered({"A": 9}), own, other, cancellation)
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 5
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert MilestoneCode.CANCELLED not in timeline.milestones


def test_drop_shipment_by_a_vendor_fills_the_line() -> None:
    timeline = folded(
        ordered({"A": 5}),
        shipped({"A": 5}, at(3), "V1", source="edi", tracking="1Z9"),
        reported("carrier", "shipment.delivered", at(5), orders=(), tracking="1Z9"),
    )
    assert (timeline.status, line_of(timeline, "A").state) == (
        Status.DELIVERED,
        LineState.DELIVERED,
    )


def test_purchase_order_split_into_two_orders_has_two_timelines() -> None:
    both = (SO_1, SO_2)
    events = [
        [
            reported(
                "edi",
                "order.accepted",
                at(2, 8),
                (line("A", ordered=5, order=0), line("B", ordered=3, order=1)),
                orders=both,
                of=number,
            ),
            shipped({"A": 5}, at(3), orders=(SO_1,), of=number),
        ]
        for number in both
    ]
    first, second = folded(*events[0]), folded(events[1][0])
    assert ([x.key for x in first.lines], first.status) == (["A"], Status.SHIPPED)
    assert ([x.key for x in second.lines], second.status) == (["B"], Status.ACCEPTED)


def test_invoice_for_several_shipments_invoices_all_of_them() -> None:
    timeline = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5}, at(3), "S1"),
        shipped({"B": 3}, at(4), "S2"),
        invoiced({"A": 5, "B": 3}, at(5)),
    )
    assert OrderState.INVOICED in timeline.states
    assert timeline.milestone_completed_at(MilestoneCode.INVOICED) == at(5)
    partial = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5, "B": 3}, at(3), "S1"),
        invoiced({"A": 5}, at(5), "I1"),
    )
    assert OrderState.PARTIALLY_INVOICED in partial.states


def test_replacement_order_does_not_change_the_returned_order() -> None:
    first = [
        ordered({"A": 2}),
        shipped({"A": 2}, at(3)),
        delivered(at(4)),
        reported("wms", "return.received", at(8), (line("A", returned=2),), scope="return R1"),
    ]
    timeline = folded(*first)
    assert (timeline.status, line_of(timeline, "A").state) == (Status.RETURNED, LineState.RETURNED)
    credited = folded(
        *first,
        reported("finance", "credit.issued", at(9), (line("A", credited=2),), scope="credit C1"),
    )
    assert (credited.status, credited.is_open) == (Status.CREDITED, False)
    replacement = folded(
        ordered({"A": 2}, at(9), orders=(SO_2,), of=SO_2),
        shipped({"A": 2}, at(10), "S9", orders=(SO_2,), of=SO_2),
        key=SO_2,
    )
    assert replacement.status is Status.SHIPPED


def test_partial_return_is_a_state_of_a_delivered_order() -> None:
    timeline = folded(
        ordered({"A": 5}),
        shipped({"A": 5}, at(3)),
        delivered(at(4)),
        reported("wms", "return.received", at(8), (line("A", returned=1),), scope="return R1"),
    )
    assert timeline.status is Status.DELIVERED
    assert OrderState.PARTIALLY_RETURNED in timeline.states


def test_substitute_fills_the_line_and_is_flagged() -> None:
    swap = reported(
        "edi",
        "line.substituted",
        at(2, 10),
        (line("A", cancelled=5, line_id="1"), line("A-X", ordered=5, line_id="1")),
    )
    events = [ordered({"A": 5, "B": 1}), swap, shipped({"A-X": 5, "B": 1}, at(3))]
    timeline = folded(*events)
    a, x = line_of(timeline, "A"), line_of(timeline, "A-X")
    assert a.net_ordered_quantity == a.quantity(Measure.SHIPPED) == 5
    assert a.state is LineState.SHIPPED
    assert (a.flags, x.flags, x.unexpected) == (
        (LineFlag.SUBSTITUTED,),
        (LineFlag.SUBSTITUTE,),
        True,
    )
    assert a.substituted_by == (("A-X", Decimal(5)),)
    assert timeline.status is Status.SHIPPED
    assert OrderState.SUBSTITUTED in timeline.states
    first = FillRate().measure(timeline, "UTC")
    assert first
    assert [first.numerator, first.denominator] == [1, 2]  # a substitute does not count as filled


def test_another_item_on_the_same_line_id_is_a_substitute() -> None:
    timeline = folded(
        reported("wms", "order.received", at(2), (line("A", line_id="10", ordered=5),)),
        reported(
            "wms",
            "shipment.confirmed",
            at(3),
            (line("A-X", line_id="10", shipped=5),),
            shipment="S1",
        ),
    )
    assert line_of(timeline, "A").flags == (LineFlag.SUBSTITUTED,)
    assert timeline.status is Status.SHIPPED


def test_components_fill_their_kit() -> None:
    timeline = folded(ordered({"KIT": 3}), shipped({"BOLT": 8, "PLATE": 3}, at(3)), dictionary=KIT)
    kit = line_of(timeline, "KIT")
    assert kit.quantity(Measure.SHIPPED) == 2
    assert kit.state is LineState.PARTIALLY_SHIPPED
    assert kit.flags == (LineFlag.KIT,)
    assert line_of(timeline, "BOLT").flags == (LineFlag.COMPONENT,)
    assert timeline.status is Status.PARTIALLY_SHIPPED
    complete = folded(
        ordered({"KIT": 3}),
        shipped({"BOLT": 12, "PLATE": 3}, at(3)),
        delivered(at(4)),
        dictionary=KIT,
    )
    assert complete.status is Status.DELIVERED
    measured = FillRate().measure(complete, "UTC")
    assert measured
    assert [measured.numerator, measured.denominator] == [1, 1]


def test_component_ordered_separately_fills_its_own_line_first() -> None:
    timeline = folded(
        ordered({"KIT": 1, "BOLT": 6}), shipped({"BOLT": 8, "PLATE": 1}, at(3)), dictionary=KIT
    )
    assert line_of(timeline, "KIT").quantity(Measure.SHIPPED) == 0
    assert line_of(timeline, "BOLT").state is LineState.SHIPPED


def test_shipments_of_a_warehouse_and_a_third_party_add_up() -> None:
    timeline = folded(
        ordered({"A": 5}),
        shipped({"A": 2}, at(3), "S1"),
        shipped({"A": 3}, at(3, 14), "N1", source="north"),
    )
    assert timeline.status is Status.SHIPPED
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 5
