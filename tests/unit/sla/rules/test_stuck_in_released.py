"""A released order must ship in time; only its milestones change the clock."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.events import EventType
from tests.builders.timelines import timeline_of
from visibility.models import ClockState
from visibility.sla.calendar import Calendar
from visibility.sla.clocks_of_order import met_breached_or_running_at
from visibility.sla.rules.stuck_in_released import Params, StuckInReleased

FRIDAY = datetime(2026, 3, 6, 16, tzinfo=UTC)
OFFICE = Calendar("UTC", {day: [("08:00", "18:00")] for day in ("mon", "tue", "wed", "thu", "fri")})
RULE, WITHIN = StuckInReleased(), Params(within=timedelta(hours=4))


def test_clock_pauses_over_the_weekend() -> None:
    (clock,) = RULE.clocks(timeline_of((EventType.ORDER_RELEASED, FRIDAY)), WITHIN, OFFICE)
    assert clock.due_at == datetime(2026, 3, 9, 10, tzinfo=UTC)


def test_order_without_release_has_no_clock() -> None:
    assert not list(RULE.clocks(timeline_of((EventType.ORDER_RECEIVED, FRIDAY)), WITHIN, OFFICE))


def test_ship_confirmation_stops_the_clock() -> None:
    shipped = FRIDAY + timedelta(hours=1)
    timeline = timeline_of(
        (EventType.ORDER_RELEASED, FRIDAY), (EventType.SHIPMENT_CONFIRMED, shipped)
    )
    (clock,) = RULE.clocks(timeline, WITHIN, OFFICE)
    assert clock.stopped_at == shipped
    assert met_breached_or_running_at(clock, FRIDAY + timedelta(days=30)) is ClockState.MET


def test_irrelevant_updates_do_not_change_the_clock() -> None:
    noise = [
        (EventType.ORDER_CHANGED, FRIDAY + timedelta(minutes=minute)) for minute in range(1000)
    ]
    repeated = (EventType.ORDER_RELEASED, FRIDAY + timedelta(hours=3))
    (few_updates,) = RULE.clocks(timeline_of((EventType.ORDER_RELEASED, FRIDAY)), WITHIN, OFFICE)
    (noisy,) = RULE.clocks(
        timeline_of((EventType.ORDER_RELEASED, FRIDAY), repeated, *noise), WITHIN, OFFICE
    )
    assert noisy == few_updates


def test_stopping_exactly_at_the_due_time_is_met() -> None:
    due = datetime(2026, 3, 9, 10, tzinfo=UTC)
    for stopped, expected in (
        (due, ClockState.MET),
        (due + timedelta(seconds=1), ClockState.BREACHED),
    ):
        timeline = timeline_of(
            (EventType.ORDER_RELEASED, FRIDAY), (EventType.SHIPMENT_CONFIRMED, stopped)
        )
        (clock,) = RULE.clocks(timeline, WITHIN, OFFICE)
        assert met_breached_or_running_at(clock, due + timedelta(days=9)) is expected
