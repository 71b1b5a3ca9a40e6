"""Retention of message bodies: check each month, and remove those that nothing needs any more.

A month of bodies is needed by messages that wait or are parked, and by orders that are open. The
messages themselves, their keys and their events stay.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from psycopg import sql
from structlog.stdlib import get_logger

from visibility.models.audit import append_audit_entry
from visibility.models.message_bodies import MessageBodyMove, MessageBodyPartition

log = get_logger(__name__)
TABLE = "visibility_message_body"
# Orders that are read at a time, so that no statement is long.
ORDERS_PER_STATEMENT = 1_000
LISTED_ORDERS = 5
# Dropping a partition locks the table of the bodies: wait for that lock no longer than this, since
# new messages wait behind it.
LOCK_TIMEOUT = "900ms"
LOCK_ATTEMPTS = 5
LOCK_PAUSE_SECONDS = 1.0
STORED_MONTHS = """
SELECT right(c.relname, 7), pg_total_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY 1
"""
# Another version of a message with the reason `conflict` is used: it needs nothing any more.
UNSETTLED = """
(state = 'waiting' OR (state = 'parked' AND reason NOT IN ('conflict', 'body_removed')))
"""
UNSETTLED_BY_MONTH = f"""
SELECT to_char(received_at AT TIME ZONE 'UTC', 'YYYY_MM'),
    count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'parked')
FROM visibility_inbound_message WHERE state IN ('waiting', 'parked') AND {UNSETTLED} GROUP BY 1
"""  # noqa: S608  # only own text
IS_UNSETTLED_BETWEEN = f"""
SELECT EXISTS (SELECT FROM visibility_inbound_message
    WHERE state IN ('waiting', 'parked') AND {UNSETTLED}
        AND received_at >= %s AND received_at < %s)
"""  # noqa: S608  # only own text
OPEN_ORDERS = """
SELECT object_id FROM visibility_order WHERE is_open AND object_id > %s
ORDER BY object_id LIMIT %s
"""
# Which of these orders have events of messages received before then, and in which months.
MONTHS_OF_ORDERS = """
WITH RECURSIVE family (order_id, id) AS (
    SELECT o.id, o.id FROM unnest(%s::bigint[]) AS o (id)
    UNION
    SELECT family.order_id, r.child_id
    FROM family JOIN visibility_objectrelation r ON r.parent_id = family.id
)
SELECT DISTINCT to_char(e.received_at AT TIME ZONE 'UTC', 'YYYY_MM'), family.order_id
FROM family JOIN visibility_eventobjectlink link ON link.object_id = family.id
JOIN visibility_event e ON e.id = link.event_id AND e.occurred_at = link.occurred_at
WHERE e.received_at < %s ORDER BY 1, 2
"""


@dataclass(slots=True)
class NeededBodies:
    """How many messages and open orders need the bodies of one month."""

    waiting: int = 0
    parked: int = 0
    open_orders: int = 0
    open_order_ids: list[int] = field(default_factory=list)


def check_partitions(*, now: datetime, days: int) -> list[MessageBodyPartition]:
    """Record what each month of bodies holds and what keeps it; the stored months, oldest first.

    `days`: how long bodies are stored at least; 0 stores them forever. Removes nothing.
    """
    horizon = now - timedelta(days=days) if days else None
    with connection.cursor() as cursor:
        cursor.execute(STORED_MONTHS, [TABLE])
        sizes: Mapping[str, int] = dict(cursor.fetchall())
    needed = _count_needed_bodies(horizon)
    is_moving = MessageBodyMove.objects.exists()
    return [
        _record_check(
            _month(name), size, needed[name], is_moving=is_moving, now=now, horizon=horizon
        )
        for name, size in sizes.items()
    ]


def remove_partition(
    partition: MessageBodyPartition, *, now: datetime, days: int, user: User | None = None
) -> bool:
    """Remove the bodies of a month; False if something needs them after all.

    Raises OperationalError if the table stays locked by others.
    """
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            return _remove_partition_once(partition, now=now, days=days, user=user)
        except OperationalError:
            if attempt == LOCK_ATTEMPTS or not connection.is_usable():
                raise
            log.info("message_bodies_locked", month=str(partition), attempt=attempt)
            time.sleep(LOCK_PAUSE_SECONDS)
    return False


def remove_due_partitions(*, now: datetime, days: int) -> list[MessageBodyPartition]:
    """Check all months, and remove those that were listed as removable for long enough."""
    due = [p for p in check_partitions(now=now, days=days) if (p.removal_due_at or now) < now]
    return [p for p in due if remove_partition(p, now=now, days=days)]


def _month(name: str) -> datetime:
    """The start of a month from the end of a partition's name, such as `2026_03`."""
    return datetime(int(name[:4]), int(name[5:]), 1, tzinfo=UTC)


def _count_needed_bodies(horizon: datetime | None) -> Mapping[str, NeededBodies]:
    """What needs the bodies, by month. Open orders are only looked up before the horizon."""
    needed: dict[str, NeededBodies] = defaultdict(NeededBodies)
    with connection.cursor() as cursor:
        cursor.execute(UNSETTLED_BY_MONTH)
        for month, waiting, parked in cursor.fetchall():
            needed[month].waiting, needed[month].parked = waiting, parked
    for month, order_id in _months_of_open_orders(horizon) if horizon else ():
        needed[month].open_orders += 1
        if len(needed[month].open_order_ids) < LISTED_ORDERS:
            needed[month].open_order_ids.append(order_id)
    return needed


def _months_of_open_orders(horizon: datetime) -> Iterator[tuple[str, int]]:
    """Each month before the horizon from which an open order has messages, and the order."""
    last_id = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(OPEN_ORDERS, [last_id, ORDERS_PER_STATEMENT])
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return
            cursor.execute(MONTHS_OF_ORDERS, [ids, horizon])
            yield from cursor.fetchall()
            last_id = ids[-1]


def _record_check(
    starts_at: datetime,
    size: int,
    needed: NeededBodies,
    *,
    is_moving: bool,
    now: datetime,
    horizon: datetime | None,
) -> MessageBodyPartition:
    ends_at = (starts_at + timedelta(days=31)).replace(day=1)
    known = MessageBodyPartition.objects.filter(starts_at=starts_at).first()
    partition = known or MessageBodyPartition(starts_at=starts_at)
    partition.ends_at, partition.checked_at, partition.removed_at = ends_at, now, None
    partition.message_count, partition.byte_count = _count_rows(starts_at), size
    partition.waiting_count, partition.parked_count = needed.waiting, needed.parked
    partition.open_order_count = needed.open_orders
    partition.open_order_ids = needed.open_order_ids
    partition.is_moving = is_moving
    may_go = horizon is not None and ends_at <= horizon and not partition.is_needed
    partition.removable_since = (partition.removable_since or now) if may_go else None
    partition.save()
    return partition


def _partition_name(starts_at: datetime) -> sql.Identifier:
    return sql.Identifier(f"{TABLE}_{starts_at:%Y_%m}")


def _count_rows(starts_at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(_partition_name(starts_at)))
        return int(cursor.fetchone()[0])


def _remove_partition_once(
    partition: MessageBodyPartition, *, now: datetime, days: int, user: User | None
) -> bool:
    """Check once more what can change at any time, and drop the table last: it locks others."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(IS_UNSETTLED_BETWEEN, [partition.starts_at, partition.ends_at])
        if cursor.fetchone()[0]:
            return False
        partition.removed_at, partition.retention_days = now, days
        partition.save(update_fields=["removed_at", "retention_days"])
        append_audit_entry(
            "messages.bodies_removed",
            user=user,
            object=f"payloads of {partition}",
            detail={"messages": partition.message_count, "bytes": partition.byte_count},
            now=now,
        )
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        cursor.execute(sql.SQL("DROP TABLE {}").format(_partition_name(partition.starts_at)))
    log.info("message_bodies_removed", month=str(partition), messages=partition.message_count)
    return True


def is_check_due(*, now: datetime, every: timedelta) -> bool:
    """Whether no check was recorded for so long."""
    return not MessageBodyPartition.objects.filter(checked_at__gt=now - every).exists()
