"""Create and delete business objects in bulk."""

from collections.abc import Collection, Sequence

from visibility.db import bulk


def create_objects_of_kinds(kinds: Sequence[str]) -> list[int]:
    """Create one object per kind in one statement. Return the ids in the same order."""
    if not kinds:
        return []
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            "INSERT INTO visibility_businessobject (kind) SELECT unnest(%b::text[]) "
            "RETURNING id, kind",
            [list(kinds)],
        )
        ids_by_kind: dict[str, list[int]] = {}
        for object_id, kind in cursor.fetchall():
            ids_by_kind.setdefault(kind, []).append(object_id)
    return [ids_by_kind[kind].pop() for kind in kinds]


def delete_objects_without_identifiers(object_ids: Collection[int]) -> set[int]:
    """Delete the objects without identifiers, and return their ids.

    An object stays without identifiers if another worker inserted them first.
    """
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            "DELETE FROM visibility_businessobject o WHERE o.id = ANY(%s) AND NOT EXISTS "
            "(SELECT 1 FROM visibility_identifier i WHERE i.object_id = o.id) RETURNING o.id",
            [sorted(object_ids)],
        )
        return {row[0] for row in cursor.fetchall()}
