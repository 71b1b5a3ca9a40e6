"""A moment in the three forms that pages show: relative, absolute and ISO 8601."""

from dataclasses import dataclass
from datetime import datetime

from visibility.formatting import format_duration, format_relative_time, format_timestamp
from visibility.storage.organization import organization_time_zone


@dataclass(frozen=True, slots=True)
class IsoRelativeAndAbsoluteTime:
    """A moment as ISO 8601, relative to now, and in the organization's time zone."""

    iso: str
    ago: str
    clock: str


def displayed_time(moment: datetime | None, now: datetime) -> IsoRelativeAndAbsoluteTime | None:
    """The moment in its three forms, None if there is none."""
    if moment is None:
        return None
    absolute = format_timestamp(moment, organization_time_zone())
    return IsoRelativeAndAbsoluteTime(
        moment.isoformat(), format_relative_time(moment, now), absolute
    )


def format_time_from_start_to_end(end: datetime | None, start: datetime) -> str:
    """The time from start to end: `85 ms`, `3 min`; empty without an end."""
    if end is None:
        return ""
    seconds = (end - start).total_seconds()
    return f"{max(seconds, 0) * 1000:.0f} ms" if seconds < 1 else format_duration(end - start)
