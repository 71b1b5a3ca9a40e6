"""The age of undelivered orders."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from visibility.kpi.query import NO_FILTERS, KpiFilters
from visibility.kpi.undelivered_orders_by_day import Undelivered


@dataclass(frozen=True, slots=True)
class UndeliveredOrderCountAndAges:
    """The number and age of undelivered orders, which cycle time does not include."""

    orders: int
    median: timedelta | None
    oldest: timedelta | None


def undelivered_order_count_and_ages(
    now: datetime, filters: KpiFilters = NO_FILTERS
) -> UndeliveredOrderCountAndAges:
    """Count undelivered orders, and compute their median and highest age.

    The KPI cells give the day of the median order; only the orders of that day are read.
    """
    condition, values = filters.cell_condition()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, sum(orders)::int FROM visibility_kpicell "  # noqa: S608  # only own column names
            f"WHERE kpi = %s {condition} GROUP BY day HAVING sum(orders) > 0 ORDER BY day DESC",
            [Undelivered.code, *values],
        )
        days = cursor.fetchall()
    if not days:
        return UndeliveredOrderCountAndAges(0, None, None)
    up_to = [0, *accumulate(count for _, count in days)]
    orders, median_index = up_to[-1], (up_to[-1] - 1) // 2
    day_index = bisect_right(up_to, median_index) - 1
    median_at = _nth_newest_undelivered_received_at(
        days[day_index][0], median_index - up_to[day_index], filters
    )
    last, last_count = days[-1]
    return UndeliveredOrderCountAndAges(
        orders,
        now - median_at,
        now - _nth_newest_undelivered_received_at(last, last_count - 1, filters),
    )


def _nth_newest_undelivered_received_at(day: date, offset: int, filters: KpiFilters) -> datetime:
    """When the n-th undelivered order of a day was received, counted from the end of the day.

    The cells may be seconds behind the orders. If the day has fewer orders than they say, use its
    first order, or the start of the day.
    """
    condition, values = filters.sql_condition_and_values()
    start, end = (
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
            """,  # noqa: S608  # only own column names
            [start, start, end, *values, offset + 1],
        )
        received_at: datetime = cursor.fetchone()[0]
        return received_at
