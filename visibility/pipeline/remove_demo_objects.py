"""Remove the objects of demo sources, and resolve again what own sources also report.

An object that only demo sources name goes with everything that refers to it. One that an own source
names too stays: it loses the links to demo events, its identity is resolved from the others, and
its orders are folded again.
"""

from collections.abc import Collection, Sequence

from django.db import connection
from django.db.models import Q

from visibility.db.delete_with_dependents import delete_with_dependents
from visibility.identity.lock_and_load_component import lock_and_load_merge_targets
from visibility.identity.resolve_from_all_events import resolve_identities
from visibility.models import (
    Alert,
    BusinessObject,
    IdentityDecision,
    ObjectRelation,
    Order,
)
from visibility.pipeline.refold_orders import refold_orders_clocks_alerts_and_kpi_facts
from visibility.pipeline.remove_alerts import remove_facts_of_alerts
from visibility.storage.refold_queue import lock_orders_of_objects

BATCH_SIZE = 100
OBJECTS = """
SELECT DISTINCT link.object_id FROM visibility_event event
JOIN visibility_eventobjectlink link
    ON link.event_id = event.id AND link.occurred_at = event.occurred_at
WHERE event.source_id = ANY(%s) ORDER BY 1 LIMIT %s
"""
OBJECTS_OF_OTHER_SOURCES = """
SELECT DISTINCT link.object_id FROM visibility_eventobjectlink link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
WHERE link.object_id = ANY(%s) AND event.source_id <> ALL(%s)
"""
DELETE_LINKS = """
DELETE FROM visibility_eventobjectlink link USING visibility_event event
WHERE link.object_id = ANY(%s) AND event.id = link.event_id
    AND event.occurred_at = link.occurred_at AND event.source_id = ANY(%s)
"""
# Objects that a number of these objects also names.
OBJECTS_WITH_SAME_NUMBERS = """
SELECT DISTINCT other.object_id FROM visibility_identifier own
JOIN visibility_identifier other ON (other.value, other.scheme, other.issuer, other.kind)
    = (own.value, own.scheme, own.issuer, own.kind)
WHERE own.object_id = ANY(%s)
"""
DECISIONS_ABOUT_NUMBERS = """
SELECT DISTINCT named.decision_id FROM visibility_decisionidentifier named
JOIN visibility_identifier own ON (own.value, own.scheme, own.issuer, own.kind)
    = (named.value, named.scheme, named.issuer, named.kind)
WHERE own.object_id = ANY(%s)
"""
# A side of a decision that no number in use names any more.
DECISIONS_WITHOUT_OBJECT = """
SELECT named.decision_id FROM visibility_decisionidentifier named
WHERE named.decision_id = ANY(%s)
GROUP BY named.decision_id, named.side
HAVING NOT bool_or(EXISTS (SELECT FROM visibility_identifier i
    WHERE (i.value, i.scheme, i.issuer, i.kind)
        = (named.value, named.scheme, named.issuer, named.kind)))
"""
# Objects that demo events merged into others. What own events merged stays.
MERGED_BY_EVENTS = """
SELECT merged.loser_id FROM visibility_merge merged
JOIN visibility_event event ON event.id = merged.event_id
WHERE merged.winner_id = ANY(%s) AND event.source_id = ANY(%s)
    AND NOT EXISTS (SELECT FROM visibility_identifier i
        WHERE merged.loser_id IN (i.object_id, i.original_object_id))
    AND NOT EXISTS (SELECT FROM visibility_eventobjectlink link
        WHERE link.object_id = merged.loser_id)
"""
DELETE_CUSTOMER_NAMES = """
DELETE FROM visibility_customername c
USING unnest(%s::text[], %s::text[]) AS wanted (name, number)
WHERE c.name = wanted.name AND c.number = wanted.number AND NOT EXISTS (
    SELECT FROM visibility_order o WHERE o.customer_name = c.name AND o.customer_no = c.number)
"""


def remove_objects(sources: Sequence[int]) -> int:
    """Remove a batch of objects from what these sources reported; return how many.

    Raises ConcurrentChange.
    """
    objects = _select_ids(OBJECTS, list(sources), BATCH_SIZE)
    if not objects:
        return 0
    lock_and_load_merge_targets(objects)
    shared = _select_ids(OBJECTS_OF_OTHER_SOURCES, sorted(objects), list(sources))
    merged = BusinessObject.objects.filter(merged_into__in=objects - shared)
    removed = (objects - shared) | set(merged.values_list("pk", flat=True))
    neighbors = _select_ids(OBJECTS_WITH_SAME_NUMBERS, sorted(removed)) | _relatives(removed)
    own = shared | _select_ids(OBJECTS_OF_OTHER_SOURCES, sorted(neighbors - removed), list(sources))
    decisions = _select_ids(DECISIONS_ABOUT_NUMBERS, sorted(objects | removed))
    orders = Order.objects.filter(object__in=objects | removed)
    names = set(orders.values_list("customer_name", "customer_no"))
    _execute(DELETE_LINKS, sorted(shared), list(sources))
    _remove_with_dependents(removed)
    touched: set[int] = set()
    _resolve(own, touched)
    # The numbers that only demo events gave to own objects are gone now.
    if obsolete := _select_ids(DECISIONS_WITHOUT_OBJECT, sorted(decisions)):
        delete_with_dependents(IdentityDecision, obsolete)
        _resolve(own, touched)
    _remove_with_dependents(_select_ids(MERGED_BY_EVENTS, sorted(shared), list(sources)))
    if touched and (affected := lock_orders_of_objects(touched)):
        refold_orders_clocks_alerts_and_kpi_facts(affected)
    columns = [list(column) for column in zip(*sorted(names), strict=True)]
    _execute(DELETE_CUSTOMER_NAMES, *(columns or ([], [])))
    return len(objects)


def _relatives(object_ids: Collection[int]) -> set[int]:
    """Objects that contain these or belong to them."""
    relations = ObjectRelation.objects.filter(
        Q(parent__in=object_ids) | Q(child__in=object_ids)
    ).values_list("parent", "child")
    return {object_id for pair in relations for object_id in pair}


def _resolve(object_ids: Collection[int], touched: set[int]) -> None:
    """Resolve the identities of these objects again, and add what may have changed to `touched`."""
    if object_ids:
        resolve_identities(object_ids, enqueue=touched.update)


def _remove_with_dependents(object_ids: Collection[int]) -> None:
    alerts = Alert.objects.filter(order__in=object_ids)
    remove_facts_of_alerts(set(alerts.values_list("pk", flat=True)))
    delete_with_dependents(BusinessObject, object_ids)


def _select_ids(statement: str, *parameters: int | list[int] | list[str]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {row[0] for row in cursor.fetchall()}


def _execute(statement: str, *parameters: int | list[int] | list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
