"""What is cancelled after a part was shipped, who closed it, and what is no goods at all."""

from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import Measure
from tests.builders.recorded_events import at, delivered, line, lines, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.timeline import Status, Timeline
from visibility.timeline.kpi_inputs import demand_and_first_shipped_at_cut_off
from visibility.timeline.state_and_flag_enums import LineFlag, LineState, OrderState
from visibility.timeline.status_answer import status_answer

PARTLY_SHIPPED = [ordered({"A": 10, "B": 2}), shipped({"A": 6}, at(3))]
CANCELLED = reported("shop", "order.cancelled", at(4), reason="customer")


def demand_lines(timeline: Timeline) -> list[list[Decimal]]:
    """[wanted, in the first shipment] of each line at the cut-off."""
    demand = demand_and_first_shipped_at_cut_off(timeline, "UTC")
    assert demand is not None
    return [list(pair) for pair in demand.lines]


def test_cancellation_after_a_part_shipment_cancels_the_balance() -> None:
    for events in ([*PARTLY_SHIPPED, CANCELLED], [CANCELLED, *PARTLY_SHIPPED]):
        timeline = folded(*events)
        cancelled = [line_.quantity(Measure.CANCELLED) for line_ in timeline.lines]
        assert timeline.status is Status.SHIPPED
        assert cancelled == [4, 2]
        assert not {OrderState.CONTRADICTION, OrderState.STOCK_SHORTAGE} & set(timeline.states)
        assert timeline.conflicts == ()
    complete = folded(*PARTLY_SHIPPED, CANCELLED, delivered(at(5)))
    assert complete.status is Status.DELIVERED


def test_goods_that_leave_after_the_balance_was_cancelled_contradict_it() -> None:
    timeline = folded(*PARTLY_SHIPPED, CANCELLED, shipped({"A": 1}, at(5), "S2"))
    assert OrderState.CONTRADICTION in timeline.states


def test_cancellation_of_what_left_in_full_is_a_contradiction() -> None:
    timeline = folded(ordered({"A": 6}), shipped({"A": 6}, at(3)), CANCELLED)
    assert OrderState.CONTRADICTION in timeline.states
    assert timeline.status is Status.SHIPPED


def test_balance_is_not_cancelled_twice() -> None:
    reduced = reported("shop", "order.changed", at(3, 20), lines("cancelled", {"A": 1}))
    restated = reported("shop", "order.changed", at(5), lines("cancelled", {"A": 4, "B": 2}))
    by_erp = reported("erp", "order.cancelled", at(4, 14))
    timeline = folded(*PARTLY_SHIPPED, reduced, CANCELLED, by_erp, restated)
    assert [line_.quantity(Measure.CANCELLED) for line_ in timeline.lines] == [4, 2]


def test_balance_cancelled_by_the_warehouse_stays_in_the_demand() -> None:
    by_seller = reported("wms", "order.cancelled", at(4))
    timeline = folded(*PARTLY_SHIPPED, by_seller)
    assert [line_.short_cancelled for line_ in timeline.lines] == [4, 2]
    assert demand_lines(timeline) == [[10, 6], [2, 0]]
    resumed = reported("wms", "pack.completed", at(5), lines("packed", {"A": 1}), scope="p")
    assert folded(*PARTLY_SHIPPED, by_seller, resumed).status is Status.PARTIALLY_SHIPPED


def test_line_closed_short_by_the_warehouse_is_complete_and_stays_in_the_demand() -> None:
    closed = reported("wms", "line.shorted", at(3), [line("A", shipped=8, cancelled=2)],
                      shipment="S1")  # fmt: skip
    timeline = folded(ordered({"A": 10}), closed)
    assert timeline.status is Status.SHIPPED
    assert OrderState.STOCK_SHORTAGE not in timeline.states
    assert demand_lines(timeline) == [[10, 8]]


def test_what_is_no_goods_is_neither_awaited_nor_counted() -> None:
    tip = replace(line("TIP", ordered=1, price="5"), is_goods=False)
    order = reported("shop", "order.received", at(2), [line("A", ordered=1), tip])
    from_erp = ordered({"A": 1, "TIP": 1})
    for events in ([order], [order, from_erp], [from_erp, order]):
        timeline = folded(*events, shipped({"A": 1}, at(3)), delivered(at(4)))
        assert timeline.status is Status.DELIVERED
        (shown,) = [entry for entry in timeline.lines if entry.key == "TIP"]
        assert shown.flags == (LineFlag.NOT_GOODS,)
        assert not shown.is_counted
        assert not shown.unexpected
        assert demand_lines(timeline) == [[1, 1]]


def test_credit_of_what_was_never_sent_is_no_credit_of_goods() -> None:
    cancelled = reported(
        "shop", "credit.issued", at(4), lines("cancelled", {"A": 3}), scope="refund 1"
    )
    timeline = folded(ordered({"A": 5}), shipped({"A": 2}, at(3)), cancelled)
    assert timeline.status is Status.SHIPPED
    assert not {OrderState.CREDITED, OrderState.PARTIALLY_CREDITED} & set(timeline.states)
    returned = reported("wms", "return.received", at(6), lines("returned", {"A": 2}))
    timeline = folded(ordered({"A": 5}), shipped({"A": 2}, at(3)), cancelled, returned)
    assert timeline.status is Status.RETURNED
    assert "credit for the returned goods" in status_answer(timeline, zone="UTC").next_step
    amount = reported("shop", "credit.issued", at(4), scope="refund 2")
    assert folded(ordered({"A": 5}), amount).states == ()


def test_total_that_the_customer_cancelled_keeps_what_the_seller_cancelled() -> None:
    by_seller = reported(
        "shop", "credit.issued", at(4), lines("cancelled", {"A": 2}), scope="refund 1",
        reason="out of stock",
    )  # fmt: skip
    total = reported("shop", "order.changed", at(5), lines("cancelled", {"A": 3}))
    (entry,) = folded(ordered({"A": 5}), by_seller, total).lines
    assert entry.quantity(Measure.CANCELLED) == 3
    assert entry.short_cancelled == 2
    corrected = reported(
        "shop", "credit.issued", at(5), lines("cancelled", {"A": 2}), scope="refund 1"
    )
    (entry,) = folded(ordered({"A": 5}), by_seller, corrected).lines
    assert entry.short_cancelled == 0


def test_partially_delivered_order_with_open_lines_waits_for_the_warehouse() -> None:
    timeline = folded(ordered({"A": 1, "B": 1}), shipped({"A": 1}, at(3)), delivered(at(4)))
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert "ships the open quantity" in status_answer(timeline, zone="UTC").next_step


def test_snapshot_without_removals_is_listed_only_if_it_takes_one_back() -> None:
    removed = reported("shop", "order.changed", at(3), lines("cancelled", {"A": 2}),
                       complete=["cancelled"])  # fmt: skip
    restored = reported("shop", "order.changed", at(4), complete=["cancelled"])
    timeline = folded(ordered({"A": 5}), removed, restored)
    assert timeline.lines[0].quantity(Measure.CANCELLED) == 0
    assert len(timeline.entries) == 3
    assert len(folded(ordered({"A": 5}), restored).entries) == 1


def test_goods_that_their_warehouse_ships_after_closing_the_line_short_are_shipped() -> None:
    closed = reported("wms", "line.shorted", at(3), [line("A", shipped=4, cancelled=2)],
                      shipment="S1")  # fmt: skip
    timeline = folded(ordered({"A": 6}), closed, shipped({"A": 2}, at(3, 15), "S2"))
    assert timeline.lines[0].quantity(Measure.SHIPPED) == 6
    assert timeline.lines[0].quantity(Measure.CANCELLED) == 0
    assert timeline.lines[0].short_cancelled == 0
    assert timeline.lines[0].flags == ()
    assert not {OrderState.CONTRADICTION, OrderState.SHORT_CANCELLED} & set(timeline.states)
    other = reported("erp", "order.changed", at(3), lines("cancelled", {"A": 2}))
    contradicted = folded(ordered({"A": 6}), other, shipped({"A": 6}, at(3, 15)))
    assert OrderState.CONTRADICTION in contradicted.states


def test_lines_of_a_cancelled_order_are_cancelled_and_wait_for_no_stock() -> None:
    backordered = reported("wms", "line.backordered", at(2), lines("backordered", {"A": 10}))
    timeline = folded(ordered({"A": 10, "B": 2}), backordered, CANCELLED)
    assert {line_.state for line_ in timeline.lines} == {LineState.CANCELLED}
    partly = folded(ordered({"A": 10}), shipped({"A": 6}, at(3)), backordered, CANCELLED)
    assert partly.lines[0].quantity(Measure.BACKORDERED) == 0


def test_line_rejected_for_another_cause_than_stock_is_not_short_on_stock() -> None:
    rejected = reported("erp", "line.shorted", at(2), lines("cancelled", {"A": 10}),
                        reason="rejected by the seller: invalid item number (R2)")  # fmt: skip
    timeline = folded(ordered({"A": 10, "B": 4}), rejected)
    text = status_answer(timeline, zone="UTC").text
    assert "10 cancelled by the seller" in text
    assert "stock" not in text
    assert OrderState.STOCK_SHORTAGE not in timeline.states
    assert timeline.lines[0].short_cancelled == 10
