"""Notices: messages that only say that something changed make the next poll due at once.

Many notices cause one poll. A running poll, which may have read the data before it changed, is
followed by another one. Notices never shorten the pause after a failure, nor the one that a
throttling system asked for: the poll after it reads everything since the cursor.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from visibility.db import bulk
from visibility.ingest.parse_messages_and_pick_versions import ParseOutcome, StoredMessage
from visibility.models.sources_and_messages import Source

# Polls that notices cause begin at least so long after the one before, or after the interval of
# the source if that is shorter.
PAUSE_BETWEEN_POLLS = timedelta(seconds=5)
REQUEST_POLLS = """
UPDATE visibility_source SET poll_requested_at = clock_timestamp(),
    next_poll_at = CASE
        WHEN poll_error <> '' OR poll_ended_at IS NULL OR poll_started_at > poll_ended_at
            THEN next_poll_at
        ELSE least(next_poll_at,
            greatest(clock_timestamp(), poll_ended_at + least(poll_every, %s::interval)))
    END
WHERE id = ANY(%s::bigint[]) AND enabled AND next_poll_at IS NOT NULL
"""


def add_writes_of_poll_requests(
    writes: bulk.CombinedWrites,
    messages: Sequence[StoredMessage],
    outcomes: Iterable[ParseOutcome],
) -> None:
    """Make the next polls of the sources due whose messages are notices."""
    notices = {outcome.message_id for outcome in outcomes if outcome.poll_due}
    if notices:
        ids = sorted({message.source_id for message in messages if message.id in notices})
        writes.add(REQUEST_POLLS, PAUSE_BETWEEN_POLLS, ids)


def next_poll_after_notice(
    source: Source, *, ended_at: datetime, next_poll_at: datetime
) -> datetime:
    """Return when the source is polled next: soon if a notice came while the poll ran."""
    started, requested = source.poll_started_at, source.poll_requested_at
    if started is None or requested is None or requested < started:
        return next_poll_at
    return min(next_poll_at, ended_at + min(source.poll_every, PAUSE_BETWEEN_POLLS))
