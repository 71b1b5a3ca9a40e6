"""Count the parked messages of sources: the same for alerts and boards."""

from collections.abc import Collection

from django.db import connection

PARKED = """
SELECT source.id, (
    SELECT count(*) FROM (
        SELECT FROM visibility_inbound_message m
        WHERE m.state = 'parked' AND m.source_id = source.id LIMIT %s
    ) AS parked
)
FROM unnest(%s::bigint[]) AS source (id)
"""


def count_parked_messages(source_ids: Collection[int], *, limit: int) -> dict[int, int]:
    """Return the number of parked messages of each source, `limit` at most. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(PARKED, [limit, list(source_ids)])
        return dict(cursor.fetchall())
