"""Order cycle time, gross."""

from datetime import date
from decimal import Decimal

from connectors.sdk.events import EventType
from tests.show.told import at, delivered, ordered, shipped, tell, timeline
from visibility.kpi.definitions.order_cycle_time import OrderCycleTime
from visibility.kpi.kpi import Measured
from visibility.timeline import Timeline

DAY = Decimal(86_400)


def measure(told: Timeline, zone: str = "UTC") -> Measured | None:
    return OrderCycleTime().measure(told, zone)


def test_it_runs_from_the_order_to_its_delivery() -> None:
    told = timeline([ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(5))])
    found = measure(told)
    assert found == Measured(date(2026, 3, 5), 3 * DAY, Decimal(1))


def test_the_last_delivery_ends_it() -> None:
    told = timeline(
        [
            ordered({"A": 5, "B": 3}),
            shipped({"A": 5}, at(3), "S1"),
            delivered(at(5), "S1"),
            shipped({"B": 3}, at(6), "S2"),
            delivered(at(9), "S2"),
        ]
    )
    found = measure(told)
    assert found == Measured(date(2026, 3, 9), 7 * DAY, Decimal(1))


def test_an_order_delivered_in_part_is_still_open() -> None:
    told = [ordered({"A": 5, "B": 3}), shipped({"A": 5}, at(3), "S1"), delivered(at(5), "S1")]
    assert measure(timeline(told)) is None


def test_a_cancelled_order_is_left_out() -> None:
    told = timeline([ordered({"A": 5}), tell("shop", EventType.ORDER_CANCELLED, at(3))])
    found = measure(told)
    assert found is not None
    assert found.excluded == "cancelled"


def test_a_delivery_before_the_order_is_left_out_and_counted() -> None:
    told = timeline([ordered({"A": 5}, at(8)), shipped({"A": 5}, at(3)), delivered(at(5))])
    found = measure(told)
    assert found == Measured(date(2026, 3, 5), None, None, "reversed_times")


def test_a_parcel_whose_order_nobody_told_has_no_time_of_receipt() -> None:
    told = timeline([shipped({"A": 5}, at(3)), delivered(at(5))])
    found = measure(told)
    assert found is None or found.excluded == "no_received_time"


def test_the_day_is_that_of_the_delivery_in_the_zone() -> None:
    told = timeline([ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(5, 2))])
    found = measure(told, "America/Chicago")
    assert found is not None
    assert found.day == date(2026, 3, 4)
