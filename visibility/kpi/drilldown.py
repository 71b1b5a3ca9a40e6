"""List the orders or events of a KPI value: its facts, with keyset pagination."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import orjson
from django.db import connection

from visibility.db.keyset import InvalidCursor, decode_cursor, encode_cursor
from visibility.kpi import open_order_counts_and_ages
from visibility.kpi.kpi import Kpi, KpiFamily, KpiUnit
from visibility.kpi.open_order_counts_and_ages import OPEN_AT_END
from visibility.kpi.query import DaySpan, KpiDimensionFilters

OrderGroup = Literal["counted", "missed", "excluded"]
ORDER_GROUPS: tuple[OrderGroup, ...] = ("missed", "counted", "excluded")
# Overlaps the others: counted or missed orders, some of whose lines are excluded.
Uncountable = Literal["uncountable"]
UNCOUNTABLE: Uncountable = "uncountable"
PAGE_SIZE = 50
HAS_UNCOUNTABLE = "excluded = '' AND uncountable <> '{}'"
# The type and the message of an event; its fact has the time that finds its partition.
EVENT_JOIN = {
    KpiFamily.FLOW: "",
    KpiFamily.STOCK: "",
    KpiFamily.MEASURE: """
            LEFT JOIN visibility_event event
                ON event.id = subject_key::bigint AND event.occurred_at = started_at""",
}
EVENT_COLUMNS = {
    KpiFamily.FLOW: "'', NULL",
    KpiFamily.STOCK: "'', NULL",
    KpiFamily.MEASURE: "coalesce(event.type, ''), event.message_id",
}


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """The totals of one group of orders."""

    orders: int = 0
    numerator: Decimal = Decimal(0)
    denominator: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class KpiOrderLineOrEvent:
    """One order or event and how it counts. Pass `cursor` as `after` to get the next page.

    `item`: only of a line. `source`, `event_type` and `message_id`: only of an event.
    """

    order_id: int
    number: str
    customer_no: str
    customer_name: str
    status: str
    answer: str
    day: date
    channel: str
    warehouse: str
    numerator: Decimal | None
    denominator: Decimal | None
    excluded: str
    subject_key: str
    item: str
    source: str
    started_at: datetime | None
    ended_at: datetime | None
    event_type: str
    message_id: int | None
    fact_id: int
    uncountable: Mapping[str, int]

    @property
    def cursor(self) -> str:
        """The cursor of the page after this row."""
        return encode_cursor([self.day, self.order_id, self.fact_id])


def group_totals_and_exclusions(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> tuple[dict[OrderGroup, GroupTotals], dict[str, int]]:
    """Totals of the missed, counted and excluded orders, and the excluded ones by reason."""
    condition, values = _fact_sql_condition_of_kpi_value(kpi, span, filters)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_order_group_sql(kpi)} AS outcome, excluded, count(*),
                coalesce(sum(numerator), 0), coalesce(sum(denominator), 0)
            FROM visibility_kpifact fact WHERE {condition}
            GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
            """,  # noqa: S608  # only own column names
            values,
        )
        rows = cursor.fetchall()
    groups: dict[OrderGroup, GroupTotals] = {group: GroupTotals() for group in ORDER_GROUPS}
    for group, _, orders, numerator, denominator in rows:
        total = groups[group]
        groups[group] = GroupTotals(
            total.orders + orders, total.numerator + numerator, total.denominator + denominator
        )
    return groups, {reason: n for group, reason, n, _, _ in rows if group == "excluded"}


def count_orders_with_uncountable_lines(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> int:
    """The number of orders that count without some of their lines."""
    condition, values = _fact_sql_condition_of_kpi_value(kpi, span, filters)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM visibility_kpifact fact WHERE {condition} AND {HAS_UNCOUNTABLE}",  # noqa: S608  # only own column names
            values,
        )
        return int(cursor.fetchone()[0])


def load_order_page(
    kpi: Kpi,
    span: DaySpan,
    filters: KpiDimensionFilters,
    *,
    group: OrderGroup | Uncountable,
    reason: str = "",
    after: str = "",
    limit: int = PAGE_SIZE + 1,
) -> list[KpiOrderLineOrEvent]:
    """Orders, newest day first: by default one page, and one more if there is a next page."""
    condition, values = _fact_sql_condition_of_kpi_value(kpi, span, filters)
    if group == UNCOUNTABLE:
        condition += f" AND {HAS_UNCOUNTABLE}"
    else:
        condition += f" AND {_order_group_sql(kpi)} = %s"
        values.append(group)
    if reason:
        condition += (
            " AND jsonb_exists(uncountable, %s)" if group == UNCOUNTABLE else " AND excluded = %s"
        )
        values.append(reason)
    cursor_values = _decode_cursor_or_empty(after)
    if cursor_values:
        condition += " AND (day, fact.order_id, fact.id) < (%s, %s, %s)"
        values += cursor_values
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT fact.order_id, coalesce(o.number, ''), coalesce(o.customer_no, ''),
                coalesce(o.customer_name, ''), coalesce(o.status, ''), coalesce(o.answer, ''),
                day, fact.channel, fact.warehouse, numerator, denominator, excluded, subject_key,
                fact.item, fact.source, started_at, ended_at, {EVENT_COLUMNS[kpi.family]}, fact.id,
                uncountable::text
            FROM visibility_kpifact fact
            LEFT JOIN visibility_order o ON o.object_id = fact.order_id {EVENT_JOIN[kpi.family]}
            WHERE {condition} ORDER BY day DESC, fact.order_id DESC, fact.id DESC LIMIT %s
            """,  # noqa: S608  # only own column names
            [*values, limit],
        )
        rows: list[list[Any]] = [[*row[:-1], orjson.loads(row[-1])] for row in cursor.fetchall()]
    return [KpiOrderLineOrEvent(*row) for row in rows]


def _fact_sql_condition_of_kpi_value(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> tuple[str, list[Any]]:
    """The SQL condition for the facts of a value, and its parameters.

    For a stock KPI those that are open at the end of the range, and those excluded within it.
    """
    condition, values = filters.sql_condition_and_values("fact.")
    if kpi.family is not KpiFamily.STOCK:
        return (
            f"kpi = %s AND day BETWEEN %s AND %s{condition}",
            [kpi.code, span.start, span.end, *values],
        )
    days = open_order_counts_and_ages.start_days_of_open_orders(kpi.code, span.end, filters)
    return (
        f"kpi = %s AND (day = ANY(%s) AND {OPEN_AT_END}"
        f" OR excluded <> '' AND day BETWEEN %s AND %s){condition}",
        [kpi.code, days, span.end, span.end, span.start, span.end, *values],
    )


def _order_group_sql(kpi: Kpi) -> str:
    """The SQL expression for the group of a fact."""
    if kpi.family is KpiFamily.STOCK:
        hit = "true"
    elif kpi.unit is KpiUnit.DURATION:
        limit = kpi.target
        hit = "true" if limit is None else f"numerator <= {Decimal(limit)} * denominator"
    else:
        hit = "numerator >= denominator"
    return f"CASE WHEN excluded <> '' THEN 'excluded' WHEN {hit} THEN 'counted' ELSE 'missed' END"


def _decode_cursor_or_empty(after: str) -> list[Any]:
    """Parse a cursor. An invalid one means the first page."""
    try:
        return decode_cursor(after, (date, int, int)) if after else []
    except InvalidCursor:
        return []


def selectable_order_groups_of_kpi(kpi: Kpi) -> tuple[OrderGroup, ...]:
    """The groups that the KPI has: the open orders of a stock KPI are never missed."""
    return ("counted", "excluded") if kpi.family is KpiFamily.STOCK else ORDER_GROUPS


def group_titles(kpi: Kpi) -> Mapping[OrderGroup, str]:
    """The titles of the three groups."""
    if kpi.family is KpiFamily.STOCK:
        return {"missed": "Missed", "counted": "Open", "excluded": "Excluded"}
    if kpi.unit is KpiUnit.DURATION:
        return {"missed": "Over target", "counted": "Within target", "excluded": "Excluded"}
    if kpi.counted == f"{kpi.subject}s":
        return {"missed": "Missed", "counted": "Met", "excluded": "Excluded"}
    return {"missed": "Missed", "counted": "Filled complete", "excluded": "Excluded"}
