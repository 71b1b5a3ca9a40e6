"""Which fields the messages of each source have: a small record, from a sample of its messages.

Only paths and types are recorded, never values. Every minute, the newest few messages of each
source are read; the number of paths is limited.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from django.db import connection, transaction

from connectors.sdk.connector import RawMessage
from connectors.sdk.message_shape import shape_of
from visibility.ingest.message_shapes import (
    MAX_BODY_BYTES,
    UnknownShape,
    find_read_paths,
    is_compared,
    parse_json,
    shape_of_other_format,
)
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.ingest.record_field_changes import record_unknown_shapes
from visibility.models.source_records import SourceField
from visibility.models.sources_and_messages import MessageState, Source

SAMPLED_WITHIN = timedelta(minutes=2)
MESSAGES_PER_SOURCE = 5
STORED_FOR = timedelta(days=90)
NEWEST = """
SELECT message.id, message.source_id, message.received_at, message.state, message.headers,
    coalesce(b.body, message.body),
    coalesce((SELECT min(e.type) FROM visibility_event e WHERE e.message_id = message.id), '')
FROM visibility_source source
CROSS JOIN LATERAL (
    SELECT m.id, m.source_id, m.received_at, m.state, m.headers, m.body
    FROM visibility_inbound_message m
    WHERE m.source_id = source.id AND m.received_at > %s AND m.state IN ('applied', 'parked')
    ORDER BY m.received_at DESC LIMIT %s
) message
LEFT JOIN visibility_message_body b
    ON b.message_id = message.id AND b.received_at = message.received_at
WHERE source.enabled AND octet_length(coalesce(b.body, message.body)) <= %s
"""
SEEN = """
UPDATE visibility_sourcefield AS field SET last_seen_at = %s
FROM (
    SELECT id FROM visibility_sourcefield
    JOIN unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])
        AS t (source_id, event_type, path, kind) USING (source_id, event_type, path, kind)
    ORDER BY id FOR NO KEY UPDATE
) AS seen
WHERE field.id = seen.id
"""
UPSERT_SAMPLES = """
INSERT INTO visibility_sourcefieldsample AS known
    (source_id, event_type, first_sampled_at, last_sampled_at, message_count)
SELECT source_id, event_type, %s, %s, count
FROM unnest(%s::bigint[], %s::text[], %s::int[]) AS t (source_id, event_type, count)
ORDER BY 1, 2
ON CONFLICT (source_id, event_type) DO UPDATE SET last_sampled_at = EXCLUDED.last_sampled_at,
    message_count = known.message_count + EXCLUDED.message_count
"""
Key = tuple[int, str]


def record_message_fields(now: datetime) -> int:
    """Record the fields of the newest messages of each source; return how many were read."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [now - SAMPLED_WITHIN, MESSAGES_PER_SOURCE, MAX_BODY_BYTES])
        rows = cursor.fetchall()
    sources = Source.objects.in_bulk({row[1] for row in rows})
    fields = defaultdict[Key, set[tuple[str, str]]](set)
    counts = defaultdict[Key, int](int)
    unknown = []
    for message_id, source_id, received_at, state, headers, body, event_type in rows:
        loaded = orjson.loads(headers) if isinstance(headers, str) else headers
        raw = RawMessage(bytes(body), loaded, received_at)
        document = parse_json(raw.body, loaded)
        shape = (
            shape_of_other_format(raw, sources[source_id])
            if document is None
            else shape_of(document)
        )
        if shape is None:
            continue
        is_readable = bool(event_type) or state != MessageState.PARKED
        kind_of_message = event_type if is_readable else None
        message = StoredMessage(message_id, source_id, received_at, "", "", loaded, raw.body)
        each = UnknownShape(source_id, kind_of_message, message_id, received_at, shape)
        unknown.append((each, message))
        if is_readable:
            fields[source_id, event_type].update(shape.fields)
            counts[source_id, event_type] += 1
    not_compared = [(each, message) for each, message in unknown if not is_compared(each)]
    record_unknown_shapes(
        [
            replace(each, read_paths=find_read_paths(message, sources[each.source_id]))
            for each, message in not_compared
        ]
    )
    if counts:
        _store(fields, counts, now)
    SourceField.objects.filter(last_seen_at__lt=now - STORED_FOR).delete()
    return sum(counts.values())


def _store(fields: dict[Key, set[tuple[str, str]]], counts: dict[Key, int], now: datetime) -> None:
    seen = [(*key, *pair) for key, pairs in fields.items() for pair in pairs]
    keys = sorted(counts)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            UPSERT_SAMPLES,
            [now, now, [k[0] for k in keys], [k[1] for k in keys], [counts[k] for k in keys]],
        )
        cursor.execute(SEEN, [now, *([row[i] for row in seen] for i in range(4))])
