"""Read stock KPIs: how many orders are open at the end of a day, and how old they are.

The cells of a day count the orders that started on it. Their histogram counts those that ended, by
the days until the end. An order is open at the end of a day if it started by then and did not end
by then. An age from cells is accurate to half a day.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from math import ceil
from zoneinfo import ZoneInfo

from django.db import connection

from visibility.kpi.dimensions import Dimension
from visibility.kpi.filters_and_values import KpiDimensionFilters, KpiSlice, KpiSummary
from visibility.kpi.select_cells_or_facts import select_sql_of_cells_or_facts
from visibility.storage.organization import organization_time_zone

FIRST_DAY = date(1, 1, 1)
SECONDS_PER_DAY = 86_400
# The condition for the facts that are open at the end of a day, given twice.
OPEN_AT_END = "excluded = '' AND day <= %s AND (numerator IS NULL OR day + numerator::int > %s)"
STARTED_AT = """
SELECT wanted.kpi, wanted.position, (
    SELECT min(started_at) FROM (
        SELECT started_at FROM visibility_kpifact fact
        WHERE fact.kpi = wanted.kpi AND fact.day = wanted.day AND {open} {condition}
        ORDER BY started_at DESC LIMIT wanted.rank
    ) later)
FROM unnest(%s::text[], %s::int[], %s::date[], %s::int[]) AS wanted (kpi, position, day, rank)
"""


@dataclass(frozen=True, slots=True)
class _OrdersStartedOnDay:
    """The orders of one slice that started on `day`: their number, and how many ended by days."""

    names: tuple[str, ...]
    day: date
    orders: int
    ended: Sequence[tuple[int, int]]

    def open_count_at_end_of_day(self, end: date) -> int:
        """How many of them are open at the end of a day."""
        if self.day > end:
            return 0
        return self.orders - sum(n for days, n in self.ended if days <= (end - self.day).days)


def stock_summaries(
    codes: Sequence[str], end: date, filters: KpiDimensionFilters, *, now: datetime | None = None
) -> dict[str, KpiSummary]:
    """By KPI code, the orders that are open at the end of a day, and their exact ages.

    If the day has not ended at `now`, the ages are those at `now`. Two queries. Raises
    TooManyFacts.
    """
    open_by_day: dict[str, dict[date, int]] = {code: {} for code in codes}
    for row in _load_order_counts_by_start_day(codes, end, end, filters, ("kpi",)):
        days = open_by_day[row.names[0]]
        days[row.day] = days.get(row.day, 0) + row.open_count_at_end_of_day(end)
    by_code = {
        code: _OpenOrderCountsByStartDay.from_counts_by_start_day(end, days)
        for code, days in open_by_day.items()
    }
    exact = _load_exact_percentiles(by_code, end, filters, now)
    return {
        code: ages.summary(exact.get(code))
        for code, ages in by_code.items()
        if ages.open_order_count
    }


def stock_summaries_at_ends(
    codes: Sequence[str], ends: Sequence[date], filters: KpiDimensionFilters
) -> dict[str, list[tuple[date, KpiSummary]]]:
    """By KPI code, the value at the end of each of these days, in order. One query.

    Days without an open order are left out.
    """
    rows = _load_order_counts_by_start_day(codes, min(ends), max(ends), filters, ("kpi",))
    return {
        code: [
            (end, ages.summary())
            for end in ends
            if (
                ages := _OpenOrderCountsByStartDay.from_started_orders(
                    end, (row for row in rows if row.names[0] == code)
                )
            ).open_order_count
        ]
        for code in codes
    }


def stock_summaries_by_dimensions(
    code: str, end: date, dimensions: Sequence[Dimension], filters: KpiDimensionFilters
) -> list[KpiSlice]:
    """The value of each slice at the end of a day, in order. One query."""
    by_names: dict[tuple[str, ...], list[_OrdersStartedOnDay]] = {}
    for row in _load_order_counts_by_start_day([code], end, end, filters, dimensions):
        by_names.setdefault(row.names, []).append(row)
    return [
        KpiSlice(names, ages.summary())
        for names, rows in sorted(by_names.items())
        if (ages := _OpenOrderCountsByStartDay.from_started_orders(end, rows)).open_order_count
    ]


def start_days_of_open_orders(code: str, end: date, filters: KpiDimensionFilters) -> list[date]:
    """The days on which the orders started that are open at the end of a day. One query."""
    return [
        day
        for day, _ in _OpenOrderCountsByStartDay.from_started_orders(
            end, _load_order_counts_by_start_day([code], end, end, filters, ())
        ).days
    ]


def age_seconds_and_order_counts(
    code: str, end: date, filters: KpiDimensionFilters
) -> list[tuple[float, int]]:
    """(age in seconds, number of orders) at the end of a day, the youngest first. One query."""
    ages = _OpenOrderCountsByStartDay.from_started_orders(
        end, _load_order_counts_by_start_day([code], end, end, filters, ())
    )
    return [(ages.age_seconds_of_start_day(day), count) for day, count in ages.days]


@dataclass(frozen=True, slots=True)
class _OpenOrderCountsByStartDay:
    """The days on which the open orders started, the latest first, with their numbers."""

    end: date
    days: Sequence[tuple[date, int]]

    @classmethod
    def from_started_orders(
        cls, end: date, rows: Iterable[_OrdersStartedOnDay]
    ) -> "_OpenOrderCountsByStartDay":
        by_day: dict[date, int] = {}
        for row in rows:
            by_day[row.day] = by_day.get(row.day, 0) + row.open_count_at_end_of_day(end)
        return cls.from_counts_by_start_day(end, by_day)

    @classmethod
    def from_counts_by_start_day(
        cls, end: date, by_day: Mapping[date, int]
    ) -> "_OpenOrderCountsByStartDay":
        return cls(end, sorted(((day, n) for day, n in by_day.items() if n > 0), reverse=True))

    @property
    def open_order_count(self) -> int:
        return sum(n for _, n in self.days)

    def age_seconds_of_start_day(self, day: date) -> float:
        """The age of an order that started on a day, to half a day."""
        return ((self.end - day).days + 0.5) * SECONDS_PER_DAY

    def percentile_start_days_and_ranks(self) -> list[tuple[date, int]]:
        """(day, rank among its orders from 1, the latest first) of median, P90 and oldest."""
        up_to = list(accumulate(n for _, n in self.days))
        positions = [max(ceil(self.open_order_count * share), 1) for share in (0.5, 0.9, 1)]
        day_indexes = [bisect_right(up_to, position - 1) for position in positions]
        return [
            (self.days[index][0], position - (up_to[index] - self.days[index][1]))
            for index, position in zip(day_indexes, positions, strict=True)
        ]

    def summary(self, exact: Sequence[float] | None = None) -> KpiSummary:
        """The number of open orders, and their ages: `exact` has median, P90 and oldest."""
        median, p90, oldest = exact or [
            self.age_seconds_of_start_day(day) for day, _ in self.percentile_start_days_and_ranks()
        ]
        total = Decimal(round(sum(self.age_seconds_of_start_day(day) * n for day, n in self.days)))
        count = Decimal(self.open_order_count)
        return KpiSummary(total / count, total, count, self.open_order_count, median, p90, oldest)


def _load_order_counts_by_start_day(
    codes: Sequence[str], start: date, end: date, filters: KpiDimensionFilters, by: Sequence[str]
) -> list[_OrdersStartedOnDay]:
    """The orders that are open at the end of any day from `start` to `end`."""
    dimensions = [name for name in by if name != "kpi"]
    cells, values = select_sql_of_cells_or_facts(
        codes, FIRST_DAY, end, filters.filtered_values_by_dimension(), dimensions
    )
    columns = "".join(f"{name}, " for name in by)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {columns} day, orders, buckets, counts FROM ({cells}) cell
            WHERE orders > coalesce((SELECT sum(n) FROM unnest(buckets, counts) AS h (days, n)
                WHERE days <= %s - day), 0)
            """,  # noqa: S608  # only own column names
            [*values, start],
        )
        rows = cursor.fetchall()
    size = len(by)
    return [
        _OrdersStartedOnDay(
            tuple(row[:size]), row[size], row[size + 1], list(zip(*row[size + 2 :], strict=True))
        )
        for row in rows
    ]


def _load_exact_percentiles(
    by_code: Mapping[str, _OpenOrderCountsByStartDay],
    end: date,
    filters: KpiDimensionFilters,
    now: datetime | None,
) -> dict[str, list[float]]:
    """By KPI code, the exact median, P90 and highest age in seconds, from the facts of their days.

    The cells may be seconds behind the facts. If a day has fewer orders than they say, its first
    order is used, or the start of the day.
    """
    wanted = [
        (code, position, day, rank)
        for code, ages in by_code.items()
        if ages.open_order_count
        for position, (day, rank) in enumerate(ages.percentile_start_days_and_ranks())
    ]
    if not wanted:
        return {}
    zone = ZoneInfo(organization_time_zone())
    moment = datetime.combine(end + timedelta(days=1), time(), zone)
    moment = min(moment, now) if now else moment
    condition, values = filters.sql_condition_and_values("fact.")
    with connection.cursor() as cursor:
        cursor.execute(
            STARTED_AT.format(open=OPEN_AT_END, condition=condition),
            [end, end, *values, *map(list, zip(*wanted, strict=True))],
        )
        start_times = {(kpi, position): at for kpi, position, at in cursor.fetchall()}
    result: dict[str, list[float]] = {}
    for code, position, day, _ in wanted:
        at = start_times[code, position] or datetime.combine(day, time(), zone)
        result.setdefault(code, []).append(max((moment - at).total_seconds(), 0))
    return result
