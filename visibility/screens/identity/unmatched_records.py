"""Shipments, packages, invoices and order lines without an order: list, count and summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from connectors.sdk.event_term_descriptions import OBJECT_KINDS
from connectors.sdk.events import ObjectKind
from connectors.sdk.identifier_normalization import escape_invisible_and_lookalike
from visibility.formatting import format_number
from visibility.models import (
    BusinessObject,
    Order,
)
from visibility.screens.identity.comparisons_and_previews import (
    MAX_COUNTED,
    format_identifiers_hiding_internal,
    identifiers_by_object,
)
from visibility.screens.orders.number_and_customer_search import SCHEME_LABELS

PAGE_SIZE = 50
REPORTED_RECORDS = """
SELECT b.id, b.kind, b.created_at, reported.events, reported.first_at, reported.sources
FROM visibility_businessobject b
CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(link.occurred_at) AS first_at,
        array_agg(DISTINCT source.title) AS sources
    FROM (SELECT event_id, occurred_at FROM visibility_eventobjectlink
        WHERE object_id = b.id LIMIT 500) link
    JOIN visibility_event event ON event.id = link.event_id
        AND event.occurred_at = link.occurred_at AND NOT event.superseded
    JOIN visibility_source source ON source.id = event.source_id
) reported
WHERE b.id = ANY(%s)
"""
# Orders with a number that the unmatched record has, too, whatever its scheme.
LIKELY_ORDERS = """
SELECT DISTINCT ON (mine.object_id) mine.object_id, theirs.object_id, mine.scheme, theirs.scheme,
    mine.raw
FROM visibility_identifier mine
CROSS JOIN LATERAL (
    (SELECT object_id, scheme FROM visibility_identifier i JOIN visibility_order USING (object_id)
        WHERE i.is_identity AND i.value = mine.value AND i.kind = 'order' LIMIT 3)
    UNION ALL
    (SELECT object_id, scheme FROM visibility_identifier i JOIN visibility_order USING (object_id)
        WHERE NOT i.is_identity AND i.value = mine.value AND i.kind = 'order' LIMIT 3)
) theirs
WHERE mine.object_id = ANY(%s) AND mine.scheme <> 'source_id' AND length(mine.value) > 3
ORDER BY mine.object_id, mine.scheme, theirs.object_id
"""
# What the events of a record report about it, to decide by.
RECORD_FACTS = """
SELECT link.object_id, max(event.data->'attributes'->>'location'),
    max(event.data->'attributes'->>'warehouse'), max(event.data->'attributes'->>'carrier'),
    array_remove(array_agg(DISTINCT nullif(line->>'sku', '')), NULL)
FROM unnest(%s::bigint[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT * FROM visibility_eventobjectlink
    WHERE object_id = wanted.id LIMIT 100) link
JOIN visibility_event event ON event.id = link.event_id
    AND event.occurred_at = link.occurred_at AND NOT event.superseded
LEFT JOIN LATERAL jsonb_array_elements(event.data->'lines') line ON true
GROUP BY link.object_id
"""
COUNT_UNMATCHED = "SELECT count(*) FROM (SELECT FROM visibility_unmatchedobject LIMIT %s) counted"


@dataclass(frozen=True, slots=True)
class UnmatchedRecord:
    """A shipment, package, invoice, return or order line without an order.

    `since` is when we received it.
    """

    id: int
    kind: str
    since: datetime
    events: int
    first_at: datetime | None
    sources: tuple[str, ...]
    names: tuple[str, ...]
    likely_order: Order | None = None
    reason: str = ""
    location: str = ""
    warehouse: str = ""
    carrier: str = ""
    items: tuple[str, ...] = ()

    @property
    def more_items(self) -> int:
        """How many items there are besides the first two."""
        return max(len(self.items) - 2, 0)

    @property
    def route(self) -> str:
        """`Dallas → Austin, TX`; empty if neither is reported."""
        return " → ".join(filter(None, (self.warehouse, self.location)))

    @property
    def label(self) -> str:
        """The kind in words."""
        return OBJECT_KINDS[ObjectKind(self.kind)].label


def load_unmatched_records(object_ids: Sequence[int]) -> list[UnmatchedRecord]:
    """The records in this order, each with its likely order; runs five statements."""
    ids = list(object_ids)
    with connection.cursor() as cursor:
        cursor.execute(REPORTED_RECORDS, [ids])
        reported = {row[0]: row for row in cursor.fetchall()}
        cursor.execute(LIKELY_ORDERS, [ids])
        likely_orders = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(RECORD_FACTS, [ids])
        facts = {row[0]: row[1:] for row in cursor.fetchall()}
    rows = [reported[object_id] for object_id in ids if object_id in reported]
    names, orders = (
        identifiers_by_object(ids),
        Order.objects.in_bulk({row[0] for row in likely_orders.values()}),
    )
    records = []
    for object_id, kind, since, events, first_at, sources in rows:
        order_id, own_scheme, order_scheme, raw = likely_orders.get(object_id, (0, "", "", ""))
        location, warehouse, carrier, items = facts.get(object_id, ("", "", "", []))
        records.append(
            UnmatchedRecord(
                id=object_id,
                kind=kind,
                since=since,
                events=events,
                first_at=first_at,
                sources=tuple(sources or ()),
                names=format_identifiers_hiding_internal(names[object_id]),
                likely_order=orders.get(order_id),
                reason=_match_reason(own_scheme, order_scheme, raw) if order_id in orders else "",
                location=location or "",
                warehouse=warehouse or "",
                carrier=carrier or "",
                items=tuple(items),
            )
        )
    return records


def _match_reason(scheme: str, order_scheme: str, number: str) -> str:
    """`invoice SO-1 is the sales order of this order`."""
    label, order_label = SCHEME_LABELS[scheme], SCHEME_LABELS[order_scheme]
    return f"{label} {escape_invisible_and_lookalike(number)} is the {order_label} of this order"


def count_unmatched() -> int:
    """The number of unmatched records, at most 1,000."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_UNMATCHED, [MAX_COUNTED])
        return int(cursor.fetchone()[0])


def unmatched_record_count_sentence(unmatched: int) -> str:
    """`15 shipments, packages, invoices or order lines have no order.`"""
    if unmatched == 1:
        return "1 shipment, package, invoice or order line has no order."
    if unmatched:
        suffix = "+" if unmatched >= MAX_COUNTED else ""
        number = f"{format_number(unmatched)}{suffix}"
        return f"{number} shipments, packages, invoices or order lines have no order."
    kinds = (ObjectKind.SHIPMENT, ObjectKind.PACKAGE, ObjectKind.INVOICE)
    if BusinessObject.objects.filter(kind__in=kinds).exists():
        return "All shipments, packages and invoices have an order."
    return "No shipments, packages or invoices yet."
