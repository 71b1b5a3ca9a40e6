"""Count the messages of each source by outcome: applied, duplicate, parked, discarded, waiting."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """Messages of a source by outcome; each message has exactly one."""

    applied: int
    duplicate: int
    parked: int
    waiting: int
    # Parked messages that a person discarded.
    discarded: int = 0

    @property
    def accepted(self) -> int:
        """Messages answered with 2xx: the sum of all outcomes."""
        return self.applied + self.duplicate + self.parked + self.waiting + self.discarded


def count_messages_by_source(source_ids: Collection[int]) -> dict[int, MessageCounts]:
    """Counts for several sources in one statement, so that they are consistent."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source.id, coalesce(m.applied, 0), coalesce(m.parked, 0),
                coalesce(m.waiting, 0), coalesce(k.duplicate_count, 0)::bigint,
                coalesce(m.discarded, 0)
            FROM unnest(%s::bigint[]) AS source (id)
            LEFT JOIN (
                SELECT source_id, count(*) FILTER (WHERE state = 'applied') AS applied,
                    count(*) FILTER (WHERE state = 'parked') AS parked,
                    count(*) FILTER (WHERE state = 'waiting') AS waiting,
                    count(*) FILTER (WHERE state = 'discarded') AS discarded
                FROM visibility_inbound_message GROUP BY source_id
            ) m ON m.source_id = source.id
            LEFT JOIN (
                SELECT source_id, sum(duplicate_count) AS duplicate_count FROM visibility_messagekey
                WHERE duplicate_count > 0 GROUP BY source_id
            ) k ON k.source_id = source.id
            """,
            [sorted(source_ids)],
        )
        rows = cursor.fetchall()
    return {
        source_id: MessageCounts(
            applied=applied,
            duplicate=duplicates,
            parked=parked,
            waiting=waiting,
            discarded=discarded,
        )
        for source_id, applied, parked, waiting, duplicates, discarded in rows
    }
