"""Relations between objects: derived from events that name both, or decided by a person."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product

from connectors.sdk.events import ObjectKind
from visibility.db import bulk
from visibility.identity.order_lines_of_several_orders import remove_lines_from_several_orders
from visibility.identity.pure.group_mentions_into_objects import Decision, DecisionKind
from visibility.identity.pure.mentions_and_generations import RefKey

# The parent kinds of each kind: an event that names both relates the two objects. Objects that many
# orders refer to (`SHARED_KINDS`) have no parents: their events would concern all of these orders.
# In an event without an order, its order lines are the parents in place of their orders.
PARENT_KINDS = {
    ObjectKind.ORDER_LINE: (ObjectKind.ORDER,),
    ObjectKind.SHIPMENT: (ObjectKind.ORDER,),
    ObjectKind.PACKAGE: (ObjectKind.ORDER, ObjectKind.SHIPMENT),
    ObjectKind.INVOICE: (ObjectKind.ORDER, ObjectKind.SHIPMENT),
    ObjectKind.RETURN: (ObjectKind.ORDER, ObjectKind.SHIPMENT, ObjectKind.INVOICE),
    ObjectKind.RETURN_DELIVERY: (ObjectKind.ORDER, ObjectKind.RETURN),
    ObjectKind.GOODS_MOVEMENT: (ObjectKind.ORDER, ObjectKind.SHIPMENT),
    ObjectKind.CREDIT_MEMO_REQUEST: (ObjectKind.ORDER, ObjectKind.INVOICE, ObjectKind.RETURN),
    ObjectKind.DEBIT_MEMO_REQUEST: (ObjectKind.ORDER, ObjectKind.INVOICE),
}
INSERT_RELATIONS = """
INSERT INTO visibility_objectrelation (parent_id, child_id, event_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT DO NOTHING
"""
# Read before a change, because the former parents must be refolded as well.
ANCESTORS = """
WITH RECURSIVE up (id) AS (
    SELECT unnest(%s::bigint[])
    UNION SELECT r.parent_id FROM up JOIN visibility_objectrelation r ON r.child_id = up.id
) SELECT id FROM up
"""
OBJECTS_NAMED_BY = """
SELECT link.event_id, o.kind, link.object_id
FROM visibility_eventobjectlink link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    AND NOT event.superseded
JOIN visibility_businessobject o ON o.id = link.object_id
WHERE link.event_id = ANY(%s)
    AND NOT EXISTS (SELECT FROM visibility_effective_event_correction c
        WHERE c.source_id = event.source_id AND c.key = event.key)
"""
DECIDED_RELATIONS = """
SELECT parent.object_id, child.object_id, 0
FROM visibility_identitydecision a
JOIN visibility_decisionidentifier p ON p.decision_id = a.id AND p.side = 0
JOIN visibility_decisionidentifier c ON c.decision_id = a.id AND c.side = 1
CROSS JOIN LATERAL (
    SELECT i.object_id FROM visibility_identifier i
    WHERE i.is_identity AND i.value = p.value AND i.scheme = p.scheme AND i.issuer = p.issuer
        AND i.kind = p.kind
        AND (i.generation = 0 OR i.reused_from <= (p.used_at AT TIME ZONE 'UTC')::date)
    ORDER BY i.generation DESC LIMIT 1) parent
CROSS JOIN LATERAL (
    SELECT i.object_id FROM visibility_identifier i
    WHERE i.is_identity AND i.value = c.value AND i.scheme = c.scheme AND i.issuer = c.issuer
        AND i.kind = c.kind
        AND (i.generation = 0 OR i.reused_from <= (c.used_at AT TIME ZONE 'UTC')::date)
    ORDER BY i.generation DESC LIMIT 1) child
WHERE a.id = ANY(%s)
"""


def relations_of_events(
    links: Iterable[tuple[int, str, int]],
    *,
    events_with_ambiguous_orders: Collection[int] = (),
) -> list[tuple[int, int, int]]:
    """Return (parent, child, event) of the objects that one event names together.

    The input is (event, kind, object). Which order a line belongs to depends on all orders of the
    event: while one of them is ambiguous, its lines are related to none.
    """
    by_event: dict[int, dict[str, list[int]]] = {}
    for event_id, kind, object_id in links:
        by_event.setdefault(event_id, {}).setdefault(kind, []).append(object_id)
    first_event: dict[tuple[int, int], int] = {}
    for event_id, members in by_event.items():
        for kind, children in members.items():
            if kind == ObjectKind.ORDER_LINE and event_id in events_with_ambiguous_orders:
                continue
            for parents in _parents_of_kind(ObjectKind(kind), members):
                for pair in product(parents, children):
                    first_event[pair] = min(first_event.get(pair, event_id), event_id)
    return [(parent, child, event_id) for (parent, child), event_id in sorted(first_event.items())]


def _parents_of_kind(
    kind: ObjectKind, members: Mapping[str, Sequence[int]]
) -> Iterator[Collection[int]]:
    """Yield the objects of an event that are parents of its objects of this kind."""
    orders = set(members.get(ObjectKind.ORDER, ()))
    if kind is ObjectKind.ORDER_LINE:
        # An event with several orders does not say which of them a line belongs to.
        yield orders if len(orders) == 1 else ()
        return
    for parent_kind in PARENT_KINDS.get(kind, ()):
        yield members.get(parent_kind, ())
        if parent_kind is ObjectKind.ORDER and not orders:
            yield members.get(ObjectKind.ORDER_LINE, ())


def insert_relations(rows: Sequence[tuple[int, int, int]]) -> None:
    """Insert the relations (parent, child, event); existing relations do not change."""
    if rows:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(INSERT_RELATIONS, [list(column) for column in zip(*rows, strict=True)])


def with_ancestors(object_ids: Collection[int]) -> set[int]:
    """Return these objects and everything that they belong to."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(ANCESTORS, [sorted(object_ids)])
        return {row[0] for row in cursor.fetchall()}


def rebuild_relations(
    touched: Collection[int], object_by_ref: Mapping[RefKey, int], decisions: Sequence[Decision]
) -> None:
    """Rebuild all relations of these objects from their events and from decisions."""
    belonging = [decision.id for decision in decisions if decision.kind is DecisionKind.BELONGS]
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(OBJECTS_NAMED_BY, [sorted({event_id for event_id, _ in object_by_ref})])
        derived = relations_of_events(cursor.fetchall())
        cursor.execute(
            "DELETE FROM visibility_objectrelation WHERE parent_id = ANY(%s) OR child_id = ANY(%s)",
            [sorted(touched), sorted(touched)],
        )
        rows = [row for row in derived if row[0] in touched or row[1] in touched]
        if belonging:
            cursor.execute(DECIDED_RELATIONS, [belonging])
            rows += cursor.fetchall()
    insert_relations(rows)
    remove_lines_from_several_orders({child for _, child, _ in rows})
