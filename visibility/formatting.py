"""Format durations, dates and numbers as text for people, in US style.

Plain Python without Django settings: callers pass the time zone as an IANA name.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

# Moments closer to now than this are "just now".
JUST_NOW = timedelta(seconds=5)
# The place of the age of the case in the title of an alert; it is inserted when the title is shown.
AGE_PLACEHOLDER = "{age}"


def format_duration(length: timedelta) -> str:
    """The two largest units without a sign: `2 d 4 h`, `4 h 5 min`, `35 min`, `20 s`."""
    seconds = abs(int(length.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        units = ((days, "d"), (hours, "h"))
    elif hours:
        units = ((hours, "h"), (minutes, "min"))
    else:
        units = ((minutes, "min"), (0, ""))
    return " ".join(f"{amount} {unit}" for amount, unit in units if amount) or f"{seconds} s"


def format_duration_with_working_time(length: timedelta, working: timedelta | None) -> str:
    """`2 d 4 h (9 working h)`; only `2 d 4 h` if all of it is working time, or that is unknown."""
    minutes = int(working.total_seconds()) // 60 if working is not None else -1
    if minutes < 0 or minutes == int(abs(length).total_seconds()) // 60:
        return format_duration(length)
    text = f"{minutes // 60:,} working h" if minutes >= 60 else f"{minutes} working min"
    return f"{format_duration(length)} ({text})"


def format_relative_time(moment: datetime, now: datetime) -> str:
    """`2 h 5 min ago`, `in 12 min` or `just now`."""
    elapsed = now - moment
    if abs(elapsed) < JUST_NOW:
        return "just now"
    return (
        f"{format_duration(elapsed)} ago"
        if elapsed > timedelta(0)
        else f"in {format_duration(elapsed)}"
    )


def format_date(day: date, *, weekday: bool = True, year: bool = False) -> str:
    """`Tue, Mar 3`; `Mar 3` without the weekday; `Tue, Mar 3, 2026` with the year."""
    text = f"{day:%b} {day.day}"
    if weekday:
        text = f"{day:%a}, {text}"
    return f"{text}, {day.year}" if year else text


def format_timestamp(moment: datetime, zone: str) -> str:
    """`Mon, Nov 3, 14:03` in the time zone."""
    local = in_zone(moment, zone)
    return f"{format_date(local.date())}, {local:%H:%M}"


def in_zone(moment: datetime, zone: str) -> datetime:
    """The same instant in the time zone."""
    return moment.astimezone(ZoneInfo(zone))


def start_of_day(now: datetime, zone: str) -> datetime:
    """Midnight at the start of the current day in the time zone."""
    return in_zone(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)


def local_or_bare_utc_date(moment: datetime, zone: str) -> date:
    """The date of a moment in the time zone; midnight UTC means a date without a time."""
    is_bare_date = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date() if is_bare_date else in_zone(moment, zone).date()


def end_of_promised_time(moment: datetime, zone: str) -> datetime:
    """The promised moment; a date without a time lasts until midnight in the time zone."""
    if (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        return moment
    return datetime.combine(moment.date() + timedelta(days=1), moment.time(), ZoneInfo(zone))


def format_date_in_zone(moment: datetime, zone: str) -> str:
    """The date of a moment in the time zone as `Tue, Mar 3`."""
    return format_date(local_or_bare_utc_date(moment, zone))


def format_number(number: int | Decimal) -> str:
    """`12,400`; one decimal place if the number is not whole."""
    if isinstance(number, Decimal) and number != number.to_integral_value():
        return f"{number:,.1f}"
    return f"{int(number):,}"


def count_with_noun(number: int, noun: str, plural: str = "") -> str:
    """`1 line`, `1,329 lines`; `plural` is needed where it is not the noun with an `s`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_percent(fraction: float | Decimal) -> str:
    """A fraction of one as `95.7%`."""
    return f"{Decimal(str(fraction)) * 100:.1f}%"


CHANNEL_LABELS = {"edi": "EDI", "inside": "Inside sales", "web": "Web"}


def sales_channel_label(code: str) -> str:
    """A sales channel as people read it; a code without a label is returned unchanged."""
    return CHANNEL_LABELS.get(code.lower(), code)
