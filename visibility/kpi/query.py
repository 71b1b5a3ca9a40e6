"""Read KPI values from the KPI cells: totals, by day, by week and by dimension."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from visibility.kpi import duration_histogram_buckets
from visibility.kpi.dimensions import DIMENSIONS, Dimension, smallest_stored_grouping_bitmask
from visibility.kpi.kpi import Kpi, KpiUnit

# A value of fewer orders is statistically unreliable.
SMALL_SAMPLE = 30


@dataclass(frozen=True, slots=True)
class KpiFilters:
    """Channel, warehouse and customer group. None is no filter, "" is an unknown value."""

    channel: str | None = None
    warehouse: str | None = None
    customer_group: str | None = None

    def sql_condition_and_values(self, table: str = "") -> tuple[str, list[Any]]:
        """The SQL condition and its parameters, for cells and facts; `table` is a prefix."""
        conditions, values = [""], []
        for name in DIMENSIONS:
            value = getattr(self, name)
            if value is not None:
                conditions.append(f"{table}{name} = %s")
                values.append(value)
        return " AND ".join(conditions), values

    def cell_condition(self, by: Collection[str] = ()) -> tuple[str, list[Any]]:
        """The SQL condition for the cells that keep these dimensions and those of the filters.

        A slice may have several such cells for a day: the caller must sum them.
        """
        condition, values = self.sql_condition_and_values()
        dimensions = {name for name in DIMENSIONS if name in by or getattr(self, name) is not None}
        return f" AND grouping = %s{condition}", [
            smallest_stored_grouping_bitmask(dimensions),
            *values,
        ]


NO_FILTERS = KpiFilters()


@dataclass(frozen=True, slots=True)
class DaySpan:
    """A range of days; `start` and `end` are included."""

    start: date
    end: date

    @property
    def day_count(self) -> int:
        """The number of days."""
        return (self.end - self.start).days + 1

    def previous(self) -> "DaySpan":
        """The previous range of the same length."""
        return DaySpan(self.start - timedelta(days=self.day_count), self.start - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class KpiSummary:
    """A KPI value with its population. `value` is None if no order counts."""

    value: Decimal | None
    numerator: Decimal
    denominator: Decimal
    orders: int
    median: float | None = None
    p90: float | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    # Excluded lines of counted orders, by reason.
    uncountable: Mapping[str, int] = field(default_factory=dict)

    @property
    def excluded_count(self) -> int:
        """The number of excluded orders."""
        return sum(self.excluded.values())

    @property
    def is_small_sample(self) -> bool:
        """Whether the value has too few orders to be reliable."""
        return self.orders < SMALL_SAMPLE

    def main_value(self, kpi: Kpi) -> float | None:
        """The main figure of the KPI: the fraction, or the median in seconds."""
        if kpi.unit is KpiUnit.DURATION:
            return self.median
        return None if self.value is None else float(self.value)


@dataclass(frozen=True, slots=True)
class KpiSlice:
    """One slice of a breakdown: its dimension values in the requested order, and its value."""

    names: tuple[str, ...]
    summary: KpiSummary


NO_ORDERS = KpiSummary(None, Decimal(0), Decimal(0), 0)


def summaries_by_kpi(
    kpis: Iterable[Kpi], span: DaySpan, filters: KpiFilters = NO_FILTERS
) -> dict[str, KpiSummary]:
    """The value of each KPI over a date range, with exclusions. Two queries."""
    codes = [kpi.code for kpi in kpis]
    totals = {row.names[0]: row.summary for row in _aggregate_cells(codes, span, filters, ("kpi",))}
    reasons = _excluded_and_uncountable_counts(codes, span, filters)
    return {
        code: replace(
            totals.get(code, NO_ORDERS),
            excluded=reasons.get((code, "excluded"), {}),
            uncountable=reasons.get((code, "uncountable"), {}),
        )
        for code in codes
    }


def summary(kpi: Kpi, span: DaySpan, filters: KpiFilters = NO_FILTERS) -> KpiSummary:
    """The value of one KPI over a date range, with exclusions."""
    return summaries_by_kpi([kpi], span, filters)[kpi.code]


def daily_summaries_by_kpi(
    kpis: Iterable[Kpi], span: DaySpan, filters: KpiFilters = NO_FILTERS
) -> dict[str, list[tuple[date, KpiSummary]]]:
    """By KPI code, the value of each day that has orders, in order. One query."""
    codes = [kpi.code for kpi in kpis]
    by_code: dict[str, list[tuple[date, KpiSummary]]] = {code: [] for code in codes}
    for row in _aggregate_cells(codes, span, filters, ("kpi", "day")):
        by_code[row.names[0]].append((date.fromisoformat(row.names[1]), row.summary))
    return by_code


def weekly_summaries_by_dimension(
    kpi: Kpi, span: DaySpan, dimension: Dimension, filters: KpiFilters = NO_FILTERS
) -> list[tuple[str, date, KpiSummary]]:
    """The value of each dimension value and week (its Monday), in order."""
    rows = _aggregate_cells([kpi.code], span, filters, (dimension, "date_trunc('week', day)::date"))
    return [(row.names[0], date.fromisoformat(row.names[1]), row.summary) for row in rows]


def summaries_by_dimensions(
    kpi: Kpi, span: DaySpan, dimensions: Sequence[Dimension], filters: KpiFilters = NO_FILTERS
) -> list[KpiSlice]:
    """The value of each slice."""
    return _aggregate_cells([kpi.code], span, filters, dimensions)


def duration_histogram(
    kpi: Kpi, span: DaySpan, filters: KpiFilters = NO_FILTERS, *, width: float, count: int
) -> list[int]:
    """Order counts in classes of `width` seconds; the last class includes all higher values."""
    condition, values = filters.cell_condition()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT bucket, sum(n)::int
            FROM visibility_kpicell, unnest(buckets, counts) AS h (bucket, n)
            WHERE kpi = %s AND day BETWEEN %s AND %s {condition} GROUP BY bucket
            """,  # noqa: S608  # only own column names
            [kpi.code, span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    counts = [0] * count
    for bucket, orders in rows:
        counts[min(int(duration_histogram_buckets.bucket_midpoint(bucket) / width), count - 1)] += (
            orders
        )
    return counts


def values_by_dimension(span: DaySpan) -> dict[Dimension, list[str]]:
    """The values of each dimension in a date range."""
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ".join(
                f"SELECT '{name}', {name} FROM visibility_kpicell "  # noqa: S608  # only own names
                f"WHERE grouping = {smallest_stored_grouping_bitmask({name})} "
                "AND day BETWEEN %s AND %s"
                for name in DIMENSIONS
            ),
            [span.start, span.end] * len(DIMENSIONS),
        )
        rows = cursor.fetchall()
    return {
        name: sorted(value for dimension, value in rows if dimension == name) for name in DIMENSIONS
    }


def _aggregate_cells(
    codes: Sequence[str], span: DaySpan, filters: KpiFilters, by: Sequence[str]
) -> list[KpiSlice]:
    """Sum cells by the SQL expressions `by`. Percentiles are those of the orders."""
    condition, values = filters.cell_condition(by)
    columns = ", ".join(f"({name})::text AS k{index}" for index, name in enumerate(by))
    keys = ", ".join(f"k{index}" for index in range(len(by)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH cell AS (
                SELECT *, {columns} FROM visibility_kpicell
                WHERE kpi = ANY(%s) AND day BETWEEN %s AND %s {condition}
            ), histogram AS (
                SELECT {keys}, bucket, sum(n) AS n
                FROM cell, unnest(buckets, counts) AS h (bucket, n) GROUP BY {keys}, bucket
            ), rising AS (
                SELECT {keys}, bucket, sum(n) OVER (PARTITION BY {keys} ORDER BY bucket) AS up_to,
                    sum(n) OVER (PARTITION BY {keys}) AS n
                FROM histogram
            ), ranked AS (
                SELECT {keys}, min(bucket) FILTER (WHERE up_to >= n * 0.5) AS half,
                    min(bucket) FILTER (WHERE up_to >= n * 0.9) AS most
                FROM rising GROUP BY {keys}
            ), added AS (
                SELECT {keys}, sum(orders) AS orders, sum(numerator) AS numerator,
                    sum(denominator) AS denominator
                FROM cell GROUP BY {keys}
            )
            SELECT {keys}, orders, numerator, denominator, half, most
            FROM added LEFT JOIN ranked USING ({keys}) ORDER BY {keys}
            """,  # noqa: S608  # only own column names
            [list(codes), span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    return [KpiSlice(tuple(row[: len(by)]), _build_summary(*row[len(by) :])) for row in rows]


def _build_summary(
    orders: int,
    numerator: Decimal,
    denominator: Decimal,
    half: int | None,
    most: int | None,
) -> KpiSummary:
    value = numerator / denominator if denominator else None
    median, p90 = (
        None if at is None else duration_histogram_buckets.bucket_midpoint(at)
        for at in (half, most)
    )
    return KpiSummary(value, numerator, denominator, int(orders), median, p90)


def _excluded_and_uncountable_counts(
    codes: Sequence[str], span: DaySpan, filters: KpiFilters
) -> dict[tuple[str, str], dict[str, int]]:
    """Counts by reason, for each (KPI code, `excluded` or `uncountable`)."""
    condition, values = filters.cell_condition()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT kpi, what, reason, sum(n::int)
            FROM visibility_kpicell CROSS JOIN LATERAL (
                SELECT 'excluded' AS what, * FROM jsonb_each_text(excluded) AS e (reason, n)
                UNION ALL SELECT 'uncountable', * FROM jsonb_each_text(uncountable)
            ) counted
            WHERE kpi = ANY(%s) AND day BETWEEN %s AND %s {condition}
            GROUP BY kpi, what, reason ORDER BY kpi, what, 4 DESC, reason
            """,  # noqa: S608  # only own column names
            [list(codes), span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for code, group, reason, count in rows:
        counts.setdefault((code, group), {})[reason] = int(count)
    return counts
