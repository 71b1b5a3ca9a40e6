"""Replay of parked messages: they return to the queue and are processed again."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db import bulk
from visibility.models.audit import append_audit_entry
from visibility.models.message_replays import MessageReplay

REQUEUE = """
UPDATE visibility_inbound_message m SET state = 'waiting', attempts = 0, next_attempt_at = NULL
WHERE m.id = ANY(%s) AND m.state = 'parked' AND NOT EXISTS (
    SELECT FROM visibility_messagebodypartition removed WHERE removed.removed_at IS NOT NULL
        AND m.received_at >= removed.starts_at AND m.received_at < removed.ends_at)
RETURNING m.id
"""


def replay_parked_messages(
    message_ids: Sequence[int], *, by: User | None, now: datetime
) -> MessageReplay | None:
    """Return parked messages to the queue. None if there is nothing to replay.

    Applied messages, and messages whose body retention removed, do not change.
    """
    wanted = set(message_ids)
    with transaction.atomic():
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(REQUEUE, [list(wanted)])
            queued = sorted(row[0] for row in cursor.fetchall())
        if not queued:
            return None
        replay = MessageReplay.objects.create(
            requested_at=now,
            requested_by=by,
            message_ids=queued,
            skipped_count=len(wanted) - len(queued),
        )
        append_audit_entry(
            "message.replay",
            user=by,
            object=f"{len(queued)} messages",
            detail={"ids": queued[:100], "count": len(queued), "replay": replay.pk},
            now=now,
        )
    return replay
