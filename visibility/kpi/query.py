"""The numbers as pages read them: sums of cells, never of events."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from django.db import connection

from visibility.kpi import histogram
from visibility.kpi.kpi import Kpi, Unit

# Fewer orders than this and a share says little.
THIN = 30
Dimension = Literal["channel", "warehouse", "customer_group"]
DIMENSIONS: Mapping[Dimension, str] = {
    "channel": "Channel",
    "warehouse": "Warehouse",
    "customer_group": "Customer group",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Narrow to one channel, warehouse, customer group; None: all, empty: where it is not known."""

    channel: str | None = None
    warehouse: str | None = None
    customer_group: str | None = None

    def where(self, table: str = "") -> tuple[str, list[Any]]:
        """The condition, for cells and facts alike; `table` where names would be ambiguous."""
        parts, values = [""], []
        for name in DIMENSIONS:
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{table}{name} = %s")
                values.append(value)
        return " AND ".join(parts), values

    def cells(self, by: Collection[str] = ()) -> tuple[str, list[Any]]:
        """The condition for finished cells, told apart by these dimensions."""
        condition, values = self.where()
        told = {name for name in DIMENSIONS if name in by or getattr(self, name) is not None}
        return f" AND grain = %s{condition}", [_grain(told), *values]


def _grain(told: Collection[str]) -> int:
    """The cells that tell these dimensions apart, and are sums over the others."""
    return sum(2**bit for bit, name in enumerate(reversed(list(DIMENSIONS))) if name not in told)


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `start` to `end`, both counted."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.start).days + 1

    def before(self) -> "Span":
        """The span of the same length just before."""
        return Span(self.start - timedelta(days=self.days), self.start - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Summary:
    """One number and everything it stands on. `value` is None where nothing counts."""

    value: Decimal | None
    numerator: Decimal
    denominator: Decimal
    orders: int
    median: float | None = None
    p90: float | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    # Lines of the counted orders that could not be counted, by the reason.
    aside: Mapping[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """How many orders are not counted."""
        return sum(self.excluded.values())

    @property
    def thin(self) -> bool:
        """Whether too few orders stand behind it."""
        return self.orders < THIN

    def headline(self, kpi: Kpi) -> float | None:
        """The figure the KPI is told by: the share, or the median."""
        if kpi.unit is Unit.DURATION:
            return self.median
        return None if self.value is None else float(self.value)


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a breakdown: its names in the order asked for, and its number."""

    names: tuple[str, ...]
    summary: Summary


NOTHING = Summary(None, Decimal(0), Decimal(0), 0)


def summaries(kpis: Iterable[Kpi], span: Span, filters: Filters = EVERYTHING) -> dict[str, Summary]:
    """The number of each KPI over a span, and what it leaves out: two queries."""
    codes = [kpi.code for kpi in kpis]
    found = {row.names[0]: row.summary for row in _sums(codes, span, filters, ("kpi",))}
    reasons = _reasons(codes, span, filters)
    return {
        code: replace(
            found.get(code, NOTHING),
            excluded=reasons.get((code, "excluded"), {}),
            aside=reasons.get((code, "aside"), {}),
        )
        for code in codes
    }


def summary(kpi: Kpi, span: Span, filters: Filters = EVERYTHING) -> Summary:
    """The number of one KPI over a span."""
    return summaries([kpi], span, filters)[kpi.code]


def daily(
    kpis: Iterable[Kpi], span: Span, filters: Filters = EVERYTHING
) -> dict[str, list[tuple[date, Summary]]]:
    """For each KPI one summary for each day that has any, in order: one query."""
    codes = [kpi.code for kpi in kpis]
    found: dict[str, list[tuple[date, Summary]]] = {code: [] for code in codes}
    for row in _sums(codes, span, filters, ("kpi", "day")):
        found[row.names[0]].append((date.fromisoformat(row.names[1]), row.summary))
    return found


def by_week(
    kpi: Kpi, span: Span, dimension: Dimension, filters: Filters = EVERYTHING
) -> list[tuple[str, date, Summary]]:
    """One summary for each value of a dimension and week (its Monday), in order."""
    rows = _sums([kpi.code], span, filters, (dimension, "date_trunc('week', day)::date"))
    return [(row.names[0], date.fromisoformat(row.names[1]), row.summary) for row in rows]


def breakdown(
    kpi: Kpi, span: Span, dimensions: Sequence[Dimension], filters: Filters = EVERYTHING
) -> list[Slice]:
    """The number of each slice."""
    return _sums([kpi.code], span, filters, dimensions)


def classes(
    kpi: Kpi, span: Span, filters: Filters = EVERYTHING, *, width: float, count: int
) -> list[int]:
    """How many orders have a value in each class of `width`; the last class takes all above."""
    condition, values = filters.cells()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT bucket, sum(n)::int
            FROM visibility_kpicell, unnest(buckets, counts) AS h (bucket, n)
            WHERE kpi = %s AND day BETWEEN %s AND %s {condition} GROUP BY bucket
            """,  # noqa: S608  # the condition is made of our own column names
            [kpi.code, span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    found = [0] * count
    for bucket, orders in rows:
        found[min(int(histogram.middle(bucket) / width), count - 1)] += orders
    return found


def choices(span: Span) -> dict[Dimension, list[str]]:
    """The values each dimension has in a span."""
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ".join(
                f"SELECT '{name}', {name} FROM visibility_kpicell "  # noqa: S608  # our own names
                f"WHERE grain = {_grain({name})} AND day BETWEEN %s AND %s"
                for name in DIMENSIONS
            ),
            [span.start, span.end] * len(DIMENSIONS),
        )
        rows = cursor.fetchall()
    return {name: sorted(value for told, value in rows if told == name) for name in DIMENSIONS}


def _sums(codes: Sequence[str], span: Span, filters: Filters, by: Sequence[str]) -> list[Slice]:
    """Cells added up by columns (of our own naming). Percentiles are those of the orders."""
    condition, values = filters.cells(by)
    columns = ", ".join(f"({name})::text AS k{place}" for place, name in enumerate(by))
    keys = ", ".join(f"k{place}" for place in range(len(by)))
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
            """,  # noqa: S608  # columns and condition are made of our own names
            [list(codes), span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    return [Slice(tuple(row[: len(by)]), _summary(*row[len(by) :])) for row in rows]


def _summary(
    orders: int,
    numerator: Decimal,
    denominator: Decimal,
    half: int | None,
    most: int | None,
) -> Summary:
    value = numerator / denominator if denominator else None
    median, p90 = (None if at is None else histogram.middle(at) for at in (half, most))
    return Summary(value, numerator, denominator, int(orders), median, p90)


def _reasons(
    codes: Sequence[str], span: Span, filters: Filters
) -> dict[tuple[str, str], dict[str, int]]:
    """By KPI, and `excluded` or `aside`: how many orders, or lines, for which reason."""
    condition, values = filters.cells()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT kpi, what, reason, sum(n::int)
            FROM visibility_kpicell CROSS JOIN LATERAL (
                SELECT 'excluded' AS what, * FROM jsonb_each_text(excluded) AS e (reason, n)
                UNION ALL SELECT 'aside', * FROM jsonb_each_text(aside)
            ) counted
            WHERE kpi = ANY(%s) AND day BETWEEN %s AND %s {condition}
            GROUP BY kpi, what, reason ORDER BY kpi, what, 4 DESC, reason
            """,  # noqa: S608  # the condition is made of our own column names
            [list(codes), span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    found: dict[tuple[str, str], dict[str, int]] = {}
    for code, what, reason, count in rows:
        found.setdefault((code, what), {})[reason] = int(count)
    return found
