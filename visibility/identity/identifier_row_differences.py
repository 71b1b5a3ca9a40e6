"""Read identifier rows as values, and write only the differences."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from visibility.db import bulk
from visibility.identity.generations_of_reused_numbers import transpose_keys_to_columns
from visibility.identity.lock_and_load_component import ConcurrentChange
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey

LOAD_ROWS = """
SELECT id, kind, scheme, issuer, value, raw, is_identity, object_id, rejected, generation,
    reused_from, first_at, last_at, original_object_id, is_shared
FROM visibility_identifier WHERE object_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """One row of `visibility_identifier`."""

    key: IdentifierKey
    spelling: str
    is_identity: bool
    object_id: int
    rejected: bool = False
    generation: int = 0
    reused_from: date | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    original_object_id: int | None = None
    is_shared: bool = False

    @property
    def unique_key(self) -> tuple[IdentifierKey, bool, int, int]:
        """The columns of the unique constraint."""
        return (
            self.key,
            self.is_identity,
            self.generation if self.is_identity else 0,
            self.object_id,
        )


def load_identifier_rows(object_ids: Collection[int]) -> dict[int, IdentifierRow]:
    """Load the rows of these objects, by row id."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOAD_ROWS, [sorted(object_ids)])
        return {
            row_id: IdentifierRow((kind, scheme, issuer, value), *values)
            for row_id, kind, scheme, issuer, value, *values in cursor.fetchall()
        }


def write_differences(
    stored_rows: Mapping[int, IdentifierRow], wanted_rows: Iterable[IdentifierRow]
) -> None:
    """Replace the stored rows that differ. Raises ConcurrentChange if another worker wrote one."""
    wanted = {row.unique_key: row for row in wanted_rows}
    outdated_ids = [
        row_id for row_id, row in stored_rows.items() if wanted.get(row.unique_key) != row
    ]
    unchanged = {
        row.unique_key for row in stored_rows.values() if wanted.get(row.unique_key) == row
    }
    new = [wanted[unique_key] for unique_key in sorted(wanted) if unique_key not in unchanged]
    with bulk.server_bound_cursor() as cursor:
        if outdated_ids:
            cursor.execute("DELETE FROM visibility_identifier WHERE id = ANY(%s)", [outdated_ids])
        if new:
            cursor.execute(
                """
                INSERT INTO visibility_identifier (kind, scheme, issuer, value, raw, is_identity,
                    object_id, rejected, generation, reused_from, first_at, last_at,
                    original_object_id, is_shared)
                SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
                    %s::bool[], %s::bigint[], %s::bool[], %s::smallint[], %s::date[],
                    %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bool[])
                ON CONFLICT DO NOTHING
                """,
                [
                    *transpose_keys_to_columns([row.key for row in new]),
                    [row.spelling for row in new],
                    [row.is_identity for row in new],
                    [row.object_id for row in new],
                    [row.rejected for row in new],
                    [row.generation for row in new],
                    [row.reused_from for row in new],
                    [row.first_at for row in new],
                    [row.last_at for row in new],
                    [row.original_object_id for row in new],
                    [row.is_shared for row in new],
                ],
            )
            if cursor.rowcount < len(new):
                raise ConcurrentChange
