"""The status, the states and the answer of an order follow from its quantities."""

from dataclasses import replace

import pytest

from connectors.sdk.events import Attribute, IdentifierScheme, Measure
from tests.builders.recorded_events import (
    at,
    delivered,
    invoiced,
    line,
    lines,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import folded, line_of
from visibility.timeline import MilestoneCode, RecordedEvent, Status
from visibility.timeline.state_and_flag_enums import LineFlag, LineState, OrderState
from visibility.timeline.status_answer import status_answer

ORDERED = ordered({"A": 5, "B": 3})
ON_HOLD = reported("erp", "order.held", at(2, 10), reason="Credit limit exceeded")
RELEASED = reported("erp", "order.released", at(2, 11))
ALLOCATED = reported("wms", "line.allocated", at(2, 12), lines("allocated", {"A": 5, "B": 3}))
SHORT = reported(
    "wms", "line.backordered", at(3, 9), lines("backordered", {"B": 3}), eta="2026-03-09"
)
PARTIAL = shipped({"A": 5}, at(3))
REMAINDER = shipped({"B": 3}, at(9), "S2")


def text(*events: RecordedEvent, day: float = 4) -> str:
    """The text of the answer."""
    return status_answer(folded(*events, as_of=at(int(day), 18)), zone="UTC").text


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([ORDERED, ON_HOLD], OrderState.CREDIT_REVIEW),
        ([ORDERED, reported("erp", "order.held", at(2, 10), reason="Address")], OrderState.ON_HOLD),
        ([ORDERED, RELEASED], OrderState.RELEASED),
        ([ORDERED, RELEASED, ALLOCATED], OrderState.ALLOCATED),
        ([ORDERED, RELEASED, SHORT], OrderState.BACKORDERED),
        ([ORDERED, RELEASED, SHORT, PARTIAL], OrderState.STOCK_SHORTAGE),
        (
            [ORDERED, reported("wms", "line.shorted", at(3), lines("picked", {"B": 1}))],
            OrderState.STOCK_SHORTAGE,
        ),
        ([ORDERED, PARTIAL], OrderState.PARTIALLY_SHIPPED),
        ([ORDERED, PARTIAL, REMAINDER], OrderState.SHIPPED),
        ([ORDERED, PARTIAL, REMAINDER, delivered(at(5))], OrderState.PARTIALLY_DELIVERED),
        (
            [ORDERED, PARTIAL, REMAINDER, delivered(at(5)), delivered(at(10), "S2")],
            OrderState.DELIVERED,
        ),
        ([ORDERED, PARTIAL, invoiced({"A": 5}, at(4))], OrderState.PARTIALLY_INVOICED),
        ([ORDERED, PARTIAL, REMAINDER, invoiced({"A": 5, "B": 3}, at(10))], OrderState.INVOICED),
        (
            [ORDERED, PARTIAL, reported("wms", "return.received", at(8), (line("A", returned=5),))],
            OrderState.RETURNED,
        ),
        (
            [
                ORDERED,
                PARTIAL,
                reported("finance", "credit.issued", at(8), (line("A", credited=5),)),
            ],
            OrderState.CREDITED,
        ),
        ([ORDERED, reported("shop", "order.cancelled", at(3))], OrderState.CANCELLED),
        (
            [ORDERED, reported("shop", "order.cancelled", at(3), reason="out of stock")],
            OrderState.SHORT_CANCELLED,
        ),
    ],
)
def test_each_state_is_recognized(events: list[RecordedEvent], state: OrderState) -> None:
    assert state in folded(*events).states


def test_shortage_ends_with_the_shipment() -> None:
    states = folded(ORDERED, RELEASED, SHORT, PARTIAL, REMAINDER).states
    assert OrderState.STOCK_SHORTAGE not in states
    assert OrderState.BACKORDERED not in states


def test_cancellation_by_the_customer_is_not_a_short_cancellation() -> None:
    timeline = folded(ORDERED, reported("shop", "order.cancelled", at(3), reason="customer"))
    assert OrderState.SHORT_CANCELLED not in timeline.states
    by_customer = reported("shop", "order.changed", at(3), lines("cancelled", {"A": 2}))
    by_seller = reported("wms", "line.shorted", at(4), lines("cancelled", {"B": 1}))
    timeline = folded(ORDERED, by_customer, by_seller)
    assert [line_of(timeline, key).short_cancelled for key in "AB"] == [0, 1]
    assert line_of(timeline, "B").flags == (LineFlag.SHORT_CANCELLED,)


def test_late_shipment_event_does_not_undo_a_delivery() -> None:
    late = reported("erp", "shipment.confirmed", at(20), scope="posting 9")
    timeline = folded(ORDERED, PARTIAL, REMAINDER, delivered(at(5)), delivered(at(10), "S2"), late)
    assert timeline.status is Status.DELIVERED


def test_void_revokes_a_shipment_by_scope_or_by_shipment() -> None:
    by_scope = reported("wms", "shipment.void", at(4), shipment="S1")
    by_shipment = reported("wms", "shipment.void", at(4), shipment="S1", scope="")
    for void in (by_scope, by_shipment):
        timeline = folded(ORDERED, RELEASED, PARTIAL, void)
        assert timeline.status is Status.RELEASED
        assert line_of(timeline, "A").state is LineState.ORDERED
        assert timeline.shipments[0].status == "void"
        assert len(timeline.entries) == 4  # nothing is deleted
    bare = reported("wms", "shipment.confirmed", at(3), shipment="S1")
    assert folded(ORDERED, RELEASED, bare).status is Status.SHIPPED
    assert folded(ORDERED, RELEASED, bare, by_scope).status is Status.RELEASED


def test_void_does_not_revoke_the_confirmation_of_another_source() -> None:
    erp = shipped({"A": 5}, at(3, 13), "S1", source="erp")
    timeline = folded(ORDERED, PARTIAL, erp, reported("erp", "shipment.void", at(4), shipment="S1"))
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 5
    assert timeline.shipments[0].status == "shipped"


@pytest.mark.parametrize("hour", [10, 60])
def test_cancelled_and_shipped_order_shows_both(hour: int) -> None:
    cancel = reported("shop", "order.cancelled", at(2, hour))
    timeline = folded(ORDERED, cancel, shipped({"A": 5, "B": 3}, at(3)))
    assert timeline.status is Status.SHIPPED
    assert timeline.milestone_reached_at(MilestoneCode.CANCELLED) == at(2, hour)
    assert OrderState.CONTRADICTION in timeline.states
    assert "but shipped anyway" in status_answer(timeline, zone="UTC").text


def test_overshipment_and_shipment_of_cancelled_quantity_are_flagged() -> None:
    over = folded(ordered({"A": 5, "B": 3}), shipped({"A": 7, "B": 1}, at(3)))
    assert line_of(over, "A").flags == (LineFlag.OVERSHIP,)
    assert over.status is Status.PARTIALLY_SHIPPED  # the surplus of A does not fill B
    cancellation = reported("shop", "order.changed", at(2, 20), lines("cancelled", {"A": 3}))
    unwanted = folded(ordered({"A": 5}), cancellation, shipped({"A": 5}, at(3)))
    assert line_of(unwanted, "A").flags == (LineFlag.CONTRADICTION,)


def test_negative_correction_reduces_the_shipped_quantity() -> None:
    fix = reported(
        "wms", "shipment.confirmed", at(4), (line("A", shipped=-2),), scope="correction 1"
    )
    timeline = folded(ordered({"A": 5}), shipped({"A": 5}, at(3)), fix)
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 3
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) is None


def test_total_and_shipped_quantities_are_not_added_up() -> None:
    total = reported("wms", "order.changed", at(4), lines("shipped", {"A": 5}), scope="")
    repeat = shipped({"A": 5}, at(5), key="repeat")
    timeline = folded(ordered({"A": 9}), shipped({"A": 5}, at(3)), total, repeat)
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 5


def test_quantities_alone_complete_milestones() -> None:
    totals = reported("erp", "order.changed", at(4), lines("shipped", {"A": 5, "B": 3}))
    timeline = folded(ORDERED, totals)
    assert (timeline.status, timeline.status_since) == (Status.SHIPPED, at(4))
    assert timeline.milestones[MilestoneCode.SHIPPED].source == "erp"


def test_answer_for_a_partially_shipped_order() -> None:
    figures = {f"L{n}": 10 for n in range(12)}
    sent, short = dict(list(figures.items())[:8]), dict(list(figures.items())[8:])
    events = [
        ordered(figures, promised_at="2026-03-05"),
        RELEASED,
        reported(
            "wms", "line.backordered", at(3, 8), lines("backordered", short), eta="2026-03-09"
        ),
        shipped(dict(list(sent.items())[:4]), at(3), "S1", warehouse="Dallas"),
        shipped(dict(list(sent.items())[4:]), at(3, 13), "S2", warehouse="Dallas"),
        invoiced(dict(list(sent.items())[:4]), at(4)),
    ]
    timeline = folded(*events, as_of=at(6))
    result = status_answer(timeline, zone="America/Chicago")
    assert result.text == (
        "Partially shipped: 8 of 12 lines shipped from Dallas on Tue, Mar 3; 4 back-ordered, "
        "expected Mon, Mar 9; invoice 1 of 2 sent. Promised Thu, Mar 5: 1 day late."
    )
    assert result.next_step == "Dallas ships the open quantity, due Mon, Mar 9"
    assert (result.since, result.due) == (at(3), at(9, 0))


def test_answers_for_credit_hold_cancellations_and_returns() -> None:
    assert text(ORDERED, ON_HOLD).startswith(
        "Pending credit review (Credit limit exceeded) since Mon, Mar 2."
    )
    late_order = ordered({"A": 5}, ship_by="2026-03-03")
    waiting = status_answer(folded(late_order, RELEASED, as_of=at(4)), zone="UTC")
    assert waiting.next_step == "ship confirmation from the warehouse, was due Tue, Mar 3"
    by_warehouse = reported("wms", "order.cancelled", at(3))
    assert text(ORDERED, by_warehouse).startswith("Cancelled by the warehouse Tue, Mar 3.")
    short = reported("erp", "order.cancelled", at(3), reason="Out of stock")
    assert text(ORDERED, short).startswith("Cancelled (out of stock) Tue, Mar 3.")
    by_customer = reported("shop", "order.cancelled", at(2, 20))
    assert text(ORDERED, by_customer, by_warehouse).startswith("Cancelled Mon, Mar 2.")
    returned = reported("wms", "return.received", at(8), lines("returned", {"A": 5, "B": 3}))
    shipment = shipped({"A": 5, "B": 3}, at(3))
    timeline = folded(ORDERED, shipment, delivered(at(4)), returned, as_of=at(9))
    result = status_answer(timeline, zone="UTC")
    assert result.text == "Returned Sun, Mar 8."
    assert result.next_step == "credit for the returned goods, from finance"


def test_customer_answer_has_no_internal_reason_and_no_price() -> None:
    events = [
        ordered({"A": 5, "B": 3}, price="40", promised_at="2026-03-05", total="999.00"),
        reported("erp", "order.held", at(2, 10), reason="Credit limit exceeded"),
        reported("erp", "order.hold_released", at(2, 11)),
        RELEASED,
        SHORT,
        shipped({"A": 5}, at(3), warehouse="Dallas", carrier="UPS", tracking="1Z1"),
    ]
    result = status_answer(folded(*events, as_of=at(6)), zone="UTC").customer
    assert result == (
        "Order SO-1: Part of your order has been shipped: 1 of 2 lines, on Tue, Mar 3; "
        "1 line back-ordered, expected Mon, Mar 9. Delivery was promised for Thu, Mar 5 and is "
        "1 day late. Tracking: UPS 1Z1."
    )
    on_hold = status_answer(folded(events[0], ON_HOLD, as_of=at(3)), zone="UTC").customer
    for term in ("redit", "old", "999", "40", "erp", "ERP"):
        assert term not in on_hold


def test_number_of_an_order_is_chosen_by_scheme_then_by_value() -> None:
    numbers = {"sales_order:old_erp": "9", "sales_order:erp": "4", "customer_po:C-1": "PO-1"}
    timeline = replace(folded(ORDERED), numbers=numbers)
    web, po = IdentifierScheme.WEB_ORDER, IdentifierScheme.CUSTOMER_PO
    assert timeline.first_number_of_schemes(web, IdentifierScheme.SALES_ORDER, po) == "4"
    assert timeline.first_number_of_schemes(po, IdentifierScheme.SALES_ORDER) == "PO-1"
    assert timeline.first_number_of_schemes(web) == ""


def test_total_of_a_credit_is_never_that_of_the_order() -> None:
    credit = reported("shop", "credit.issued", at(3), total="15.00", currency="USD")
    assert Attribute.TOTAL not in folded(ordered({"A": 5}), credit).attributes
    priced = reported("erp", "order.changed", at(2), total="80")
    assert folded(ordered({"A": 5}), priced, credit).attributes[Attribute.TOTAL] == "80"
