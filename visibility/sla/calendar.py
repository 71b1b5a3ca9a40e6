"""Working hours: adding working time to a moment, and counting it between two (plain Python)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays as public_holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A calendar without any working hour in this many days is none.
LONGEST_CLOSED = 400
CHECKED = date(2026, 1, 1)


class BadCalendar(ValueError):
    """The calendar cannot be read: its zone, its hours or its country."""


class NeverOpen(BadCalendar):
    """The calendar has no working hours, or too few."""


@dataclass(frozen=True)
class Calendar:
    """`hours`: day name -> ((from, to), ...) local; "24:00" ends a day. `country`: its holidays."""

    zone: str = "UTC"
    hours: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    country: str = ""

    @property
    def always(self) -> bool:
        """Whether every hour counts."""
        return not self.country and all(
            [list(span) for span in self.hours.get(day, ())] == [["00:00", "24:00"]] for day in DAYS
        )

    def check(self) -> None:
        """Raises BadCalendar with what is wrong, before anybody counts by it."""
        try:
            info = ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError, TypeError):
            raise BadCalendar(f"there is no time zone {self.zone!r}") from None
        for day in DAYS:
            try:
                for opens, closes in self.hours.get(day, ()):
                    _at(CHECKED, opens, info), _at(CHECKED, closes, info)
            except (ValueError, TypeError, AttributeError):
                raise BadCalendar(f"the hours of {day!r} are no pairs of times") from None
        try:
            self._holiday(CHECKED)
        except (NotImplementedError, TypeError):
            raise BadCalendar(f"no holidays are known of {self.country!r}") from None

    def add(self, start: datetime, working: timedelta) -> datetime:
        """The moment when `working` time has passed since `start`, in UTC."""
        if self.always:
            return start + working
        left = working
        for opens, closes in self._spans(start):
            begin = max(opens, start)
            if begin >= closes:
                continue
            if closes - begin >= left:
                return begin + left
            left -= closes - begin
        if left < working:
            raise NeverOpen(
                f"too few working hours in the {LONGEST_CLOSED} days after {start:%Y-%m-%d}"
            )
        raise NeverOpen(f"no working hours after {start:%Y-%m-%d}")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`."""
        if self.always:
            return max(end - start, timedelta())
        total = timedelta()
        for opens, closes in self._spans(start):
            if opens >= end:
                break
            total += max(min(closes, end) - max(opens, start), timedelta())
        return total

    def _spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working spans in UTC from the day before `start` on."""
        info = ZoneInfo(self.zone)
        day = start.astimezone(info).date() - timedelta(days=1)
        for _ in range(LONGEST_CLOSED):
            if not self._holiday(day):
                for opens, closes in self.hours.get(DAYS[day.weekday()], ()):
                    yield _at(day, opens, info), _at(day, closes, info)
            day += timedelta(days=1)

    def _holiday(self, day: date) -> bool:
        return bool(self.country) and day in _holidays(self.country, day.year)


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(public_holidays.country_holidays(country, years=year))


def _at(day: date, text: str, info: ZoneInfo) -> datetime:
    if text == "24:00":
        day, text = day + timedelta(days=1), "00:00"
    hour, minute = text.split(":")
    return datetime.combine(day, time(int(hour), int(minute)), info).astimezone(UTC)
