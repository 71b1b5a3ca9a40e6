"""On-time delivery with a proxy where nobody reports deliveries."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, delivered, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.on_time import OnTime
from visibility.kpi.definitions.on_time_estimated import OnTimeEstimated
from visibility.kpi.kpi import KpiMeasurement
from visibility.timeline import RecordedEvent

pytestmark = pytest.mark.calendar
DAY = date(2026, 3, 10)
ETA = "2026-03-12"
LATER = at(20)


def measured(*more: RecordedEvent, as_of: datetime = LATER) -> KpiMeasurement | None:
    order = ordered({"A": 5}, promised_at="2026-03-10")
    return OnTimeEstimated().measure(folded(order, *more, as_of=as_of), "UTC")


def scan(when: datetime, what: EventType = EventType.IN_TRANSIT, **more: Any) -> RecordedEvent:
    return reported("carrier", what, when, orders=(), tracking="1Z1", **more)


def counted(on_time: int) -> KpiMeasurement:
    return KpiMeasurement(DAY, Decimal(on_time), Decimal(1))


@pytest.mark.parametrize(("when", "on_time"), [(at(10, 23), 1), (at(11, 1), 0)])
def test_last_shipment_counts_as_the_delivery_that_nobody_reports(
    when: datetime, on_time: int
) -> None:
    assert measured(shipped({"A": 5}, when)) == counted(on_time)


def test_estimated_delivery_date_comes_before_the_shipment() -> None:
    events = shipped({"A": 5}, at(4), tracking="1Z1"), scan(at(4), EventType.ETA_UPDATED, eta=ETA)
    assert measured(*events) == counted(0)


def test_only_the_reported_delivery_counts_once_a_carrier_reports() -> None:
    parcel = shipped({"A": 5}, at(4), tracking="1Z1")
    assert measured(parcel, scan(at(5))) == counted(0)
    assert measured(parcel, scan(at(5)), as_of=at(9)) is None
    assert measured(parcel, scan(at(5)), delivered(at(9))) == counted(1)


def test_part_of_an_order_is_no_delivery() -> None:
    assert measured(shipped({"A": 4}, at(4)), as_of=at(9)) is None
    assert measured(shipped({"A": 4}, at(4))) == counted(0)


def test_strict_kpi_has_no_proxy_and_the_definition_names_it() -> None:
    timeline = folded(ordered({"A": 5}, promised_at="2026-03-10"), shipped({"A": 5}, at(4)))
    assert OnTime().measure(timeline, "UTC") == counted(0)
    assert "proxy" in OnTimeEstimated.definition
