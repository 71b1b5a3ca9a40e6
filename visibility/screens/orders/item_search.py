"""Find the items of orders by number (SKU) or description."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

MIN_LENGTH = 3
MAX_ITEMS = 5
COMPLETE_TIMEOUT_MS, RECENT_TIMEOUT_MS = 300, 1_000
# Suggestions while typing, and searches for which all lines take too long, read the lines of so
# many of the latest orders.
RECENT_ORDERS = 2_000
ITEMS_OF_LINES = """
SELECT line.sku, max(line.description), count(DISTINCT line.order_id)
FROM {lines}
WHERE line.sku <> '' AND (line.sku ILIKE %(like)s OR line.description ILIKE %(like)s)
GROUP BY line.sku
ORDER BY upper(line.sku) = upper(%(text)s) DESC, 3 DESC, line.sku LIMIT %(limit)s
"""
COMPLETE = ITEMS_OF_LINES.format(lines="visibility_orderline line")
RECENT = ITEMS_OF_LINES.format(
    lines="""(
        SELECT object_id FROM visibility_order WHERE last_event_at IS NOT NULL
        ORDER BY last_event_at DESC LIMIT %(orders)s
    ) latest JOIN visibility_orderline line ON line.order_id = latest.object_id"""
)


@dataclass(frozen=True, slots=True)
class ItemHit:
    """An item, and how many orders have it: all of them, or the latest that were read."""

    sku: str
    description: str
    order_count: int


@dataclass(frozen=True, slots=True)
class ItemSearchResult:
    """The items found. `is_complete`: all order lines were read, not only the latest orders'."""

    items: Sequence[ItemHit] = ()
    is_complete: bool = True


def search_items(text: str) -> ItemSearchResult:
    """Items whose number or description contains the text (three characters or more)."""
    if len(text) < MIN_LENGTH:
        return ItemSearchResult()
    items = _fetch_items(COMPLETE, text, timeout_ms=COMPLETE_TIMEOUT_MS)
    if items is not None:
        return ItemSearchResult(items)
    return ItemSearchResult(suggest_items(text), is_complete=False)


def suggest_items(text: str) -> list[ItemHit]:
    """The same among the latest orders; nothing if they cannot be read in time."""
    if len(text) < MIN_LENGTH:
        return []
    return _fetch_items(RECENT, text, timeout_ms=RECENT_TIMEOUT_MS) or []


def _fetch_items(statement: str, text: str, *, timeout_ms: int) -> list[ItemHit] | None:
    """Run a statement; None if it takes longer than the limit."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    parameters: dict[str, str | int] = {
        "text": text,
        "like": f"%{escaped}%",
        "orders": RECENT_ORDERS,
        "limit": MAX_ITEMS,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(timeout_ms)])
            cursor.execute(statement, parameters)
            return [ItemHit(*row) for row in cursor.fetchall()]
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
    return None
