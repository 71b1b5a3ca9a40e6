"""Dates, times and quantities as customers read them: US style with AM and PM."""

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal

from visibility.formatting import format_date, format_date_in_zone, in_zone, local_or_bare_utc_date

RECENT_DAYS = 6


def clock_time(moment: datetime, zone: str) -> str:
    """`6:10 AM` in the time zone."""
    local = in_zone(moment, zone)
    return f"{local.hour % 12 or 12}:{local:%M} {'AM' if local.hour < 12 else 'PM'}"


def date_and_time(moment: datetime, zone: str) -> str:
    """`Tue, Nov 17, 6:10 AM`."""
    return f"{format_date(in_zone(moment, zone).date())}, {clock_time(moment, zone)}"


def zone_name(moment: datetime, zone: str) -> str:
    """`CST`: the abbreviation of the time zone at the moment."""
    return in_zone(moment, zone).strftime("%Z")


def dates_or_span(moments: Collection[datetime], zone: str) -> str:
    """`Thu, Nov 19`, or `Thu, Nov 19 to Mon, Nov 23` if the moments differ."""
    days = sorted({local_or_bare_utc_date(moment, zone) for moment in moments})
    if not days:
        return ""
    first, last = format_date(days[0]), format_date(days[-1])
    return first if first == last else f"{first} to {last}"


def since_when(moment: datetime, now: datetime, zone: str) -> str:
    """`Monday` within the last days, `today`, or else `Mon, Nov 2`."""
    day, today = in_zone(moment, zone).date(), in_zone(now, zone).date()
    if day == today:
        return f"{clock_time(moment, zone)} today"
    return f"{day:%A}" if (today - day).days <= RECENT_DAYS else format_date_in_zone(moment, zone)


def quantity(amount: Decimal, unit: str = "") -> str:
    """`1,200` pieces, `12 BX` of another unit, without trailing zeros."""
    text = f"{amount:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if unit.upper() in {"", "EA"} else f"{text} {unit}"


def day_of(moment: datetime, zone: str) -> date:
    """The date of a moment; a date without a time stays that date."""
    return local_or_bare_utc_date(moment, zone)
