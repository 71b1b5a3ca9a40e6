"""The time outside working hours on the lanes, by the calendar that the SLA timers count with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, JSONField, OuterRef, Subquery
from django.db.models.functions import JSONObject

from visibility.models import SlaClock, WorkCalendar
from visibility.screens.orders.swimlane_axis import LogScaledGapTimeAxis
from visibility.sla.calendar import Calendar, InvalidCalendar
from visibility.sla.calendar_versions import DEFINITION_FIELDS, load_calendar

# Narrower times are left out: they would look like lines.
MIN_WIDTH = 3
CALENDAR_FIELDS = ("title", "later_versions", *DEFINITION_FIELDS)


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


def calendar_of_timers() -> Subquery:
    """For a query of orders: the calendar of the timer that is due next, or else of the last one.

    Its fields as JSON, so that the page of an order needs no further statement.
    """
    clocks = SlaClock.objects.filter(order_id=OuterRef("pk"))
    fields = {name: f"rule__calendar__{name}" for name in CALENDAR_FIELDS}
    return Subquery(
        clocks.order_by(F("stopped_at").desc(nulls_first=True), "due_at", "pk").values(
            calendar=JSONObject(**fields)
        )[:1],
        output_field=JSONField(),
    )


def order_calendar(fields: Mapping[str, Any] | None) -> OrderCalendar | None:
    """The calendar from the fields that `calendar_of_timers` read.

    None without timers, if every hour is a working hour, or the calendar is not valid.
    """
    if fields is None:
        return None
    calendar = load_calendar(WorkCalendar(**fields))
    try:
        calendar.validate()
    except InvalidCalendar:  # the rule that uses it says so
        return None
    return None if calendar.is_always_open else OrderCalendar(str(fields["title"]), calendar)


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
