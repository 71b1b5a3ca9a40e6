"""Stored generations of reused numbers, and the keys that decisions of people name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from visibility.db import bulk
from visibility.identity.pure.keys_and_reuse_windows import EXCLUSIVE_SCHEMES, IdentifierKey

LOAD_KEYS = """
SELECT t.kind, t.scheme, t.issuer, t.value, EXISTS (
        SELECT FROM visibility_decisionidentifier n
        JOIN visibility_identitydecision a ON a.id = n.decision_id AND a.undone_at IS NULL
        WHERE n.value = t.value AND n.scheme = t.scheme AND n.issuer = t.issuer
            AND n.kind = t.kind)
    OR EXISTS (SELECT FROM visibility_identifier r WHERE NOT r.is_identity AND r.rejected
        AND r.value = t.value AND r.scheme = t.scheme AND r.issuer = t.issuer
        AND r.kind = t.kind),
    EXISTS (SELECT FROM visibility_identifier s WHERE NOT s.is_identity AND s.is_shared
        AND s.value = t.value AND s.scheme = t.scheme AND s.issuer = t.issuer
        AND s.kind = t.kind),
    i.object_id, i.generation, i.first_at, i.last_at, o.has_manual_decisions,
    ARRAY(SELECT DISTINCT e.id FROM unnest(%s::bigint[], %s::bigint[], %b::text[])
            AS e (id, source_id, key)
        JOIN visibility_eventcorrection c ON c.source_id = e.source_id AND c.key = e.key)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
LEFT JOIN (visibility_identifier i JOIN visibility_businessobject o ON o.id = i.object_id)
    ON i.is_identity AND i.value = t.value
    AND i.scheme = t.scheme AND i.issuer = t.issuer AND i.kind = t.kind
ORDER BY i.generation
"""
EXTEND_GENERATIONS = """
UPDATE visibility_identifier i
SET first_at = least(i.first_at, t.first), last_at = greatest(i.last_at, t.last)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %s::int[],
    %s::timestamptz[], %s::timestamptz[])
    AS t (kind, scheme, issuer, value, generation, first, last)
WHERE i.is_identity AND i.value = t.value AND i.scheme = t.scheme AND i.issuer = t.issuer
    AND i.kind = t.kind AND i.generation = t.generation
"""


@dataclass(frozen=True, slots=True)
class StoredGeneration:
    """One stored generation of a key, and the object that it names.

    `first_at` is exact. `last_at` may lag by up to half the reuse window, so that a package that is
    scanned daily does not cause an update per scan.
    """

    object_id: int
    generation: int
    first_at: datetime | None
    last_at: datetime | None
    has_manual_decisions: bool

    @staticmethod
    def find_certain_at_time(
        generations: Sequence["StoredGeneration"], at: datetime, gap: timedelta | None
    ) -> "StoredGeneration | None":
        """Return the generation at a time, or None if only the full history can decide."""
        if gap is None:
            return generations[0] if len(generations) == 1 else None
        near = [generation for generation in generations if generation._may_include_time(at, gap)]
        if len(near) != 1 or not near[0]._surely_includes_time(at, gap):
            return None
        return near[0]

    def _may_include_time(self, at: datetime, gap: timedelta) -> bool:
        if self.first_at is None or self.last_at is None:
            return True
        return self.first_at - gap <= at <= self.last_at + gap * 1.5

    def _surely_includes_time(self, at: datetime, gap: timedelta) -> bool:
        if self.first_at is None or self.last_at is None or at > self.last_at + gap:
            return False
        # The start of a later generation is part of its key: moving it needs a full resolution.
        return at >= self.first_at or self.generation == 0

    def should_extend(self, at: datetime, gap: timedelta) -> bool:
        """Whether a time within the generation must be stored."""
        assert self.first_at is not None
        assert self.last_at is not None
        return at < self.first_at or at > self.last_at + gap / 2


@dataclass(frozen=True, slots=True)
class KeyGenerationsAndDecisions:
    """What is stored about keys: their generations, and which have decisions or are shared.

    `decided` also has the keys that only corrected events name. `corrected_event_ids`: the events
    that a correction names.
    """

    generations: Mapping[IdentifierKey, Sequence[StoredGeneration]]
    decided: frozenset[IdentifierKey]
    shared: frozenset[IdentifierKey]
    corrected_event_ids: frozenset[int]


def load_key_generations_and_decisions(
    keys: Sequence[IdentifierKey], events: Sequence[tuple[int, int, str]]
) -> KeyGenerationsAndDecisions:
    """Load what is stored about these keys, and which of the events are corrected.

    `events`: (id, source id, key).
    """
    generations: dict[IdentifierKey, list[StoredGeneration]] = {}
    decided: set[IdentifierKey] = set()
    shared: set[IdentifierKey] = set()
    corrected: set[int] = set()
    event_columns = [list(column) for column in zip(*events, strict=True)]
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOAD_KEYS, [*event_columns, *transpose_keys_to_columns(keys)])
        for (
            kind,
            scheme,
            issuer,
            value,
            is_decided,
            is_shared,
            object_id,
            *generation,
            corrected_event_ids,
        ) in cursor.fetchall():
            key = (kind, scheme, issuer, value)
            if is_decided:
                decided.add(key)
            if is_shared:
                shared.add(key)
            corrected.update(corrected_event_ids)
            if object_id is not None:
                generations.setdefault(key, []).append(StoredGeneration(object_id, *generation))
    return KeyGenerationsAndDecisions(
        generations, frozenset(decided), frozenset(shared), frozenset(corrected)
    )


def load_exclusive_numbers(object_ids: Collection[int]) -> dict[int, set[IdentifierKey]]:
    """Return the numbers of these objects of which an object has one from each issuer."""
    numbers: dict[int, set[IdentifierKey]] = {}
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            "SELECT object_id, kind, scheme, issuer, value FROM visibility_identifier "
            "WHERE object_id = ANY(%s) AND is_identity AND scheme = ANY(%b)",
            [sorted(object_ids), sorted(scheme.value for scheme in EXCLUSIVE_SCHEMES)],
        )
        for object_id, kind, scheme, issuer, value in cursor.fetchall():
            numbers.setdefault(object_id, set()).add((kind, scheme, issuer, value))
    return numbers


def extend_generations(
    intervals: Mapping[tuple[IdentifierKey, int], tuple[datetime, datetime]],
) -> None:
    """Extend the intervals of stored generations."""
    if intervals:
        ordered = sorted(intervals)
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(
                EXTEND_GENERATIONS,
                [
                    *transpose_keys_to_columns([number for number, _ in ordered]),
                    [generation for _, generation in ordered],
                    [intervals[key][0] for key in ordered],
                    [intervals[key][1] for key in ordered],
                ],
            )


def transpose_keys_to_columns(keys: Sequence[IdentifierKey]) -> list[list[str]]:
    """Return the keys as four columns, for `unnest`."""
    return [list(column) for column in zip(*keys, strict=True)] or [[], [], [], []]
