"""The date range of a page: its presets, its URL parameters and its label.

The label follows the selected preset and never the dates: on the 28th of a month, "Last 28 days"
and "This month" cover the same days.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from visibility.db.parse_id_and_time import parse_day
from visibility.formatting import format_date
from visibility.kpi.periods import week_start
from visibility.kpi.query import DaySpan
from visibility.storage.organization import fiscal_year_start

MAX_DAYS = 731


@dataclass(frozen=True, slots=True)
class DateRangePreset:
    """A range relative to today. `code` is the value of the URL parameter `from`."""

    code: str
    label: str
    start: Callable[[date], date]
    end: Callable[[date], date] = lambda today: today


def _last_days_preset(days: int) -> DateRangePreset:
    label = "Today so far" if days == 1 else f"Last {days} days"
    return DateRangePreset(f"now-{days}d", label, lambda today: today - timedelta(days=days - 1))


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


def _yesterday(today: date) -> date:
    return _day_before(today)


def _start_of_quarter(day: date) -> date:
    """Quarters and years are those of the organization's fiscal year."""
    return _start_of_months(day, (day.month - fiscal_year_start()) % 3)


def _start_of_year(day: date) -> date:
    return _start_of_months(day, (day.month - fiscal_year_start()) % 12)


def _start_of_months(day: date, months_before: int) -> date:
    month = day.year * 12 + day.month - 1 - months_before
    return date(month // 12, month % 12 + 1, 1)


PRESETS: Mapping[str, DateRangePreset] = {
    preset.code: preset
    for preset in (
        _last_days_preset(1),
        DateRangePreset("yesterday", "Yesterday", _yesterday, _yesterday),
        DateRangePreset("week", "This week", week_start),
        _last_days_preset(7),
        _last_days_preset(28),
        _last_days_preset(90),
        DateRangePreset("month", "This month", lambda today: today.replace(day=1)),
        DateRangePreset(
            "last-month",
            "Last month",
            lambda today: _day_before(today.replace(day=1)).replace(day=1),
            lambda today: _day_before(today.replace(day=1)),
        ),
        DateRangePreset("quarter", "This quarter", _start_of_quarter),
        DateRangePreset(
            "last-quarter",
            "Last quarter",
            lambda today: _start_of_quarter(_day_before(_start_of_quarter(today))),
            lambda today: _day_before(_start_of_quarter(today)),
        ),
        DateRangePreset("year", "This year", _start_of_year),
    )
}
# The presets that are shown beside each other; the others are in a menu.
MAIN_PRESETS = ("now-7d", "now-28d", "now-90d", "month")
DEFAULT = PRESETS["now-28d"]


@dataclass(frozen=True, slots=True)
class DateRange:
    """The selected days, both ends included. `preset` is empty for a range given by dates."""

    span: DaySpan
    label: str
    preset: str = ""


def default_range(today: date) -> DateRange:
    """Return the range of a URL that selects none."""
    return _from_preset(DEFAULT, today)


def parse_range_from_preset_or_dates(start: str, end: str, today: date) -> DateRange:
    """Parse `from` and `to` of a URL: a preset, `now-<days>d`, or ISO dates.

    Raises ValueError with a message for the page.
    """
    preset = PRESETS.get(start)
    if preset is not None and (end == "now" or not start.startswith("now-")):
        return _from_preset(preset, today)
    last = today if end == "now" else _parse_date_between_2000_and_2200(end)
    if start.startswith("now-") and start.endswith("d") and start[4:-1].isdecimal():
        days = int(start[4:-1]) if len(start) < 10 else MAX_DAYS
        relative = _last_days_preset(max(min(days, MAX_DAYS), 1))
        if end == "now":
            return DateRange(DaySpan(relative.start(today), today), relative.label)
        return _build_date_range(relative.start(last), last, today)
    first = _parse_date_between_2000_and_2200(start)
    if first > last:
        raise ValueError("The start date is after the end date")
    if (last - first).days >= MAX_DAYS:
        raise ValueError("The date range is longer than two years")
    return _build_date_range(first, last, today)


def parse_single_day_range(text: str, today: date) -> DateRange:
    """Return a range of one day. Raises ValueError if it is no ISO date from 2000 to 2200."""
    if len(text) > 10:
        raise ValueError("Invalid date")
    day = _parse_date_between_2000_and_2200(text)
    return _build_date_range(day, day, today)


def _from_preset(preset: DateRangePreset, today: date) -> DateRange:
    span = DaySpan(preset.start(today), preset.end(today))
    return DateRange(span, preset.label, preset.code)


def _build_date_range(first: date, last: date, today: date) -> DateRange:
    if first == last:
        label = "Today so far" if last == today else f"On {_format_day(last)}"
    else:
        label = f"{_format_day(first)} to {_format_day(last)}"
    return DateRange(DaySpan(first, last), label)


def _parse_date_between_2000_and_2200(text: str) -> date:
    day = parse_day(text[:10])
    if day is None or not 2000 <= day.year <= 2200:
        raise ValueError("Invalid date")
    return day


def _format_day(day: date) -> str:
    return format_date(day, year=True)
