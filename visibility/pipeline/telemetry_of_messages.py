"""The telemetry of a batch of messages. A message with nothing else is removed, not settled."""

from collections.abc import Sequence

from visibility.db import bulk
from visibility.ingest.parse_messages_and_pick_versions import ParseOutcome, StoredMessage
from visibility.ingest.telemetry_rows import ReceivedTelemetry, received_telemetry

# A message that was settled before, such as a replayed one, stays: pages show what became of it.
REMOVE_MESSAGES = """
WITH removed AS (
    DELETE FROM visibility_inbound_message WHERE id = ANY(%s::bigint[])
        AND received_at BETWEEN %s AND %s AND processed_at IS NULL
    RETURNING id
), bodies AS (
    DELETE FROM visibility_message_body USING removed
    WHERE message_id = removed.id AND received_at BETWEEN %s AND %s
), keys AS (
    DELETE FROM visibility_messagekey USING removed WHERE message_id = removed.id
)
SELECT id FROM removed
"""


def received_telemetry_of_messages(
    messages: Sequence[StoredMessage], outcomes: Sequence[ParseOutcome]
) -> list[ReceivedTelemetry]:
    """The telemetry of these messages, in their order."""
    return [
        received_telemetry(message.source_id, message.received_at, record)
        for message, outcome in zip(messages, outcomes, strict=True)
        for record in outcome.telemetry
    ]


def remove_counted_messages(
    messages: Sequence[StoredMessage], outcomes: Sequence[ParseOutcome]
) -> set[int]:
    """Remove the messages that contain only telemetry, which the transaction counts.

    Return their ids.
    """
    removed = [
        message
        for message, outcome in zip(messages, outcomes, strict=True)
        if outcome.is_only_telemetry
    ]
    if not removed:
        return set()
    times = [message.received_at for message in removed]
    between = (min(times), max(times))
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(REMOVE_MESSAGES, [[m.id for m in removed], *between, *between])
        return {row[0] for row in cursor.fetchall()}
