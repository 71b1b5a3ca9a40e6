"""How old the orders are that wait for their delivery."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from visibility.kpi.query import EVERYTHING, Filters
from visibility.kpi.undelivered import Undelivered


@dataclass(frozen=True, slots=True)
class OpenAge:
    """How old the open orders are: what a cycle time of finished orders can't tell."""

    orders: int
    median: timedelta | None
    oldest: timedelta | None


def open_age(now: datetime, filters: Filters = EVERYTHING) -> OpenAge:
    """Age of the orders not yet delivered; half of them are at most as old as the median.

    The cells name the day that holds the median; only that day's orders are looked at.
    """
    condition, values = filters.cells()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, orders FROM visibility_kpicell "  # noqa: S608  # our own column names
            f"WHERE kpi = %s AND orders > 0 {condition} ORDER BY day DESC",
            [Undelivered.code, *values],
        )
        days = cursor.fetchall()
    if not days:
        return OpenAge(0, None, None)
    up_to = [0, *accumulate(count for _, count in days)]
    orders, place = up_to[-1], (up_to[-1] - 1) // 2
    at = bisect_right(up_to, place) - 1
    middle = _came_in(days[at][0], place - up_to[at], filters)
    last, left = days[-1]
    return OpenAge(orders, now - middle, now - _came_in(last, left - 1, filters))


def _came_in(day: date, place: int, filters: Filters) -> datetime:
    """When an order that waits came in, by its place from the day's end.

    The cells may be seconds behind the orders: where fewer are left, the first that day, or its
    begin.
    """
    condition, values = filters.where()
    begin, end = (
        datetime.combine(day + timedelta(days=n), time(), ZoneInfo(settings.TIME_ZONE))
        for n in (0, 1)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT coalesce(min(ordered_at), %s) FROM (
                SELECT ordered_at FROM visibility_order WHERE is_open AND delivered_at IS NULL
                    AND ordered_at >= %s AND ordered_at < %s {condition}
                ORDER BY ordered_at DESC LIMIT %s
            ) later
            """,  # noqa: S608  # the condition is made of our own column names
            [begin, begin, end, *values, place + 1],
        )
        found: datetime = cursor.fetchone()[0]
        return found
