"""The master data as a page shows it: what is unmapped, the tables, the history of a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from visibility.master_data.tables import Table
from visibility.models import MasterChange
from visibility.models.master import Dated, same
from visibility.timeline.answer import TITLES
from visibility.timeline.model import Status

PAGE = 50
COUNTED = 10_000
USED_WITHIN = timedelta(days=30)
# What was mapped a moment ago is gone from the list before its orders have been folded again.
OPEN = """
FROM visibility_worduse use
WHERE use.unmapped AND NOT EXISTS (
    SELECT 1 FROM visibility_nevermap never WHERE never."table" = use."table"
        AND never.source = use.source AND never.word = use.word
) AND NOT EXISTS (
    SELECT 1 FROM visibility_wordmapping m
    WHERE m.key IN (
            upper(use."table") || chr(31) || upper(use.source) || chr(31) || use.word,
            upper(use."table") || chr(31) || chr(31) || use.word)
        AND tstzrange(m.valid_from, m.valid_to) @> tstzrange(use.first_at, use.last_at, '[]')
)
"""
UNMAPPED = f"""
SELECT use."table", use.source, use.word, min(use.raw), max(use.about), min(use.first_at),
    max(use.last_at), count(DISTINCT use.order_id), min(use.order_id)
{OPEN} AND (%(table)s = '' OR use."table" = %(table)s)
GROUP BY use."table", use.source, use.word
ORDER BY count(DISTINCT use.order_id) DESC, use."table", use.source, use.word LIMIT %(most)s
"""
NUMBERS = "SELECT object_id, number FROM visibility_order WHERE object_id = ANY(%s)"
HURT = f"""
SELECT count(DISTINCT (use."table", use.source, use.word)), count(DISTINCT use.order_id)
{OPEN}
"""
USED = """
WITH names AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS w ("table", source, word, n)
)
SELECT n, count(*) FROM (
    SELECT w.n, use.order_id FROM names w JOIN visibility_worduse use
        ON use."table" = w."table" AND use.word = w.word AND use.last_at >= %s
        AND (w.source = '' OR use.source = w.source)
    UNION
    SELECT w.n, use.order_id FROM names w JOIN visibility_worduse use
        ON use."table" = w."table" AND use.ours = w.word AND use.last_at >= %s
        AND (w.source = '' OR use.source = w.source)
) AS found GROUP BY n
"""
ORDERS = """
SELECT o.object_id, o.number, o.customer_name, o.customer_no, o.status, max(use.last_at)
FROM visibility_worduse use JOIN visibility_order o ON o.object_id = use.order_id
WHERE use.unmapped AND use."table" = %s AND use.source = %s AND use.word = %s
GROUP BY o.object_id ORDER BY max(use.last_at) DESC, o.object_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A word that a governed source used and nobody has mapped; `orders` are hurt by it."""

    table: str
    source: str
    word: str
    raw: str
    about: str
    first_at: datetime
    last_at: datetime
    orders: int
    example: int
    example_number: str = ""


@dataclass(frozen=True, slots=True)
class Hurt:
    """One order that used an unmapped word."""

    order_id: int
    number: str
    customer_name: str
    customer_no: str
    status: str
    last_at: datetime

    @property
    def title(self) -> str:
        """Where it stands, in words."""
        return TITLES[Status(self.status)]


def unmapped(table: str = "", *, most: int = PAGE) -> list[Unmapped]:
    """The words nobody has mapped, those that hurt most orders first."""
    with connection.cursor() as cursor:
        cursor.execute(UNMAPPED, {"table": table, "most": most})
        rows = cursor.fetchall()
        cursor.execute(NUMBERS, [sorted({row[8] for row in rows})])
        numbers = dict(cursor.fetchall())
    found: list[list[Any]] = [[*row, numbers.get(row[8], "")] for row in rows]
    return [Unmapped(*one) for one in found]


def hurt_by(table: str, source: str, word: str, *, most: int = PAGE) -> list[Hurt]:
    """The orders that used an unmapped word, the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, [table, source, same(word), most])
        return [Hurt(*row) for row in cursor.fetchall()]


def open_words() -> tuple[int, int]:
    """How many words are unmapped, and how many orders they hurt."""
    with connection.cursor() as cursor:
        cursor.execute(HURT)
        words, orders = cursor.fetchone()
    return int(words), int(orders)


def listed(
    table: Table,
    *,
    q: str = "",
    after: int = 0,
    most: int = PAGE,
    filters: Mapping[str, str] | None = None,
) -> list[Dated]:
    """Rows of a table in the order in which they were made; one more than `most` if there are."""
    rows: QuerySet[Dated] = table.model._base_manager.filter(pk__gt=after, **(filters or {}))
    if wanted := same(q):
        found = Q(key__contains=wanted)
        for column in table.own:
            if column.name in {"title", "name", "ours"}:
                found |= Q(**{f"{column.name}__icontains": q.strip()})
        rows = rows.filter(found)
    return list(rows.select_related("changed_by").order_by("pk")[: most + 1])


def counted(table: Table, filters: Mapping[str, str]) -> tuple[int, bool]:
    """How many rows there are; whether it is that or more."""
    rows = table.model._base_manager.filter(**filters)
    count = rows[: COUNTED + 1].count()
    return min(count, COUNTED), count > COUNTED


def used(table: Table, rows: Sequence[Dated], *, now: datetime) -> Mapping[int, int]:
    """How many orders used each of these rows within 30 days, by the row's id."""
    names = [_name(table, row) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            USED,
            [
                [name[0] for name in names],
                [name[1] for name in names],
                [name[2] for name in names],
                now - USED_WITHIN,
                now - USED_WITHIN,
            ],
        )
        return {rows[int(n) - 1].pk: int(count) for n, count in cursor.fetchall()}


def _name(table: Table, row: Any) -> tuple[str, str, str]:
    """The words whose use is the row's use."""
    if table.code == "mapping":
        return row.table, row.source, row.word
    if table.code == "unit":
        return ("item", "", row.item_key) if row.item_key else ("unit", "", row.unit)
    return table.code, "", row.key


def history(table: Table, row_id: int) -> list[MasterChange]:
    """What was done to a row, the newest first."""
    kept = MasterChange.objects.filter(table=table.code, row=row_id).select_related("who")
    return list(kept.order_by("-pk")[:PAGE])
