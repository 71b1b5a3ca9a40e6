"""Queries of the order endpoints. Each runs a fixed number of statements with a limit."""

from datetime import datetime

from django.db import connection
from django.db.models import F, QuerySet

from connectors.sdk.identifier_normalization import possible_normalized_values
from visibility.models import BusinessObject, Identifier, Order, OrderLine
from visibility.screens.messages.order_and_message_lineage import REACHABLE_OBJECTS
from visibility.screens.orders.number_and_customer_search import SHARED_KINDS_SQL
from visibility.storage.order_folding import load_and_fold_orders
from visibility.timeline import Timeline

# A number shared by more objects than this is rejected as too common.
MAX_OBJECTS = 1_000
# At most this many identifiers or shipments of one order are returned.
MAX_DETAILS = 500
# An object that many orders refer to leads to the objects of the latest events that name it.
SELECT_BY_NUMBER = f"""
WITH RECURSIVE named (id, kind) AS (
    (SELECT object_id, kind FROM visibility_identifier
    WHERE is_identity AND value = ANY(%(values)s) LIMIT %(limit)s)
    UNION
    (SELECT object_id, kind FROM visibility_identifier
    WHERE NOT is_identity AND value = ANY(%(values)s) LIMIT %(limit)s)
), up (id) AS (
    (SELECT id FROM named
    UNION
    SELECT other.object_id FROM named
    CROSS JOIN LATERAL (
        SELECT event_id FROM visibility_eventobjectlink link
        WHERE link.object_id = named.id ORDER BY event_id DESC LIMIT 200
    ) latest
    JOIN visibility_eventobjectlink other ON other.event_id = latest.event_id
    WHERE named.kind IN ({SHARED_KINDS_SQL}))
    UNION
    SELECT r.parent_id FROM up JOIN visibility_objectrelation r ON r.child_id = up.id
)
SELECT id FROM up LIMIT %(limit)s
"""  # noqa: S608  # constant kinds


class NumberTooCommon(ValueError):
    """The number is shared by too many objects to be a useful search."""


def find_object_and_ancestor_ids_by_number(number: str) -> list[int]:
    """Ids of the objects with this number and of their ancestors. Raises NumberTooCommon."""
    with connection.cursor() as cursor:
        cursor.execute(
            SELECT_BY_NUMBER,
            {"values": possible_normalized_values(number), "limit": MAX_OBJECTS + 1},
        )
        ids = [row[0] for row in cursor.fetchall()]
    if len(ids) > MAX_OBJECTS:
        raise NumberTooCommon(number)
    return ids


def find_surviving_order(order_id: int) -> Order | None:
    """The order, or the order it was merged into."""
    order = Order.objects.filter(pk=order_id).first()
    if order:
        return order
    surviving_id = BusinessObject.objects.filter(pk=order_id).values_list(
        "merged_into_id", flat=True
    )
    return Order.objects.filter(pk__in=surviving_id).first()


def order_lines(order: Order) -> QuerySet[OrderLine]:
    """The lines of an order by position, annotated with the currency."""
    rows = OrderLine.objects.filter(order=order)
    return rows.annotate(currency=F("order__currency")).order_by("position")


def order_and_child_identifiers(order_id: int) -> list[Identifier]:
    """Identifiers of the order and of its shipments, packages, invoices and returns."""
    rows = Identifier.objects.raw(
        f"""
        {REACHABLE_OBJECTS}
        SELECT i.* FROM visibility_identifier i JOIN reach ON reach.id = i.object_id
        ORDER BY i.object_id <> %(order)s, i.kind, i.scheme, i.issuer, i.value LIMIT {MAX_DETAILS}
        """,  # noqa: S608  # only constants are interpolated
        {"order": order_id},
    )
    return list(rows)


def fold_order_timeline(
    order_id: int, *, as_of: datetime, known_at: datetime | None = None
) -> Timeline:
    """The timeline of the order, folded from its events."""
    return load_and_fold_orders([order_id], as_of=as_of, known_at=known_at)[order_id]
