"""Entity resolution: which references name the same object. Plain Python.

The result depends on the set of mentions and active decisions only, never on the order in which
they arrived.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, ReuseWindows

# One generation of a reused number: the key, and the index of the generation, from 0.
Generation = tuple[IdentifierKey, int]
# (event id, index of the reference in the event).
RefKey = tuple[int, int]


class DecisionKind(StrEnum):
    """The kinds of decisions that people make about two objects."""

    JOIN = "join"
    BELONGS = "belongs"
    SPLIT = "split"
    DISTINCT = "distinct"


SEPARATING = frozenset({DecisionKind.SPLIT, DecisionKind.DISTINCT})


@dataclass(frozen=True, slots=True)
class Mention:
    """One reference of one event. All its identity keys name the same object."""

    ref_key: RefKey
    # (occurred at, source, key, content hash, reference): independent of the order of arrival.
    sort_key: tuple[datetime, str, str, str, int]
    identity_keys: tuple[IdentifierKey, ...]
    other_keys: tuple[IdentifierKey, ...] = ()

    @property
    def at(self) -> datetime:
        """When the event occurred."""
        return self.sort_key[0]


@dataclass(frozen=True, slots=True)
class DecisionSide:
    """One of the two sides of a decision: its keys, each with a time at which it was in use."""

    keys: tuple[tuple[IdentifierKey, datetime], ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """An active decision of a person. In a split, events that name both sides stay on the first."""

    id: int
    kind: DecisionKind
    sides: tuple[DecisionSide, DecisionSide]


@dataclass(slots=True)
class ResolvedObject:
    """One resolved object: its generations of identity keys, and its mentions."""

    generations: list[Generation] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    rejected_keys: set[IdentifierKey] = field(default_factory=set)
    is_separated: bool = False
    # The first mention that connected each generation with the others.
    evidence: dict[Generation, Mention] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResolvedObjectsAndGenerations:
    """The resolved objects, and the generations of each key."""

    objects: tuple[ResolvedObject, ...]
    generations: Mapping[IdentifierKey, "KeyGenerations"]


class KeyGenerations:
    """The generations of one key: a new one after each gap longer than its reuse window."""

    def __init__(
        self, key: IdentifierKey, times: Iterable[datetime], windows: ReuseWindows
    ) -> None:
        gap, last = windows.reuse_window_of_key(key), None
        self.intervals: list[tuple[datetime, datetime]] = []
        for at in sorted(times):
            if last is None or (gap is not None and at - last > gap):
                self.intervals.append((at, at))
            else:
                self.intervals[-1] = (self.intervals[-1][0], at)
            last = at

    def index_at(self, moment: datetime) -> int:
        """Return the index of the generation at a time: the last one that had begun, else 0."""
        return max(bisect_right([span[0] for span in self.intervals], moment) - 1, 0)


def resolve_mentions(
    mentions: Sequence[Mention], decisions: Sequence[Decision], windows: ReuseWindows
) -> ResolvedObjectsAndGenerations:
    """Group the mentions into objects, subject to the decisions."""
    times: dict[IdentifierKey, list[datetime]] = {}
    for mention in mentions:
        for key in mention.identity_keys:
            times.setdefault(key, []).append(mention.at)
    generations = {key: KeyGenerations(key, key_times, windows) for key, key_times in times.items()}
    sets = _ConstrainedUnionFind()
    for decision in sorted(decisions, key=lambda a: a.id):
        sides = [_generations_of_decision_side(side, generations) for side in decision.sides]
        if decision.kind in SEPARATING and all(sides):
            for side_index, side in enumerate(sides):
                for generation in side:
                    sets.add_separation_label(generation, (decision.id, side_index))
    for decision in sorted(decisions, key=lambda a: a.id):
        sides = [_generations_of_decision_side(side, generations) for side in decision.sides]
        if decision.kind is DecisionKind.JOIN and all(sides):
            sets.join(sides[0][0], sides[1][0])
    return ResolvedObjectsAndGenerations(
        _join_and_build_objects(mentions, generations, sets), generations
    )


def _generations_of_decision_side(
    side: DecisionSide, generations: Mapping[IdentifierKey, KeyGenerations]
) -> list[Generation]:
    return [(key, generations[key].index_at(at)) for key, at in side.keys if key in generations]


def _join_and_build_objects(
    mentions: Sequence[Mention],
    generations: Mapping[IdentifierKey, KeyGenerations],
    sets: "_ConstrainedUnionFind",
) -> tuple[ResolvedObject, ...]:
    first_generation: dict[RefKey, Generation] = {}
    rejected: list[tuple[Mention, IdentifierKey]] = []
    evidence: dict[Generation, Mention] = {}
    for mention in sorted(mentions, key=lambda m: (m.sort_key, m.ref_key)):
        ordered = [(key, generations[key].index_at(mention.at)) for key in mention.identity_keys]
        ordered.sort(key=lambda generation: (sets.is_split_off_by_decision(generation), generation))
        first_generation[mention.ref_key] = ordered[0]
        for generation in ordered[1:]:
            if not sets.join(ordered[0], generation):
                rejected.append((mention, generation[0]))
            else:
                evidence.setdefault(generation, mention)
    by_root: dict[Generation, ResolvedObject] = {}
    for mention in mentions:
        by_root.setdefault(
            sets.root(first_generation[mention.ref_key]), ResolvedObject()
        ).mentions.append(mention)
    for key, history in generations.items():
        for index in range(len(history.intervals)):
            generation = (key, index)
            group = by_root.get(sets.root(generation))
            if group is not None:
                group.generations.append(generation)
                group.is_separated = group.is_separated or sets.is_split_off_by_decision(generation)
                if generation in evidence:
                    group.evidence[generation] = evidence[generation]
    for mention, key in rejected:
        by_root[sets.root(first_generation[mention.ref_key])].rejected_keys.add(key)
    for group in by_root.values():
        group.generations.sort()
        group.mentions.sort(key=lambda m: (m.sort_key, m.ref_key))
    return tuple(group for _, group in sorted(by_root.items()))


class _ConstrainedUnionFind:
    """Union-find over generations; it does not join what a decision separates."""

    def __init__(self) -> None:
        self._parent: dict[Generation, Generation] = {}
        self._labels: dict[Generation, set[tuple[int, int]]] = {}

    def root(self, generation: Generation) -> Generation:
        top = generation
        while (parent := self._parent.get(top, top)) != top:
            top = parent
        while (parent := self._parent.get(generation, generation)) != top:
            self._parent[generation] = top
            generation = parent
        return top

    def add_separation_label(self, generation: Generation, label: tuple[int, int]) -> None:
        self._labels.setdefault(self.root(generation), set()).add(label)

    def is_split_off_by_decision(self, generation: Generation) -> bool:
        """Whether a decision separated it from its former object."""
        return any(side for _, side in self._labels.get(self.root(generation), ()))

    def join(self, left: Generation, right: Generation) -> bool:
        """Join the two unless a decision separates them. Return whether they are joined."""
        a, b = sorted((self.root(left), self.root(right)))
        if a == b:
            return True
        labels, other_labels = self._labels.get(a, set()), self._labels.get(b, set())
        if any((decision, 1 - side) in other_labels for decision, side in labels):
            return False
        self._parent[b] = a
        if other_labels:
            self._labels[a] = labels | other_labels
        return True
