"""How many messages of each source were applied, parked, waiting or duplicates."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class Balance:
    """Every message's one fate."""

    applied: int
    duplicate: int
    parked: int
    waiting: int

    @property
    def accepted(self) -> int:
        """What was answered with 2xx: the sum of the fates."""
        return self.applied + self.duplicate + self.parked + self.waiting


def balances(source_ids: Collection[int]) -> dict[int, Balance]:
    """The same for several, in one statement, so that the sums agree."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source.id, coalesce(m.applied, 0), coalesce(m.parked, 0),
                coalesce(m.waiting, 0), coalesce(k.repeats, 0)::bigint
            FROM unnest(%s::bigint[]) AS source (id)
            LEFT JOIN (
                SELECT source_id, count(*) FILTER (WHERE state = 'applied') AS applied,
                    count(*) FILTER (WHERE state = 'parked') AS parked,
                    count(*) FILTER (WHERE state = 'waiting') AS waiting
                FROM visibility_inbound_message GROUP BY source_id
            ) m ON m.source_id = source.id
            LEFT JOIN (
                SELECT source_id, sum(repeats) AS repeats FROM visibility_messagekey
                WHERE repeats > 0 GROUP BY source_id
            ) k ON k.source_id = source.id
            """,
            [sorted(source_ids)],
        )
        rows = cursor.fetchall()
    return {
        source_id: Balance(applied=applied, duplicate=repeats, parked=parked, waiting=waiting)
        for source_id, applied, parked, waiting, repeats in rows
    }
