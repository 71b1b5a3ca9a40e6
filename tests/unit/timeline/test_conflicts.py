"""Claims that differ for longer than the grace period are conflicts."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from connectors.sdk.events import Measure
from tests.builders.recorded_events import (
    at,
    delivered,
    invoiced,
    lines,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import folded, line_of
from visibility.timeline import MilestoneCode, RecordedEvent, Status, TimelineConflict
from visibility.timeline.authority import AUTHORITY, GRACE_PERIODS, OWNING_TEAMS
from visibility.timeline.master_data_dictionary import ItemDefinition, MasterDataDictionary
from visibility.timeline.state_and_flag_enums import ComparedField, OrderState

GRACE_PERIOD, MINUTE = GRACE_PERIODS[ComparedField.SHIPPED], timedelta(minutes=1)
ZERO_SHIPPED = reported("erp", "order.released", at(2, 11), lines("shipped", {"A": 0, "B": 0}))
PARTIAL = shipped({"A": 8}, at(3), source="north")


def total(figures: dict[str, int | str], when: float, measure: str = "shipped") -> RecordedEvent:
    """A running total from the ERP."""
    return reported("erp", "order.changed", at(3, when), lines(measure, figures))


def only(*events: RecordedEvent, hours: float = 48) -> TimelineConflict:
    """The only conflict of the events."""
    (conflict,) = folded(*events, as_of=at(3, hours)).conflicts
    return conflict


def test_every_compared_field_has_an_authority_a_grace_period_and_an_owner() -> None:
    assert set(AUTHORITY) == set(ComparedField)
    assert set(GRACE_PERIODS) == set(OWNING_TEAMS) <= set(AUTHORITY)


def test_erp_that_misses_a_partial_shipment_is_in_conflict_after_the_grace_period() -> None:
    events = [ordered({"A": 12}, price="2.50", currency="USD"), ZERO_SHIPPED, PARTIAL]
    before = folded(*events, as_of=at(3) + GRACE_PERIOD - MINUTE)
    assert (before.conflicts, len(before.pending_conflicts)) == ((), 1)
    assert before.next_change_at == at(3) + GRACE_PERIOD
    assert OrderState.CONFLICT not in before.states
    after = folded(*events, as_of=at(3) + GRACE_PERIOD)
    (conflict,) = after.conflicts
    assert (conflict.field, conflict.line_key, conflict.since, conflict.opened_at) == (
        ComparedField.SHIPPED,
        "A",
        at(3),
        at(3) + GRACE_PERIOD,
    )
    assert (conflict.money, conflict.currency, conflict.owner) == (Decimal(20), "USD", "Warehouse")
    assert [(c.source, c.value, c.authoritative) for c in conflict.claims] == [
        ("north", "8", True),
        ("erp", "0", False),
    ]
    assert OrderState.CONFLICT in after.states
    assert after.next_change_at is None


def test_conflict_closes_on_agreement_and_reopens_on_the_next_difference() -> None:
    events = [ordered({"A": 12}), ZERO_SHIPPED, PARTIAL, total({"A": 8}, 20)]
    assert folded(*events, as_of=at(4)).conflicts == ()
    second = shipped({"A": 4}, at(4), "S2", source="north")
    assert only(*events, second, hours=40).since == at(4)


def test_second_partial_shipment_does_not_restart_the_conflict() -> None:
    second = shipped({"A": 1}, at(3, 15), "S2", source="north")
    assert only(ordered({"A": 12}), ZERO_SHIPPED, PARTIAL, second).since == at(3)


def test_shipments_of_two_warehouses_are_compared_by_their_sum() -> None:
    events = [
        ordered({"A": 12}),
        shipped({"A": 8}, at(3), source="north"),
        shipped({"A": 4}, at(3), "S2"),
        total({"A": 12}, 13),
    ]
    assert folded(*events).conflicts == ()
    conflict = only(*events[:3], total({"A": 10}, 13))
    assert [c.source for c in conflict.claims] == ["north", "wms", "erp"]


def test_source_without_a_figure_is_in_no_conflict() -> None:
    assert folded(ordered({"A": 12}), PARTIAL).conflicts == ()


def test_units_are_converted_before_comparison() -> None:
    boxes = MasterDataDictionary(
        items={"A": ItemDefinition("A", unit="BX", factors={"EA": Fraction(1, 10)})}
    )
    events = [
        ordered({"A": 2}, unit="BX"),
        shipped({"A": 20}, at(3), source="north"),
        reported("erp", "order.changed", at(3, 13), lines("shipped", {"A": 2}, unit="BX")),
    ]
    assert folded(*events, dictionary=boxes).conflicts == ()
    assert folded(*events).conflicts == ()  # uncountable figures are not compared


@pytest.mark.parametrize(("price", "money"), [("38.00", 10), ("40.004", None)])
def test_unit_prices_are_compared_with_a_rounding_tolerance(price: str, money: int | None) -> None:
    events = [
        ordered({"A": 5}, price="40"),
        ordered({"A": 5}, at(2, 8), source="shop", price=price),
    ]
    timeline = folded(*events)
    assert [c.money for c in timeline.conflicts] == ([Decimal(money)] if money else [])
    assert [c.owner for c in timeline.conflicts] == (["Pricing"] if money else [])


def test_prices_in_different_currencies_are_not_compared() -> None:
    timeline = folded(
        ordered({"A": 5}, price="40", currency="USD"),
        ordered({"A": 5}, at(2, 8), source="shop", price="38", currency="eur"),
    )
    assert (timeline.conflicts, timeline.currencies) == ((), ("EUR",))
    same = folded(
        ordered({"A": 5}, price="40", currency="USD"),
        ordered({"A": 5}, at(2, 8), source="shop", price="38", currency="usd"),
    )
    assert (len(same.conflicts), same.currencies) == (1, ())


def test_ordered_quantities_are_compared_less_cancellations() -> None:
    shop = [
        ordered({"A": 5}, at(2, 8), source="shop"),
        reported("shop", "order.changed", at(2, 10), lines("cancelled", {"A": 2})),
    ]
    assert folded(*shop, ordered({"A": 3})).conflicts == ()
    conflict = only(*shop, ordered({"A": 5, "B": 1}))
    assert (conflict.field, [c.value for c in conflict.claims]) == (
        ComparedField.CANCELLED,
        ["0", "2"],
    )
    conflict = only(shop[0], ordered({"A": 4}, price="10"))
    assert (conflict.field, conflict.money) == (ComparedField.ORDERED, Decimal(10))


@pytest.mark.parametrize(("erp", "cancelled"), [(3, 0), (4, 1), (5, 2)])
def test_cancellation_is_not_subtracted_twice_when_erp_already_reduced_the_order(
    erp: int, cancelled: int
) -> None:
    """The shop reports 5 ordered and 2 cancelled; the ERP may have reduced its order already."""
    timeline = folded(
        ordered({"A": 5}, at(2, 8), source="shop"),
        ordered({"A": 5}),
        reported("shop", "order.changed", at(3), lines("cancelled", {"A": 2})),
        reported("erp", "order.released", at(3, 13), lines("ordered", {"A": erp})),
        shipped({"A": 3}, at(4)),
    )
    line = line_of(timeline, "A")
    assert line.quantity(Measure.ORDERED) == erp
    assert line.quantity(Measure.CANCELLED) == cancelled
    assert line.net_ordered_quantity == 3
    assert line.flags == ()
    assert timeline.status is Status.SHIPPED
    assert timeline.milestones[MilestoneCode.SHIPPED].share == 1


def test_invoiced_quantities_of_finance_and_erp_are_compared() -> None:
    events = [
        ordered({"A": 5}, price="2"),
        shipped({"A": 5}, at(3)),
        total({"A": 3}, 13, "invoiced"),
    ]
    conflict = only(*events, invoiced({"A": 5}, at(3, 14)))
    assert (conflict.field, conflict.money, conflict.owner) == (
        ComparedField.INVOICED,
        Decimal(4),
        "Finance",
    )


def test_different_promise_dates_are_in_conflict_until_delivery() -> None:
    events = [
        ordered({"A": 5}, promised_at="2026-03-05"),
        ordered({"A": 5}, at(2, 10), source="shop", promised_at="2026-03-04T17:00:00-06:00"),
    ]
    conflict = only(*events)
    assert (conflict.field, conflict.line_key, conflict.money) == (
        ComparedField.PROMISED_AT,
        "",
        None,
    )
    assert [c.value for c in conflict.claims] == ["2026-03-05", "2026-03-04"]
    delivery = [shipped({"A": 5}, at(3)), delivered(at(4))]
    assert folded(*events, *delivery).conflicts == ()


def test_cancelled_and_shipped_is_a_status_conflict() -> None:
    cancel = reported("shop", "order.cancelled", at(2, 20))
    conflict = only(ordered({"A": 5}, price="2"), cancel, shipped({"A": 5}, at(3)))
    assert (conflict.field, conflict.money, conflict.opened_at) == (
        ComparedField.STATUS,
        Decimal(10),
        at(3) + GRACE_PERIOD,
    )
    assert [(c.source, c.value) for c in conflict.claims] == [
        ("wms", "shipped"),
        ("shop", "cancelled"),
    ]


def test_work_on_a_cancelled_order_is_a_conflict_but_no_report_is_not() -> None:
    cancel = reported("shop", "order.cancelled", at(2, 20))
    assert folded(ordered({"A": 5}), cancel).conflicts == ()
    work = reported("wms", "line.allocated", at(3), lines("allocated", {"A": 5}))
    conflict = only(ordered({"A": 5}), cancel, work)
    assert [c.value for c in conflict.claims] == ["open", "cancelled"]


def test_shipment_without_quantities_contradicts_zero_shipped() -> None:
    bare = reported("north", "shipment.confirmed", at(3), shipment="S1")
    conflict = only(ordered({"A": 5}), ZERO_SHIPPED, bare)
    assert (conflict.field, [c.value for c in conflict.claims]) == (
        ComparedField.STATUS,
        ["shipped", "nothing shipped"],
    )


def test_claims_of_each_source_have_their_time() -> None:
    timeline = folded(
        ordered({"A": 12}, at(2, 9), price="2.5"),
        ZERO_SHIPPED,
        PARTIAL,
        total({"A": 8}, 20),
        as_of=at(5),
    )
    claims = {
        (c.source, c.field): (c.value, c.at, c.authoritative) for c in line_of(timeline, "A").claims
    }
    assert claims[("north", ComparedField.SHIPPED)] == (Decimal(8), at(3), True)
    assert claims[("erp", ComparedField.SHIPPED)] == (Decimal(8), at(3, 20), False)
    assert claims[("erp", ComparedField.PRICE)] == (Decimal("2.5"), at(2, 9), True)
    states = {c.source: c.order_state for c in timeline.claims}
    assert states == {"erp": "shipped", "north": "shipped"}


def test_late_event_makes_no_conflict_before_it_was_received() -> None:
    late = shipped({"A": 8}, at(3), source="north", received=at(6))
    events = [ordered({"A": 12}), ZERO_SHIPPED, late]
    assert folded(*events, as_of=at(5), known_at=at(5)).conflicts == ()
    assert len(folded(*events, as_of=at(7), known_at=at(7)).conflicts) == 1


def test_timeline_changes_next_at_a_future_event() -> None:
    timeline = folded(ordered({"A": 12}), shipped({"A": 12}, at(20)), as_of=at(5))
    assert timeline.next_change_at == at(20)
