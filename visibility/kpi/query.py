"""Read KPI values from the KPI cells: totals, by period and by dimension.

A stock KPI has the value of the end of each period or range (`stock_query`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from visibility.db.data_scope import active_scope
from visibility.kpi import duration_histogram_buckets, open_order_counts_and_ages
from visibility.kpi.dimensions import (
    DIMENSIONS,
    SHARED_DIMENSIONS,
    Dimension,
    stored_grouping_bitmask,
)
from visibility.kpi.filters_and_values import (
    NO_FILTERS,
    NO_ORDERS,
    SMALL_SAMPLE,
    DaySpan,
    KpiDimensionFilters,
    KpiSlice,
    KpiSummary,
)
from visibility.kpi.kpi import Kpi, KpiFamily
from visibility.kpi.periods import PeriodLength, period_start_sql, split_into_periods
from visibility.kpi.select_cells_or_facts import TooManyFacts, select_sql_of_cells_or_facts

__all__ = [
    "NO_FILTERS",
    "NO_ORDERS",
    "SMALL_SAMPLE",
    "DaySpan",
    "KpiDimensionFilters",
    "KpiSlice",
    "KpiSummary",
    "TooManyFacts",
    "dimension_values_with_most_orders",
    "duration_histogram",
    "summaries_by_dimension_and_period",
    "summaries_by_dimensions",
    "summaries_by_kpi",
    "summaries_by_period",
    "summary",
]
# More values of a dimension cannot be chosen as a filter, only entered in an address.
MAX_DIMENSION_VALUES = 200
_TABLE_AND_ORDER = {
    # With cells, or without: a person with a scope.
    True: ("visibility_kpicell", "sum(orders)", "grouping = {grouping} AND "),
    False: ("visibility_kpifact", "count(*) FILTER (WHERE excluded = '')", ""),
}


def summaries_by_kpi(
    kpis: Iterable[Kpi],
    span: DaySpan,
    filters: KpiDimensionFilters = NO_FILTERS,
    *,
    now: datetime | None = None,
) -> dict[str, KpiSummary]:
    """The value of each KPI over a date range, with exclusions. Two queries.

    With stock KPIs four queries: their ages are those at `now` if the range has not ended by then.
    Raises TooManyFacts.
    """
    kpis = list(kpis)
    codes, flows = [kpi.code for kpi in kpis], _codes_of_non_stock_kpis(kpis)
    totals = (
        {row.names[0]: row.summary for row in _aggregate_cells(flows, span, filters, ("kpi",))}
        if flows
        else {}
    )
    if len(flows) < len(codes):
        stocks = [code for code in codes if code not in flows]
        totals |= open_order_counts_and_ages.stock_summaries(stocks, span.end, filters, now=now)
    reasons = _excluded_and_uncountable_counts(codes, span, filters)
    return {
        code: replace(
            totals.get(code, NO_ORDERS),
            excluded=reasons.get((code, "excluded"), {}),
            uncountable=reasons.get((code, "uncountable"), {}),
        )
        for code in codes
    }


def summary(
    kpi: Kpi,
    span: DaySpan,
    filters: KpiDimensionFilters = NO_FILTERS,
    *,
    now: datetime | None = None,
) -> KpiSummary:
    """The value of one KPI over a date range, with exclusions."""
    return summaries_by_kpi([kpi], span, filters, now=now)[kpi.code]


def summaries_by_period(
    kpis: Iterable[Kpi],
    span: DaySpan,
    length: PeriodLength,
    filters: KpiDimensionFilters = NO_FILTERS,
) -> dict[str, list[tuple[date, KpiSummary]]]:
    """By KPI code, the value of each period (its first day) that has orders, in order.

    One query, two with stock KPIs, which have the value of the end of the period within the range.
    Raises TooManyFacts.
    """
    kpis = list(kpis)
    flows = _codes_of_non_stock_kpis(kpis)
    by_code: dict[str, list[tuple[date, KpiSummary]]] = {kpi.code: [] for kpi in kpis}
    for row in (
        _aggregate_cells(flows, span, filters, ("kpi", period_start_sql(length))) if flows else ()
    ):
        by_code[row.names[0]].append((date.fromisoformat(row.names[1]), row.summary))
    stocks = [code for code in by_code if code not in flows]
    if stocks:
        starts = {p.span.end: p.start for p in split_into_periods(span, length, span.end)}
        ends = open_order_counts_and_ages.stock_summaries_at_ends(stocks, list(starts), filters)
        by_code |= {c: [(starts[end], value) for end, value in ends[c]] for c in stocks}
    return by_code


def _codes_of_non_stock_kpis(kpis: Iterable[Kpi]) -> list[str]:
    return [kpi.code for kpi in kpis if kpi.family is not KpiFamily.STOCK]


def summaries_by_dimension_and_period(
    kpi: Kpi,
    span: DaySpan,
    dimension: Dimension,
    length: PeriodLength,
    filters: KpiDimensionFilters = NO_FILTERS,
) -> list[tuple[str, date, KpiSummary]]:
    """The value of each dimension value and period (its first day), in order.

    Not for stock KPIs. Raises TooManyFacts.
    """
    rows = _aggregate_cells([kpi.code], span, filters, (dimension, period_start_sql(length)))
    return [(row.names[0], date.fromisoformat(row.names[1]), row.summary) for row in rows]


def summaries_by_dimensions(
    kpi: Kpi,
    span: DaySpan,
    dimensions: Sequence[Dimension],
    filters: KpiDimensionFilters = NO_FILTERS,
) -> list[KpiSlice]:
    """The value of each slice. Raises TooManyFacts."""
    if kpi.family is KpiFamily.STOCK:
        return open_order_counts_and_ages.stock_summaries_by_dimensions(
            kpi.code, span.end, dimensions, filters
        )
    return _aggregate_cells([kpi.code], span, filters, dimensions)


def duration_histogram(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters = NO_FILTERS, *, width: float, count: int
) -> list[int]:
    """Order counts in classes of `width` seconds; the last class includes all higher values.

    Raises TooManyFacts.
    """
    counts = [0] * count
    for seconds, orders in _duration_seconds_and_order_counts(kpi, span, filters):
        counts[min(int(seconds / width), count - 1)] += orders
    return counts


def _duration_seconds_and_order_counts(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> list[tuple[float, int]]:
    """(seconds, number of orders), for a stock KPI the ages at the end of the range."""
    if kpi.family is KpiFamily.STOCK:
        return open_order_counts_and_ages.age_seconds_and_order_counts(kpi.code, span.end, filters)
    cells, values = select_sql_of_cells_or_facts(
        [kpi.code], span.start, span.end, filters.filtered_values_by_dimension()
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT bucket, sum(n)::int
            FROM ({cells}) cell, unnest(buckets, counts) AS h (bucket, n) GROUP BY bucket
            """,  # noqa: S608  # only own column names
            values,
        )
        return [(duration_histogram_buckets.bucket_midpoint(b), n) for b, n in cursor.fetchall()]


def dimension_values_with_most_orders(
    span: DaySpan, dimensions: Collection[Dimension] = SHARED_DIMENSIONS
) -> dict[Dimension, list[str]]:
    """The values of some dimensions in a date range, those with the most orders, sorted."""
    table, count, condition = _TABLE_AND_ORDER[active_scope() is None]
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"(SELECT '{name}', {name} FROM {table} WHERE "  # noqa: S608  # only own names
                f"{condition.format(grouping=stored_grouping_bitmask({name}))}"
                f"day BETWEEN %s AND %s GROUP BY {name} ORDER BY {count} DESC, {name} "
                f"LIMIT {MAX_DIMENSION_VALUES})"
                for name in dimensions
            ),
            [span.start, span.end] * len(dimensions),
        )
        rows = cursor.fetchall()
    return {name: sorted(v for dimension, v in rows if dimension == name) for name in dimensions}


def _aggregate_cells(
    codes: Sequence[str], span: DaySpan, filters: KpiDimensionFilters, by: Sequence[str]
) -> list[KpiSlice]:
    """Sum cells by the SQL expressions `by`. Percentiles are those of the orders."""
    cells, values = select_sql_of_cells_or_facts(
        codes,
        span.start,
        span.end,
        filters.filtered_values_by_dimension(),
        set(by) & set(DIMENSIONS),
    )
    columns = ", ".join(f"({name})::text AS k{index}" for index, name in enumerate(by))
    keys = ", ".join(f"k{index}" for index in range(len(by)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH cell AS (
                SELECT *, {columns} FROM ({cells}) cell
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
            values,
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
    codes: Sequence[str], span: DaySpan, filters: KpiDimensionFilters
) -> dict[tuple[str, str], dict[str, int]]:
    """Counts by reason, for each (KPI code, `excluded` or `uncountable`)."""
    cells, values = select_sql_of_cells_or_facts(
        codes, span.start, span.end, filters.filtered_values_by_dimension()
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT kpi, what, reason, sum(n::int)
            FROM ({cells}) cell CROSS JOIN LATERAL (
                SELECT 'excluded' AS what, * FROM jsonb_each_text(excluded) AS e (reason, n)
                UNION ALL SELECT 'uncountable', * FROM jsonb_each_text(uncountable)
            ) counted
            GROUP BY kpi, what, reason ORDER BY kpi, what, 4 DESC, reason
            """,  # noqa: S608  # only own column names
            values,
        )
        rows = cursor.fetchall()
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for code, group, reason, count in rows:
        counts.setdefault((code, group), {})[reason] = int(count)
    return counts
