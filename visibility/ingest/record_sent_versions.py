"""Count the messages of each version that a source sends, with the batch that applies them.

It is one more write in the statement that ends a batch, and none for sources whose messages name no
version. So it costs no statement of its own, and no count is lost.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from visibility.db import bulk
from visibility.ingest.parse_messages_and_pick_versions import ParseOutcome, StoredMessage

# A source that sends arbitrary texts as versions fills no table.
MAX_VERSIONS_PER_SOURCE = 200
COUNT = """
INSERT INTO visibility_sentversion AS known (source_id, name, version, first_seen_at,
    last_seen_at, message_count, first_message_id, last_message_id)
SELECT t.* FROM unnest(%s::bigint[], %b::text[], %b::text[], %s::timestamptz[],
    %s::timestamptz[], %s::int[], %s::bigint[], %s::bigint[])
    AS t (source_id, name, version, first_at, last_at, count, first_id, last_id)
WHERE (SELECT count(*) FROM visibility_sentversion other WHERE other.source_id = t.source_id) < %s
    OR EXISTS (SELECT FROM visibility_sentversion same WHERE same.source_id = t.source_id
        AND same.name = t.name AND same.version = t.version)
ORDER BY 1, 2, 3
ON CONFLICT (source_id, name, version) DO UPDATE SET
    last_seen_at = greatest(known.last_seen_at, EXCLUDED.last_seen_at),
    message_count = known.message_count + EXCLUDED.message_count,
    last_message_id = greatest(known.last_message_id, EXCLUDED.last_message_id)
"""


def add_writes_of_sent_versions(
    writes: bulk.CombinedWrites,
    messages: Sequence[StoredMessage],
    outcomes: Iterable[ParseOutcome],
) -> None:
    """Add the write, if any message names a version. Parked messages count as well."""
    by_id = {message.id: message for message in messages}
    seen: dict[tuple[int, str, str], list[tuple[datetime, int]]] = {}
    for outcome in outcomes:
        message = by_id[outcome.message_id]
        for name, version in outcome.versions:
            of_version = seen.setdefault((message.source_id, name, version), [])
            of_version.append((message.received_at, message.id))
    if not seen:
        return
    keys = sorted(seen)
    firsts, lasts = [min(seen[key]) for key in keys], [max(seen[key]) for key in keys]
    writes.add(
        COUNT,
        *([key[index] for key in keys] for index in range(3)),
        [at for at, _ in firsts],
        [at for at, _ in lasts],
        [len(seen[key]) for key in keys],
        [message_id for _, message_id in firsts],
        [message_id for _, message_id in lasts],
        MAX_VERSIONS_PER_SOURCE,
    )
