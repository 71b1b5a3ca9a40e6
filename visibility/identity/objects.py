"""New objects, many at once."""

from collections.abc import Collection, Sequence

from visibility.db import bulk


def create(kinds: Sequence[str]) -> list[int]:
    """One new object of each of these kinds, in one statement; their ids in this order."""
    if not kinds:
        return []
    with bulk.cursor() as cursor:
        cursor.execute(
            "INSERT INTO visibility_businessobject (kind) SELECT unnest(%b::text[]) "
            "RETURNING id, kind",
            [list(kinds)],
        )
        made: dict[str, list[int]] = {}
        for object_id, kind in cursor.fetchall():
            made.setdefault(kind, []).append(object_id)
    return [made[kind].pop() for kind in kinds]


def unused(object_ids: Collection[int]) -> set[int]:
    """Take back objects that got no number, another worker having been faster."""
    with bulk.cursor() as cursor:
        cursor.execute(
            "DELETE FROM visibility_businessobject o WHERE o.id = ANY(%s) AND NOT EXISTS "
            "(SELECT 1 FROM visibility_identifier i WHERE i.object_id = o.id) RETURNING o.id",
            [sorted(object_ids)],
        )
        return {row[0] for row in cursor.fetchall()}
