"""Orders, shipments, parcels and invoices belong to each other in every combination."""

from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import Measure
from tests.timeline.saying import (
    SO_1,
    SO_2,
    SO_3,
    at,
    delivered,
    folded,
    invoiced,
    line,
    of,
    ordered,
    say,
    shipped,
)
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.timeline import MilestoneCode, Spoken, Status
from visibility.timeline.dictionary import Article, Dictionary
from visibility.timeline.enums import LineFlag, LineState, State

KIT = Dictionary(
    articles={"KIT": Article("KIT", components={"BOLT": Fraction(4), "PLATE": Fraction(1)})}
)


def test_a_split_shipment_moves_each_line_by_itself() -> None:
    told = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5, "B": 1}, at(3), "S1"),
        shipped({"B": 2}, at(4), "S2"),
        delivered(at(5), "S1"),
    )
    assert [(x.key, x.state) for x in told.lines] == [
        ("A", LineState.DELIVERED),
        ("B", LineState.PARTIALLY_DELIVERED),
    ]
    assert [s.status for s in told.shipments] == ["delivered", "shipped"]
    assert told.status is Status.PARTIALLY_DELIVERED
    assert told.completed(MilestoneCode.SHIPPED) == at(4)


def consolidated(of_order: str) -> list[Spoken]:
    """One parcel with three orders' goods, as one of the orders hears of it."""
    named = (SO_1, SO_2, SO_3)
    goods = (
        line("A", shipped=5, order=0),
        line("A", line_id="A2", shipped=2, order=1),
        line("C", shipped=1, order=2),
    )
    box = {"orders": named, "of": of_order, "shipment": "S1", "tracking": "1Z1"}
    return [
        say("wms", "shipment.confirmed", at(3), goods, **box),  # type: ignore[arg-type]  # texts
        say("carrier", "shipment.delivered", at(5), orders=(), tracking="1Z1"),
    ]


def test_one_parcel_with_three_orders_gives_each_its_own_lines() -> None:
    for number, figures in ((SO_1, {"A": 5}), (SO_2, {"A": 2}), (SO_3, {"C": 1})):
        told = folded(
            ordered(figures, orders=(number,), of=number), *consolidated(number), key=number
        )
        assert told.status is Status.DELIVERED, number
        assert {x.key: x.get(Measure.SHIPPED) for x in told.lines} == figures
        assert len(told.shipments) == 1


def test_a_parcel_that_another_order_s_message_names_brings_none_of_its_lines() -> None:
    mine = shipped({"A": 5}, at(3), "S1", tracking="1Z1")
    theirs = shipped({"A": 7}, at(3, 13), "S2", tracking="1Z1", orders=(SO_2,), of=SO_1, invoice="")
    gone = say("shop", "order.cancelled", at(4), orders=(SO_2,), of=SO_1, tracking="1Z1")
    told = folded(ordered({"A": 9}), mine, theirs, gone)
    assert of(told, "A").get(Measure.SHIPPED) == 5
    assert told.status is Status.PARTIALLY_SHIPPED
    assert MilestoneCode.CANCELLED not in told.milestones


def test_a_drop_shipment_by_a_vendor_fills_the_line_like_any_other() -> None:
    told = folded(
        ordered({"A": 5}),
        shipped({"A": 5}, at(3), "V1", source="edi", tracking="1Z9"),
        say("carrier", "shipment.delivered", at(5), orders=(), tracking="1Z9"),
    )
    assert (told.status, of(told, "A").state) == (Status.DELIVERED, LineState.DELIVERED)


def test_one_purchase_order_that_became_two_orders_is_two_timelines() -> None:
    both = (SO_1, SO_2)
    said = [
        [
            say(
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
    first, second = folded(*said[0]), folded(said[1][0])
    assert ([x.key for x in first.lines], first.status) == (["A"], Status.SHIPPED)
    assert ([x.key for x in second.lines], second.status) == (["B"], Status.ACCEPTED)


def test_an_invoice_over_several_shipments_bills_all_of_them() -> None:
    told = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5}, at(3), "S1"),
        shipped({"B": 3}, at(4), "S2"),
        invoiced({"A": 5, "B": 3}, at(5)),
    )
    assert State.INVOICED in told.states
    assert told.completed(MilestoneCode.INVOICED) == at(5)
    part = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5, "B": 3}, at(3), "S1"),
        invoiced({"A": 5}, at(5), "I1"),
    )
    assert State.PARTIALLY_INVOICED in part.states


def test_a_replacement_order_leaves_the_returned_one_returned() -> None:
    first = [
        ordered({"A": 2}),
        shipped({"A": 2}, at(3)),
        delivered(at(4)),
        say("wms", "return.received", at(8), (line("A", returned=2),), part="return R1"),
    ]
    told = folded(*first)
    assert (told.status, of(told, "A").state) == (Status.RETURNED, LineState.RETURNED)
    credited = folded(
        *first, say("finance", "credit.issued", at(9), (line("A", credited=2),), part="credit C1")
    )
    assert (credited.status, credited.is_open) == (Status.CREDITED, False)
    again = folded(
        ordered({"A": 2}, at(9), orders=(SO_2,), of=SO_2),
        shipped({"A": 2}, at(10), "S9", orders=(SO_2,), of=SO_2),
        key=SO_2,
    )
    assert again.status is Status.SHIPPED


def test_a_part_that_came_back_is_told_beside_the_delivery() -> None:
    told = folded(
        ordered({"A": 5}),
        shipped({"A": 5}, at(3)),
        delivered(at(4)),
        say("wms", "return.received", at(8), (line("A", returned=1),), part="return R1"),
    )
    assert told.status is Status.DELIVERED
    assert State.PARTIALLY_RETURNED in told.states


def test_a_substitute_fills_the_line_and_is_told_as_one() -> None:
    swap = say(
        "edi",
        "line.substituted",
        at(2, 10),
        (line("A", cancelled=5, line_id="1"), line("A-X", ordered=5, line_id="1")),
    )
    said = [ordered({"A": 5, "B": 1}), swap, shipped({"A-X": 5, "B": 1}, at(3))]
    told = folded(*said)
    a, x = of(told, "A"), of(told, "A-X")
    assert a.due == a.get(Measure.SHIPPED) == 5
    assert a.state is LineState.SHIPPED
    assert (a.flags, x.flags, x.extra) == ((LineFlag.SUBSTITUTED,), (LineFlag.SUBSTITUTE,), True)
    assert a.filled == (("A-X", Decimal(5)),)
    assert told.status is Status.SHIPPED
    assert State.SUBSTITUTED in told.states
    first = FillRate().measure(told, "UTC")
    assert first
    assert [first.numerator, first.denominator] == [1, 2]  # the substitute is no first-pass fill


def test_another_article_on_the_line_s_own_id_is_a_substitute() -> None:
    told = folded(
        say("wms", "order.received", at(2), (line("A", line_id="10", ordered=5),)),
        say(
            "wms",
            "shipment.confirmed",
            at(3),
            (line("A-X", line_id="10", shipped=5),),
            shipment="S1",
        ),
    )
    assert of(told, "A").flags == (LineFlag.SUBSTITUTED,)
    assert told.status is Status.SHIPPED


def test_the_components_of_a_kit_fill_their_kit() -> None:
    told = folded(ordered({"KIT": 3}), shipped({"BOLT": 8, "PLATE": 3}, at(3)), words=KIT)
    kit = of(told, "KIT")
    assert kit.get(Measure.SHIPPED) == 2
    assert kit.state is LineState.PARTIALLY_SHIPPED
    assert kit.flags == (LineFlag.KIT,)
    assert of(told, "BOLT").flags == (LineFlag.COMPONENT,)
    assert told.status is Status.PARTIALLY_SHIPPED
    whole = folded(
        ordered({"KIT": 3}),
        shipped({"BOLT": 12, "PLATE": 3}, at(3)),
        delivered(at(4)),
        words=KIT,
    )
    assert whole.status is Status.DELIVERED
    measured = FillRate().measure(whole, "UTC")
    assert measured
    assert [measured.numerator, measured.denominator] == [1, 1]


def test_a_component_that_is_ordered_for_itself_as_well_serves_its_own_line_first() -> None:
    told = folded(
        ordered({"KIT": 1, "BOLT": 6}), shipped({"BOLT": 8, "PLATE": 1}, at(3)), words=KIT
    )
    assert of(told, "KIT").get(Measure.SHIPPED) == 0
    assert of(told, "BOLT").state is LineState.SHIPPED


def test_two_warehouses_add_up_and_a_third_party_counts_beside_them() -> None:
    told = folded(
        ordered({"A": 5}),
        shipped({"A": 2}, at(3), "S1"),
        shipped({"A": 3}, at(3, 14), "N1", source="north"),
    )
    assert told.status is Status.SHIPPED
    assert of(told, "A").get(Measure.SHIPPED) == 5
