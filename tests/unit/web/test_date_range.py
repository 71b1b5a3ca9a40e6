"""The date range of a URL: its days and its label."""

from datetime import date, timedelta

import pytest

from visibility.kpi.query import DaySpan
from visibility.web.date_range import (
    DEFAULT,
    PRESETS,
    default_range,
    parse_range_from_preset_or_dates,
    parse_single_day_range,
)

pytestmark = pytest.mark.calendar
DAYS = [
    date(2026, 2, 28),
    date(2026, 11, 28),
    date(2026, 12, 31),
    date(2027, 1, 1),
    date(2027, 1, 7),
    date(2027, 3, 14),
    date(2027, 11, 7),
    date(2028, 2, 28),
    date(2028, 2, 29),
    date(2028, 3, 1),
]
LABELS = {
    "now-1d": "Today so far",
    "yesterday": "Yesterday",
    "week": "This week",
    "now-7d": "Last 7 days",
    "now-28d": "Last 28 days",
    "now-90d": "Last 90 days",
    "month": "This month",
    "last-month": "Last month",
    "quarter": "This quarter",
    "last-quarter": "Last quarter",
    "year": "This year",
}
# The presets that do not end today.
ENDED = {"yesterday", "last-month", "last-quarter"}


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_preset_label_does_not_depend_on_the_day(today: date) -> None:
    ranges = {code: parse_range_from_preset_or_dates(code, "now", today) for code in PRESETS}
    assert {code: selected.label for code, selected in ranges.items()} == LABELS
    assert {code: selected.preset for code, selected in ranges.items()} == {c: c for c in LABELS}
    assert [ranges[f"now-{days}d"].span.day_count for days in (7, 28, 90)] == [7, 28, 90]
    assert {code for code, selected in ranges.items() if selected.span.end != today} == ENDED
    assert ranges["month"].span.start == date(today.year, today.month, 1)
    assert ranges["week"].span.start.weekday() == 0
    day = timedelta(days=1)
    for unit in ("month", "quarter"):
        ended, current = ranges[f"last-{unit}"].span, ranges[unit].span
        assert ended.end + day == current.start
        assert ended.start.day == 1
    assert ranges["last-quarter"].span.day_count in range(90, 93)
    assert ranges["last-month"].span.day_count in range(28, 32)
    assert ranges["yesterday"].span == DaySpan(today - day, today - day)
    assert default_range(today) == ranges[DEFAULT.code]


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_dates_are_labeled_as_dates_even_where_a_preset_has_the_same_days(today: date) -> None:
    start = today - timedelta(days=27)
    selected = parse_range_from_preset_or_dates(start.isoformat(), today.isoformat(), today)
    assert selected.span == default_range(today).span
    assert selected.preset == ""
    assert selected.label.startswith(f"{start:%a, %b} {start.day}, {start.year}")
    assert " to " in selected.label


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_other_numbers_of_days_are_relative_to_today(today: date) -> None:
    assert parse_range_from_preset_or_dates("now-1d", "now", today).label == "Today so far"
    selected = parse_range_from_preset_or_dates("now-30d", "now", today)
    assert (selected.label, selected.span.day_count, selected.preset) == ("Last 30 days", 30, "")
    longest = parse_range_from_preset_or_dates("now-99999999999d", "now", today)
    assert longest.span.day_count == 731


def test_one_day_is_named_by_its_date() -> None:
    today = date(2026, 11, 28)
    assert parse_single_day_range("2026-11-27", today).label == "On Fri, Nov 27, 2026"
    assert parse_single_day_range("2026-11-28", today).label == "Today so far"
