"""The rows of numbers: read as values, written where they differ."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from visibility.db import bulk
from visibility.identity.component import Moved
from visibility.identity.generations import columns
from visibility.identity.pure.keys import Number

STORED = """
SELECT id, kind, scheme, issuer, value, raw, strong, object_id, refused, part, since,
    first_at, last_at, home
FROM visibility_identifier WHERE object_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a number."""

    number: Number
    raw: str
    strong: bool
    object_id: int
    refused: bool = False
    part: int = 0
    since: date | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    home: int | None = None

    @property
    def use(self) -> tuple[Number, bool, int, int]:
        """What is unique of it."""
        return (self.number, self.strong, self.part if self.strong else 0, self.object_id)


def stored(object_ids: Collection[int]) -> dict[int, Row]:
    """Those of these objects, by their ids."""
    with bulk.cursor() as cursor:
        cursor.execute(STORED, [sorted(object_ids)])
        return {
            row_id: Row((kind, scheme, issuer, value), *rest)
            for row_id, kind, scheme, issuer, value, *rest in cursor.fetchall()
        }


def write(stored: Mapping[int, Row], wanted_rows: Iterable[Row]) -> None:
    """Only what differs. Raises Moved where another worker wrote one of them."""
    wanted = {row.use: row for row in wanted_rows}
    gone = [row_id for row_id, row in stored.items() if wanted.get(row.use) != row]
    kept = {row.use for row in stored.values() if wanted.get(row.use) == row}
    new = [wanted[use] for use in sorted(wanted) if use not in kept]
    with bulk.cursor() as cursor:
        if gone:
            cursor.execute("DELETE FROM visibility_identifier WHERE id = ANY(%s)", [gone])
        if new:
            cursor.execute(
                """
                INSERT INTO visibility_identifier (kind, scheme, issuer, value, raw, strong,
                    object_id, refused, part, since, first_at, last_at, home)
                SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
                    %s::bool[], %s::bigint[], %s::bool[], %s::smallint[], %s::date[],
                    %s::timestamptz[], %s::timestamptz[], %s::bigint[])
                ON CONFLICT DO NOTHING
                """,
                [
                    *columns([row.number for row in new]),
                    [row.raw for row in new],
                    [row.strong for row in new],
                    [row.object_id for row in new],
                    [row.refused for row in new],
                    [row.part for row in new],
                    [row.since for row in new],
                    [row.first_at for row in new],
                    [row.last_at for row in new],
                    [row.home for row in new],
                ],
            )
            if cursor.rowcount < len(new):
                raise Moved
