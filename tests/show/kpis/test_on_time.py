"""On-time delivery against the promise."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from connectors.sdk.events import EventType
from tests.show.told import at, delivered, ordered, shipped, tell, timeline
from visibility.kpi.definitions.on_time import OnTime
from visibility.kpi.kpi import Measured
from visibility.timeline import Spoken

DAY = date(2026, 3, 10)


def order(*more: Spoken) -> list[Spoken]:
    return [ordered({"A": 5}, promised_at="2026-03-10"), *more]


@pytest.mark.parametrize(("when", "kept"), [(at(5), 1), (at(10, 23), 1), (at(11, 1), 0)])
def test_the_promised_day_itself_is_on_time(when: datetime, kept: int) -> None:
    told = timeline(order(shipped({"A": 5}, at(4)), delivered(when)))
    assert OnTime().measure(told, "UTC") == Measured(DAY, Decimal(kept), Decimal(1))


def test_an_order_not_delivered_when_its_promise_passes_is_late_at_once() -> None:
    assert OnTime().measure(timeline(order(), as_of=at(11)), "UTC") == Measured(
        DAY, Decimal(0), Decimal(1)
    )


def test_it_is_too_early_while_the_promise_lies_ahead() -> None:
    assert OnTime().measure(timeline(order(), as_of=at(10)), "UTC") is None


def test_a_delivery_nobody_promised_is_left_out() -> None:
    told = timeline([ordered({"A": 5}), shipped({"A": 5}, at(4)), delivered(at(5))])
    assert OnTime().measure(told, "UTC") == Measured(date(2026, 3, 5), None, None, "no_promise")


def test_a_cancelled_order_is_left_out() -> None:
    found = OnTime().measure(timeline(order(tell("shop", EventType.ORDER_CANCELLED, at(4)))), "UTC")
    assert found is not None
    assert found.excluded == "cancelled"


def test_an_open_order_without_a_promise_does_not_count_yet() -> None:
    assert OnTime().measure(timeline([ordered({"A": 5})]), "UTC") is None
