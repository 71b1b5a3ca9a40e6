"""Timestamp parsing: explicit rules for each format; implausible times are errors."""

from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.sdk.events import Flag
from connectors.sdk.payload import ParkReason, PayloadError

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Systems without a time send the first day that they know: of Unix, SQL Server and spreadsheets.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNSET_DAYS = ("1970-01-01", "1900-01-01", "1899-12-30", "1753-01-01")
UNSET_TIMESTAMPS = frozenset(
    {"0", *(day + midnight for day in UNSET_DAYS for midnight in ("", "T00:00:00", " 00:00:00"))}
)
# Maximum by which an event time may be after the time received. `validation` checks it.
MAX_AHEAD = timedelta(days=7)


class ParsedTime(NamedTuple):
    """A time in UTC, with flags for what was assumed."""

    time: datetime
    flags: tuple[Flag, ...] = ()


def parse_timestamp(text: str, path: str, zone: str | None = None) -> ParsedTime | None:
    """Parse an ISO 8601 date-time or date. Returns None for blank text and for unset timestamps.

    A time without an offset is interpreted in `zone` (an IANA name) and flagged; without a zone it
    is an error, like impossible and implausible times (before 2000). 24:00:00 means the next
    midnight, second 60 the next second. A date is midnight in the zone (default UTC), flagged
    `date_only`. Raises PayloadError.
    """
    text = text.strip()
    if not text or text in UNSET_TIMESTAMPS:
        return None
    if len(text) == 10 or (len(text) == 8 and text.isdecimal()):
        return parse_date_as_midnight(text, path, zone)
    carry = timedelta()
    body = text
    if body[11:19] == "24:00:00":
        body, carry = f"{body[:11]}00:00:00{body[19:]}", timedelta(days=1)
    elif body[17:19] == "60":
        body, carry = f"{body[:17]}59{body[19:]}", timedelta(seconds=1)
    try:
        parsed = datetime.fromisoformat(body)
    except ValueError:
        raise PayloadError(
            ParkReason.TIMESTAMP, path, f"{text[:40]!r} is not a date and time"
        ) from None
    if parsed == EPOCH:
        return None
    if parsed.tzinfo is None:
        if zone is None:
            raise PayloadError(ParkReason.TIMESTAMP, path, f"{text[:40]!r} has no time zone")
        local = local_to_utc(parsed, zone, path)
        return ParsedTime(
            to_plausible_utc(local.time, path, carry), (Flag.ZONE_ASSUMED, *local.flags)
        )
    return ParsedTime(to_plausible_utc(parsed, path, carry))


def parse_date_as_midnight(text: str, path: str, zone: str | None = None) -> ParsedTime:
    """Parse `2026-03-04` or `20260304` as midnight in the zone, flagged `date_only`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PayloadError(ParkReason.TIMESTAMP, path, f"{text[:40]!r} is not a date") from None
    local = local_to_utc(datetime.combine(day, time()), zone or "UTC", path)
    return ParsedTime(to_plausible_utc(local.time, path), (Flag.DATE_ONLY, *local.flags))


def local_to_utc(local_time: datetime, zone: str, path: str) -> ParsedTime:
    """Convert a local time to UTC. A repeated time is the earlier one, a skipped time moves on."""
    try:
        info = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # OSError: a folder of zones, such as "America"
        raise PayloadError(ParkReason.TIMESTAMP, path, f"{zone!r} is not a time zone") from None
    try:
        first = local_time.replace(tzinfo=info, fold=0).astimezone(UTC)
        second = local_time.replace(tzinfo=info, fold=1).astimezone(UTC)
    except OverflowError:
        raise PayloadError(ParkReason.TIMESTAMP, path, "the time is out of range") from None
    if first == second:
        return ParsedTime(first)
    if first.astimezone(info).replace(tzinfo=None) == local_time:
        return ParsedTime(first, (Flag.LOCAL_REPEATED,))
    return ParsedTime(first, (Flag.LOCAL_SKIPPED,))


def from_unix_seconds(seconds: int, path: str) -> ParsedTime:
    """Convert Unix seconds to a time. Milliseconds are rejected as implausible."""
    try:
        return ParsedTime(to_plausible_utc(datetime.fromtimestamp(seconds, UTC), path))
    except (OverflowError, OSError, ValueError):
        raise PayloadError(
            ParkReason.TIMESTAMP, path, f"{seconds} is not a Unix time in seconds"
        ) from None


def to_plausible_utc(value: datetime, path: str, carry: timedelta = timedelta()) -> datetime:
    """Convert a time to UTC and add `carry`. Raises PayloadError before 2000 and after 9000."""
    try:
        utc = value.astimezone(UTC) + carry
    except OverflowError:
        raise PayloadError(ParkReason.TIMESTAMP, path, "the time is out of range") from None
    if utc < EARLIEST:
        raise PayloadError(ParkReason.TIMESTAMP, path, f"{utc:%Y-%m-%d} is before 2000")
    if utc.year > 9000:
        raise PayloadError(ParkReason.TIMESTAMP, path, f"the year {utc.year} is out of range")
    return utc


def parse_rfc2822(text: str, path: str) -> ParsedTime | None:
    """Parse `Tue, 05 Mar 2019 21:40:11 +0000`. Returns None for blank text. Raises PayloadError."""
    if not text.strip():
        return None
    try:
        parsed = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        raise PayloadError(
            ParkReason.TIMESTAMP, path, f"{text[:40]!r} is not a date and time of RFC 2822"
        ) from None
    if parsed.tzinfo is None:  # -0000 means UTC without a local offset
        parsed = parsed.replace(tzinfo=UTC)
    return None if parsed == EPOCH else ParsedTime(to_plausible_utc(parsed, path))
