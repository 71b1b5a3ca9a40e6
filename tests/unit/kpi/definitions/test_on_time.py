"""On-time delivery against the promise."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, delivered, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.on_time import OnTime
from visibility.kpi.kpi import KpiMeasurement
from visibility.timeline import RecordedEvent

pytestmark = pytest.mark.calendar

DAY = date(2026, 3, 10)


def order(*more: RecordedEvent) -> list[RecordedEvent]:
    return [ordered({"A": 5}, promised_at="2026-03-10"), *more]


@pytest.mark.parametrize(("when", "numerator"), [(at(5), 1), (at(10, 23), 1), (at(11, 1), 0)])
def test_delivery_on_promise_date_is_on_time(when: datetime, numerator: int) -> None:
    order_timeline = folded(*order(shipped({"A": 5}, at(4)), delivered(when)))
    assert OnTime().measure(order_timeline, "UTC") == KpiMeasurement(
        DAY, Decimal(numerator), Decimal(1)
    )


def test_undelivered_order_is_late_when_promise_date_passes() -> None:
    assert OnTime().measure(folded(*order(), as_of=at(11)), "UTC") == KpiMeasurement(
        DAY, Decimal(0), Decimal(1)
    )


def test_order_does_not_count_before_promise_date() -> None:
    assert OnTime().measure(folded(*order(), as_of=at(10)), "UTC") is None


def test_delivery_without_promise_is_excluded() -> None:
    order_timeline = folded(ordered({"A": 5}), shipped({"A": 5}, at(4)), delivered(at(5)))
    assert OnTime().measure(order_timeline, "UTC") == KpiMeasurement(
        date(2026, 3, 5), None, None, "no_promise"
    )


def test_cancelled_order_is_excluded() -> None:
    measured = OnTime().measure(
        folded(*order(reported("shop", EventType.ORDER_CANCELLED, at(4)))), "UTC"
    )
    assert measured is not None
    assert measured.excluded == "cancelled"


def test_open_order_without_promise_does_not_count() -> None:
    assert OnTime().measure(folded(ordered({"A": 5})), "UTC") is None
