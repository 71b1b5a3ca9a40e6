"""Settings that limit when and how often a source is polled: quiet hours and request limits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sdk.settings import Setting
from visibility.storage.organization import organization_time_zone

QUIET_HOURS_SETTING = "quiet_hours"
REQUEST_LIMITS_SETTING = "request_limits"
DAY = timedelta(days=1)
MAX_RANGES = 4
MAX_REQUESTS = 1_000_000
RANGE = re.compile(r"(\d{2}:\d{2})\s*-\s*(\d{2}:\d{2})\Z")
LIMIT = re.compile(r"([\d,]{1,9})\s*/\s*(s|min|h|day)\Z")
PERIODS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "day": DAY,
}
PERIOD_NAMES = {"s": "second", "min": "minute", "h": "hour", "day": "day"}


@dataclass(frozen=True, slots=True)
class PollRequestLimit:
    """At most so many requests in any period of this length."""

    count: int
    unit: str

    @property
    def period(self) -> timedelta:
        """The length of the period."""
        return PERIODS[self.unit]

    @property
    def is_paced(self) -> bool:
        """Whether requests are spread over the period, instead of counted."""
        return self.period <= timedelta(minutes=1)

    @property
    def text(self) -> str:
        """`5,000 requests per day`."""
        return f"{self.count:,} requests per {PERIOD_NAMES[self.unit]}"


def parse_quiet_hours(text: str) -> list[tuple[time, time]]:
    """Parse `22:00-06:00, 12:00-13:00`. Raises ValueError, also if they leave no time to poll."""
    ranges = []
    for entry in (piece.strip() for piece in text.split(",")):
        match = RANGE.match(entry)
        if match is None:
            raise ValueError(f"{entry[:40]!r} is not a range such as 22:00-06:00.")
        try:
            start, end = time.fromisoformat(match[1]), time.fromisoformat(match[2])
        except ValueError:
            raise ValueError(f"{entry[:40]!r} is not a range such as 22:00-06:00.") from None
        if start == end:
            raise ValueError(f"{entry[:40]!r} begins when it ends.")
        ranges.append((start, end))
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"Enter at most {MAX_RANGES} ranges.")
    if all(
        any(_is_in_range(minute, r) for r in ranges)
        for minute in (time(n // 60, n % 60) for n in range(24 * 60))
    ):
        raise ValueError("These hours leave no time to poll.")
    return ranges


def parse_request_limits(text: str) -> list[PollRequestLimit]:
    """Parse `60/min, 5000/day`. Raises ValueError."""
    limits = []
    for entry in (piece.strip() for piece in text.split(",")):
        match = LIMIT.match(entry)
        if match is None:
            raise ValueError(f"{entry[:40]!r} is not a limit such as 60/min; use s, min, h or day.")
        count = int(match[1].replace(",", ""))
        if not 1 <= count <= MAX_REQUESTS:
            raise ValueError(f"{entry[:40]!r} is not between 1 and {MAX_REQUESTS:,}.")
        limits.append(PollRequestLimit(count, match[2]))
    if len({limit.unit for limit in limits}) < len(limits):
        raise ValueError("Enter one limit for each of s, min, h and day.")
    return limits


def _check_quiet_hours(text: str) -> None:
    parse_quiet_hours(text)


def _check_request_limits(text: str) -> None:
    parse_request_limits(text)


POLL_SETTINGS = (
    Setting(
        QUIET_HOURS_SETTING,
        "When the system is not polled, in the time zone of the organization, such as 22:00-06:00. "
        "Several ranges are separated by commas.",
        check=_check_quiet_hours,
        label="Quiet hours",
    ),
    Setting(
        REQUEST_LIMITS_SETTING,
        "How many requests polls may send, such as 60/min, 5000/day, with s, min, h or day. "
        "Requests within a minute are spread evenly.",
        check=_check_request_limits,
        label="Request limits",
    ),
)


def request_limits_of(config: Mapping[str, Any]) -> list[PollRequestLimit]:
    """Return the limits of a source; none if what is stored is invalid, which its page says."""
    text = config.get(REQUEST_LIMITS_SETTING)
    try:
        return parse_request_limits(text) if isinstance(text, str) and text.strip() else []
    except ValueError:
        return []


def quiet_until(config: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when the quiet hours of now end; None: the source may be polled."""
    ranges = _stored_quiet_hours(config)
    end = _end_of_range_around(ranges, now)
    # Ranges that touch or overlap are one.
    for _ in range(MAX_RANGES if end else 0):
        end = _end_of_range_around(ranges, end or now) or end
    return end


def end_of_latest_quiet_hours(config: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when quiet hours last ended within a day; None: not."""
    zone = ZoneInfo(organization_time_zone())
    ends = [_at(now, days, end, zone) for days in (-1, 0) for _, end in _stored_quiet_hours(config)]
    return max((end for end in ends if end <= now), default=None)


def _stored_quiet_hours(config: Mapping[str, Any]) -> list[tuple[time, time]]:
    text = config.get(QUIET_HOURS_SETTING)
    try:
        return parse_quiet_hours(text) if isinstance(text, str) and text.strip() else []
    except ValueError:
        return []  # shown on the page of the source


def _end_of_range_around(ranges: Sequence[tuple[time, time]], now: datetime) -> datetime | None:
    zone = ZoneInfo(organization_time_zone())
    for start, end in ranges:
        for days in (-1, 0):
            begins = _at(now, days, start, zone)
            ends = _at(now, days if start < end else days + 1, end, zone)
            if begins <= now < ends:
                return ends
    return None


def _at(now: datetime, days: int, clock: time, zone: ZoneInfo) -> datetime:
    day = now.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, clock, zone).astimezone(now.tzinfo)


def _is_in_range(moment: time, limits: tuple[time, time]) -> bool:
    start, end = limits
    return start <= moment < end if start < end else moment >= start or moment < end
