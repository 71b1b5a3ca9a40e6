"""When something happened: one explicit rule per written form, and nothing implausible."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.sdk.events import Flag
from connectors.sdk.payload import PayloadError, Reason

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# What systems write that have no time to tell: nothing happened when Unix began.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = frozenset({"0", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00"})
# How far ahead of its arrival an event may claim to be; the receiver checks it (it knows the time).
LATEST_AHEAD = timedelta(days=7)


class Moment(NamedTuple):
    """An aware UTC instant and what had to be assumed to get it."""

    at: datetime
    flags: tuple[Flag, ...] = ()


def instant(text: str, path: str, zone: str | None = None) -> Moment | None:
    """An ISO 8601 date-time or date; None for blank text, and for the instant that means never.

    A time without an offset is taken in `zone` (an IANA name) and flagged; with no zone it is an
    error, as are impossible and implausible times (before 2000). 24:00:00 is the next midnight,
    second 60 the next second. A date alone is midnight in the zone (UTC without one), flagged
    `date_only`.
    """
    text = text.strip()
    if not text or text in NEVER:
        return None
    if len(text) == 10:
        return on_date(text, path, zone)
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
            Reason.TIMESTAMP, path, f"{text[:40]!r} is not a date and time"
        ) from None
    if parsed == EPOCH:
        return None
    if parsed.tzinfo is None:
        if zone is None:
            raise PayloadError(Reason.TIMESTAMP, path, f"{text[:40]!r} has no time zone")
        moment = localise(parsed, zone, path)
        return Moment(plausible(moment.at + carry, path), (Flag.ZONE_ASSUMED, *moment.flags))
    return Moment(plausible(parsed + carry, path))


def on_date(text: str, path: str, zone: str | None = None) -> Moment:
    """`2026-03-04` or `20260304`: midnight in the zone, flagged `date_only`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PayloadError(Reason.TIMESTAMP, path, f"{text[:40]!r} is not a date") from None
    moment = localise(datetime.combine(day, time()), zone or "UTC", path)
    return Moment(plausible(moment.at, path), (Flag.DATE_ONLY, *moment.flags))


def localise(local: datetime, zone: str, path: str) -> Moment:
    """A local time in a zone: a repeated one is the earlier instant, a skipped one moves on."""
    try:
        info = ZoneInfo(zone)
    except (KeyError, ValueError):
        raise PayloadError(Reason.TIMESTAMP, path, f"{zone!r} is no time zone") from None
    try:
        first = local.replace(tzinfo=info, fold=0).astimezone(UTC)
        second = local.replace(tzinfo=info, fold=1).astimezone(UTC)
    except OverflowError:
        raise PayloadError(Reason.TIMESTAMP, path, "the time is out of range") from None
    if first == second:
        return Moment(first)
    if first.astimezone(info).replace(tzinfo=None) == local:
        return Moment(first, (Flag.LOCAL_REPEATED,))
    return Moment(first, (Flag.LOCAL_SKIPPED,))


def epoch(value: int, path: str) -> Moment:
    """Seconds since 1970 as an instant. Milliseconds fall out as implausible."""
    try:
        return Moment(plausible(datetime.fromtimestamp(value, UTC), path))
    except (OverflowError, OSError, ValueError):
        raise PayloadError(Reason.TIMESTAMP, path, f"{value} is no time in seconds") from None


def plausible(moment: datetime, path: str) -> datetime:
    """The instant in UTC, if it is one a business of today can mean."""
    try:
        at = moment.astimezone(UTC)
    except OverflowError:
        raise PayloadError(Reason.TIMESTAMP, path, "the time is out of range") from None
    if at < EARLIEST:
        raise PayloadError(Reason.TIMESTAMP, path, f"{at:%Y-%m-%d} is before 2000")
    if at.year > 9000:
        raise PayloadError(Reason.TIMESTAMP, path, f"the year {at.year} is out of range")
    return at
