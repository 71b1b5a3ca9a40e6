"""A released order must ship in time; nothing but its milestones moves the clock."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.events import EventType
from tests.evaluate.told import told
from visibility.models import ClockState
from visibility.sla.calendar import Calendar
from visibility.sla.clocks import verdict
from visibility.sla.rules.stuck_in_released import Params, StuckInReleased

FRIDAY = datetime(2026, 3, 6, 16, tzinfo=UTC)
OFFICE = Calendar("UTC", {day: [("08:00", "18:00")] for day in ("mon", "tue", "wed", "thu", "fri")})
RULE, WITHIN = StuckInReleased(), Params(within=timedelta(hours=4))


def test_working_hours_stand_still_over_the_weekend() -> None:
    (clock,) = RULE.clocks(told((EventType.ORDER_RELEASED, FRIDAY)), WITHIN, OFFICE)
    assert clock.due_at == datetime(2026, 3, 9, 10, tzinfo=UTC)


def test_an_order_that_is_not_released_promises_nothing() -> None:
    assert not list(RULE.clocks(told((EventType.ORDER_RECEIVED, FRIDAY)), WITHIN, OFFICE))


def test_the_ship_confirmation_stops_it() -> None:
    shipped = FRIDAY + timedelta(hours=1)
    timeline = told((EventType.ORDER_RELEASED, FRIDAY), (EventType.SHIPMENT_CONFIRMED, shipped))
    (clock,) = RULE.clocks(timeline, WITHIN, OFFICE)
    assert clock.stopped_at == shipped
    assert verdict(clock, FRIDAY + timedelta(days=30)) is ClockState.MET


def test_a_thousand_irrelevant_updates_do_not_move_it() -> None:
    noise = [
        (EventType.ORDER_CHANGED, FRIDAY + timedelta(minutes=minute)) for minute in range(1000)
    ]
    again = (EventType.ORDER_RELEASED, FRIDAY + timedelta(hours=3))
    (quiet,) = RULE.clocks(told((EventType.ORDER_RELEASED, FRIDAY)), WITHIN, OFFICE)
    (noisy,) = RULE.clocks(told((EventType.ORDER_RELEASED, FRIDAY), again, *noise), WITHIN, OFFICE)
    assert noisy == quiet


def test_stopping_on_the_minute_is_in_time() -> None:
    due = datetime(2026, 3, 9, 10, tzinfo=UTC)
    for stopped, expected in (
        (due, ClockState.MET),
        (due + timedelta(seconds=1), ClockState.BREACHED),
    ):
        timeline = told((EventType.ORDER_RELEASED, FRIDAY), (EventType.SHIPMENT_CONFIRMED, stopped))
        (clock,) = RULE.clocks(timeline, WITHIN, OFFICE)
        assert verdict(clock, due + timedelta(days=9)) is expected
