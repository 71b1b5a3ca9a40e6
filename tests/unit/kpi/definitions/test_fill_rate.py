"""First-pass line fill rate."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from connectors.sdk.events import EventType, Measure
from tests.builders.recorded_events import at, lines, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.definitions.unit_fill_rate import UnitFillRate
from visibility.kpi.kpi import KpiMeasurement
from visibility.timeline import RecordedEvent, Timeline

pytestmark = pytest.mark.calendar

PROMISED = "2026-03-10"


def measure(order_timeline: Timeline, zone: str = "UTC") -> KpiMeasurement | None:
    return FillRate().measure(order_timeline, zone)


def counted(order_timeline: Timeline) -> tuple[int, int]:
    measured = measure(order_timeline)
    assert measured is not None
    assert measured.excluded == ""
    return int(measured.numerator or 0), int(measured.denominator or 0)


def excluded(order_timeline: Timeline) -> str:
    measured = measure(order_timeline)
    assert measured is not None
    assert (measured.numerator, measured.denominator) == (None, None)
    return measured.excluded


def test_example_fills_170_of_200_units_and_4_of_6_lines() -> None:
    first = folded(
        ordered({"A": 50, "B": 30, "C": 20}), shipped({"A": 50, "B": 30, "C": 10}, at(3))
    )
    second = folded(
        ordered({"D": 40, "E": 40, "F": 20}), shipped({"D": 40, "E": 20, "F": 20}, at(3))
    )
    line_rate, unit_rate = FillRate(), UnitFillRate()
    measured = [
        kpi.measure(order_timeline, "UTC")
        for kpi in (line_rate, unit_rate)
        for order_timeline in (first, second)
    ]
    sums = [(int(m.numerator or 0), int(m.denominator or 0)) for m in measured if m]
    assert sums == [(2, 3), (2, 3), (90, 100), (80, 100)]
    assert (sum(n for n, _ in sums[:2]), sum(d for _, d in sums[:2])) == (4, 6)
    assert sum(n for n, _ in sums[2:]) / sum(d for _, d in sums[2:]) == 0.85


def test_only_the_first_shipment_counts() -> None:
    order_timeline = folded(
        ordered({"A": 5, "B": 3}), shipped({"A": 5}, at(3), "S1"), shipped({"B": 3}, at(4), "S2")
    )
    assert counted(order_timeline) == (1, 2)


def test_repeated_report_of_first_shipment_is_not_a_second_shipment() -> None:
    erp = reported(
        "erp",
        EventType.ORDER_CHANGED,
        at(3, 14),
        event_lines=lines(Measure.SHIPPED, {"A": 5}),
    )
    order_timeline = folded(ordered({"A": 5, "B": 3}), shipped({"A": 5}, at(3)), erp)
    assert counted(order_timeline) == (1, 2)


def test_first_running_total_of_erp_counts() -> None:
    totals = [
        reported(
            "erp", EventType.ORDER_CHANGED, at(day), event_lines=lines(Measure.SHIPPED, figures)
        )
        for day, figures in ((3, {"A": 5, "B": 0}), (5, {"A": 5, "B": 3}))
    ]
    assert counted(folded(ordered({"A": 5, "B": 3}), *totals)) == (1, 2)


def test_more_than_ordered_counts_as_ordered() -> None:
    order_timeline = folded(ordered({"A": 5, "B": 5}), shipped({"A": 9, "B": 1}, at(3)))
    units = UnitFillRate().measure(order_timeline, "UTC")
    assert counted(order_timeline) == (1, 2)
    assert units
    assert units == KpiMeasurement(date(2026, 3, 3), Decimal(6), Decimal(10))


def test_line_without_quantity_is_ignored() -> None:
    assert counted(folded(ordered({"A": 5, "FREIGHT": 0}), shipped({"A": 5}, at(3)))) == (1, 1)


def test_voided_first_shipment_is_ignored() -> None:
    void = reported("wms", EventType.SHIPMENT_VOID, at(4), shipment="S1")
    order_timeline = folded(
        ordered({"A": 5}), shipped({"A": 5}, at(3)), void, shipped({"A": 2}, at(5), "S2")
    )
    assert counted(order_timeline) == (0, 1)


def test_order_not_shipped_by_promise_date_is_missed() -> None:
    order_timeline = [ordered({"A": 5, "B": 1}, promised_at=PROMISED)]
    assert counted(folded(*order_timeline, as_of=at(11))) == (0, 2)


def test_order_does_not_count_before_promise_and_shipment() -> None:
    assert measure(folded(ordered({"A": 5}, promised_at=PROMISED), as_of=at(10, 23))) is None


def test_order_without_promise_and_shipment_is_excluded_on_order_day() -> None:
    measured = measure(folded(ordered({"A": 5})))
    assert measured == KpiMeasurement(date(2026, 3, 2), None, None, "no_cut_off")


def test_customer_cancellation_before_cut_off_is_excluded() -> None:
    cancel = reported("shop", EventType.ORDER_CANCELLED, at(4), reason="customer")
    order_timeline = [ordered({"A": 5}, promised_at=PROMISED), cancel]
    assert excluded(folded(*order_timeline)) == "cancelled_before_cut_off"


def test_customer_cancellation_after_cut_off_is_missed() -> None:
    cancel = reported("shop", EventType.ORDER_CANCELLED, at(12), reason="customer")
    assert counted(folded(ordered({"A": 5}, promised_at=PROMISED), cancel)) == (0, 1)


@pytest.mark.parametrize(
    "short",
    [
        reported("shop", EventType.ORDER_CANCELLED, at(4), reason="Out of stock"),
        reported("wms", EventType.ORDER_CANCELLED, at(4)),
    ],
)
def test_seller_cancellation_for_stock_is_missed(short: RecordedEvent) -> None:
    assert counted(folded(ordered({"A": 5}, promised_at=PROMISED), short)) == (0, 1)


def test_customer_cancelled_quantity_is_no_demand_but_short_shipped_is() -> None:
    back = reported(
        "shop", EventType.ORDER_CHANGED, at(3), event_lines=lines(Measure.CANCELLED, {"A": 2})
    )
    short = reported(
        "wms", EventType.LINE_SHORTED, at(3), event_lines=lines(Measure.CANCELLED, {"B": 2})
    )
    order_timeline = folded(
        ordered({"A": 5, "B": 5}), back, short, shipped({"A": 3, "B": 3}, at(4))
    )
    units = UnitFillRate().measure(order_timeline, "UTC")
    assert counted(order_timeline) == (1, 2)
    assert units
    assert units == KpiMeasurement(date(2026, 3, 4), Decimal(6), Decimal(8))


def test_shipment_without_quantities_is_excluded() -> None:
    order_timeline = folded(ordered({"A": 5}), reported("wms", EventType.SHIPMENT_CONFIRMED, at(3)))
    assert excluded(order_timeline) == "no_shipped_quantity"


def test_order_without_lines_is_excluded() -> None:
    order_timeline = folded(ordered({}), shipped({"A": 5}, at(3)))
    assert excluded(folded(ordered({}, promised_at=PROMISED))) == "no_lines"
    assert measure(order_timeline) is not None


def test_day_uses_time_zone() -> None:
    order_timeline = folded(ordered({"A": 5}), shipped({"A": 5}, at(4, 3)))
    dallas, berlin = (
        measure(order_timeline, "America/Chicago"),
        measure(order_timeline, "Europe/Berlin"),
    )
    assert dallas
    assert berlin
    assert (dallas.day, berlin.day) == (date(2026, 3, 3), date(2026, 3, 4))


def test_promise_date_lasts_until_local_midnight() -> None:
    order_timeline = [ordered({"A": 5}, promised_at=PROMISED)]
    late = at(11, 3)
    assert late.astimezone(ZoneInfo("America/Chicago")).day == 10
    assert measure(folded(*order_timeline, as_of=late), "America/Chicago") is None
    measured = measure(folded(*order_timeline, as_of=at(11, 7)), "America/Chicago")
    assert measured
    assert measured.day == date(2026, 3, 10)


def test_quantity_reduced_by_seller_after_shipment_is_still_demand() -> None:
    reduced = reported(
        "erp",
        EventType.ORDER_CHANGED,
        at(3, 13),
        event_lines=lines(Measure.ORDERED, {"A": 3, "B": 2}),
    )
    order_timeline = folded(
        ordered({"A": 5, "B": 2}, source="shop"),
        shipped({"A": 3, "B": 2}, at(3)),
        reduced,
    )
    assert order_timeline.lines[0].quantity(Measure.ORDERED) == 3
    assert counted(order_timeline) == (1, 2)


def test_quantity_changed_by_customer_before_cut_off_is_demand() -> None:
    changed = reported(
        "shop", EventType.ORDER_CHANGED, at(2, 20), event_lines=lines(Measure.ORDERED, {"A": 3})
    )
    order_timeline = folded(ordered({"A": 5}, source="shop"), changed, shipped({"A": 3}, at(3)))
    assert counted(order_timeline) == (1, 1)
