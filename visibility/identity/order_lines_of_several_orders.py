"""Order lines that events name with several orders: they belong to none of them.

An order line is one line or piece of one order. If a log uses one id for a product, events of many
orders name it, and its own events (such as a pick) must not concern all of these orders.
"""

from collections.abc import Collection

from visibility.db import bulk
from visibility.identity.update_unmatched_objects import replace_unmatched_objects
from visibility.storage import refold_queue

# Another transaction may relate the same line to another order: the second one has to see both.
LOCK_LINES = """
SELECT id FROM visibility_businessobject
WHERE id = ANY(%s) AND kind = 'order_line' ORDER BY id FOR NO KEY UPDATE
"""
# An event that names several orders does not say which of them the line belongs to. What a person
# decided (event 0) stays.
DELETE_RELATIONS = """
DELETE FROM visibility_objectrelation r
WHERE r.child_id = ANY(%s) AND r.event_id <> 0 AND (
    EXISTS (SELECT FROM visibility_objectrelation decided
        WHERE decided.child_id = r.child_id AND decided.event_id = 0
            AND decided.parent_id <> r.parent_id)
    OR EXISTS (SELECT FROM visibility_eventobjectlink link
        JOIN visibility_event event ON event.id = link.event_id
            AND event.occurred_at = link.occurred_at AND NOT event.superseded
            AND NOT EXISTS (SELECT FROM visibility_effective_event_correction c
                WHERE c.source_id = event.source_id AND c.key = event.key)
        CROSS JOIN LATERAL (
            SELECT min(o.id) AS first_id, max(o.id) AS last_id
            FROM visibility_eventobjectlink beside
            JOIN visibility_businessobject o ON o.id = beside.object_id AND o.kind = 'order'
            WHERE beside.event_id = link.event_id) named
        WHERE link.object_id = r.child_id AND named.first_id = named.last_id
            AND named.first_id <> r.parent_id))
RETURNING r.parent_id, r.child_id
"""


def remove_lines_from_several_orders(object_ids: Collection[int]) -> None:
    """Remove the relations of those order lines among these objects that several orders have.

    The lines become unmatched, and their former orders are refolded. Call it in the transaction
    that linked the events and related the objects.
    """
    if not object_ids:
        return
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_LINES, [sorted(object_ids)])
        lines = [row[0] for row in cursor.fetchall()]
        if not lines:
            return
        cursor.execute(DELETE_RELATIONS, [lines])
        removed = cursor.fetchall()
    refold_queue.enqueue_refolds({parent for parent, _ in removed})
    replace_unmatched_objects(lines, claimed=lines)
