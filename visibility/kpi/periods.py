"""Days, weeks and months of a date range, and the range that it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from visibility.kpi.filters_and_values import DaySpan
from visibility.storage.organization import start_of_week

# 52 weeks: each day is compared with the same day of the week.
LAST_YEAR = timedelta(days=364)
# A shorter range has at most two whole weeks, so it is drawn by day.
SHORTEST_SPAN_BY_WEEK = 21


class PeriodLength(StrEnum):
    """How long the periods of a chart are. Weeks start on the organization's first day."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Comparison(StrEnum):
    """What a date range is compared with."""

    PREVIOUS = "previous"
    LAST_YEAR = "last-year"
    NONE = "none"


# The SQL expression for the first day of the period of `day`. PostgreSQL's weeks start on Monday.
PERIOD_START_SQL: Mapping[PeriodLength, str] = {
    PeriodLength.DAY: "day",
    PeriodLength.WEEK: "date_trunc('week', day + {shift})::date - {shift}",
    PeriodLength.MONTH: "date_trunc('month', day)::date",
}


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week or month that starts on `start`, and its days in the date range.

    `is_partial`: the range lacks some of its days, or it has not ended.
    """

    start: date
    span: DaySpan
    length_in_days: int
    is_partial: bool


def period_start_sql(length: PeriodLength) -> str:
    """The SQL expression for the first day of the period of `day`."""
    return PERIOD_START_SQL[length].format(shift=-start_of_week() % 7)


def week_start(day: date) -> date:
    """The first day of the week of a day."""
    return day - timedelta(days=(day.weekday() - start_of_week()) % 7)


def default_period_length(span: DaySpan) -> PeriodLength:
    """Weeks, or days for a range that is too short for them."""
    return PeriodLength.WEEK if span.day_count >= SHORTEST_SPAN_BY_WEEK else PeriodLength.DAY


def split_into_periods(span: DaySpan, length: PeriodLength, today: date) -> list[Period]:
    """The periods of a date range, in order. A period that contains `today` has not ended."""
    periods, start = [], _period_start(span.start, length)
    while start <= span.end:
        following = _following_start(start, length)
        last = following - timedelta(days=1)
        within = DaySpan(max(start, span.start), min(last, span.end))
        is_partial = within != DaySpan(start, last) or last >= today
        periods.append(Period(start, within, (following - start).days, is_partial))
        start = following
    return periods


def compared_span(span: DaySpan, comparison: Comparison) -> DaySpan | None:
    """The range that a date range is compared with; None without a comparison."""
    if comparison is Comparison.NONE:
        return None
    if comparison is Comparison.LAST_YEAR:
        return DaySpan(span.start - LAST_YEAR, span.end - LAST_YEAR)
    return span.previous()


def _period_start(day: date, length: PeriodLength) -> date:
    if length is PeriodLength.WEEK:
        return week_start(day)
    return day.replace(day=1) if length is PeriodLength.MONTH else day


def _following_start(start: date, length: PeriodLength) -> date:
    if length is PeriodLength.MONTH:
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if length is PeriodLength.WEEK else 1)
