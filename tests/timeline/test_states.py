"""What customer service calls an order follows from its quantities."""

import pytest

from connectors.sdk.events import Measure
from tests.timeline.saying import (
    at,
    delivered,
    folded,
    invoiced,
    line,
    lines,
    of,
    ordered,
    say,
    shipped,
)
from visibility.timeline import MilestoneCode, Spoken, Status
from visibility.timeline.answer import answer
from visibility.timeline.enums import LineFlag, LineState, State

ORDERED = ordered({"A": 5, "B": 3})
HELD = say("erp", "order.held", at(2, 10), reason="Credit limit exceeded")
RELEASED = say("erp", "order.released", at(2, 11))
ALLOCATED = say("wms", "line.allocated", at(2, 12), lines("allocated", {"A": 5, "B": 3}))
SHORT = say("wms", "line.backordered", at(3, 9), lines("backordered", {"B": 3}), eta="2026-03-09")
PART = shipped({"A": 5}, at(3))
REST = shipped({"B": 3}, at(9), "S2")


def text(*events: Spoken, day: float = 4) -> str:
    """The sentence."""
    return answer(folded(*events, as_of=at(int(day), 18)), zone="UTC").text


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([ORDERED, HELD], State.CREDIT_REVIEW),
        ([ORDERED, say("erp", "order.held", at(2, 10), reason="Address")], State.HELD),
        ([ORDERED, RELEASED], State.RELEASED),
        ([ORDERED, RELEASED, ALLOCATED], State.ALLOCATED),
        ([ORDERED, RELEASED, SHORT], State.BACKORDERED),
        ([ORDERED, RELEASED, SHORT, PART], State.STOCK_SHORTAGE),
        ([ORDERED, say("wms", "line.shorted", at(3), lines("picked", {"B": 1}))],
         State.STOCK_SHORTAGE),
        ([ORDERED, PART], State.PARTIALLY_SHIPPED),
        ([ORDERED, PART, REST], State.SHIPPED),
        ([ORDERED, PART, REST, delivered(at(5))], State.PARTIALLY_DELIVERED),
        ([ORDERED, PART, REST, delivered(at(5)), delivered(at(10), "S2")], State.DELIVERED),
        ([ORDERED, PART, invoiced({"A": 5}, at(4))], State.PARTIALLY_INVOICED),
        ([ORDERED, PART, REST, invoiced({"A": 5, "B": 3}, at(10))], State.INVOICED),
        ([ORDERED, PART, say("wms", "return.received", at(8), (line("A", returned=5),))],
         State.RETURNED),
        ([ORDERED, PART, say("finance", "credit.issued", at(8), (line("A", credited=5),))],
         State.CREDITED),
        ([ORDERED, say("shop", "order.cancelled", at(3))], State.CANCELLED),
        ([ORDERED, say("shop", "order.cancelled", at(3), reason="out of stock")],
         State.SHORT_CANCELLED),
    ],
)  # fmt: skip
def test_each_state_of_customer_service_is_recognised(said: list[Spoken], state: State) -> None:
    assert state in folded(*said).states


def test_a_shortage_is_over_when_the_goods_have_left() -> None:
    states = folded(ORDERED, RELEASED, SHORT, PART, REST).states
    assert State.STOCK_SHORTAGE not in states
    assert State.BACKORDERED not in states


def test_a_customer_s_cancellation_is_not_one_for_want_of_stock() -> None:
    told = folded(ORDERED, say("shop", "order.cancelled", at(3), reason="customer"))
    assert State.SHORT_CANCELLED not in told.states
    part = say("shop", "order.changed", at(3), lines("cancelled", {"A": 2}))
    ours = say("wms", "line.shorted", at(4), lines("cancelled", {"B": 1}))
    told = folded(ORDERED, part, ours)
    assert [of(told, key).short for key in "AB"] == [0, 1]
    assert of(told, "B").flags == (LineFlag.SHORT_CANCELLED,)


def test_a_late_shipped_does_not_take_a_delivery_back() -> None:
    again = say("erp", "shipment.confirmed", at(20), part="posting 9")
    told = folded(ORDERED, PART, REST, delivered(at(5)), delivered(at(10), "S2"), again)
    assert told.status is Status.DELIVERED


def test_a_void_takes_the_shipment_back_by_part_or_by_shipment() -> None:
    by_part = say("wms", "shipment.void", at(4), shipment="S1")
    by_shipment = say("wms", "shipment.void", at(4), shipment="S1", part="")
    for void in (by_part, by_shipment):
        told = folded(ORDERED, RELEASED, PART, void)
        assert told.status is Status.RELEASED
        assert of(told, "A").state is LineState.ORDERED
        assert told.shipments[0].status == "void"
        assert len(told.entries) == 4  # nothing is deleted
    bare = say("wms", "shipment.confirmed", at(3), shipment="S1")
    assert folded(ORDERED, RELEASED, bare).status is Status.SHIPPED
    assert folded(ORDERED, RELEASED, bare, by_part).status is Status.RELEASED


def test_a_void_by_one_source_leaves_what_another_confirmed() -> None:
    erp = shipped({"A": 5}, at(3, 13), "S1", source="erp")
    told = folded(ORDERED, PART, erp, say("erp", "shipment.void", at(4), shipment="S1"))
    assert of(told, "A").get(Measure.SHIPPED) == 5
    assert told.shipments[0].status == "shipped"


@pytest.mark.parametrize("hour", [10, 60])
def test_cancelled_and_shipped_keeps_both_and_says_so(hour: int) -> None:
    cancel = say("shop", "order.cancelled", at(2, hour))
    told = folded(ORDERED, cancel, shipped({"A": 5, "B": 3}, at(3)))
    assert told.status is Status.SHIPPED
    assert told.when(MilestoneCode.CANCELLED) == at(2, hour)
    assert State.CONTRADICTION in told.states
    assert "It was cancelled on" in answer(told, zone="UTC").text


def test_more_left_than_was_ordered_or_is_still_wanted() -> None:
    over = folded(ordered({"A": 5, "B": 3}), shipped({"A": 7, "B": 1}, at(3)))
    assert of(over, "A").flags == (LineFlag.OVERSHIP,)
    assert over.status is Status.PARTIALLY_SHIPPED  # what is too much of A fills nothing of B
    taken = say("shop", "order.changed", at(2, 20), lines("cancelled", {"A": 3}))
    unwanted = folded(ordered({"A": 5}), taken, shipped({"A": 5}, at(3)))
    assert of(unwanted, "A").flags == (LineFlag.CONTRADICTION,)


def test_a_correction_takes_off_what_was_told_too_much() -> None:
    fix = say("wms", "shipment.confirmed", at(4), (line("A", shipped=-2),), part="correction 1")
    told = folded(ordered({"A": 5}), shipped({"A": 5}, at(3)), fix)
    assert of(told, "A").get(Measure.SHIPPED) == 3
    assert told.status is Status.PARTIALLY_SHIPPED
    assert told.completed(MilestoneCode.SHIPPED) is None


def test_a_whole_total_and_its_parts_are_not_added_up() -> None:
    total = say("wms", "order.changed", at(4), lines("shipped", {"A": 5}), part="")
    again = shipped({"A": 5}, at(5), key="told again")
    told = folded(ordered({"A": 9}), shipped({"A": 5}, at(3)), total, again)
    assert of(told, "A").get(Measure.SHIPPED) == 5


def test_quantities_alone_move_the_rail() -> None:
    totals = say("erp", "order.changed", at(4), lines("shipped", {"A": 5, "B": 3}))
    told = folded(ORDERED, totals)
    assert (told.status, told.status_since) == (Status.SHIPPED, at(4))
    assert told.milestones[MilestoneCode.SHIPPED].source == "erp"


def test_the_sentence_in_the_words_of_the_trade() -> None:
    figures = {f"L{n}": 10 for n in range(12)}
    gone, left = dict(list(figures.items())[:8]), dict(list(figures.items())[8:])
    said = [
        ordered(figures, promised_at="2026-03-05"),
        RELEASED,
        say("wms", "line.backordered", at(3, 8), lines("backordered", left), eta="2026-03-09"),
        shipped(dict(list(gone.items())[:4]), at(3), "S1", warehouse="Dallas"),
        shipped(dict(list(gone.items())[4:]), at(3, 13), "S2", warehouse="Dallas"),
        invoiced(dict(list(gone.items())[:4]), at(4)),
    ]
    told = folded(*said, as_of=at(6))
    found = answer(told, zone="America/Chicago")
    assert found.text == (
        "Partly shipped: 8 of 12 lines left Dallas on Tue 3 Mar; 4 wait for stock, expected "
        "Mon 9 Mar; invoice 1 of 2 sent. Promised Thu 5 Mar: 1 day late."
    )
    assert found.awaited == "the remaining lines from Dallas, due Mon 9 Mar"
    assert (found.late_by_days, found.since, found.due) == (1, at(3), at(9, 0))


def test_the_sentences_of_credit_review_of_stock_and_of_cancellations() -> None:
    assert text(ORDERED, HELD).startswith(
        "Pending credit review (Credit limit exceeded) since Mon 2 Mar."
    )
    late = ordered({"A": 5}, ship_by="2026-03-03")
    waiting = answer(folded(late, RELEASED, as_of=at(4)), zone="UTC")
    assert waiting.awaited == "ship confirmation from the warehouse, was due Tue 3 Mar"
    ours = say("wms", "order.cancelled", at(3))
    assert text(ORDERED, ours).startswith("Cancelled by the warehouse Tue 3 Mar.")
    short = say("erp", "order.cancelled", at(3), reason="Out of stock")
    assert text(ORDERED, short).startswith("Cancelled for want of stock Tue 3 Mar.")
    theirs = say("shop", "order.cancelled", at(2, 20))
    assert text(ORDERED, theirs, ours).startswith("Cancelled Mon 2 Mar.")
    back = say("wms", "return.received", at(8), lines("returned", {"A": 5, "B": 3}))
    gone = shipped({"A": 5, "B": 3}, at(3))
    told = folded(ORDERED, gone, delivered(at(4)), back, as_of=at(9))
    found = answer(told, zone="UTC")
    assert found.text == "Returned Sun 8 Mar."
    assert found.awaited == "the credit of what came back, from finance"


def test_the_customer_s_answer_has_no_word_of_ours_and_no_price() -> None:
    said = [
        ordered({"A": 5, "B": 3}, price="40", promised_at="2026-03-05", total="999.00"),
        say("erp", "order.held", at(2, 10), reason="Credit limit exceeded"),
        say("erp", "order.hold_released", at(2, 11)),
        RELEASED,
        SHORT,
        shipped({"A": 5}, at(3), warehouse="Dallas", carrier="UPS", tracking="1Z1"),
    ]
    found = answer(folded(*said, as_of=at(6)), zone="UTC").customer
    assert found == (
        "Order SO-1: Part of your order has been shipped: 1 of 2 lines, last on Tue 3 Mar; "
        "1 waits for stock, expected Mon 9 Mar. Delivery was promised for Thu 5 Mar, 1 day late. "
        "Tracking: UPS 1Z1."
    )
    held = answer(folded(said[0], HELD, as_of=at(3)), zone="UTC").customer
    for word in ("redit", "old", "999", "40", "erp", "ERP"):
        assert word not in held
