"""The numbered changes that open pages follow."""

from collections.abc import Mapping, Sequence

from django.db import connection

# Ids beyond this many are not listed: the page then asks for everything it shows.
LISTED = 200


def change(touched: Mapping[str, Sequence[int]]) -> int:
    """Number one change per kind ("order", "alert", "source") and return the new head.

    Call it last in a transaction: the row of the head is locked until the commit, which is what
    leaves no gap in the numbers (a reader never sees n before n - 1).
    """
    rows = [(kind, sorted(set(ids))[:LISTED]) for kind, ids in sorted(touched.items()) if ids]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH head AS (
                INSERT INTO visibility_changehead AS h (id, number) VALUES (1, %s)
                ON CONFLICT (id) DO UPDATE SET number = h.number + EXCLUDED.number
                RETURNING number
            ), added AS (
                INSERT INTO visibility_change (number, at, kind, ids)
                SELECT head.number - %s + t.place, clock_timestamp(), t.kind, to_jsonb(t.ids)
                FROM head, (
                    SELECT ordinality AS place, kind,
                        string_to_array(nullif(joined, ''), ',')::bigint[] AS ids
                    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY
                        AS u (kind, joined, ordinality)
                ) AS t
            )
            SELECT number FROM head
            """,
            [
                len(rows),
                len(rows),
                [kind for kind, _ in rows],
                [",".join(map(str, ids)) for _, ids in rows],
            ],
        )
        row = cursor.fetchone()
    return int(row[0])


def head() -> int:
    """The newest change number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM visibility_changehead WHERE id = 1")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
