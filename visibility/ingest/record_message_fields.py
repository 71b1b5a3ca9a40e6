"""Which fields the messages of each source have: a small record, from a sample of its messages.

Only paths and types are recorded, never values. Every minute, the newest few messages of each
source are read; the number of paths is limited.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction

from connectors.sdk.payload import PayloadError
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.models.source_records import SourceField

SAMPLED_WITHIN = timedelta(minutes=2)
MESSAGES_PER_SOURCE = 5
MAX_BODY_BYTES = 262_144
MAX_DEPTH = 12
MAX_PATHS_PER_MESSAGE = 300
MAX_FIELDS_PER_SOURCE = 2_000
STORED_FOR = timedelta(days=90)
# A name with a number or an address in it is data, such as an order number as a key.
DATA_IN_NAME = re.compile(r"\d{3,}|@|^[0-9a-fA-F-]{16,}$")
KINDS = {str: "text", bool: "yes or no", int: "number", float: "number", list: "list"}
NEWEST = """
SELECT message.id, message.source_id, message.headers, coalesce(b.body, message.body), coalesce(
    (SELECT min(event.type) FROM visibility_event event WHERE event.message_id = message.id), '')
FROM visibility_source source
CROSS JOIN LATERAL (
    SELECT m.id, m.source_id, m.received_at, m.headers, m.body
    FROM visibility_inbound_message m
    WHERE m.source_id = source.id AND m.received_at > %s AND m.state IN ('applied', 'parked')
    ORDER BY m.received_at DESC LIMIT %s
) message
LEFT JOIN visibility_message_body b
    ON b.message_id = message.id AND b.received_at = message.received_at
WHERE source.enabled AND octet_length(coalesce(b.body, message.body)) <= %s
"""
UPSERT_FIELDS = """
INSERT INTO visibility_sourcefield AS known
    (source_id, event_type, path, kind, first_seen_at, last_seen_at)
SELECT source_id, event_type, path, kind, %s, %s
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])
    AS t (source_id, event_type, path, kind)
ORDER BY 1, 2, 3, 4
ON CONFLICT (source_id, event_type, path, kind) DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at
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
    fields = defaultdict[Key, set[tuple[str, str]]](set)
    counts = defaultdict[Key, int](int)
    for _, source_id, headers, body, event_type in rows:
        document = _parse_json(
            bytes(body), orjson.loads(headers) if isinstance(headers, str) else headers
        )
        if document is not None:
            fields[source_id, event_type].update(field_paths_and_kinds(document))
            counts[source_id, event_type] += 1
    if counts:
        _store(fields, counts, now)
    SourceField.objects.filter(last_seen_at__lt=now - STORED_FOR).delete()
    return sum(counts.values())


def field_paths_and_kinds(document: object) -> Iterator[tuple[str, str]]:
    """Each path of a document with the type of its value, such as `lines[].sku` and `text`."""
    count = 0
    pending: list[tuple[str, object, int]] = [("", document, 0)]
    while pending and count < MAX_PATHS_PER_MESSAGE:
        path, value, depth = pending.pop()
        if depth > MAX_DEPTH or value is None:
            continue
        if isinstance(value, dict) and value:
            for name, child in value.items():
                shown = "*" if DATA_IN_NAME.search(name) else name.replace("\0", "")[:60]
                pending.append((f"{path}.{shown}".lstrip("."), child, depth + 1))
        elif isinstance(value, list) and value:
            pending += [(f"{path}[]", child, depth + 1) for child in value[:20]]
        elif path:
            count += 1
            yield path[:200], KINDS.get(type(value), "object")


def _parse_json(body: bytes, headers: dict[str, str]) -> Any:
    try:
        return orjson.loads(decompress_body_if_gzip(body, headers))
    except (PayloadError, orjson.JSONDecodeError):
        return None  # other formats have no fields with paths


def _store(fields: dict[Key, set[tuple[str, str]]], counts: dict[Key, int], now: datetime) -> None:
    stored = defaultdict[int, int](int)
    source_ids = sorted({source_id for source_id, _ in counts})
    known = SourceField.objects.filter(source_id__in=source_ids)
    existing = set(known.values_list("source_id", "event_type", "path", "kind"))
    for source_id, *_ in existing:
        stored[source_id] += 1
    chosen = []
    for (source_id, event_type), pairs in sorted(fields.items()):
        for path, kind in sorted(pairs):
            row = (source_id, event_type, path, kind)
            if row not in existing:
                if stored[source_id] >= MAX_FIELDS_PER_SOURCE:
                    continue
                stored[source_id] += 1
            chosen.append(row)
    keys = sorted(counts)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(UPSERT_FIELDS, [now, now, *([row[i] for row in chosen] for i in range(4))])
        cursor.execute(
            UPSERT_SAMPLES,
            [now, now, [k[0] for k in keys], [k[1] for k in keys], [counts[k] for k in keys]],
        )
