"""Move the bodies that an older version stored with their messages to the table of the bodies.

Small transactions that can be killed at any point: the position moves with the bodies. Intake and
workers go on, because only settled messages that nobody has locked are moved.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction

BATCH_SIZE = 200
# Seconds of work in a run of the job.
RUN_SECONDS = 2.0
# Processes of the older version may still store messages for a while during an upgrade.
UPGRADE_TIME = timedelta(hours=1)
LOCK_POSITION = """
SELECT next_id, last_id, clock_timestamp() - started_at > make_interval(secs => %s)
FROM visibility_messagebodymove FOR UPDATE SKIP LOCKED
"""
LAST_ID_OF_BATCH = """
SELECT max(id) FROM (
    SELECT id FROM visibility_inbound_message WHERE id BETWEEN %s AND %s ORDER BY id LIMIT %s
) batch
"""
# A message that waits is read with its body; one that is locked may be about to.
MOVE = """
WITH unmoved AS (
    SELECT id, received_at FROM visibility_inbound_message
    WHERE id BETWEEN %s AND %s AND body IS NOT NULL
), picked AS (
    SELECT m.id, m.received_at, m.body FROM visibility_inbound_message m
    JOIN unmoved USING (id, received_at) WHERE m.state <> 'waiting'
    FOR UPDATE OF m SKIP LOCKED
), moved AS (
    INSERT INTO visibility_message_body (message_id, received_at, body)
    SELECT id, received_at, body FROM picked
    ON CONFLICT DO NOTHING
), cleared AS (
    UPDATE visibility_inbound_message m SET body = NULL FROM picked
    WHERE m.id = picked.id AND m.received_at = picked.received_at
)
SELECT (SELECT count(*) FROM picked), (SELECT min(id) FROM unmoved
    WHERE NOT EXISTS (SELECT FROM picked WHERE picked.id = unmoved.id))
"""
NEWEST_UNMOVED = """
SELECT max(id) FROM visibility_inbound_message WHERE id > %s AND body IS NOT NULL
"""


def move_message_bodies(*, should_stop: Callable[[], bool], seconds: float = RUN_SECONDS) -> int:
    """Move batches for some seconds; return the number of bodies."""
    total, until = 0, time.monotonic() + seconds
    while not should_stop() and time.monotonic() < until:
        moved = _move_batch()
        if moved is None:
            break
        total += moved
    return total


def _move_batch() -> int | None:
    """Move the bodies of a batch; None if nothing can be moved now."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK_POSITION, [UPGRADE_TIME.total_seconds()])
        position = cursor.fetchone()
        if position is None:
            return None
        next_id, last_id, is_upgraded = position
        cursor.execute(LAST_ID_OF_BATCH, [next_id, last_id, BATCH_SIZE])
        end = cursor.fetchone()[0]
        if end is None:
            return _extend_or_finish(next_id, last_id, is_upgraded=is_upgraded)
        cursor.execute(MOVE, [next_id, end])
        moved, first_left = cursor.fetchone()
        cursor.execute(
            "UPDATE visibility_messagebodymove SET next_id = %s",
            [end + 1 if first_left is None else first_left],
        )
        return int(moved) if moved or first_left is None else None


def _extend_or_finish(next_id: int, last_id: int, *, is_upgraded: bool) -> int | None:
    """Go on with messages that the older version stored meanwhile; end if there are none."""
    if not is_upgraded:
        return None
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_UNMOVED, [last_id])
        newest = cursor.fetchone()[0]
        if newest is None:
            cursor.execute("DELETE FROM visibility_messagebodymove")
            return None
        cursor.execute(
            "UPDATE visibility_messagebodymove SET next_id = %s, last_id = %s",
            [max(next_id, last_id + 1), newest],
        )
    return 0
