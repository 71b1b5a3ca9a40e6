"""A time zone in which the test runs at noon, so that no day ends while it runs."""

from datetime import datetime
from zoneinfo import ZoneInfo


def zone_where_it_is_noon(now: datetime) -> str:
    """A zone in which it is between 12:00 and 13:00 now. The sign in its name is reversed."""
    hours = now.astimezone(ZoneInfo("UTC")).hour - 12
    return f"Etc/GMT{hours:+d}"
