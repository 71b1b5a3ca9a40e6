"""Lengths of time and moments in words, as every page says them."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings


def span(length: timedelta) -> str:
    """The two largest units: `2 d 4 h`, `4 h 5 min`, `35 min`, `20 s`; without sign."""
    left = abs(int(length.total_seconds()))
    days, hours, minutes = left // 86_400, left // 3_600 % 24, left // 60 % 60
    if days:
        pair = ((days, "d"), (hours, "h"))
    elif hours:
        pair = ((hours, "h"), (minutes, "min"))
    else:
        pair = ((minutes, "min"), (0, ""))
    return " ".join(f"{many} {word}" for many, word in pair if many) or f"{left} s"


def ago(moment: datetime, now: datetime) -> str:
    """`2 h 5 min ago`, `in 12 min`, `just now`."""
    passed = now - moment
    if abs(passed) < timedelta(seconds=5):
        return "just now"
    return f"{span(passed)} ago" if passed > timedelta(0) else f"in {span(passed)}"


def local(moment: datetime) -> datetime:
    """In the organisation's own zone."""
    return moment.astimezone(ZoneInfo(settings.TIME_ZONE))


def clock(moment: datetime) -> str:
    """`Mon 3 Nov 14:03`, in the organisation's zone."""
    at = local(moment)
    return f"{at:%a} {at.day} {at:%b %H:%M}"


def midnight(now: datetime) -> datetime:
    """When today began, in the organisation's zone."""
    return local(now).replace(hour=0, minute=0, second=0, microsecond=0)


def many(number: int | Decimal) -> str:
    """`12 400`, with spaces that don't break; whole where it is whole."""
    if isinstance(number, Decimal) and number != number.to_integral_value():
        return f"{number:,.1f}".replace(",", "\u202f")
    return f"{int(number):,}".replace(",", "\u202f")
