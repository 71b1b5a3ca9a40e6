"""Index which stored events correct which, in short transactions."""

from collections.abc import Iterator

from django.db import connection, transaction

# The ids of so many events are read in one transaction.
CHUNK = 20_000
ADD = """
INSERT INTO visibility_eventcorrection (source_id, key, correcting_key, event_id, occurred_at)
SELECT DISTINCT e.source_id, corrected.key, e.key, e.id, e.occurred_at
FROM visibility_event e, jsonb_array_elements_text(e.data->'corrects') AS corrected (key)
WHERE e.id > %s AND e.id <= %s
ON CONFLICT DO NOTHING
"""


def index_stored_corrections() -> Iterator[int]:
    """Add the missing rows; yields how many each chunk of events has added."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM visibility_event")
        (last,) = cursor.fetchone()
    for start in range(0, last, CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(ADD, [start, start + CHUNK])
            yield cursor.rowcount
