"""Remove messages and events of demo sources, a batch at a time."""

from collections.abc import Sequence

from django.db import connection

from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.kpi.measured_records import RecordKind
from visibility.kpi.remove_facts_of_records import remove_facts_of_records
from visibility.models import EditedMessage, MessageDiscard, MessageReplay

BATCH_SIZE = 1_000
NEXT_MESSAGES = """
SELECT id FROM visibility_inbound_message WHERE source_id = ANY(%s) ORDER BY id LIMIT %s FOR UPDATE
"""
DELETE_MESSAGES = (
    "DELETE FROM visibility_message_body WHERE message_id = ANY(%s)",
    "DELETE FROM visibility_messagekey WHERE message_id = ANY(%s)",
    "DELETE FROM visibility_inbound_message WHERE id = ANY(%s)",
)
NEXT_EVENTS = """
SELECT id FROM visibility_event WHERE source_id = ANY(%s) LIMIT %s
"""
DELETE_EVENTS = (
    "DELETE FROM visibility_eventcorrection WHERE event_id = ANY(%s)",
    "DELETE FROM visibility_eventobjectlink WHERE event_id = ANY(%s)",
    "DELETE FROM visibility_event WHERE id = ANY(%s)",
)
COUNT = """
SELECT (SELECT count(*) FROM visibility_inbound_message WHERE source_id = ANY(%s))
    + (SELECT count(*) FROM visibility_event WHERE source_id = ANY(%s))
    + (SELECT count(DISTINCT link.object_id) FROM visibility_event event
        JOIN visibility_eventobjectlink link ON link.event_id = event.id
        WHERE event.source_id = ANY(%s))
"""


def count_messages_objects_and_events(sources: Sequence[int]) -> int:
    """How many rows there are to remove, for the progress."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [list(sources)] * 3)
        return int(cursor.fetchone()[0])


def remove_messages(sources: Sequence[int]) -> int:
    """Remove a batch of messages, and what people decided about them; return how many.

    It waits for a worker that is reading one of them.
    """
    ids = _delete_batch(sources, NEXT_MESSAGES, DELETE_MESSAGES)
    if ids:
        remove_facts_of_records(RecordKind.MESSAGE, ids)
        EditedMessage.objects.filter(message_id__in=ids).delete()
        EditedMessage.objects.filter(original_id__in=ids).delete()
        for model in (MessageReplay, MessageDiscard):
            for row in model.objects.filter(message_ids__overlap=ids):
                row.message_ids = sorted(set(row.message_ids) - set(ids))
                row.save(update_fields=["message_ids"]) if row.message_ids else row.delete()
    return len(ids)


def remove_events(sources: Sequence[int]) -> int:
    """Remove a batch of events; return how many. Nothing refers to them any more."""
    return len(_delete_batch(sources, NEXT_EVENTS, DELETE_EVENTS))


def _delete_batch(sources: Sequence[int], select: str, deletes: Sequence[str]) -> list[int]:
    # A worker that measures messages has read some of them.
    lock_until_commit(LockKey.KPI_RECORDS)
    with connection.cursor() as cursor:
        cursor.execute(select, [list(sources), BATCH_SIZE])
        ids = [row[0] for row in cursor.fetchall()]
        for statement in deletes if ids else ():
            cursor.execute(statement, [ids])
    return ids
