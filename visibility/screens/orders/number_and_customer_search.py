"""Find orders by any number or by customer name, and say which number matched."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from connectors.sdk.event_term_descriptions import SCHEMES
from connectors.sdk.events import SHARED_KINDS
from connectors.sdk.identifier_normalization import (
    escape_invisible_and_lookalike,
    possible_normalized_values,
)
from visibility.db.postgres_planner_settings import (
    PREFER_INDEXES,
    PREFER_INDEXES_NO_BITMAP,
    set_planner_settings_for_transaction,
)
from visibility.screens.orders.order_list import STATUS_TONES
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS

MAX_HITS = 50
SCHEME_LABELS = {scheme.value: description.label for scheme, description in SCHEMES.items()}
SHARED_KINDS_SQL = ", ".join(f"'{kind}'" for kind in sorted(SHARED_KINDS))
# Identifiers and relations always refer to the surviving object, never to one that was merged into
# another (an invariant that `invariants.py` checks). So the statements need not join the objects.
# The statements below are built from constants; what people type is always a parameter.
# A contract or a vehicle has no orders of its own: the latest events that name it lead to them.
ORDERS_OF_IDENTIFIERS = f"""
, up (identifier_id, object_id) AS (
    (SELECT id, object_id FROM named
    UNION
    SELECT named.id, other.object_id FROM named
    CROSS JOIN LATERAL (
        SELECT event_id FROM visibility_eventobjectlink link
        WHERE link.object_id = named.object_id ORDER BY event_id DESC LIMIT 200
    ) latest
    JOIN visibility_eventobjectlink other ON other.event_id = latest.event_id
    WHERE named.kind IN ({SHARED_KINDS_SQL}))
    UNION
    SELECT up.identifier_id, r.parent_id
    FROM up JOIN visibility_objectrelation r ON r.child_id = up.object_id
), found AS (
    SELECT DISTINCT ON (o.object_id) o.object_id, o.number, o.customer_name, o.customer_no,
        o.status, o.answer, i.kind, i.scheme, i.raw, o.last_event_at
    FROM up
    JOIN visibility_order o ON o.object_id = up.object_id
    JOIN named i ON i.id = up.identifier_id
    ORDER BY o.object_id, i.kind <> 'order', NOT i.is_identity, i.scheme = 'source_id', i.id
)
SELECT object_id, number, customer_name, customer_no, status, answer, kind, scheme, raw
FROM found ORDER BY last_event_at DESC, object_id DESC LIMIT %(limit)s
"""  # noqa: S608  # constant kinds
HIT_QUERY = "WITH RECURSIVE named AS (\n{}\n)" + ORDERS_OF_IDENTIFIERS
IDENTIFIER_COLUMNS = "id, object_id, kind, scheme, raw, is_identity"
EXACT_QUERY = HIT_QUERY.format(
    f"""
    (SELECT {IDENTIFIER_COLUMNS} FROM visibility_identifier
        WHERE is_identity AND value = ANY(%(values)s) LIMIT 500)
    UNION ALL
    (SELECT {IDENTIFIER_COLUMNS} FROM visibility_identifier
        WHERE NOT is_identity AND value = ANY(%(values)s) LIMIT 500)
    """  # noqa: S608  # constant column names
)
# A text as common as `1Z` has more matches than anybody reads. If finding all of them takes too
# long, a sample is enough. PostgreSQL draws it from each index entry separately
# (gin_fuzzy_search_limit), so sampling is useless for rare texts.
TIMEOUT_MS, SAMPLE_TIMEOUT_MS = 300, 2_000
SAMPLE_SIZE = 4_000
# pg_trgm indexes runs of letters and digits. A run of this length is selective on its own.
TOKEN = re.compile(r"[^\W_]+")
SELECTIVE_LENGTH = 5
CONTAINS_QUERY = HIT_QUERY.format(
    f"""
    SELECT {IDENTIFIER_COLUMNS} FROM (
        SELECT {IDENTIFIER_COLUMNS}, value FROM visibility_identifier
        WHERE value LIKE %(like)s AND position(%(part)s IN value) > 0 LIMIT 1000
    ) sample ORDER BY length(value), value LIMIT 100
    """  # noqa: S608  # constant column names
)
# For two or more typing errors: one piece of the number is correct and the number as a whole is
# similar. Pieces with letters only are common prefixes, so they are searched last.
PIECE_QUERY = f"""
    (SELECT {IDENTIFIER_COLUMNS}, value FROM visibility_identifier
        WHERE value LIKE %(piece{{0}})s LIMIT 500)
"""  # noqa: S608  # constant column names
SIMILAR_QUERY = HIT_QUERY.format(
    f"""
    SELECT {IDENTIFIER_COLUMNS} FROM ({{}}) sample
    WHERE similarity(value, %(text)s) > 0.3
    ORDER BY similarity(value, %(text)s) DESC, value LIMIT 20
    """  # noqa: S608  # constant column names
)
CUSTOMERS_QUERY = """
SELECT c.name, c.number, n.orders
FROM (
    SELECT name, number FROM (
        SELECT name, number FROM visibility_customername WHERE name ILIKE %s LIMIT 500
    ) sample ORDER BY length(name), name, number LIMIT 20
) c
CROSS JOIN LATERAL (
    SELECT count(*) AS orders FROM (
        SELECT FROM visibility_order o
        WHERE o.customer_name = c.name AND o.customer_no = c.number LIMIT %s
    ) counted
) n
WHERE n.orders > 0
ORDER BY n.orders DESC, c.name, c.number LIMIT 5
"""
MAX_COUNTED = 100
MAX_TYPO_LENGTH = 40
DIGITS = "0123456789"
PIECE_COUNT = 3


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One order and the number that matched (`matched_by`)."""

    order_id: int
    number: str
    customer_name: str
    customer_no: str
    status: str
    answer: str
    matched_by: str

    @property
    def title(self) -> str:
        """The order status in words."""
        return STATUS_LABELS[Status(self.status)]

    @property
    def tone(self) -> str:
        """The tone of the order status."""
        return STATUS_TONES[self.status]


def find_orders_by_exact_number(text: str, *, limit: int = MAX_HITS) -> list[SearchHit]:
    """Orders with exactly this number, or with a package, shipment or invoice that has it."""
    values = possible_normalized_values(text)
    return _exact_hits(values, limit=limit) if values else []


def find_orders_by_number_fragment(text: str, *, limit: int = 10) -> list[SearchHit]:
    """Orders with a number that contains the text (three characters or more)."""
    number = max(possible_normalized_values(text), key=len, default="")
    if len(number) < 3:
        return []
    token = max(TOKEN.findall(number), key=len, default="")
    pattern = token if len(token) >= SELECTIVE_LENGTH else number
    values = {"like": f"%{_escape_like(pattern)}%", "part": number, "limit": limit}
    return _to_hits(_fetch_or_sample_on_timeout(CONTAINS_QUERY, values))


def find_orders_by_similar_number(text: str, *, limit: int = 5) -> list[SearchHit]:
    """Orders with a similar number: a wrong digit, two digits swapped, and the like."""
    number = max(possible_normalized_values(text), key=len, default="")
    if len(number) < 4:
        return []
    size = max(len(number) // PIECE_COUNT, 3)
    pieces = [number[n : n + size] for n in range(0, len(number) - size + 1, size)]
    distinctive = [piece for piece in pieces if any(map(str.isdecimal, piece))]
    return (
        _exact_hits(typo_variants(number), limit=limit)
        or _find_orders_sharing_a_piece_of_number(number, distinctive, limit=limit)
        or _find_orders_sharing_a_piece_of_number(
            number, [piece for piece in pieces if piece not in distinctive], limit=limit
        )
    )


def typo_variants(number: str) -> list[str]:
    """All numbers that differ by one wrong, missing or extra digit, or by two adjacent swapped."""
    if len(number) > MAX_TYPO_LENGTH:
        return []
    positions = range(len(number))
    variants = {
        number[:n] + digit + number[n + 1 :]
        for n in positions
        if number[n].isdecimal()
        for digit in DIGITS
    }
    variants |= {
        number[:n] + digit + number[n:] for n in (*positions, len(number)) for digit in DIGITS
    }
    variants |= {number[:n] + number[n + 1 :] for n in positions}
    variants |= {number[:n] + number[n + 1] + number[n] + number[n + 2 :] for n in positions[:-1]}
    return sorted(variants - {number})


def _find_orders_sharing_a_piece_of_number(
    number: str, pieces: Sequence[str], *, limit: int
) -> list[SearchHit]:
    if not pieces:
        return []
    statement = SIMILAR_QUERY.replace(
        "{}", " UNION ALL ".join(map(PIECE_QUERY.format, range(len(pieces))))
    )
    values = {
        "text": number,
        "limit": limit,
        **{f"piece{n}": f"%{_escape_like(piece)}%" for n, piece in enumerate(pieces)},
    }
    return _to_hits(
        _fetch_or_sample_on_timeout(
            statement, values, complete_first=len(pieces[0]) >= SELECTIVE_LENGTH
        )
    )


def find_customers_by_name(text: str) -> list[tuple[str, str, int]]:
    """Customers whose name contains the text: name, number, order count (at most 100)."""
    if len(text) < 3:
        return []
    return _fetch_or_sample_on_timeout(CUSTOMERS_QUERY, [f"%{_escape_like(text)}%", MAX_COUNTED])


def format_order_count(orders: int) -> str:
    """The order count of a customer as text: `7`, `100+`."""
    return str(orders) if orders < MAX_COUNTED else f"{MAX_COUNTED}+"


def _escape_like(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def find_orders_for_numbers(numbers: Sequence[str]) -> list[tuple[str, list[SearchHit]]]:
    """Look up a pasted column of numbers; numbers without a match are included."""
    return [(number, find_orders_by_exact_number(number, limit=5)) for number in numbers]


def _exact_hits(values: list[str], *, limit: int) -> list[SearchHit]:
    with transaction.atomic(), connection.cursor() as cursor:
        set_planner_settings_for_transaction(cursor, PREFER_INDEXES_NO_BITMAP)
        cursor.execute(EXACT_QUERY, {"values": values, "limit": limit})
        return _to_hits(cursor.fetchall())


def _fetch_or_sample_on_timeout(
    statement: str, parameters: Any, *, complete_first: bool = True
) -> list[Any]:
    """Run a search with a time limit; if it runs out, run it again on a sample.

    With `whole=False` only the sample is searched. Returns nothing if that times out, too.
    """
    for timeout_ms, sample_size in ((TIMEOUT_MS, 0), (SAMPLE_TIMEOUT_MS, SAMPLE_SIZE))[
        not complete_first :
    ]:
        query_settings = {
            "statement_timeout": str(timeout_ms),
            "gin_fuzzy_search_limit": str(sample_size),
        }
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                set_planner_settings_for_transaction(cursor, PREFER_INDEXES | query_settings)
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
    return []


def _to_hits(rows: Iterable[Any]) -> list[SearchHit]:
    return [
        SearchHit(
            order_id, number, name, no, status, answer, _describe_matched_number(kind, scheme, raw)
        )
        for order_id, number, name, no, status, answer, kind, scheme, raw in rows
    ]


def _describe_matched_number(kind: str, scheme: str, raw: str) -> str:
    label = SCHEME_LABELS.get(scheme, scheme)
    if scheme == "source_id" and kind != "order":
        label = f"{kind} ID"
    return f"{label} {escape_invisible_and_lookalike(raw)}"
