"""The refold queue: requests to refold the orders of an object, and the locks on orders."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from visibility.db import bulk
from visibility.models.orders import COOLDOWN_MIN_EVENTS, MAX_COOLDOWN

# Resolves objects to their orders; a merged object leads to the surviving object.
LOCK_ORDERS = """
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
OLDEST_REQUESTS = """
SELECT id, object_id FROM visibility_refoldrequest
WHERE due_at <= coalesce(%s, clock_timestamp()) ORDER BY due_at, id LIMIT %s
"""
# One query per level instead of WITH RECURSIVE: the planner can estimate an array parameter, but
# not a recursive term.
RESOLVE_MERGED_AND_PARENTS = """
SELECT id, kind = 'order', coalesce(merged_into_id, id),
    ARRAY(SELECT parent_id FROM visibility_objectrelation r WHERE r.child_id = o.id)
FROM visibility_businessobject o WHERE id = ANY(%s)
"""
CHILDREN = "SELECT child_id FROM visibility_objectrelation WHERE parent_id = ANY(%s)"
LOCK_AVAILABLE = """
SELECT o.id FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (id, position)
JOIN visibility_businessobject o ON o.id = wanted.id
WHERE o.kind = 'order' AND o.merged_into_id IS NULL
ORDER BY wanted.position LIMIT %s FOR NO KEY UPDATE OF o SKIP LOCKED
"""
ALL_REQUESTS = """
SELECT id, object_id FROM visibility_refoldrequest
WHERE object_id = ANY(%s) AND due_at <= clock_timestamp()
"""
PENDING_OBJECTS = """
SELECT DISTINCT object_id FROM visibility_refoldrequest
WHERE object_id = ANY(%s) AND due_at <= clock_timestamp() + %s
"""
DELETE_REQUESTS = """
DELETE FROM visibility_refoldrequest WHERE id IN (
    SELECT id FROM visibility_refoldrequest WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED
) RETURNING id
"""
# Folding an order with thousands of events (a placeholder that many systems send as a number) takes
# seconds. Its cooldown grows with its events, so that it does not delay other orders.
COOLDOWNS = """
SELECT object_id, event_count,
    CASE WHEN event_count > %s AND until > clock_timestamp() THEN until END
FROM visibility_order, LATERAL (
    SELECT folded_at + least(event_count * %s * interval '1 ms', %s) AS until) AS cooldown
WHERE object_id = ANY(%s)
"""
ENQUEUE_COOLDOWN = """
INSERT INTO visibility_refoldrequest (object_id, due_at)
SELECT t.object_id, t.until FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (object_id, until)
WHERE NOT EXISTS (SELECT FROM visibility_refoldrequest r
    WHERE r.object_id = t.object_id AND r.due_at BETWEEN clock_timestamp() AND t.until)
"""
COOLDOWN_MS_PER_EVENT = 3
POSTPONE = """
UPDATE visibility_refoldrequest SET due_at = clock_timestamp() + interval '1 minute'
WHERE id = ANY(%s) RETURNING object_id
"""
# Skips orders that are being folded: the fold writes the next end itself.
ENQUEUE_EXPIRED = """
WITH expired AS (
    UPDATE visibility_order SET promise_ends_at = NULL WHERE object_id IN (
        SELECT object_id FROM visibility_order WHERE promise_ends_at <= %s
        ORDER BY promise_ends_at LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING object_id
)
INSERT INTO visibility_refoldrequest (object_id) SELECT object_id FROM expired
"""
# A new order collects about ten requests while its first messages are read; read that many at once.
REQUESTS_PER_ORDER = 10
# A claim for at most so many objects uses prepared statements.
MAX_LIVE_OBJECTS = 30
# The number of events in one batch. An order with more events is a batch of its own.
MAX_BATCH_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class RefoldBatch:
    """Ids of deleted refold requests, and the locked orders that they led to."""

    request_ids: Sequence[int]
    orders: Sequence[int]


def claim_batch(limit: int, *, due_by: datetime | None = None) -> RefoldBatch:
    """Lock up to about `limit` orders of the oldest refold requests, and delete their requests.

    Orders are locked with SKIP LOCKED, so there is no deadlock; an order that another worker has
    locked keeps its requests. All due requests of a locked order are deleted, because the events
    are read afterwards. A request is deleted only if all its orders are locked or in cooldown; an
    order in cooldown gets one new request, due at the end of the cooldown.
    """
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(OLDEST_REQUESTS, [due_by, limit * REQUESTS_PER_ORDER])
        oldest: list[int] = list(dict.fromkeys(object_id for _, object_id in cursor.fetchall()))
    if not oldest:
        return RefoldBatch((), ())
    with bulk.switch_prepared_statements(enabled=len(oldest) <= MAX_LIVE_OBJECTS):
        return _claim_orders_of_objects(oldest, limit)


def _claim_orders_of_objects(oldest: Sequence[int], limit: int) -> RefoldBatch:
    orders_of = _order_ids_by_object(oldest)
    candidates = list(
        dict.fromkeys(order for object_id in oldest for order in orders_of[object_id])
    )
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            COOLDOWNS, [COOLDOWN_MIN_EVENTS, COOLDOWN_MS_PER_EVENT, MAX_COOLDOWN, candidates]
        )
        cooldowns = {order: (count, until) for order, count, until in cursor.fetchall()}
        cooling = {order: until for order, (_, until) in cooldowns.items() if until}
        ready = [[o for o in orders_of[object_id] if o not in cooling] for object_id in oldest]
        batch_limit = max(limit, len(next(filter(None, ready), ())))
        cursor.execute(LOCK_AVAILABLE, [[o for o in candidates if o not in cooling], batch_limit])
        locked = {row[0] for row in cursor.fetchall()}
        batch = _limit_orders_by_event_count(
            ready, locked, {order: count for order, (count, _) in cooldowns.items()}
        )
        cursor.execute(ALL_REQUESTS, [sorted({*oldest, *_order_and_descendant_ids(batch)})])
        requests: list[tuple[int, int]] = cursor.fetchall()
        orders_of |= _order_ids_by_object(
            {object_id for _, object_id in requests} - orders_of.keys()
        )
        deletable = {
            request_id: orders_of[object_id]
            for request_id, object_id in requests
            if batch.issuperset(set(orders_of[object_id]) - cooling.keys())
        }
        cursor.execute(DELETE_REQUESTS, [list(deletable)])
        deleted = [row[0] for row in cursor.fetchall()]
        seen = {order for request_id in deleted for order in deletable[request_id]}
        deferred = sorted(seen & cooling.keys())
        if deferred:
            cursor.execute(ENQUEUE_COOLDOWN, [deferred, [cooling[order] for order in deferred]])
    return RefoldBatch(deleted, sorted(seen - cooling.keys()))


def _limit_orders_by_event_count(
    groups: Iterable[Sequence[int]], locked: set[int], events: Mapping[int, int]
) -> set[int]:
    """Collect the orders of request after request up to MAX_BATCH_EVENTS events; at least one."""
    chosen: set[int] = set()
    total = 0
    for group in groups:
        if not locked.issuperset(group):
            continue
        new = set(group) - chosen
        total += sum(events.get(order, 0) for order in new)
        if chosen and total > MAX_BATCH_EVENTS:
            break
        chosen |= new
    return chosen


def _order_and_descendant_ids(orders: Collection[int]) -> set[int]:
    """Return these objects and everything that belongs to them."""
    result, level = set(orders), set(orders)
    with bulk.server_bound_cursor() as cursor:
        while level:
            cursor.execute(CHILDREN, [sorted(level)])
            level = {row[0] for row in cursor.fetchall()} - result
            result |= level
    return result


def orders_with_pending_refold(orders: Collection[int]) -> set[int]:
    """Return those of the orders whose events are not all folded yet, also while in cooldown."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(PENDING_OBJECTS, [sorted(_order_and_descendant_ids(orders)), MAX_COOLDOWN])
        pending = [row[0] for row in cursor.fetchall()]
    return {order for ids in _order_ids_by_object(pending).values() for order in ids} & set(orders)


def _order_ids_by_object(object_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the orders of each object; a merged object leads to the surviving object."""
    parents: dict[int, set[int]] = defaultdict(set)
    seen: set[int] = set()
    orders: set[int] = set()
    level = set(object_ids)
    with bulk.server_bound_cursor() as cursor:
        while level:
            seen |= level
            cursor.execute(RESOLVE_MERGED_AND_PARENTS, [sorted(level)])
            for object_id, is_order, survivor, owners in cursor.fetchall():
                parents[object_id].update(owners)
                if survivor != object_id:
                    parents[object_id].add(survivor)
                elif is_order:
                    orders.add(object_id)
            level = {owner for object_id in level for owner in parents[object_id]} - seen
    return {object_id: sorted(_reachable(object_id, parents) & orders) for object_id in object_ids}


def _reachable(start: int, onward: Mapping[int, Collection[int]]) -> set[int]:
    """Return everything that can be reached from `start`, and `start` itself."""
    reached, pending = {start}, [start]
    while pending:
        new = set(onward.get(pending.pop(), ())) - reached
        reached |= new
        pending += new
    return reached


def postpone_requests(request_ids: Sequence[int]) -> list[int]:
    """Delay these requests by one minute, so that later ones get a turn. Return their objects."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(POSTPONE, [list(request_ids)])
        return [row[0] for row in cursor.fetchall()]


def lock_orders_of_objects(object_ids: Collection[int]) -> list[int]:
    """Lock the orders of these objects, in id order. Return their ids."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_ORDERS, [sorted(object_ids)])
        return [row[0] for row in cursor.fetchall()]


def enqueue_refolds(object_ids: Collection[int]) -> None:
    """Request a refold of the orders of these objects."""
    if object_ids:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(
                "INSERT INTO visibility_refoldrequest (object_id) SELECT unnest(%s::bigint[])",
                [sorted(object_ids)],
            )


def enqueue_expired_promises(now: datetime, *, limit: int = 1000) -> int:
    """Request a refold of orders whose promised date has passed. Return the number."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(ENQUEUE_EXPIRED, [now, limit])
        return cursor.rowcount


def enqueue_refolds_for_future_events(events: Sequence[tuple[int, datetime, datetime]]) -> None:
    """Request a refold at the time of each event that is dated in the future.

    Each tuple is (object id, occurred at, received at). A future event has no effect before its
    time.
    """
    future = [(o, at) for o, at, received in events if at > received]
    if future:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(
                "INSERT INTO visibility_refoldrequest (object_id, due_at) "
                "SELECT * FROM unnest(%s::bigint[], %s::timestamptz[])",
                [list(column) for column in zip(*future, strict=True)],
            )
