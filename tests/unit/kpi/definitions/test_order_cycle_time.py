"""Order cycle time, gross."""

from datetime import date
from decimal import Decimal

import pytest

from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, delivered, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.order_cycle_time import OrderCycleTime
from visibility.kpi.kpi import KpiMeasurement
from visibility.timeline import Timeline

pytestmark = pytest.mark.calendar

DAY = Decimal(86_400)


def measure(order_timeline: Timeline, zone: str = "UTC") -> KpiMeasurement | None:
    return OrderCycleTime().measure(order_timeline, zone)


def test_time_from_receipt_to_delivery() -> None:
    order_timeline = folded(ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(5)))
    measured = measure(order_timeline)
    assert measured == KpiMeasurement(date(2026, 3, 5), 3 * DAY, Decimal(1))


def test_last_delivery_counts() -> None:
    order_timeline = folded(
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5}, at(3), "S1"),
        delivered(at(5), "S1"),
        shipped({"B": 3}, at(6), "S2"),
        delivered(at(9), "S2"),
    )
    measured = measure(order_timeline)
    assert measured == KpiMeasurement(date(2026, 3, 9), 7 * DAY, Decimal(1))


def test_partially_delivered_order_does_not_count() -> None:
    order_timeline = [
        ordered({"A": 5, "B": 3}),
        shipped({"A": 5}, at(3), "S1"),
        delivered(at(5), "S1"),
    ]
    assert measure(folded(*order_timeline)) is None


def test_cancelled_order_is_excluded() -> None:
    order_timeline = folded(ordered({"A": 5}), reported("shop", EventType.ORDER_CANCELLED, at(3)))
    measured = measure(order_timeline)
    assert measured is not None
    assert measured.excluded == "cancelled"


def test_delivery_before_receipt_is_excluded() -> None:
    order_timeline = folded(ordered({"A": 5}, at(8)), shipped({"A": 5}, at(3)), delivered(at(5)))
    measured = measure(order_timeline)
    assert measured == KpiMeasurement(date(2026, 3, 5), None, None, "reversed_times")


def test_shipment_without_order_has_no_receipt_time() -> None:
    order_timeline = folded(shipped({"A": 5}, at(3)), delivered(at(5)))
    measured = measure(order_timeline)
    assert measured is None or measured.excluded == "no_received_time"


def test_day_of_delivery_uses_time_zone() -> None:
    order_timeline = folded(ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(5, 2)))
    measured = measure(order_timeline, "America/Chicago")
    assert measured is not None
    assert measured.day == date(2026, 3, 4)
