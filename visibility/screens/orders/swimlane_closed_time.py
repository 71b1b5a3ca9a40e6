"""The time outside working hours on the lanes, by the calendar that the SLA timers count with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import F

from visibility.models import SlaClock
from visibility.screens.orders.swimlane_axis import LogScaledGapTimeAxis
from visibility.sla.calendar import Calendar, InvalidCalendar
from visibility.sla.calendar_versions import load_calendar

# Narrower times are left out: they would look like lines.
MIN_WIDTH = 3


@dataclass(frozen=True, slots=True)
class OrderCalendar:
    """The calendar of an order's SLA timers."""

    title: str
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class ClosedTime:
    """What is shaded: left edges and widths in percent. `title`: of the calendar.

    `is_incomplete`: other closed times are too narrow.
    """

    title: str = ""
    spans: Sequence[tuple[float, float]] = field(default_factory=tuple)
    is_incomplete: bool = False


def load_order_calendar(order_id: int) -> OrderCalendar | None:
    """The calendar of the timer that is due next, or else of the last one. One statement.

    None without timers, if every hour is a working hour, or the calendar is not valid.
    """
    clock = (
        SlaClock.objects.filter(order_id=order_id)
        .select_related("rule__calendar")
        .order_by(F("stopped_at").desc(nulls_first=True), "due_at", "pk")
        .first()
    )
    if clock is None:
        return None
    calendar = load_calendar(clock.rule.calendar)
    try:
        calendar.validate()
    except InvalidCalendar:  # the rule that uses it says so
        return None
    if calendar.is_always_open:
        return None
    return OrderCalendar(clock.rule.calendar.title, calendar)


def closed_time(axis: LogScaledGapTimeAxis, of_order: OrderCalendar | None) -> ClosedTime:
    """The closed times that are wide enough to see."""
    if of_order is None:
        return ClosedTime()
    closed = of_order.calendar.closed_times(axis.points[0], axis.points[-1])
    edges = [(axis.x_position(start), axis.x_position(end)) for start, end in closed]
    spans = tuple(
        (axis.percent(left), axis.percent(right - left))
        for left, right in edges
        if right - left >= MIN_WIDTH
    )
    return ClosedTime(of_order.title if spans else "", spans, len(spans) < len(closed))
