"""Working calendars: add working time to an instant (plain Python)."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays as public_holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A calendar must have a working hour within this many days.
MAX_CLOSED_DAYS = 400
SAMPLE_DATE = date(2026, 1, 1)


class InvalidCalendar(ValueError):
    """The time zone, the hours or the country of a calendar is invalid."""


class NeverOpen(InvalidCalendar):
    """The calendar has no working hours, or too few."""


@dataclass(frozen=True)
class Calendar:
    """Working hours in one time zone.

    `hours`: day name -> ((opens, closes), ...) in local time; "24:00" is the end of the day.
    `country`: the country code whose public holidays are closed; empty for none.
    """

    zone: str = "UTC"
    hours: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    country: str = ""

    @property
    def is_always_open(self) -> bool:
        """Whether every hour is a working hour."""
        return not self.country and all(
            [list(span) for span in self.hours.get(day, ())] == [["00:00", "24:00"]] for day in DAYS
        )

    def validate(self) -> None:
        """Validate the calendar. Raises InvalidCalendar."""
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError, TypeError):
            raise InvalidCalendar(f"unknown time zone {self.zone!r}") from None
        for day in DAYS:
            try:
                spans = sorted(
                    (_minute_of_day(opens), _minute_of_day(closes))
                    for opens, closes in self.hours.get(day, ())
                )
            except (ValueError, TypeError, AttributeError):
                raise InvalidCalendar(f"the hours of {day!r} must be pairs of times") from None
            for opens_at, closes_at in spans:
                if closes_at <= opens_at:
                    raise InvalidCalendar(
                        f"the hours of {day!r} must open before they close; hours across midnight "
                        f"are two pairs: until 24:00, and from 00:00 of the next day"
                    )
            for (_, closes_at), (opens_at, _) in pairwise(spans):
                if opens_at < closes_at:
                    raise InvalidCalendar(f"the hours of {day!r} overlap")
        try:
            self._is_holiday(SAMPLE_DATE)
        except (NotImplementedError, TypeError):
            raise InvalidCalendar(f"no public holidays are known for {self.country!r}") from None

    def add_working_time(self, start: datetime, working: timedelta) -> datetime:
        """Return the UTC instant at which `working` time has passed since `start`.

        Raises NeverOpen.
        """
        if self.is_always_open:
            return start + working
        left = working
        for opens, closes in self._working_intervals(start):
            starts_at = max(opens, start)
            if starts_at >= closes:
                continue
            if closes - starts_at >= left:
                return starts_at + left
            left -= closes - starts_at
        if left < working:
            raise NeverOpen(
                f"too few working hours in the {MAX_CLOSED_DAYS} days after {start:%Y-%m-%d}"
            )
        raise NeverOpen(f"no working hours after {start:%Y-%m-%d}")

    def _working_intervals(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield working intervals in UTC, from the day before `start`."""
        info = ZoneInfo(self.zone)
        day = start.astimezone(info).date() - timedelta(days=1)
        for _ in range(MAX_CLOSED_DAYS):
            if not self._is_holiday(day):
                spans = self.hours.get(DAYS[day.weekday()], ())
                for opens, closes in sorted(spans, key=lambda span: _minute_of_day(span[0])):
                    yield (
                        _local_time_to_utc(day, opens, info),
                        _local_time_to_utc(day, closes, info),
                    )
            day += timedelta(days=1)

    def _is_holiday(self, day: date) -> bool:
        return bool(self.country) and day in _holidays(self.country, day.year)


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(public_holidays.country_holidays(country, years=year))


def _minute_of_day(text: str) -> int:
    if text == "24:00":
        return 24 * 60
    hour, minute = text.split(":")
    moment = time(int(hour), int(minute))
    return moment.hour * 60 + moment.minute


def _local_time_to_utc(day: date, text: str, info: ZoneInfo) -> datetime:
    """Return the instant of a local time. A skipped time is the end of the gap."""
    if text == "24:00":
        day, text = day + timedelta(days=1), "00:00"
    hour, minute = text.split(":")
    local = datetime.combine(day, time(int(hour), int(minute)), info)
    before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
    assert before is not None
    assert after is not None
    if after <= before:
        return local.astimezone(UTC)
    earliest = local.replace(tzinfo=UTC) - after
    seconds = range(int((after - before).total_seconds()))
    changed = bisect_left(
        seconds,
        True,
        key=lambda n: (earliest + timedelta(seconds=n)).astimezone(info).utcoffset() == after,
    )
    return earliest + timedelta(seconds=changed)
