"""Days as people say them, in the organisation's zone."""

from datetime import date, datetime
from zoneinfo import ZoneInfo


def day_of(moment: datetime, info: ZoneInfo) -> date:
    """The day of a moment; midnight UTC is a bare date and stays that date."""
    bare = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date() if bare else moment.astimezone(info).date()


def said(day: date) -> str:
    """`Tue 3 Mar`."""
    return f"{day:%a} {day.day} {day:%b}"


def count(number: int, word: str) -> str:
    """`1 line`, `3 lines`."""
    return f"{number} {word}{'' if number == 1 else 's'}"
