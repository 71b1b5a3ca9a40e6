"""The delay of events: from the occurrence to the receipt."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from connectors.sdk.events import Flag
from tests.builders.recorded_events import SO_1, SO_2, at, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.event_delay import EventDelay
from visibility.kpi.kpi import EventMeasurement, KpiMeasurement
from visibility.timeline import RecordedEvent

pytestmark = pytest.mark.calendar


def delays(*events: RecordedEvent, zone: str = "UTC") -> list[KpiMeasurement]:
    return list(EventDelay().measurements(folded(*events), zone))


def test_each_event_counts_on_the_day_when_it_occurred() -> None:
    order = ordered({"A": 5}, at(2, 23), received=at(3, 1))
    shipment = shipped({"A": 5}, at(3), received=at(3) + timedelta(seconds=90))
    first, second = delays(order, shipment)
    assert first == KpiMeasurement(
        date(2026, 3, 2),
        Decimal(7200),
        Decimal(1),
        subject_key=str(order.event_id),
        dimensions={"source": "erp"},
        started_at=at(2, 23),
        ended_at=at(3, 1),
    )
    assert second.numerator == Decimal(90)
    assert second.dimensions == {"source": "wms"}
    assert delays(order, zone="Asia/Tokyo")[0].day == date(2026, 3, 3)


@pytest.mark.parametrize(
    ("flag", "reason"),
    [(Flag.TIME_RECEIVED, "no_event_time"), (Flag.DATE_ONLY, "date_only")],
)
def test_event_without_its_own_time_is_excluded(flag: Flag, reason: str) -> None:
    recorded = ordered({"A": 5})
    flagged = replace(recorded, event=replace(recorded.event, flags=(flag,)))
    assert EventDelay().measure_event(flagged) == EventMeasurement(excluded=reason)


def test_event_received_before_it_occurred_is_excluded() -> None:
    recorded = ordered({"A": 5}, at(3), received=at(3) - timedelta(seconds=1))
    assert EventDelay().measure_event(recorded).excluded == "reversed_times"


def test_superseded_version_and_repeat_do_not_count() -> None:
    first = reported("erp", "order.received", at(2), key="k", revision="1")
    second = reported("erp", "order.received", at(2), key="k", revision="2")
    assert [fact.subject_key for fact in delays(first, second)] == [str(second.event_id)]
    repeat = replace(first, received_at=at(9), event_id=7)
    (fact,) = delays(repeat, first)
    assert (fact.subject_key, fact.numerator) == (str(first.event_id), Decimal(0))


def shared_shipment(of: str) -> list[RecordedEvent]:
    """The events of one order: two orders share the shipment S1 and its package."""
    index = (SO_1, SO_2).index(of)
    both = shipped({"A": 5}, at(3), tracking="1Z1", orders=(SO_2, SO_1), of=of)
    scan = reported("carrier", "shipment.in_transit", at(4), orders=(), tracking="1Z1", of=of)
    return [
        reported("erp", "order.received", at(2), orders=((SO_1, SO_2)[index],), of=of),
        both,
        scan,
        reported("carrier", "shipment.delivered", at(5), orders=(), shipment="S1", of=of),
    ]


def test_shared_event_counts_for_one_order_only() -> None:
    first, second = (
        {fact.subject_key for fact in delays(*shared_shipment(of))} for of in (SO_1, SO_2)
    )
    assert (len(first), len(second)) == (1, 4)
    assert not first & second


def test_package_of_a_shared_shipment_counts_for_the_order_of_the_shipment() -> None:
    def counted_events(of: str) -> set[str]:
        events = [
            shipped({"A": 5}, at(3), orders=(SO_2,), of=of),
            shipped({"A": 2}, at(4), orders=(SO_1,), of=of, scope="later"),
            reported(
                "carrier", "shipment.label_created", at(4, 1), orders=(), of=of,
                shipment="S1", tracking="1Z1",
            ),
            reported("carrier", "shipment.delivered", at(6), orders=(), of=of, tracking="1Z1"),
        ]  # fmt: skip
        return {fact.subject_key for fact in delays(*events)}

    assert (len(counted_events(SO_1)), len(counted_events(SO_2))) == (1, 3)
    assert not counted_events(SO_1) & counted_events(SO_2)
