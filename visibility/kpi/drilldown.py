"""List the orders, events or other records of a KPI value: its facts, with keyset pagination."""

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
from visibility.kpi.measured_records import RecordKind, RecordKpi
from visibility.kpi.open_order_counts_and_ages import OPEN_AT_END
from visibility.kpi.query import DaySpan, KpiDimensionFilters
from visibility.kpi.targets import target_for

OrderGroup = Literal["counted", "missed", "excluded"]
ORDER_GROUPS: tuple[OrderGroup, ...] = ("missed", "counted", "excluded")
# Overlaps the others: counted or missed orders, some of whose lines are excluded.
Uncountable = Literal["uncountable"]
UNCOUNTABLE: Uncountable = "uncountable"
PAGE_SIZE = 50
HAS_UNCOUNTABLE = "excluded = '' AND uncountable <> '{}'"


@dataclass(frozen=True, slots=True)
class _CountedRecordSql:
    """How to find what a fact counts: joins, and the SQL of its columns."""

    joins: str = ""
    event_type: str = "''"
    message_id: str = "NULL"
    alert_id: str = "NULL"
    text: str = "''"
    order_id: str = "fact.order_id"


_ORDER_OR_LINE = _CountedRecordSql()
# The fact of an event or message has the time that finds its partition.
_EVENT = _CountedRecordSql(
    """LEFT JOIN visibility_event event
        ON event.id = fact.subject_key::bigint AND event.occurred_at = fact.started_at""",
    event_type="coalesce(event.type, '')",
    message_id="event.message_id",
)
_RECORDS = {
    RecordKind.MESSAGE: _CountedRecordSql(
        """LEFT JOIN visibility_inbound_message message
            ON message.id = fact.subject_key::bigint AND message.received_at = fact.started_at""",
        message_id="message.id",
        text="coalesce(message.detail, '')",
    ),
    RecordKind.POLL: _CountedRecordSql(
        "LEFT JOIN visibility_pollround poll ON poll.id = fact.subject_key::bigint",
        text="coalesce(poll.error, '')",
    ),
    RecordKind.ALERT: _CountedRecordSql(
        """LEFT JOIN visibility_alert alert
            ON alert.id = split_part(fact.subject_key, ':', 1)::bigint""",
        alert_id="alert.id",
        text="coalesce(alert.title, '')",
        order_id="alert.order_id",
    ),
    RecordKind.ACTION: _CountedRecordSql(
        """LEFT JOIN visibility_alertentry entry ON entry.id = fact.subject_key::bigint
        LEFT JOIN visibility_alert alert ON alert.id = entry.alert_id""",
        alert_id="alert.id",
        text="coalesce(alert.title, '')",
        order_id="alert.order_id",
    ),
}


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """The totals of one group of orders."""

    orders: int = 0
    numerator: Decimal = Decimal(0)
    denominator: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class KpiOrderLineOrEvent:
    """One order, event or record and how it counts. Pass `cursor` as `after` to get the next page.

    `order_id` is None if it has no order. `item`: only of a line. `source`: of an event or record.
    `event_type`: only of an event. `message_id`: of an event or message. `alert_id`: of an alert or
    action. `text`: the title of the alert, or why the message or poll failed.
    """

    order_id: int | None
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
    alert_id: int | None
    text: str
    fact_order_id: int
    fact_id: int
    uncountable: Mapping[str, int]

    @property
    def cursor(self) -> str:
        """The cursor of the page after this row."""
        return encode_cursor([self.day, self.fact_order_id, self.fact_id])


def group_totals_and_exclusions(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> tuple[dict[OrderGroup, GroupTotals], dict[str, int]]:
    """Totals of the missed, counted and excluded orders, and the excluded ones by reason."""
    condition, values = _fact_sql_condition_of_kpi_value(kpi, span, filters)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_order_group_sql(kpi, span, filters)} AS outcome, excluded, count(*),
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
        condition += f" AND {_order_group_sql(kpi, span, filters)} = %s"
        values.append(group)
    if reason:
        condition += (
            " AND jsonb_exists(uncountable, %s)" if group == UNCOUNTABLE else " AND excluded = %s"
        )
        values.append(reason)
    cursor_values = _decode_cursor_or_empty(after)
    if cursor_values:
        condition += " AND (day, coalesce(fact.order_id, 0), fact.id) < (%s, %s, %s)"
        values += cursor_values
    counted = _sql_of_counted_record(kpi)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {counted.order_id}, coalesce(o.number, ''), coalesce(o.customer_no, ''),
                coalesce(o.customer_name, ''), coalesce(o.status, ''), coalesce(o.answer, ''),
                day, fact.channel, fact.warehouse, numerator, denominator, excluded,
                fact.subject_key, fact.item, fact.source, fact.started_at, fact.ended_at,
                {counted.event_type}, {counted.message_id}, {counted.alert_id}, {counted.text},
                coalesce(fact.order_id, 0), fact.id, uncountable::text
            FROM visibility_kpifact fact {counted.joins}
            LEFT JOIN visibility_order o ON o.object_id = {counted.order_id}
            WHERE {condition}
            ORDER BY day DESC, coalesce(fact.order_id, 0) DESC, fact.id DESC LIMIT %s
            """,  # noqa: S608  # only own column names
            [*values, limit],
        )
        rows: list[list[Any]] = [[*row[:-1], orjson.loads(row[-1])] for row in cursor.fetchall()]
    return [KpiOrderLineOrEvent(*row) for row in rows]


def _sql_of_counted_record(kpi: Kpi) -> _CountedRecordSql:
    if isinstance(kpi, RecordKpi):
        return _RECORDS[kpi.record_kind]
    return _EVENT if kpi.family is KpiFamily.MEASURE else _ORDER_OR_LINE


def _fact_sql_condition_of_kpi_value(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> tuple[str, list[Any]]:
    """The SQL condition for the facts of a value, and its parameters.

    For a stock KPI those that are open at the end of the range, and those excluded within it.
    """
    condition, values = filters.sql_condition_and_values("fact.")
    if kpi.family is not KpiFamily.STOCK:
        return (
            f"fact.kpi = %s AND fact.day BETWEEN %s AND %s{condition}",
            [kpi.code, span.start, span.end, *values],
        )
    days = open_order_counts_and_ages.start_days_of_open_orders(kpi.code, span.end, filters)
    return (
        f"kpi = %s AND (day = ANY(%s) AND {OPEN_AT_END}"
        f" OR excluded <> '' AND day BETWEEN %s AND %s){condition}",
        [kpi.code, days, span.end, span.end, span.start, span.end, *values],
    )


def _order_group_sql(kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters) -> str:
    """The SQL expression for the group of a fact. A duration meets the target of the last day."""
    if kpi.family is KpiFamily.STOCK:
        hit = "true"
    elif kpi.unit is KpiUnit.DURATION:
        limit = target_for(kpi, filters, span.end)
        hit = "true" if limit is None else f"numerator <= {Decimal(limit)} * denominator"
    else:
        hit = "numerator >= denominator" if kpi.higher_is_better else "numerator <= 0"
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
        met, missed = kpi.outcome_labels
        return {"missed": missed, "counted": met, "excluded": "Excluded"}
    return {"missed": "Missed", "counted": "Filled complete", "excluded": "Excluded"}
