"""Replay of messages: they return to the queue and are processed again, until stopped."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db import bulk
from visibility.db.change_feed import append_changes
from visibility.ingest.record_message_decision import record_message_decision
from visibility.models.message_bodies import BODY_IS_REMOVED
from visibility.models.message_replays import MessageReplay

REQUEUE = f"""
UPDATE visibility_inbound_message m SET state = 'waiting', attempts = 0, next_attempt_at = NULL
WHERE m.id = ANY(%s) AND m.state = 'parked' AND NOT {BODY_IS_REMOVED}
RETURNING m.id
"""  # noqa: S608  # constant SQL
# Also messages that are applied: events that they no longer give are superseded.
REQUEUE_APPLIED = REQUEUE.replace("m.state = 'parked'", "m.state IN ('parked', 'applied')")
# A message that a worker reads just now is locked, and is processed; one that waits in a later
# replay stays in the queue. State and cause are still those from before the replay.
STOP = """
WITH still_waiting AS (
    SELECT m.id, m.received_at FROM visibility_inbound_message m
    WHERE m.id = ANY(%s) AND m.state = 'waiting' AND NOT EXISTS (
        SELECT FROM visibility_messagereplay later
        WHERE later.id > %s AND later.message_ids @> ARRAY[m.id])
    ORDER BY m.id FOR UPDATE SKIP LOCKED
)
UPDATE visibility_inbound_message m
SET state = CASE WHEN reason = '' THEN 'applied' ELSE 'parked' END, next_attempt_at = NULL
FROM still_waiting WHERE m.id = still_waiting.id AND m.received_at = still_waiting.received_at
RETURNING m.id, m.source_id
"""


def replay_parked_messages(
    message_ids: Sequence[int], *, by: User | None, now: datetime
) -> MessageReplay | None:
    """Return parked messages to the queue. None if there is nothing to replay.

    Applied messages, and messages whose body retention removed, do not change.
    """
    return _requeue(REQUEUE, message_ids, "message.replay", by=by, now=now)


def reread_messages(
    message_ids: Sequence[int], *, by: User | None, now: datetime
) -> MessageReplay | None:
    """Return applied and parked messages to the queue, to be read by the present connector.

    Events that a message no longer gives are superseded. None if there is nothing to read.
    """
    return _requeue(REQUEUE_APPLIED, message_ids, "message.reread", by=by, now=now)


def _requeue(
    statement: str, message_ids: Sequence[int], action: str, *, by: User | None, now: datetime
) -> MessageReplay | None:
    wanted = set(message_ids)
    with transaction.atomic():
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(statement, [list(wanted)])
            queued = sorted(row[0] for row in cursor.fetchall())
        if not queued:
            return None
        replay = MessageReplay.objects.create(
            requested_at=now,
            requested_by=by,
            message_ids=queued,
            skipped_count=len(wanted) - len(queued),
        )
        record_message_decision(action, queued, by=by, now=now, replay=replay.pk)
    return replay


def stop_replay(replay_id: int, *, by: User, now: datetime) -> int:
    """Return the messages of a replay that still wait to their state before; return how many."""
    with transaction.atomic():
        replay = MessageReplay.objects.select_for_update(no_key=True).get(pk=replay_id)
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(STOP, [replay.message_ids, replay.pk])
            stopped = dict(cursor.fetchall())
        if not stopped:
            return 0
        replay.stopped_at, replay.stopped_by = now, by
        replay.save(update_fields=["stopped_at", "stopped_by"])
        record_message_decision("message.replay_stopped", stopped, by=by, now=now, replay=replay.pk)
        append_changes({"source": sorted(set(stopped.values()))})
    return len(stopped)
