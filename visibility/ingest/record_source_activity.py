"""Record how far the reports of each source go, in the transaction that applies its messages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from connectors.sdk.events import EventType
from visibility.db import bulk
from visibility.ingest.parse_messages_and_pick_versions import ParseOutcome, StoredMessage

# Events that never belong to an order say nothing about how far the reports on orders go.
NOT_OF_ORDERS = frozenset({EventType.INVENTORY_SNAPSHOT.value, EventType.INVENTORY_ADJUSTED.value})
INSERT_MISSING = """
INSERT INTO visibility_sourceactivity (source_id, event_type, last_received_at, newest_event_at)
SELECT * FROM unnest(%s::bigint[], %b::text[], %s::timestamptz[], %s::timestamptz[])
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
# `resumed_at`: the latest receipt after a pause that was longer than the limit of the source. A
# poll that found nothing new ends a pause too.
UPDATE_EXISTING = """
UPDATE visibility_sourceactivity AS activity
SET last_received_at = greatest(activity.last_received_at, applied.last_received_at),
    newest_event_at = greatest(activity.newest_event_at, applied.newest_event_at),
    backlog_applied_at = CASE WHEN applied.oldest_event_at < activity.resumed_at
        THEN clock_timestamp() ELSE activity.backlog_applied_at END,
    resumed_at = coalesce((
        SELECT max(received.at) FROM (
            SELECT message.at, lag(message.at, 1, greatest(
                activity.last_received_at, source.polled_until
            )) OVER (ORDER BY message.at) AS before
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS message (source_id, at)
            WHERE message.source_id = activity.source_id AND message.at > activity.last_received_at
        ) AS received WHERE received.at - received.before > source.expect_every
    ), activity.resumed_at)
FROM unnest(%s::bigint[], %b::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
        AS applied (source_id, event_type, last_received_at, newest_event_at, oldest_event_at),
    visibility_source AS source
WHERE activity.source_id = applied.source_id AND activity.event_type = applied.event_type
    AND source.id = applied.source_id
"""


def add_writes_of_source_activity(
    writes: bulk.CombinedWrites,
    messages: Sequence[StoredMessage],
    outcomes: Iterable[ParseOutcome],
) -> None:
    """Add the writes for the messages that were applied, also if some of their records are parked.

    A message of which no record could be read changes nothing.
    """
    by_id = {message.id: message for message in messages}
    received: dict[tuple[int, str], list[datetime]] = {}
    occurred: dict[tuple[int, str], list[datetime]] = {}
    for outcome in outcomes:
        if outcome.reason and not outcome.new_events:
            continue
        message = by_id[outcome.message_id]
        received.setdefault((message.source_id, ""), []).append(message.received_at)
        for new_event in outcome.new_events:
            at = min(new_event.occurred_at, message.received_at)
            event_type = new_event.event.type.value
            for key in (event_type, *(() if event_type in NOT_OF_ORDERS else ("",))):
                occurred.setdefault((message.source_id, key), []).append(at)
                received.setdefault((message.source_id, key), []).append(message.received_at)
    if received:
        _add_writes(writes, received, occurred)


def _add_writes(
    writes: bulk.CombinedWrites,
    received: Mapping[tuple[int, str], Sequence[datetime]],
    occurred: Mapping[tuple[int, str], Sequence[datetime]],
) -> None:
    keys = sorted(received)
    ids, types = [source_id for source_id, _ in keys], [event_type for _, event_type in keys]
    last = [max(received[key]) for key in keys]
    newest = [max(occurred.get(key, ()), default=None) for key in keys]
    oldest = [min(occurred.get(key, ()), default=None) for key in keys]
    of_sources = [
        (source_id, at) for source_id, t in keys if not t for at in received[source_id, t]
    ]
    writes.add(INSERT_MISSING, ids, types, last, newest)
    writes.add(
        UPDATE_EXISTING,
        [source_id for source_id, _ in of_sources],
        [at for _, at in of_sources],
        *(ids, types, last, newest, oldest),
    )
