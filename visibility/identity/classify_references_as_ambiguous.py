"""Separate the unambiguous references of a batch from the ambiguous ones."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from connectors.sdk.events import EventType, IdentifierScheme, ObjectKind
from visibility.db import bulk
from visibility.identity import create_and_delete_objects as business_objects
from visibility.identity.generations_of_reused_numbers import StoredGeneration
from visibility.identity.pure.keys_and_reuse_windows import (
    IdentifierKey,
    ReuseWindows,
    is_exclusive,
    keys_and_original_spellings,
    strength_rank,
)
from visibility.identity.pure.mentions_and_generations import ARRIVALS, SCANS, Mention
from visibility.identity.pure.union_find import DisjointSets
from visibility.models.events import EventToStore

# Events that are no mere scan of a package under way.
DIVIDING_EVENTS = frozenset(EventType) - (SCANS - ARRIVALS)


@dataclass(frozen=True, slots=True)
class EventReference:
    """One reference of one stored event, with its identifier keys.

    `shared_keys` would be identity keys, but several objects share them.
    """

    event_id: int
    new_event: EventToStore
    ref: int
    kind: ObjectKind
    identity_keys: tuple[IdentifierKey, ...]
    other_keys: tuple[IdentifierKey, ...]
    source: str
    shared_keys: tuple[IdentifierKey, ...] = ()

    def without_shared_keys(self, shared: Set[IdentifierKey]) -> "EventReference":
        """Return the reference identified by its other keys; without others, by its strongest."""
        if not any(key in shared for key in self.identity_keys):
            return self
        own = tuple(key for key in self.identity_keys if key not in shared)
        own = own or (min(self.identity_keys, key=lambda key: (strength_rank(key), key)),)
        return replace(
            self,
            identity_keys=own,
            shared_keys=tuple(key for key in self.identity_keys if key not in own),
        )

    @property
    def at(self) -> datetime:
        """When the event occurred."""
        return self.new_event.occurred_at

    @property
    def mention(self) -> Mention:
        """The reference in the form that `resolve_mentions` needs."""
        d = self.new_event
        sort_key = (d.occurred_at, self.source, d.event.key, d.content_hash, self.ref)
        return Mention(
            (self.event_id, self.ref),
            sort_key,
            (*self.identity_keys, *self.shared_keys),
            self.other_keys,
            d.event.type.value,
        )


@dataclass(slots=True)
class BatchAssignment:
    """The result for a batch.

    `objects`: {index of an unambiguous reference: object id}. `created`: ids of new objects.
    `ambiguous`: indexes of ambiguous references. `seeds`: ids of the objects that they may name.
    """

    objects: dict[int, int]
    created: set[int]
    ambiguous: list[int]
    seeds: set[int]


class ReferenceClassifier:
    """Classifies the references of a batch by the identifiers that are stored now."""

    def __init__(
        self,
        references: Sequence[EventReference],
        stored: Mapping[IdentifierKey, Sequence[StoredGeneration]],
        windows: ReuseWindows,
        decided_keys: frozenset[IdentifierKey],
        event_ids_for_full_resolution: Set[int] = frozenset(),
    ) -> None:
        self._references, self._stored, self._windows = references, stored, windows
        self._sets = DisjointSets()
        self._new_keys: dict[IdentifierKey, int] = {}
        self._times: dict[IdentifierKey, list[datetime]] = {}
        self._generations: dict[tuple[int, IdentifierKey], StoredGeneration] = {}
        ambiguous: set[int] = set()
        for index, reference in enumerate(references):
            members: list[int] = []
            needs_full_resolution = reference.event_id in event_ids_for_full_resolution
            for key in reference.identity_keys:
                candidates, clear = self._candidate_ids_and_is_unambiguous(index, key)
                members += candidates
                if not clear or key in decided_keys or needs_full_resolution:
                    ambiguous.update(candidates)
            self._sets.join(members)
        for key, times in self._times.items():
            gap = windows.reuse_window_of_key(key)
            times.sort()
            if gap and any(b - a > gap for a, b in pairwise(times)):
                ambiguous.add(self._new_keys[key])
        self.objects = sorted(m for m in self._sets.all_members() if m > 0)
        self._ambiguous = {self._sets.root(m) for m in ambiguous}
        owners: dict[int, int] = {}
        for member in self.objects:
            root = self._sets.root(member)
            if owners.setdefault(root, member) != member:
                self._ambiguous.add(root)
        self._object_by_root = owners

    @property
    def unambiguous_stored_object_ids(self) -> list[int]:
        """The ids of the stored objects that unambiguous references name."""
        return [m for m in self.objects if self._sets.root(m) not in self._ambiguous]

    def flag_number_conflicts_as_ambiguous(
        self, load_numbers: Callable[[Collection[int]], Mapping[int, Collection[IdentifierKey]]]
    ) -> None:
        """Mark references as ambiguous that would give an object a second number of one issuer.

        `load_numbers` returns the exclusive numbers of stored objects.
        """
        numbers_by_root: dict[int, set[IdentifierKey]] = {}
        for key, member in self._new_keys.items():
            if is_exclusive(key):
                numbers_by_root.setdefault(self._sets.root(member), set()).add(key)
        stored = [
            m for m in self.unambiguous_stored_object_ids if self._sets.root(m) in numbers_by_root
        ]
        for object_id, numbers in (load_numbers(stored) if stored else {}).items():
            numbers_by_root[self._sets.root(object_id)].update(numbers)
        for root, keys in numbers_by_root.items():
            if len({key[:3] for key in keys}) < len(keys):
                self._ambiguous.add(root)

    def _candidate_ids_and_is_unambiguous(
        self, index: int, key: IdentifierKey
    ) -> tuple[list[int], bool]:
        """Return the objects that this key may name, and whether it is unambiguous.

        A new object has a negative id.
        """
        reference, generations = self._references[index], self._stored.get(key)
        if not generations:
            self._times.setdefault(key, []).append(reference.at)
            return [self._new_keys.setdefault(key, -1 - len(self._new_keys))], True
        generation = StoredGeneration.find_certain_at_time(
            generations, reference.at, self._windows.reuse_window_of_key(key)
        )
        if (
            generation is None
            or generation.has_manual_decisions
            or self._may_split_long_tracking_number_use(reference, key, generation)
        ):
            return [k.object_id for k in generations], False
        self._generations[(index, key)] = generation
        return [generation.object_id], True

    def _may_split_long_tracking_number_use(
        self, reference: EventReference, key: IdentifierKey, generation: StoredGeneration
    ) -> bool:
        """Whether this event may divide a use of a tracking number that has a long silence."""
        gap = self._windows.reuse_window_of_key(key)
        if key[1] != IdentifierScheme.TRACKING or gap is None or generation.first_at is None:
            return False
        newest = (generation.last_at or generation.first_at) + gap / 2  # last_at may lag
        return (
            reference.new_event.event.type in DIVIDING_EVENTS
            and newest - generation.first_at > gap
            and reference.at < newest
        )

    def insert_new_keys_and_report_conflict(self, created_ids: set[int]) -> bool:
        """Insert the new keys of unambiguous references.

        Return whether another worker inserted one of them first.
        """
        roots = {n: self._sets.root(member) for n, member in self._new_keys.items()}
        new_keys = sorted(n for n, root in roots.items() if root not in self._ambiguous)
        if not new_keys:
            return False
        kinds = {roots[n]: n[0] for n in new_keys if roots[n] not in self._object_by_root}
        created = business_objects.create_objects_of_kinds([kinds[root] for root in sorted(kinds)])
        self._object_by_root |= dict(zip(sorted(kinds), created, strict=True))
        created_ids.update(created)
        spellings = dict(reversed_keys_and_spellings(self._references))
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO visibility_identifier
                    (kind, scheme, issuer, value, raw, is_identity, object_id,
                    original_object_id, first_at, last_at)
                SELECT kind, scheme, issuer, value, raw, true, object_id, object_id, first, last
                FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
                    %s::bigint[], %s::timestamptz[], %s::timestamptz[])
                    AS t (kind, scheme, issuer, value, raw, object_id, first, last)
                ON CONFLICT DO NOTHING
                """,
                [
                    *[list(column) for column in zip(*new_keys, strict=True)],
                    [spellings[n] for n in new_keys],
                    [self._object_by_root[roots[n]] for n in new_keys],
                    [
                        self._times[n][0] if self._windows.reuse_window_of_key(n) else None
                        for n in new_keys
                    ],
                    [
                        self._times[n][-1] if self._windows.reuse_window_of_key(n) else None
                        for n in new_keys
                    ],
                ],
            )
            return int(cursor.rowcount) < len(new_keys)

    def generations_to_extend_with_intervals(
        self,
    ) -> dict[tuple[IdentifierKey, int], tuple[datetime, datetime]]:
        """Return the stored generations whose interval must be extended, with the new interval."""
        intervals: dict[tuple[IdentifierKey, int], tuple[datetime, datetime]] = {}
        for (index, key), generation in self._generations.items():
            gap, at = self._windows.reuse_window_of_key(key), self._references[index].at
            if (
                gap is None
                or not self._is_unambiguous(index)
                or not generation.should_extend(at, gap)
            ):
                continue
            first, last = intervals.get((key, generation.generation), (at, at))
            intervals[(key, generation.generation)] = (min(first, at), max(last, at))
        return intervals

    def _is_unambiguous(self, index: int) -> bool:
        return self._root_of_reference(index) not in self._ambiguous

    def _root_of_reference(self, index: int) -> int:
        """Return the representative of the set that a reference belongs to."""
        key = self._references[index].identity_keys[0]
        if key in self._new_keys:
            return self._sets.root(self._new_keys[key])
        return (
            self._sets.root(self._stored[key][0].object_id)
            if ((index, key) not in self._generations)
            else self._sets.root(self._generations[(index, key)].object_id)
        )

    def build_assignment(self, created: set[int]) -> BatchAssignment:
        """Return the assignment of the batch."""
        objects, ambiguous, seeds = {}, [], set()
        for index in range(len(self._references)):
            root = self._root_of_reference(index)
            if root in self._ambiguous:
                ambiguous.append(index)
            else:
                objects[index] = self._object_by_root[root]
        for member in self.objects:
            if self._sets.root(member) in self._ambiguous:
                seeds.add(member)
        return BatchAssignment(objects, created, ambiguous, seeds)


def reversed_keys_and_spellings(
    references: Iterable[EventReference],
) -> Iterable[tuple[IdentifierKey, str]]:
    """Yield (key, original spelling) in reverse order, so that dict() keeps the first spelling."""
    for reference in reversed(list(references)):
        yield from keys_and_original_spellings(
            reference.new_event.event.objects[reference.ref], reference.source
        )
