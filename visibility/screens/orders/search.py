"""Any number, or a customer's name, to the orders it leads to; and why each was found."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from connectors.sdk.normalization import spellings, visible
from visibility.db.planner import DIRECT, STEPWISE, planned

MOST = 50
SCHEMES = {
    "sales_order": "sales order",
    "web_order": "web order",
    "order_number": "order number",
    "customer_po": "customer PO",
    "source_id": "system id",
    "shipment": "shipment",
    "delivery": "delivery",
    "bol": "bill of lading",
    "pro": "PRO number",
    "sscc": "SSCC",
    "tracking": "tracking number",
    "invoice": "invoice",
    "credit_memo": "credit memo",
    "rma": "RMA",
    "customer": "customer",
    "sku": "item",
    "reference": "reference",
}
# A number's row and what belongs to what always name the object that stands, never one that was
# merged into another (`proving.numbers_lead_on`): so no object is read on the way.
# The statements below are put together from our own words; what people type is a parameter.
UPWARDS = """
, up (identifier_id, object_id) AS (
    SELECT id, object_id FROM named
    UNION
    SELECT up.identifier_id, r.parent_id
    FROM up JOIN visibility_objectrelation r ON r.child_id = up.object_id
), found AS (
    SELECT DISTINCT ON (o.object_id) o.object_id, o.number, o.customer_name, o.customer_no,
        o.status, o.answer, i.kind, i.scheme, i.raw, o.last_event_at
    FROM up
    JOIN visibility_order o ON o.object_id = up.object_id
    JOIN named i ON i.id = up.identifier_id
    ORDER BY o.object_id, i.kind <> 'order', NOT i.strong, i.scheme = 'source_id', i.id
)
SELECT object_id, number, customer_name, customer_no, status, answer, kind, scheme, raw
FROM found ORDER BY last_event_at DESC, object_id DESC LIMIT %(limit)s
"""
NAMED = "WITH RECURSIVE named AS (\n{}\n)" + UPWARDS
NAME = "id, object_id, kind, scheme, raw, strong"
EXACT = NAMED.format(
    f"""
    (SELECT {NAME} FROM visibility_identifier
        WHERE strong AND value = ANY(%(values)s) LIMIT 500)
    UNION ALL
    (SELECT {NAME} FROM visibility_identifier
        WHERE NOT strong AND value = ANY(%(values)s) LIMIT 500)
    """  # noqa: S608  # our own column names
)
# What is as common as `1Z` has more matches than anybody reads: where finding all of them takes too
# long, a sample is enough. It is drawn of each piece of the index by itself, so it is no way to
# find what is rare.
PATIENCE_MS, LAST_MS = 300, 2_000
SAMPLED = 4_000
# The index knows words of letters and digits; one so long is rarer than what stands around it.
WORD = re.compile(r"[^\W_]+")
RARE = 5
PARTLY = NAMED.format(
    f"""
    SELECT {NAME} FROM (
        SELECT {NAME}, value FROM visibility_identifier
        WHERE value LIKE %(like)s AND position(%(part)s IN value) > 0 LIMIT 1000
    ) sample ORDER BY length(value), value LIMIT 100
    """  # noqa: S608  # our own column names
)
# Two slips or more: a piece of the number is right, and the whole is much like it. Letters alone
# stand before half of all numbers: they are looked for last.
PIECE = f"""
    (SELECT {NAME}, value FROM visibility_identifier WHERE value LIKE %(piece{{0}})s LIMIT 500)
"""  # noqa: S608  # our own column names
LIKE = NAMED.format(
    f"""
    SELECT {NAME} FROM ({{}}) sample
    WHERE similarity(value, %(text)s) > 0.3
    ORDER BY similarity(value, %(text)s) DESC, value LIMIT 20
    """  # noqa: S608  # our own column names
)
CUSTOMERS = """
SELECT c.name, c.number, n.orders
FROM (
    SELECT name, number FROM (
        SELECT name, number FROM visibility_customername WHERE name ILIKE %s LIMIT 500
    ) sample ORDER BY length(name), name, number LIMIT 5
) c
CROSS JOIN LATERAL (
    SELECT count(*) AS orders FROM (
        SELECT FROM visibility_order o
        WHERE o.customer_name = c.name AND o.customer_no = c.number LIMIT %s
    ) counted
) n
ORDER BY n.orders DESC, c.name, c.number
"""
MOST_COUNTED = 100
LONGEST_SLIP = 40
DIGITS = "0123456789"
PIECES = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """One order and what led to it."""

    order_id: int
    number: str
    customer_name: str
    customer_no: str
    status: str
    answer: str
    why: str


def exact(text: str, *, limit: int = MOST) -> list[Hit]:
    """Orders that go by this number themselves, or by a parcel, shipment or invoice of theirs."""
    values = spellings(text)
    return _hits(values, limit=limit) if values else []


def partly(text: str, *, limit: int = 10) -> list[Hit]:
    """Orders with a number that contains the text; at least three characters."""
    plain = max(spellings(text), key=len, default="")
    if len(plain) < 3:
        return []
    word = max(WORD.findall(plain), key=len, default="")
    sought = word if len(word) >= RARE else plain
    values = {"like": f"%{_escaped(sought)}%", "part": plain, "limit": limit}
    return _named(_bounded(PARTLY, values))


def close(text: str, *, limit: int = 5) -> list[Hit]:
    """Orders with a number much like this one: a wrong digit, two changed places, and the like."""
    plain = max(spellings(text), key=len, default="")
    if len(plain) < 4:
        return []
    size = max(len(plain) // PIECES, 3)
    pieces = [plain[n : n + size] for n in range(0, len(plain) - size + 1, size)]
    telling = [piece for piece in pieces if any(map(str.isdecimal, piece))]
    return (
        _hits(slips(plain), limit=limit)
        or _alike(plain, telling, limit=limit)
        or _alike(plain, [piece for piece in pieces if piece not in telling], limit=limit)
    )


def slips(number: str) -> list[str]:
    """What was meant if a digit is wrong, missing or too many, or two neighbours changed places."""
    if len(number) > LONGEST_SLIP:
        return []
    places = range(len(number))
    found = {
        number[:n] + digit + number[n + 1 :]
        for n in places
        if number[n].isdecimal()
        for digit in DIGITS
    }
    found |= {number[:n] + digit + number[n:] for n in (*places, len(number)) for digit in DIGITS}
    found |= {number[:n] + number[n + 1 :] for n in places}
    found |= {number[:n] + number[n + 1] + number[n] + number[n + 2 :] for n in places[:-1]}
    return sorted(found - {number})


def _alike(number: str, pieces: Sequence[str], *, limit: int) -> list[Hit]:
    if not pieces:
        return []
    statement = LIKE.replace("{}", " UNION ALL ".join(map(PIECE.format, range(len(pieces)))))
    values = {
        "text": number,
        "limit": limit,
        **{f"piece{n}": f"%{_escaped(piece)}%" for n, piece in enumerate(pieces)},
    }
    return _named(_bounded(statement, values, whole=len(pieces[0]) >= RARE))


def customers(text: str) -> list[tuple[str, str, int]]:
    """Customers whose name contains the text: name, number, orders (100 stands for more)."""
    if len(text) < 3:
        return []
    return _bounded(CUSTOMERS, [f"%{_escaped(text)}%", MOST_COUNTED])


def counted(orders: int) -> str:
    """How many orders a customer has, as people read it."""
    return str(orders) if orders < MOST_COUNTED else f"{MOST_COUNTED}+"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def several(numbers: Sequence[str]) -> list[tuple[str, list[Hit]]]:
    """A pasted column: each number and what it leads to, nothing included."""
    return [(number, exact(number, limit=5)) for number in numbers]


def _hits(values: list[str], *, limit: int) -> list[Hit]:
    with transaction.atomic(), connection.cursor() as cursor:
        planned(cursor, DIRECT)
        cursor.execute(EXACT, {"values": values, "limit": limit})
        return _named(cursor.fetchall())


def _bounded(statement: str, parameters: Any, *, whole: bool = True) -> list[Any]:
    """All there is, where that is wanted and soon found; else what a sample soon shows of it."""
    for patience, sampled in ((PATIENCE_MS, 0), (LAST_MS, SAMPLED))[not whole :]:
        bounds = {"statement_timeout": str(patience), "gin_fuzzy_search_limit": str(sampled)}
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                planned(cursor, STEPWISE | bounds)
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
    return []


def _named(rows: Iterable[Any]) -> list[Hit]:
    return [
        Hit(order_id, number, name, no, status, answer, _why(kind, scheme, raw))
        for order_id, number, name, no, status, answer, kind, scheme, raw in rows
    ]


def _why(kind: str, scheme: str, raw: str) -> str:
    words = f"{SCHEMES.get(scheme, scheme)} {visible(raw)}"
    return words if kind == "order" or SCHEMES.get(scheme) == kind else f"{words} of its {kind}"
