"""Lock orders with everything that belongs to them, so that one transaction can link and refold.

An order is normally refolded after the commit of the transaction that linked an event to one of its
objects: only then are links and relations of other transactions visible. One transaction can do
both if it locks the whole family of the order first: every transaction that links an event to an
object, or relates it, holds a key-share lock on the object, and FOR UPDATE excludes those.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from visibility.db import bulk
from visibility.storage.load_events import OrderIdsAndTimesByEvent

MAX_OBJECTS = 200
# An order with more events takes longer than a message may wait for it.
MAX_EVENTS = 500
# The objects, all that they belong to, and all that belongs to those.
FAMILY = """
WITH RECURSIVE up (id) AS (
    SELECT coalesce(o.merged_into_id, o.id) FROM visibility_businessobject o
    WHERE o.id = ANY(%(objects)s)
    UNION
    SELECT r.parent_id FROM up JOIN visibility_objectrelation r ON r.child_id = up.id
)"""
LOCK_FAMILY = f"""{FAMILY}, family (id) AS (
    SELECT id FROM up
    UNION
    SELECT r.child_id FROM family JOIN visibility_objectrelation r ON r.parent_id = family.id
)
SELECT o.id, orders.event_count, clock_timestamp()
FROM family JOIN visibility_businessobject o ON o.id = family.id
LEFT JOIN visibility_order orders ON orders.object_id = o.id
ORDER BY o.id LIMIT %(limit)s FOR UPDATE OF o SKIP LOCKED
"""  # noqa: S608  # only own text
FAMILY_LINKS = f"""{FAMILY}, family (order_id, id) AS (
    SELECT up.id, up.id FROM up JOIN visibility_businessobject o ON o.id = up.id
    WHERE o.kind = 'order' AND o.merged_into_id IS NULL
    UNION
    SELECT family.order_id, r.child_id
    FROM family JOIN visibility_objectrelation r ON r.parent_id = family.id
)
SELECT family.order_id, family.id, link.event_id, link.occurred_at
FROM family LEFT JOIN visibility_eventobjectlink link ON link.object_id = family.id
UNION ALL
SELECT NULL, up.id, NULL, NULL FROM up
"""  # noqa: S608  # only own text


@dataclass(frozen=True, slots=True)
class LockedOrdersAndEvents:
    """Orders whose objects are all locked, the events linked to them, and the database time."""

    orders: list[int]
    linked: OrderIdsAndTimesByEvent
    now: datetime


def lock_all_order_families_or_none(object_ids: Collection[int]) -> LockedOrdersAndEvents | None:
    """Lock the orders of these objects with all their objects, without waiting.

    Return None if another transaction holds a lock on one of them, changed what belongs to what, or
    if they are too large. Call it in the transaction that linked the events.
    """
    objects = sorted(object_ids)
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_FAMILY, {"objects": objects, "limit": MAX_OBJECTS + 1})
        locked = cursor.fetchall()
        if len(locked) > MAX_OBJECTS or sum(count or 0 for _, count, _ in locked) > MAX_EVENTS:
            return None
        # Read again: what was committed before the locks were acquired is visible only now.
        cursor.execute(FAMILY_LINKS, {"objects": objects})
        rows = cursor.fetchall()
    if not {object_id for object_id, _, _ in locked}.issuperset(row[1] for row in rows):
        return None
    orders_by_event: dict[int, set[int]] = defaultdict(set)
    times: dict[int, datetime] = {}
    for order_id, _, event_id, at in rows:
        if event_id is not None:
            orders_by_event[event_id].add(order_id)
            times[event_id] = at
    orders = sorted({row[0] for row in rows if row[0] is not None})
    return LockedOrdersAndEvents(
        orders, OrderIdsAndTimesByEvent(orders_by_event, times), locked[0][2]
    )
