"""What follows for touched objects: folded again, now or when their time has come; orphans."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from visibility.db import bulk
from visibility.models.orders import LONGEST_REST, MANY_EVENTS

ORPHANED = """
INSERT INTO visibility_orphan (object_id)
SELECT o.id FROM visibility_businessobject o
WHERE o.id = ANY(%s) AND o.kind IN ('shipment', 'package', 'invoice', 'return')
    AND o.merged_into_id IS NULL
    AND EXISTS (SELECT 1 FROM visibility_eventobject link WHERE link.object_id = o.id)
    AND NOT EXISTS (SELECT 1 FROM visibility_objectrelation r WHERE r.child_id = o.id)
ORDER BY o.id ON CONFLICT DO NOTHING
"""

# From anything touched up to the orders it belongs to; merged ones lead to their winner.
LOCK = """
WITH RECURSIVE up (id) AS (
    SELECT coalesce(o.merged_into_id, o.id) FROM visibility_businessobject o
    WHERE o.id = ANY(%s)
    UNION
    SELECT r.parent_id FROM up JOIN visibility_objectrelation r ON r.child_id = up.id
)
SELECT o.id FROM up JOIN visibility_businessobject o ON o.id = up.id
WHERE o.kind = 'order' AND o.merged_into_id IS NULL
ORDER BY o.id FOR NO KEY UPDATE OF o
"""
MARKED = """
SELECT id, object_id FROM visibility_refold
WHERE touched_at <= coalesce(%s, clock_timestamp()) ORDER BY touched_at, id LIMIT %s
"""
# Level by level, because the planner knows how many rows an array has, and of a recursion nothing.
WHAT = """
SELECT id, kind = 'order', coalesce(merged_into_id, id) FROM visibility_businessobject
WHERE id = ANY(%s)
"""
CHILDREN = "SELECT child_id FROM visibility_objectrelation WHERE parent_id = ANY(%s)"
PARENTS = "SELECT child_id, parent_id FROM visibility_objectrelation WHERE child_id = ANY(%s)"
LOCK_FREE = """
SELECT o.id FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (id, place)
JOIN visibility_businessobject o ON o.id = wanted.id
WHERE o.kind = 'order' AND o.merged_into_id IS NULL
ORDER BY wanted.place LIMIT %s FOR NO KEY UPDATE OF o SKIP LOCKED
"""
ALL_OF = """
SELECT id, object_id FROM visibility_refold
WHERE object_id = ANY(%s) AND touched_at <= clock_timestamp()
"""
TAKE_OFF = """
DELETE FROM visibility_refold WHERE id IN (
    SELECT id FROM visibility_refold WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED
) RETURNING id
"""
# An order of thousands of events (a placeholder that everybody sends as a number) takes seconds: it
# is folded again after a while that grows with it, and until then it holds nobody up.
KNOWN = """
SELECT object_id, event_count,
    CASE WHEN event_count > %s AND until > clock_timestamp() THEN until END
FROM visibility_order, LATERAL (
    SELECT folded_at + least(event_count * %s * interval '1 ms', %s) AS until) AS rest
WHERE object_id = ANY(%s)
"""
REST = """
INSERT INTO visibility_refold (object_id, touched_at)
SELECT t.object_id, t.until FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (object_id, until)
WHERE NOT EXISTS (SELECT FROM visibility_refold r
    WHERE r.object_id = t.object_id AND r.touched_at BETWEEN clock_timestamp() AND t.until)
"""
REST_MS = 3
PUT_OFF = """
UPDATE visibility_refold SET touched_at = clock_timestamp() + interval '1 minute'
WHERE id = ANY(%s) RETURNING object_id
"""
# One that is being folded is left alone: what it writes says when to look again.
OVERDUE = """
WITH over AS (
    UPDATE visibility_order SET promise_ends_at = NULL WHERE object_id IN (
        SELECT object_id FROM visibility_order WHERE promise_ends_at <= %s
        ORDER BY promise_ends_at LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING object_id
)
INSERT INTO visibility_refold (object_id) SELECT object_id FROM over
"""
# An order has some ten marks while its first messages are read: all of them are taken at once.
MARKS = 10
# So many events are folded in one batch, or one order if it alone has more.
MOST_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """Marks taken off the list, and the orders they led to, locked."""

    marks: Sequence[int]
    orders: Sequence[int]


def claim(limit: int, *, touched_by: datetime | None = None) -> Claimed:
    """Lock the orders that the oldest marks lead to, some `limit` of them; take their marks off.

    An order that another worker holds keeps its marks: whoever waits for nobody meets no deadlock.
    All marks of an order go, those too that were set since: what they stand for is read afterwards.
    A mark goes only with all the orders that are seen from it, so that none is forgotten; who says
    later that one belongs to the other marks both. An order that rests has one mark for its end.
    """
    with bulk.cursor() as cursor:
        cursor.execute(MARKED, [touched_by, limit * MARKS])
        oldest: list[int] = list(dict.fromkeys(object_id for _, object_id in cursor.fetchall()))
    leads = _orders(oldest)
    wanted = list(dict.fromkeys(order for object_id in oldest for order in leads[object_id]))
    with bulk.cursor() as cursor:
        cursor.execute(KNOWN, [MANY_EVENTS, REST_MS, LONGEST_REST, wanted])
        known = {order: (count, until) for order, count, until in cursor.fetchall()}
        resting = {order: until for order, (_, until) in known.items() if until}
        awake = [[o for o in leads[object_id] if o not in resting] for object_id in oldest]
        together = max(limit, len(next(filter(None, awake), ())))
        cursor.execute(LOCK_FREE, [[o for o in wanted if o not in resting], together])
        locked = {row[0] for row in cursor.fetchall()}
        held = _enough(awake, locked, {order: count for order, (count, _) in known.items()})
        cursor.execute(ALL_OF, [sorted({*oldest, *_below(held)})])
        marked: list[tuple[int, int]] = cursor.fetchall()
        leads |= _orders({object_id for _, object_id in marked} - leads.keys())
        free = {
            mark: leads[object_id]
            for mark, object_id in marked
            if held.issuperset(set(leads[object_id]) - resting.keys())
        }
        cursor.execute(TAKE_OFF, [list(free)])
        marks = [row[0] for row in cursor.fetchall()]
        seen = {order for mark in marks for order in free[mark]}
        later = sorted(seen & resting.keys())
        if later:
            cursor.execute(REST, [later, [resting[order] for order in later]])
    return Claimed(marks, sorted(seen - resting.keys()))


def _enough(
    groups: Iterable[Sequence[int]], locked: set[int], events: Mapping[int, int]
) -> set[int]:
    """The orders of mark after mark until they have many events, but those of one at least."""
    found: set[int] = set()
    total = 0
    for group in groups:
        if not locked.issuperset(group):
            continue
        new = set(group) - found
        total += sum(events.get(order, 0) for order in new)
        if found and total > MOST_EVENTS:
            break
        found |= new
    return found


def _below(orders: Collection[int]) -> set[int]:
    """These and all that belongs to them."""
    found, level = set(orders), set(orders)
    with bulk.cursor() as cursor:
        while level:
            cursor.execute(CHILDREN, [sorted(level)])
            level = {row[0] for row in cursor.fetchall()} - found
            found |= level
    return found


def _orders(object_ids: Collection[int]) -> dict[int, list[int]]:
    """The orders that each of these objects belongs to; merged ones lead to their winner."""
    above: dict[int, set[int]] = defaultdict(set)
    seen: set[int] = set()
    orders: set[int] = set()
    level = set(object_ids)
    with bulk.cursor() as cursor:
        while level:
            seen |= level
            cursor.execute(WHAT, [sorted(level)])
            for object_id, is_order, winner in cursor.fetchall():
                if winner != object_id:
                    above[object_id].add(winner)
                elif is_order:
                    orders.add(object_id)
            cursor.execute(PARENTS, [sorted(level)])
            for child, parent in cursor.fetchall():
                above[child].add(parent)
            level = {found for object_id in level for found in above[object_id]} - seen
    return {object_id: sorted(_reach(object_id, above) & orders) for object_id in object_ids}


def _reach(start: int, onward: Mapping[int, Collection[int]]) -> set[int]:
    """Everything that can be got to from here, and here."""
    found, ahead = {start}, [start]
    while ahead:
        new = set(onward.get(ahead.pop(), ())) - found
        found |= new
        ahead += new
    return found


def put_off(marks: Sequence[int]) -> list[int]:
    """These wait a minute, so that what stands behind them gets its turn; their objects."""
    with bulk.cursor() as cursor:
        cursor.execute(PUT_OFF, [list(marks)])
        return [row[0] for row in cursor.fetchall()]


def lock(touched: Collection[int]) -> list[int]:
    """Lock the orders that any of these objects belongs to, in the order of their ids."""
    with bulk.cursor() as cursor:
        cursor.execute(LOCK, [sorted(touched)])
        return [row[0] for row in cursor.fetchall()]


def mark(object_ids: Collection[int]) -> None:
    """The orders these belong to are to be folded."""
    if object_ids:
        with bulk.cursor() as cursor:
            cursor.execute(
                "INSERT INTO visibility_refold (object_id) SELECT unnest(%s::bigint[])",
                [sorted(object_ids)],
            )


def mark_overdue(now: datetime, *, limit: int = 1000) -> int:
    """Orders whose promise has ended since they were folded are folded again; how many."""
    with bulk.cursor() as cursor:
        cursor.execute(OVERDUE, [now, limit])
        return cursor.rowcount


def mark_later(told: Sequence[tuple[int, datetime, datetime]]) -> None:
    """What lies ahead has no effect yet: its orders are folded again when its time has come.

    `told`: object, when it happens, when we heard of it.
    """
    ahead = [(o, at) for o, at, heard in told if at > heard]
    if ahead:
        with bulk.cursor() as cursor:
            cursor.execute(
                "INSERT INTO visibility_refold (object_id, touched_at) "
                "SELECT * FROM unnest(%s::bigint[], %s::timestamptz[])",
                [list(column) for column in zip(*ahead, strict=True)],
            )


def orphans(candidates: Collection[int], *, claimed: Collection[int]) -> None:
    """Note those that belong to nothing; the claimed ones no longer do."""
    with bulk.cursor() as cursor:
        if claimed:
            cursor.execute(
                "DELETE FROM visibility_orphan WHERE object_id = ANY(%s)", [sorted(set(claimed))]
            )
        if candidates:
            cursor.execute(ORPHANED, [sorted(candidates)])
