"""The orders behind a number: the facts themselves, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import orjson
from django.db import connection

from visibility.kpi.kpi import Kpi, Unit
from visibility.kpi.query import Filters, Span

Part = Literal["counted", "missed", "excluded"]
PARTS: tuple[Part, ...] = ("missed", "counted", "excluded")
# Not a part of its own: counted or missed, but for lines that could not be counted.
Aside = Literal["aside"]
ASIDE: Aside = "aside"
PAGE = 50
HAS_ASIDE = "excluded = '' AND aside <> '{}'"


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of the number a part of its orders makes up."""

    orders: int = 0
    numerator: Decimal = Decimal(0)
    denominator: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Behind:
    """One order and how it counts. `place` goes into `after` for the next page."""

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
    aside: Mapping[str, int]

    @property
    def place(self) -> str:
        """Where the page after this row begins."""
        return f"{self.day}~{self.order_id}"


def tallies(kpi: Kpi, span: Span, filters: Filters) -> tuple[dict[Part, Tally], dict[str, int]]:
    """The three parts of the number, and the excluded ones by reason."""
    condition, values = filters.where()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_part(kpi)} AS part, excluded, count(*), coalesce(sum(numerator), 0),
                coalesce(sum(denominator), 0)
            FROM visibility_kpifact WHERE kpi = %s AND day BETWEEN %s AND %s {condition}
            GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
            """,  # noqa: S608  # made of our own column names
            [kpi.code, span.start, span.end, *values],
        )
        rows = cursor.fetchall()
    parts: dict[Part, Tally] = {part: Tally() for part in PARTS}
    for part, _, orders, numerator, denominator in rows:
        known = parts[part]
        parts[part] = Tally(
            known.orders + orders, known.numerator + numerator, known.denominator + denominator
        )
    return parts, {reason: n for part, reason, n, _, _ in rows if part == "excluded"}


def set_aside(kpi: Kpi, span: Span, filters: Filters) -> int:
    """How many orders count without some of their lines."""
    condition, values = filters.where()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*) FROM visibility_kpifact
            WHERE kpi = %s AND day BETWEEN %s AND %s AND {HAS_ASIDE} {condition}
            """,  # noqa: S608  # made of our own column names
            [kpi.code, span.start, span.end, *values],
        )
        return int(cursor.fetchone()[0])


def orders(
    kpi: Kpi, span: Span, filters: Filters, *, part: Part | Aside, reason: str = "", after: str = ""
) -> list[Behind]:
    """One page of the orders of a part, newest day first, and one more if there is a next page."""
    condition, values = filters.where("fact.")
    wanted, named = f"{_part(kpi)} = %s", [part]
    if part == ASIDE:
        wanted, named = HAS_ASIDE, []
    if reason:
        condition += " AND jsonb_exists(aside, %s)" if part == ASIDE else " AND excluded = %s"
        values.append(reason)
    place = _place(after)
    if place:
        condition += " AND (day, fact.order_id) < (%s, %s)"
        values += place
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT fact.order_id, coalesce(o.number, ''), coalesce(o.customer_no, ''),
                coalesce(o.customer_name, ''), coalesce(o.status, ''), coalesce(o.answer, ''),
                day, fact.channel, fact.warehouse, numerator, denominator, excluded,
                aside::text
            FROM visibility_kpifact fact
            LEFT JOIN visibility_order o ON o.object_id = fact.order_id
            WHERE kpi = %s AND day BETWEEN %s AND %s AND {wanted} {condition}
            ORDER BY day DESC, fact.order_id DESC LIMIT {PAGE + 1}
            """,  # noqa: S608  # made of our own column names
            [kpi.code, span.start, span.end, *named, *values],
        )
        rows: list[list[Any]] = [[*row[:-1], orjson.loads(row[-1])] for row in cursor.fetchall()]
    return [Behind(*row) for row in rows]


def _part(kpi: Kpi) -> str:
    """SQL that names the part a fact belongs to."""
    if kpi.unit is Unit.DURATION:
        limit = kpi.target
        hit = "true" if limit is None else f"numerator <= {Decimal(limit)} * denominator"
    else:
        hit = "numerator >= denominator"
    return f"CASE WHEN excluded <> '' THEN 'excluded' WHEN {hit} THEN 'counted' ELSE 'missed' END"


def _place(after: str) -> list[Any]:
    """What a page address says; anything unreadable is the first page."""
    day, _, order = after.partition("~")
    try:
        return [date.fromisoformat(day), int(order)] if order else []
    except ValueError:
        return []


def part_titles(kpi: Kpi) -> Mapping[Part, str]:
    """What the three parts are called."""
    if kpi.unit is Unit.DURATION:
        return {"missed": "Over target", "counted": "Within target", "excluded": "Left out"}
    if kpi.counted == "orders":
        return {"missed": "Missed", "counted": "In the numerator", "excluded": "Left out"}
    return {"missed": "Missed", "counted": "In full", "excluded": "Left out"}
