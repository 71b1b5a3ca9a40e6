"""Working calendars: add working time to an instant (plain Python)."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays as public_holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A calendar must have a working hour within this many days.
MAX_CLOSED_DAYS = 400
SAMPLE_DATE = date(2026, 1, 1)
END_OF_DAY = "24:00"
DAY_MINUTES = 24 * 60


class InvalidCalendar(ValueError):
    """The time zone, the hours or the country of a calendar is invalid."""


class NeverOpen(InvalidCalendar):
    """The calendar has no working hours, or too few."""


Span = tuple[str, str]


@dataclass(frozen=True)
class Calendar:
    """Working hours in one time zone.

    `hours`: day name -> ((opens, closes), ...) in local time; "24:00" is the end of the day. Hours
    that close before they open end on the next day. `country`, `subdivision`: codes of the public
    holidays that are closed; empty for none. `closed_days`: "MM-DD" of every year, or "YYYY-MM-DD".
    `exceptions`: the hours of single dates ("YYYY-MM-DD"), also of holidays; empty hours: closed.
    Hours belong to the day on which they open. `later`: the calendars that replace this one from a
    date, in the order of the dates.
    """

    zone: str = "UTC"
    hours: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    country: str = ""
    subdivision: str = ""
    closed_days: Sequence[str] = ()
    exceptions: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    later: Sequence[tuple[date, "Calendar"]] = ()

    @property
    def is_always_open(self) -> bool:
        """Whether every hour is a working hour."""
        return not (self.country or self.closed_days or self.exceptions or self.later) and all(
            [list(span) for span in self.hours.get(day, ())] == [["00:00", "24:00"]] for day in DAYS
        )

    def validate(self) -> None:
        """Validate the calendar and the later ones. Raises InvalidCalendar."""
        errors = self.errors_by_field()
        if errors:
            raise InvalidCalendar(next(iter(errors.values())))
        for _, calendar in self.later:
            calendar.validate()

    def errors_by_field(self) -> dict[str, str]:
        """Return a sentence for each invalid field: `zone`, `hours.mon`, `exceptions.2026-12-31`.

        The later calendars are not checked.
        """
        errors: dict[str, str] = {}
        if not is_known_zone(self.zone):
            errors["zone"] = f"unknown time zone {self.zone!r}"
        week = {day: self.hours.get(day, ()) for day in DAYS}
        for name, spans in [*week.items(), *self.exceptions.items()]:
            sentence = _span_error(spans)
            if sentence:
                group = "hours" if name in week else "exceptions"
                errors[f"{group}.{name}"] = f"the hours of {name!r} {sentence}"
        if not errors:
            errors |= self._overlaps_of_nights(week)
        return errors | self._holiday_errors()

    def _overlaps_of_nights(self, week: Mapping[str, Sequence[Span]]) -> dict[str, str]:
        errors = {}
        for index, (day, spans) in enumerate(week.items()):
            following = DAYS[(index + 1) % len(DAYS)]
            ends = max((minutes_of_span(span)[1] for span in spans), default=0) - DAY_MINUTES
            starts = min((minutes_of_span(span)[0] for span in week[following]), default=ends)
            if starts < ends:
                errors[f"hours.{day}"] = f"the hours of {day!r} overlap those of {following!r}"
        return errors

    def _holiday_errors(self) -> dict[str, str]:
        try:
            self._public_holidays(SAMPLE_DATE.year)
        except (NotImplementedError, TypeError):
            subdivisions = public_holidays.list_supported_countries().get(self.country)
            if subdivisions is None:
                return {"country": f"no public holidays are known for {self.country!r}"}
            known = ", ".join(subdivisions) or "none"
            return {
                "subdivision": f"{self.country} has no subdivision {self.subdivision!r}; "
                f"the codes are: {known}"
            }
        if self.subdivision and not self.country:
            return {"subdivision": "a subdivision needs a country"}
        return {}

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

    def working_time_between(self, start: datetime, end: datetime) -> timedelta | None:
        """Return how much working time passes from start to end.

        None if they are more than `MAX_CLOSED_DAYS` days apart, or nothing is a working hour.
        """
        if not self.hours or end - start > timedelta(days=MAX_CLOSED_DAYS):
            return None
        worked = timedelta()
        for opens, closes in self._working_intervals(start):
            if opens >= end:
                break
            worked += max(min(closes, end) - max(opens, start), timedelta())
        return worked

    def closed_times(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the times outside working hours between two instants, at most `MAX_CLOSED_DAYS`.

        None are returned if nothing, or everything, is a working hour.
        """
        if not self.hours or self.is_always_open:
            return []
        closed, closed_since = [], start
        for opens, closes in self._working_intervals(start):
            if opens >= end:
                break
            if opens > closed_since:
                closed.append((closed_since, opens))
            closed_since = max(closed_since, closes)
        else:
            return closed
        return [*closed, (closed_since, end)] if closed_since < end else closed

    def next_opening(self, after: datetime) -> datetime:
        """Return the first UTC instant after this one at which working hours begin.

        Raises NeverOpen: it is always closed, or always open.
        """
        closed_since = datetime.min.replace(tzinfo=UTC)
        for opens, closes in self._working_intervals(after):
            if opens > after and opens > closed_since:
                return opens
            closed_since = max(closed_since, closes)
        raise NeverOpen(f"working hours do not begin after {after:%Y-%m-%d}")

    def on_day(self, day: date) -> "Calendar":
        """Return the calendar that is in effect on this date, without later ones."""
        current = self
        for starts_on, calendar in self.later:
            if starts_on <= day:
                current = calendar
        return current if current is not self else replace(self, later=()) if self.later else self

    def local_date(self, moment: datetime) -> date:
        """Return the date at this instant, in the time zone that is in effect."""
        day = moment.astimezone(ZoneInfo(self.zone)).date()
        return moment.astimezone(ZoneInfo(self.on_day(day).zone)).date()

    def spans_on(self, day: date) -> Sequence[Span]:
        """Return the hours that open on this date; the later calendars are not considered."""
        exception = self.exceptions.get(day.isoformat())
        if exception is not None:
            return exception
        return () if self.is_closed_day(day) else self.hours.get(DAYS[day.weekday()], ())

    def is_closed_day(self, day: date) -> bool:
        """Whether the date is a public holiday or an own closed day."""
        return (
            day.isoformat() in self.closed_days
            or f"{day:%m-%d}" in self.closed_days
            or (bool(self.country) and day in self._public_holidays(day.year))
        )

    def public_holiday_names(self, year: int) -> Mapping[date, str]:
        """Return the public holidays of a year with their names."""
        return self._public_holidays(year)

    def _public_holidays(self, year: int) -> Mapping[date, str]:
        return _holidays(self.country, self.subdivision, year) if self.country else {}

    def _working_intervals(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield working intervals in UTC that do not overlap, from before `start`."""
        # The date is another one elsewhere, and hours of the day before may end on this day.
        day = start.astimezone(UTC).date() - timedelta(days=2)
        closed_since = datetime.min.replace(tzinfo=UTC)
        for _ in range(MAX_CLOSED_DAYS + 2):
            calendar = self.on_day(day)
            info = ZoneInfo(calendar.zone)
            for opens, closes in sorted(calendar.spans_on(day), key=minutes_of_span):
                is_night = closes != END_OF_DAY and closes <= opens
                closes_on = day + timedelta(days=1) if is_night else day
                opens_at = max(local_time_to_utc(day, opens, info), closed_since)
                closes_at = local_time_to_utc(closes_on, closes, info)
                if closes_at > opens_at:
                    yield opens_at, closes_at
                closed_since = max(closed_since, closes_at)
            day += timedelta(days=1)


def is_known_zone(zone: str) -> bool:
    """Whether this is the name of a time zone."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError, TypeError):
        return False
    return True


def minutes_of_span(span: Span) -> tuple[int, int]:
    """Return the minutes of the day at which a span opens and closes.

    One that closes on the next day closes after minute 1440. Raises ValueError, TypeError,
    AttributeError.
    """
    opens, closes = span
    opens_at, closes_at = minute_of_day(opens), minute_of_day(closes)
    return opens_at, closes_at + (DAY_MINUTES if closes_at < opens_at < DAY_MINUTES else 0)


def _span_error(spans: Sequence[Span]) -> str:
    """Say what is wrong with the spans of one day; empty if nothing is."""
    try:
        minutes = sorted(map(minutes_of_span, spans))
    except (ValueError, TypeError, AttributeError):
        return "must be pairs of times"
    if any(closes <= opens for opens, closes in minutes):
        return "must open before they close"
    if any(opens < closes for (_, closes), (opens, _) in pairwise(minutes)):
        return "overlap"
    return ""


@lru_cache(maxsize=64)
def _holidays(country: str, subdivision: str, year: int) -> Mapping[date, str]:
    by_date = public_holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    return dict(sorted(by_date.items()))


def minute_of_day(text: str) -> int:
    """Return the minute of a time as `08:00`. Raises ValueError, AttributeError."""
    if text == END_OF_DAY:
        return DAY_MINUTES
    hour, minute = text.split(":")
    moment = time(int(hour), int(minute))
    return moment.hour * 60 + moment.minute


def local_time_to_utc(day: date, text: str, info: ZoneInfo) -> datetime:
    """Return the instant of a local time. A skipped time is the end of the gap."""
    if text == END_OF_DAY:
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
