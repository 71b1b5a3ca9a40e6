"""The uses of numbers as they are stored, and those that people decided about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from visibility.db import bulk
from visibility.identity.pure.keys import Number

KNOWN = """
SELECT i.kind, i.scheme, i.issuer, i.value, i.object_id, i.part, i.first_at, i.last_at, o.by_hand
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
JOIN visibility_identifier i ON i.strong AND i.value = t.value
    AND i.scheme = t.scheme AND i.issuer = t.issuer AND i.kind = t.kind
JOIN visibility_businessobject o ON o.id = i.object_id
ORDER BY i.part
"""
DECIDED = """
SELECT DISTINCT n.kind, n.scheme, n.issuer, n.value
FROM visibility_joinnumber n JOIN visibility_joinact a ON a.id = n.act_id AND a.undone_at IS NULL
JOIN unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
    ON n.value = t.value AND n.scheme = t.scheme AND n.issuer = t.issuer AND n.kind = t.kind
"""
EXTEND = """
UPDATE visibility_identifier i
SET first_at = least(i.first_at, t.first), last_at = greatest(i.last_at, t.last)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %s::int[],
    %s::timestamptz[], %s::timestamptz[])
    AS t (kind, scheme, issuer, value, part, first, last)
WHERE i.strong AND i.value = t.value AND i.scheme = t.scheme AND i.issuer = t.issuer
    AND i.kind = t.kind AND i.part = t.part
"""


@dataclass(frozen=True, slots=True)
class Known:
    """One use of a number, and the object it names.

    `first_at` is exact. The use may have lasted up to half its period beyond `last_at`: so a parcel
    that is scanned daily does not rewrite its number's row.
    """

    object_id: int
    part: int
    first_at: datetime | None
    last_at: datetime | None
    by_hand: bool

    @staticmethod
    def current(found: Sequence["Known"], at: datetime, gap: timedelta | None) -> "Known | None":
        """The use a moment falls into, or None where only the whole history can tell."""
        if gap is None:
            return found[0] if len(found) == 1 else None
        near = [use for use in found if use._may_reach(at, gap)]
        if len(near) != 1 or not near[0]._surely_reaches(at, gap):
            return None
        return near[0]

    def _may_reach(self, at: datetime, gap: timedelta) -> bool:
        if self.first_at is None or self.last_at is None:
            return True
        return self.first_at - gap <= at <= self.last_at + gap * 1.5

    def _surely_reaches(self, at: datetime, gap: timedelta) -> bool:
        if self.first_at is None or self.last_at is None or at > self.last_at + gap:
            return False
        # An earlier beginning changes the day a later use is told by.
        return at >= self.first_at or self.part == 0

    def widened(self, at: datetime, gap: timedelta) -> bool:
        """Whether a moment within reach is to be noted."""
        assert self.first_at is not None
        assert self.last_at is not None
        return at < self.first_at or at > self.last_at + gap / 2


def known_uses(numbers: Sequence[Number]) -> dict[Number, list[Known]]:
    """Every use of these numbers."""
    found: dict[Number, list[Known]] = {}
    if numbers:
        with bulk.cursor() as cursor:
            cursor.execute(KNOWN, columns(numbers))
            for k, s, i, v, *use in cursor.fetchall():
                found.setdefault((k, s, i, v), []).append(Known(*use))
    return found


def decided(numbers: Sequence[Number]) -> frozenset[Number]:
    """Those that a standing act of a person speaks of."""
    with bulk.cursor() as cursor:
        cursor.execute(DECIDED, columns(numbers))
        return frozenset((k, s, i, v) for k, s, i, v in cursor.fetchall())


def extend(spans: Mapping[tuple[Number, int], tuple[datetime, datetime]]) -> None:
    """Write down that uses began earlier or lasted longer."""
    if spans:
        ordered = sorted(spans)
        with bulk.cursor() as cursor:
            cursor.execute(
                EXTEND,
                [
                    *columns([number for number, _ in ordered]),
                    [part for _, part in ordered],
                    [spans[key][0] for key in ordered],
                    [spans[key][1] for key in ordered],
                ],
            )


def columns(numbers: Sequence[Number]) -> list[list[str]]:
    """The four columns of numbers, for `unnest`."""
    return [list(column) for column in zip(*numbers, strict=True)] or [[], [], [], []]
