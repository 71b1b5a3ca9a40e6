"""Days, weeks and months of a date range, and what it is compared with."""

from datetime import date, timedelta

import pytest

from visibility.kpi.periods import (
    Comparison,
    PeriodLength,
    compared_span,
    default_period_length,
    split_into_periods,
)
from visibility.kpi.query import DaySpan

TODAY = date(2026, 11, 29)  # a Sunday
SPAN = DaySpan(date(2026, 11, 4), TODAY)  # from a Wednesday


def test_weeks_start_on_monday_and_those_that_are_cut_or_not_over_are_partial() -> None:
    weeks = split_into_periods(SPAN, PeriodLength.WEEK, TODAY)
    assert [(w.start.day, w.span.day_count, w.is_partial) for w in weeks] == [
        (2, 5, True),
        (9, 7, False),
        (16, 7, False),
        (23, 7, True),
    ]
    ended = split_into_periods(SPAN, PeriodLength.WEEK, TODAY + timedelta(days=1))
    assert [week.is_partial for week in ended] == [True, False, False, False]


@pytest.mark.parametrize("length", PeriodLength)
@pytest.mark.parametrize("first", [date(2026, 1, 31), date(2027, 12, 27), date(2028, 2, 29)])
def test_periods_cover_each_day_once(length: PeriodLength, first: date) -> None:
    span = DaySpan(first, first + timedelta(days=100))
    periods = split_into_periods(span, length, span.end)
    days = [p.span.start + timedelta(days=n) for p in periods for n in range(p.span.day_count)]
    assert days == [first + timedelta(days=n) for n in range(101)]
    assert all(0 < p.span.day_count <= p.length_in_days for p in periods)


def test_a_day_and_a_month_are_partial_until_they_end() -> None:
    days = split_into_periods(SPAN, PeriodLength.DAY, TODAY)
    assert [day.is_partial for day in days] == [False] * 25 + [True]
    year = DaySpan(date(2026, 10, 1), TODAY)
    months = split_into_periods(year, PeriodLength.MONTH, TODAY)
    assert [(m.start, m.is_partial) for m in months] == [
        (date(2026, 10, 1), False),
        (date(2026, 11, 1), True),
    ]


def test_last_year_has_the_same_weekdays() -> None:
    compared = compared_span(SPAN, Comparison.LAST_YEAR)
    assert compared is not None
    assert compared.day_count == SPAN.day_count
    assert compared.start == date(2025, 11, 5)
    assert compared.start.weekday() == SPAN.start.weekday()
    assert compared_span(SPAN, Comparison.PREVIOUS) == SPAN.previous()
    assert compared_span(SPAN, Comparison.NONE) is None


def test_charts_are_by_week_unless_the_range_is_short() -> None:
    assert default_period_length(DaySpan(TODAY - timedelta(days=27), TODAY)) is PeriodLength.WEEK
    assert default_period_length(DaySpan(TODAY - timedelta(days=6), TODAY)) is PeriodLength.DAY
