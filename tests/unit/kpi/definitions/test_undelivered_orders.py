"""Undelivered orders: open from the receipt to the last delivery or another end."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from connectors.sdk.events import EventType
from tests.builders.recorded_events import ORDERED_AT, at, delivered, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.undelivered_orders import UndeliveredOrders
from visibility.kpi.kpi import KpiMeasurement, OpenInterval
from visibility.timeline import Timeline

pytestmark = pytest.mark.calendar


def measured(timeline: Timeline, zone: str = "UTC") -> list[KpiMeasurement]:
    return list(UndeliveredOrders().measurements(timeline, zone))


def counted(day: date, days: int | None, end: datetime | None) -> KpiMeasurement:
    numerator = None if days is None else Decimal(days)
    return KpiMeasurement(day, numerator, Decimal(1), started_at=ORDERED_AT, ended_at=end)


def test_order_is_open_from_its_receipt_on() -> None:
    timeline = folded(ordered({"A": 5}), shipped({"A": 3}, at(3)))
    assert measured(timeline) == [counted(date(2026, 3, 2), None, None)]


def test_order_ends_with_its_last_delivery() -> None:
    timeline = folded(ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(5)))
    assert measured(timeline) == [counted(date(2026, 3, 2), 3, at(5))]


def test_partially_delivered_order_is_open() -> None:
    timeline = folded(
        ordered({"A": 5, "B": 3}), shipped({"A": 5}, at(3), "S1"), delivered(at(5), "S1")
    )
    assert measured(timeline) == [counted(date(2026, 3, 2), None, None)]


def test_order_ends_with_its_cancellation() -> None:
    timeline = folded(ordered({"A": 5}), reported("shop", EventType.ORDER_CANCELLED, at(4)))
    assert measured(timeline) == [counted(date(2026, 3, 2), 2, at(4))]


def test_end_does_not_depend_on_the_time_of_the_fold() -> None:
    events = ordered({"A": 5}), reported("shop", EventType.ORDER_CANCELLED, at(4))
    closed = replace(folded(*events), status_since=None)
    assert measured(closed) == [counted(date(2026, 3, 2), 2, at(4))]
    assert measured(replace(closed, as_of=at(29))) == measured(closed)


def test_days_use_time_zone() -> None:
    timeline = folded(ordered({"A": 5}, at(2, 3)), shipped({"A": 5}, at(3)), delivered(at(5, 12)))
    (fact,) = measured(timeline, "America/Chicago")
    assert (fact.day, fact.numerator) == (date(2026, 3, 1), Decimal(4))


def test_order_without_a_receipt_does_not_count() -> None:
    assert measured(folded(shipped({"A": 5}, at(3)))) == []


def test_delivery_before_receipt_is_excluded() -> None:
    timeline = folded(ordered({"A": 5}, at(8)), shipped({"A": 5}, at(3)), delivered(at(5)))
    assert UndeliveredOrders().open_interval(timeline) == OpenInterval(
        at(8), excluded="reversed_times"
    )
    assert measured(timeline) == [KpiMeasurement(date(2026, 3, 8), None, None, "reversed_times")]
