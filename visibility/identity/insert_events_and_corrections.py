"""Insert events, and the index of what they correct, in one statement."""

from collections.abc import Sequence

from visibility.db import bulk
from visibility.models.events import EventToStore


def insert_events(new_events: Sequence[EventToStore]) -> tuple[list[int | None], set[int]]:
    """Return the id of each new event, or None if the event is already stored.

    Also return which of them may replace versions that correct other events. A superseded event
    that is effective again may have links to other objects: they are removed.
    """
    rows: dict[tuple[int, str, str, object], EventToStore] = {}
    for new_event in new_events:
        rows.setdefault(
            (
                new_event.source_id,
                new_event.event.key,
                new_event.content_hash,
                new_event.occurred_at,
            ),
            new_event,
        )
    ordered = [rows[key] for key in sorted(rows, key=str)]
    if not ordered:
        return [], set()
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            """
            WITH reading AS (
                SELECT DISTINCT name FROM unnest(%b::text[]) AS t (name) WHERE name <> ''
            ), new_reader AS (
                INSERT INTO visibility_eventreader (name)
                SELECT name FROM reading WHERE NOT EXISTS (
                    SELECT FROM visibility_eventreader known WHERE known.name = reading.name)
                ORDER BY name
                ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
                RETURNING id, name
            ), reader AS (
                SELECT id, name FROM new_reader
                UNION ALL SELECT id, name FROM visibility_eventreader JOIN reading USING (name)
            ), stored AS (
                INSERT INTO visibility_event AS e (source_id, key, content_hash, type, occurred_at,
                    received_at, message_id, data, reader_id)
                SELECT t.source_id, t.key, t.content_hash, t.type, t.occurred_at, t.received_at,
                    t.message_id, t.data,
                    (SELECT reader.id FROM reader WHERE reader.name = t.reader LIMIT 1)
                FROM unnest(%s::bigint[], %b::text[], %b::text[], %b::text[],
                    %s::timestamptz[], %s::timestamptz[], %s::bigint[], %b::jsonb[], %b::text[])
                    WITH ORDINALITY AS t (source_id, key, content_hash, type, occurred_at,
                        received_at, message_id, data, reader, position)
                ORDER BY t.position
                ON CONFLICT (source_id, key, content_hash, occurred_at) DO UPDATE
                    SET superseded = false, message_id = EXCLUDED.message_id,
                        reader_id = EXCLUDED.reader_id
                    WHERE e.superseded
                RETURNING id, source_id, key, content_hash, occurred_at, data
            ), corrections AS (
                INSERT INTO visibility_eventcorrection
                    (source_id, key, correcting_key, event_id, occurred_at)
                SELECT DISTINCT stored.source_id, corrected.key, stored.key, id, occurred_at
                FROM stored, jsonb_array_elements_text(data->'corrects') AS corrected (key)
                ON CONFLICT DO NOTHING
            ), outdated_links AS (
                DELETE FROM visibility_eventobjectlink link USING stored
                WHERE link.event_id = stored.id
            )
            SELECT id, source_id, key, content_hash, occurred_at,
                EXISTS (SELECT FROM visibility_eventcorrection c
                    WHERE c.source_id = stored.source_id AND c.correcting_key = stored.key)
            FROM stored
            """,
            [
                [new_event.reader for new_event in ordered],
                [new_event.source_id for new_event in ordered],
                [new_event.event.key for new_event in ordered],
                [new_event.content_hash for new_event in ordered],
                [new_event.event.type.value for new_event in ordered],
                [new_event.occurred_at for new_event in ordered],
                [new_event.received_at for new_event in ordered],
                [new_event.message_id for new_event in ordered],
                [new_event.text for new_event in ordered],
                [new_event.reader for new_event in ordered],
            ],
        )
        stored = cursor.fetchall()
    new_ids = {tuple(row[1:5]): row[0] for row in stored}
    result: list[int | None] = []
    for new_event in new_events:
        key = (
            new_event.source_id,
            new_event.event.key,
            new_event.content_hash,
            new_event.occurred_at,
        )
        result.append(new_ids.pop(key, None))
    return result, {row[0] for row in stored if row[5]}
