"""The change feed: numbered changes that open pages poll."""

from collections.abc import Mapping, Sequence

from django.db import connection

from visibility.db import bulk

# A change lists at most this many ids. A longer list is cut, and pages reload everything.
MAX_LISTED_IDS = 200
INCREASE_NUMBER = """
INSERT INTO visibility_changehead AS h (id, number) VALUES (1, %s)
ON CONFLICT (id) DO UPDATE SET number = h.number + EXCLUDED.number RETURNING number
"""
INSERT_CHANGES = """
INSERT INTO visibility_change (number, at, kind, ids)
SELECT head.number - %s + t.position, clock_timestamp(), t.kind, to_jsonb(t.ids)
FROM head, (
    SELECT ordinality AS position, kind,
        string_to_array(nullif(joined, ''), ',')::bigint[] AS ids
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS u (kind, joined, ordinality)
) AS t
"""


def append_changes(
    ids_by_kind: Mapping[str, Sequence[int]], *, after: bulk.CombinedWrites | None = None
) -> int:
    """Add one change per kind ("order", "alert", "source") and return the latest change number.

    Call it last in a transaction. It locks the row of the latest number until the commit, so that
    the numbers have no gaps: a reader never sees n before n - 1. `after`: other writes to execute
    in the same statement.
    """
    rows = [
        (kind, sorted(set(ids))[:MAX_LISTED_IDS])
        for kind, ids in sorted(ids_by_kind.items())
        if ids
    ]
    writes = after or bulk.CombinedWrites()
    if not rows:
        writes.execute()
        return 0
    writes.add_write_as_named_cte("head", INCREASE_NUMBER, len(rows))
    kinds, ids = [kind for kind, _ in rows], [",".join(map(str, ids)) for _, ids in rows]
    writes.add(INSERT_CHANGES, len(rows), kinds, ids)
    (number,) = writes.execute("SELECT number FROM head")
    return int(number)


def latest_change_number() -> int:
    """Return the latest change number; 0 if there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM visibility_changehead WHERE id = 1")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
