"""Queries of the mapping pages: unmapped terms, affected orders, table rows, row history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

from django.db import connection

from visibility.master_data.tables import MasterTable
from visibility.models import MasterChange
from visibility.models.master import KEY_SEPARATOR, Versioned, normalize_term
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS

PAGE_SIZE = 50
MAX_COUNT = 10_000
USED_WITHIN = timedelta(days=30)
# A term that was just mapped disappears from the list before its orders are refolded.
OPEN_CONDITION = """
{use}.unmapped AND NOT EXISTS (
    SELECT 1 FROM visibility_ignoredterm never WHERE never.kind = {use}.kind
        AND never.source = {use}.source AND never.term = {use}.term
) AND NOT EXISTS (
    SELECT 1 FROM visibility_termmapping m
    WHERE m.key IN (
            upper({use}.kind) || chr(31) || upper({use}.source) || chr(31) || {use}.term,
            upper({use}.kind) || chr(31) || chr(31) || {use}.term)
        AND tstzrange(m.valid_from, m.valid_to) @> tstzrange({use}.first_at, {use}.last_at, '[]')
)
"""
OPEN_TERMS = f"FROM visibility_termusage use WHERE {OPEN_CONDITION.format(use='use')}"
UNMAPPED = f"""
SELECT use.kind, use.source, use.term, min(use.raw), max(use.description), min(use.first_at),
    max(use.last_at), count(DISTINCT use.order_id), min(use.order_id)
{OPEN_TERMS} AND (%(kind)s = '' OR use.kind = %(kind)s)
    AND (%(sources)s = '{{}}'::varchar[] OR use.source = ANY(%(sources)s))
GROUP BY use.kind, use.source, use.term
ORDER BY count(DISTINCT use.order_id) DESC, use.kind, use.source, use.term LIMIT %(most)s
"""
ORDER_NUMBERS = "SELECT object_id, number FROM visibility_order WHERE object_id = ANY(%s)"
AFFECTED_COUNTS = f"""
SELECT count(DISTINCT (use.kind, use.source, use.term)), count(DISTINCT use.order_id)
{OPEN_TERMS}
"""
USAGE_COUNTS = """
WITH names AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS w (kind, source, term, n)
)
SELECT n, count(*) FROM (
    SELECT w.n, use.order_id FROM names w JOIN visibility_termusage use
        ON use.kind = w.kind AND use.term = w.term AND use.last_at >= %s
        AND (w.source = '' OR use.source = w.source)
    UNION
    SELECT w.n, use.order_id FROM names w JOIN visibility_termusage use
        ON use.kind = w.kind AND use.canonical = w.term AND use.last_at >= %s
        AND (w.source = '' OR use.source = w.source)
) AS found GROUP BY n
"""
AFFECTED_ORDERS = """
SELECT o.object_id, o.number, o.customer_name, o.customer_no, o.status, max(use.last_at)
FROM visibility_termusage use JOIN visibility_order o ON o.object_id = use.order_id
WHERE use.unmapped AND use.kind = %s AND use.source = %s AND use.term = %s
GROUP BY o.object_id ORDER BY max(use.last_at) DESC, o.object_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class UnmappedTerm:
    """An unmapped term of a governed source. `orders` is the number of affected orders."""

    kind: str
    source: str
    term: str
    raw: str
    description: str
    first_at: datetime
    last_at: datetime
    orders: int
    example: int
    example_number: str = ""
    suggestions: tuple[Any, ...] = ()

    @property
    def id(self) -> int:
        """A number that a list remembers its row by."""
        return crc32(KEY_SEPARATOR.join((self.kind, self.source, self.term)).encode())

    @property
    def query(self) -> str:
        """The value as parameters of a URL."""
        return urlencode({"kind": self.kind, "source": self.source, "term": self.raw})


@dataclass(frozen=True, slots=True)
class OrderUsingUnmappedTerm:
    """One order that uses an unmapped term."""

    order_id: int
    number: str
    customer_name: str
    customer_no: str
    status: str
    last_at: datetime

    @property
    def status_label(self) -> str:
        """The label of its status."""
        return STATUS_LABELS[Status(self.status)]


def unmapped_terms(
    kind: str = "", *, sources: Sequence[str] = (), limit: int = PAGE_SIZE
) -> list[UnmappedTerm]:
    """Unmapped terms, those with the most affected orders first. `sources`: empty for all."""
    with connection.cursor() as cursor:
        cursor.execute(UNMAPPED, {"kind": kind, "sources": list(sources), "most": limit})
        rows = cursor.fetchall()
        cursor.execute(ORDER_NUMBERS, [sorted({row[8] for row in rows})])
        numbers = dict(cursor.fetchall())
    complete_rows: list[list[Any]] = [[*row, numbers.get(row[8], "")] for row in rows]
    return [UnmappedTerm(*values) for values in complete_rows]


def orders_using_unmapped_term(
    kind: str, source: str, term: str, *, limit: int = PAGE_SIZE
) -> list[OrderUsingUnmappedTerm]:
    """The orders that use an unmapped term, the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(AFFECTED_ORDERS, [kind, source, normalize_term(term), limit])
        return [OrderUsingUnmappedTerm(*row) for row in cursor.fetchall()]


def count_unmapped_terms_and_orders() -> tuple[int, int]:
    """(number of unmapped terms, number of affected orders)."""
    with connection.cursor() as cursor:
        cursor.execute(AFFECTED_COUNTS)
        terms, orders = cursor.fetchone()
    return int(terms), int(orders)


def capped_row_count_and_whether_more(
    table: MasterTable, filters: Mapping[str, str]
) -> tuple[int, bool]:
    """(row count up to `MAX_COUNT`, whether there are more)."""
    rows = table.model._base_manager.filter(**filters)
    count = rows[: MAX_COUNT + 1].count()
    return min(count, MAX_COUNT), count > MAX_COUNT


def count_orders_using_rows(
    table: MasterTable, rows: Sequence[Versioned], *, now: datetime
) -> Mapping[int, int]:
    """By row id, the number of orders that used the row within `USED_WITHIN`."""
    names = [_kind_source_and_term_of_row(table, row) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            USAGE_COUNTS,
            [
                [name[0] for name in names],
                [name[1] for name in names],
                [name[2] for name in names],
                now - USED_WITHIN,
                now - USED_WITHIN,
            ],
        )
        return {rows[int(n) - 1].pk: int(count) for n, count in cursor.fetchall()}


def _kind_source_and_term_of_row(table: MasterTable, row: Any) -> tuple[str, str, str]:
    """The (kind, source, term) whose usage counts as usage of the row."""
    if table.code == "mapping":
        return row.kind, row.source, row.term
    if table.code == "unit":
        return ("item", "", row.item_key) if row.item_key else ("unit", "", row.unit)
    return table.code, "", row.key


def list_row_changes(table: MasterTable, row_id: int) -> list[MasterChange]:
    """The changes of a row, the newest first."""
    changes = MasterChange.objects.filter(table=table.code, row=row_id).select_related("user")
    return list(changes.order_by("-pk")[:PAGE_SIZE])
