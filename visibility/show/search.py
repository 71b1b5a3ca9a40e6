"""Any number, or a customer's name, to the orders it leads to; and why each was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from connectors.spelling import spellings, visible

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
# The statements below are put together from our own words; what people type is a parameter.
UPWARDS = """
, up (identifier_id, object_id) AS (
    SELECT named.id, coalesce(o.merged_into_id, o.id)
    FROM named JOIN visibility_businessobject o ON o.id = named.object_id
    UNION
    SELECT up.identifier_id, r.parent_id
    FROM up JOIN visibility_objectrelation r ON r.child_id = up.object_id
), found AS (
    SELECT DISTINCT ON (o.object_id) o.object_id, o.number, o.customer_name, o.customer_no,
        o.status, o.answer, i.kind, i.scheme, i.raw, o.last_event_at
    FROM up
    JOIN visibility_order o ON o.object_id = up.object_id
    JOIN visibility_identifier i ON i.id = up.identifier_id
    ORDER BY o.object_id, i.kind <> 'order', NOT i.strong, i.scheme = 'source_id', i.id
)
SELECT object_id, number, customer_name, customer_no, status, answer, kind, scheme, raw
FROM found ORDER BY last_event_at DESC, object_id DESC LIMIT %(limit)s
"""
NAMED = "WITH RECURSIVE named AS (\n{}\n)" + UPWARDS
EXACT = NAMED.format(
    """
    (SELECT id, object_id FROM visibility_identifier
        WHERE strong AND value = ANY(%(values)s) LIMIT 500)
    UNION ALL
    (SELECT id, object_id FROM visibility_identifier
        WHERE NOT strong AND value = ANY(%(values)s) LIMIT 500)
    """
)
# Few rows lead up from a number; the planner guesses many, and would read whole tables for them.
# Whatever is as common as `1Z` has more matches than anybody reads: a sample of them is enough.
STEPWISE = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_mergejoin', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('gin_fuzzy_search_limit', '4000', true)
"""
PARTLY = NAMED.format(
    """
    SELECT id, object_id FROM (
        SELECT id, object_id, value FROM visibility_identifier
        WHERE value LIKE %(like)s LIMIT 1000
    ) sample ORDER BY length(value), value LIMIT 100
    """
)
# Two slips or more: a piece of the number is right, and the whole is much like it.
PIECE = """
    (SELECT id, object_id, value FROM visibility_identifier WHERE value LIKE %(piece{0})s LIMIT 500)
"""
LIKE = NAMED.format(
    """
    SELECT id, object_id FROM ({}) sample
    WHERE similarity(value, %(text)s) > 0.3
    ORDER BY similarity(value, %(text)s) DESC, value LIMIT 20
    """
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
    return _hits(EXACT, {"values": values, "limit": limit}) if values else []


def partly(text: str, *, limit: int = 10) -> list[Hit]:
    """Orders with a number that contains the text; at least three characters."""
    plain = max(spellings(text), key=len, default="")
    if len(plain) < 3:
        return []
    return _hits(PARTLY, {"like": f"%{_escaped(plain)}%", "limit": limit})


def close(text: str, *, limit: int = 5) -> list[Hit]:
    """Orders with a number much like this one: a wrong digit, two changed places, and the like."""
    plain = max(spellings(text), key=len, default="")
    if len(plain) < 4:
        return []
    found = _hits(EXACT, {"values": slips(plain), "limit": limit})
    return found or _hits(*_alike(plain, limit=limit))


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


def _alike(number: str, *, limit: int) -> tuple[str, dict[str, Any]]:
    size = max(len(number) // PIECES, 3)
    pieces = [number[n : n + size] for n in range(0, len(number) - size + 1, size)]
    union = " UNION ALL ".join(PIECE.format(n) for n in range(len(pieces)))
    return LIKE.replace("{}", union), {
        "text": number,
        "limit": limit,
        **{f"piece{n}": f"%{_escaped(piece)}%" for n, piece in enumerate(pieces)},
    }


def customers(text: str) -> list[tuple[str, str, int]]:
    """Customers whose name contains the text: name, number, orders (100 stands for more)."""
    if len(text) < 3:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STEPWISE)
        cursor.execute(CUSTOMERS, [f"%{_escaped(text)}%", MOST_COUNTED])
        return list(cursor.fetchall())


def counted(orders: int) -> str:
    """How many orders a customer has, as people read it."""
    return str(orders) if orders < MOST_COUNTED else f"{MOST_COUNTED}+"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def several(numbers: Sequence[str]) -> list[tuple[str, list[Hit]]]:
    """A pasted column: each number and what it leads to, nothing included."""
    return [(number, exact(number, limit=5)) for number in numbers]


def _hits(statement: str, parameters: dict[str, Any]) -> list[Hit]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STEPWISE)
        cursor.execute(statement, parameters)
        return [
            Hit(order_id, number, name, no, status, answer, _why(kind, scheme, raw))
            for order_id, number, name, no, status, answer, kind, scheme, raw in cursor.fetchall()
        ]


def _why(kind: str, scheme: str, raw: str) -> str:
    words = f"{SCHEMES.get(scheme, scheme)} {visible(raw)}"
    return words if kind == "order" or SCHEMES.get(scheme) == kind else f"{words} of its {kind}"
