"""What the calls about orders read: each a fixed number of statements, each list bounded."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q

from connectors.sdk.normalization import spellings
from visibility.models import BusinessObject, Identifier, Order, OrderLine
from visibility.screens.messages.lineage import REACH
from visibility.storage.timelines import folded
from visibility.timeline import Timeline

# A number that more objects go by finds nothing in particular.
COMMON = 1_000
# Numbers, shipments and alerts of one order that are told at once.
MOST = 500
FOUND = """
WITH RECURSIVE named (id) AS (
    (SELECT object_id FROM visibility_identifier
    WHERE strong AND value = ANY(%(values)s) LIMIT %(limit)s)
    UNION
    (SELECT object_id FROM visibility_identifier
    WHERE NOT strong AND value = ANY(%(values)s) LIMIT %(limit)s)
), up (id) AS (
    SELECT id FROM named
    UNION
    SELECT r.parent_id FROM up JOIN visibility_objectrelation r ON r.child_id = up.id
)
SELECT id FROM up LIMIT %(limit)s
"""


class TooCommon(ValueError):
    """The number is shared by too many objects."""


def found(number: str) -> list[int]:
    """The objects that a number leads to, upwards to the orders. Raises TooCommon."""
    with connection.cursor() as cursor:
        cursor.execute(FOUND, {"values": spellings(number), "limit": COMMON + 1})
        ids = [row[0] for row in cursor.fetchall()]
    if len(ids) > COMMON:
        raise TooCommon(number)
    return ids


def page(
    filters: Mapping[str, Any],
    *,
    since: datetime | None,
    ids: Sequence[int] | None,
    after: tuple[datetime | None, int] | None,
    limit: int,
) -> list[Order]:
    """One page of orders, the latest event first; one statement."""
    orders = Order.objects.filter(**filters)
    if ids is not None:
        orders = orders.filter(object_id__in=ids)
    if since:
        orders = orders.filter(last_event_at__gte=since)
    if after:
        orders = orders.filter(_beyond(*after))
    return list(orders.order_by("-last_event_at", "-object_id")[:limit])


def _beyond(at: datetime | None, order_id: int) -> Q:
    """Rows after a place; orders without any event yet stand first."""
    if at is None:
        return Q(last_event_at=None, object_id__lt=order_id) | Q(last_event_at__isnull=False)
    return Q(last_event_at__lte=at) & (Q(last_event_at__lt=at) | Q(object_id__lt=order_id))


def one(order_id: int) -> Order | None:
    """The order, or the one it was merged into; two statements at most."""
    order = Order.objects.filter(pk=order_id).first()
    if order:
        return order
    winner = BusinessObject.objects.filter(pk=order_id).values_list("merged_into_id", flat=True)
    return Order.objects.filter(pk__in=winner).first()


def lines(order: Order, *, after: int, limit: int) -> list[OrderLine]:
    """One page of an order's lines, in their order."""
    rows = OrderLine.objects.filter(order=order, position__gt=after)
    return list(rows.annotate(currency=F("order__currency")).order_by("position")[:limit])


def identifiers(order_id: int) -> list[Identifier]:
    """The numbers of the order and of what belongs to it."""
    rows = Identifier.objects.raw(
        f"""
        {REACH} SELECT i.* FROM visibility_identifier i JOIN reach ON reach.id = i.object_id
        ORDER BY i.object_id <> %(order)s, i.kind, i.scheme, i.issuer, i.value LIMIT {MOST}
        """,  # noqa: S608  # made of our own words
        {"order": order_id},
    )
    return list(rows)


def timeline(order_id: int, *, as_of: datetime, known_at: datetime | None = None) -> Timeline:
    """Everything said of the order, folded."""
    return folded([order_id], as_of=as_of, known_at=known_at)[order_id]
