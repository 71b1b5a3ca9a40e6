"""What belongs to what: said by the events that name both, or by a person."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from connectors.sdk.events import ObjectKind
from visibility.db import bulk
from visibility.identity.pure.resolution import Act, Place, Verdict

# Which kinds belong to which: an event that names both relates them.
PARENTS = {
    ObjectKind.SHIPMENT: (ObjectKind.ORDER,),
    ObjectKind.PACKAGE: (ObjectKind.ORDER, ObjectKind.SHIPMENT),
    ObjectKind.INVOICE: (ObjectKind.ORDER,),
    ObjectKind.RETURN: (ObjectKind.ORDER,),
}
RELATE = """
INSERT INTO visibility_objectrelation (parent_id, child_id, event_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT DO NOTHING
"""
# The parents of old, before anything moves: they are to be folded without it.
ABOVE = """
WITH RECURSIVE up (id) AS (
    SELECT unnest(%s::bigint[])
    UNION SELECT r.parent_id FROM up JOIN visibility_objectrelation r ON r.child_id = up.id
) SELECT id FROM up
"""
NAMED_BY = """
SELECT link.event_id, o.kind, link.object_id
FROM visibility_eventobject link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    AND NOT event.withdrawn
JOIN visibility_businessobject o ON o.id = link.object_id
WHERE link.event_id = ANY(%s)
"""
BELONGING = """
SELECT parent.object_id, child.object_id, 0
FROM visibility_joinact a
JOIN visibility_joinnumber p ON p.act_id = a.id AND p.side = 0
JOIN visibility_joinnumber c ON c.act_id = a.id AND c.side = 1
CROSS JOIN LATERAL (
    SELECT i.object_id FROM visibility_identifier i
    WHERE i.strong AND i.value = p.value AND i.scheme = p.scheme AND i.issuer = p.issuer
        AND i.kind = p.kind AND (i.part = 0 OR i.since <= (p.at AT TIME ZONE 'UTC')::date)
    ORDER BY i.part DESC LIMIT 1) parent
CROSS JOIN LATERAL (
    SELECT i.object_id FROM visibility_identifier i
    WHERE i.strong AND i.value = c.value AND i.scheme = c.scheme AND i.issuer = c.issuer
        AND i.kind = c.kind AND (i.part = 0 OR i.since <= (c.at AT TIME ZONE 'UTC')::date)
    ORDER BY i.part DESC LIMIT 1) child
WHERE a.id = ANY(%s)
"""


def relations(named: Iterable[tuple[int, str, int]]) -> list[tuple[int, int, int]]:
    """(parent, child, event) from (event, kind, object): what an event names together belongs."""
    by_event: dict[int, list[tuple[str, int]]] = {}
    for event_id, kind, object_id in named:
        by_event.setdefault(event_id, []).append((kind, object_id))
    found: dict[tuple[int, int], int] = {}
    for event_id, members in by_event.items():
        for kind, child in members:
            for parent_kind, parent in members:
                if parent_kind in PARENTS.get(ObjectKind(kind), ()):
                    pair = (parent, child)
                    found[pair] = min(found.get(pair, event_id), event_id)
    return [(parent, child, event_id) for (parent, child), event_id in sorted(found.items())]


def link(rows: Sequence[tuple[int, int, int]]) -> None:
    """Write down (parent, child, event); what is known already stays."""
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(RELATE, [list(column) for column in zip(*rows, strict=True)])


def above(object_ids: Collection[int]) -> set[int]:
    """These and everything they belong to."""
    with bulk.cursor() as cursor:
        cursor.execute(ABOVE, [sorted(object_ids)])
        return {row[0] for row in cursor.fetchall()}


def again(touched: Collection[int], places: Mapping[Place, int], acts: Sequence[Act]) -> None:
    """Write anew what these objects belong to, and what belongs to them."""
    belonging = [act.id for act in acts if act.verdict is Verdict.BELONGS]
    with bulk.cursor() as cursor:
        cursor.execute(NAMED_BY, [sorted({event_id for event_id, _ in places})])
        found = relations(cursor.fetchall())
        cursor.execute(
            "DELETE FROM visibility_objectrelation WHERE parent_id = ANY(%s) OR child_id = ANY(%s)",
            [sorted(touched), sorted(touched)],
        )
        mine = [row for row in found if row[0] in touched or row[1] in touched]
        if belonging:
            cursor.execute(BELONGING, [belonging])
            mine += cursor.fetchall()
    link(mine)
