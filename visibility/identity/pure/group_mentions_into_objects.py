"""Entity resolution: which references name the same object. Plain Python.

The result depends on the set of mentions and active decisions only, never on the order in which
they arrived.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from visibility.identity.pure.constrained_union_find import ConstrainedUnionFind, Generation
from visibility.identity.pure.keys_and_reuse_windows import (
    IdentifierKey,
    ReuseWindows,
    strength_rank,
)
from visibility.identity.pure.mentions_and_generations import KeyGenerations, Mention, RefKey


class DecisionKind(StrEnum):
    """The kinds of decisions that people make about two objects."""

    JOIN = "join"
    BELONGS = "belongs"
    SPLIT = "split"
    DISTINCT = "distinct"


SEPARATING = frozenset({DecisionKind.SPLIT, DecisionKind.DISTINCT})


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
    # Keys of its mentions that name several objects, and so connect none of them.
    shared_keys: set[IdentifierKey] = field(default_factory=set)
    is_separated: bool = False
    # The first mention that connected each generation with the others.
    evidence: dict[Generation, Mention] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResolvedObjectsAndGenerations:
    """The resolved objects, and the generations of each key."""

    objects: tuple[ResolvedObject, ...]
    generations: Mapping[IdentifierKey, KeyGenerations]


def resolve_mentions(
    mentions: Sequence[Mention],
    decisions: Sequence[Decision],
    windows: ReuseWindows,
    *,
    known_shared_keys: Collection[IdentifierKey] = (),
) -> ResolvedObjectsAndGenerations:
    """Group the mentions into objects, subject to the decisions.

    Two mentions that name the same number name the same object, unless the issuer of a number of
    the same or of a higher strength tells them apart: two orders of one ERP with the same customer
    PO are two orders. The number is then shared: it finds both, and connects neither.

    `known_shared_keys`: keys that also appear on objects whose mentions are not given.
    """
    naming = _mentions_by_key(mention for mention in mentions if not mention.is_corrected)
    named_by_corrected = _mentions_by_key(mention for mention in mentions if mention.is_corrected)
    naming = {**named_by_corrected, **naming}
    generations = {key: KeyGenerations(key, named, windows) for key, named in naming.items()}
    sets = ConstrainedUnionFind()
    for decision in sorted(decisions, key=lambda a: a.id):
        sides = [_generations_of_decision_side(side, generations) for side in decision.sides]
        if decision.kind in SEPARATING and all(sides):
            for side_index, side in enumerate(sides):
                for generation in side:
                    sets.add_side_of_separating_decision(generation, (decision.id, side_index))
    for decision in sorted(decisions, key=lambda a: a.id):
        sides = [_generations_of_decision_side(side, generations) for side in decision.sides]
        if decision.kind is DecisionKind.JOIN and all(sides):
            sets.join(sides[0][0], sides[1][0], by_decision=True)
    resolver = _MentionResolver(mentions, generations, sets)
    resolver.connect_mentions_by_strength_rank(frozenset(known_shared_keys))
    return ResolvedObjectsAndGenerations(resolver.build_objects(), generations)


def _mentions_by_key(mentions: Iterable[Mention]) -> dict[IdentifierKey, list[Mention]]:
    naming: dict[IdentifierKey, list[Mention]] = {}
    for mention in mentions:
        for key in mention.identity_keys:
            naming.setdefault(key, []).append(mention)
    return naming


def _generations_of_decision_side(
    side: DecisionSide, generations: Mapping[IdentifierKey, KeyGenerations]
) -> list[Generation]:
    return [(key, generations[key].index_at(at)) for key, at in side.keys if key in generations]


class _MentionResolver:
    """Connects the generations that mentions name together, the strongest numbers first."""

    def __init__(
        self,
        mentions: Sequence[Mention],
        generations: Mapping[IdentifierKey, KeyGenerations],
        sets: ConstrainedUnionFind,
    ) -> None:
        in_order = sorted(mentions, key=lambda m: (m.sort_key, m.ref_key))
        self._mentions = [m for m in in_order if not m.is_corrected]
        self._corrected = [m for m in in_order if m.is_corrected]
        self._generations, self._sets = generations, sets
        self._named = {
            m.ref_key: [(key, generations[key].index_at(m.at)) for key in m.identity_keys]
            for m in in_order
        }
        self._shared: set[Generation] = set()
        # What a mention names although a decision separates it, or another number tells it apart.
        self._rejected: set[tuple[RefKey, IdentifierKey]] = set()
        self._unconnected: set[tuple[RefKey, IdentifierKey]] = set()
        self._evidence: dict[Generation, Mention] = {}

    def connect_mentions_by_strength_rank(
        self, known_shared_keys: frozenset[IdentifierKey]
    ) -> None:
        """Connect what each mention names, rank by rank.

        Which numbers of a rank are shared is decided before any of them connects objects, so that
        the result is the same for all of these objects.
        """
        ranks = sorted({strength_rank(key) for key in self._generations})
        for rank in ranks:
            self._add_shared_generations_of_rank(rank, known_shared_keys)
            for mention in self._mentions:
                self._connect_generations_of_mention(mention, rank)

    def _add_shared_generations_of_rank(
        self, rank: int, known_shared_keys: frozenset[IdentifierKey]
    ) -> None:
        mentions_by_generation: dict[Generation, list[list[Generation]]] = {}
        for mention in self._mentions:
            named = self._named[mention.ref_key]
            for generation in named:
                if strength_rank(generation[0]) == rank:
                    mentions_by_generation.setdefault(generation, []).append(named)
        shared = [
            generation
            for generation, mentions in mentions_by_generation.items()
            if not self._sets.is_named_by_decision(generation)
            and (
                generation[0] in known_shared_keys
                or self._is_shared_by_several_objects(generation, mentions)
            )
        ]
        self._shared.update(shared)

    def _is_shared_by_several_objects(
        self, generation: Generation, mentions: Sequence[Sequence[Generation]]
    ) -> bool:
        """Whether the other numbers of these mentions belong to different objects."""
        rank = strength_rank(generation[0])
        roots = {
            self._sets.root(other)
            for named in mentions
            for other in named
            if other != generation and strength_rank(other[0]) <= rank
        }
        return self._sets.any_two_sets_have_number_conflict(roots, outside=generation)

    def _connect_generations_of_mention(self, mention: Mention, rank: int) -> None:
        named = [
            generation
            for generation in self._named[mention.ref_key]
            if strength_rank(generation[0]) <= rank and generation not in self._shared
        ]
        if not named:
            return
        first, *others = sorted(named, key=self._sort_key_unsplit_strongest_first)
        for generation in others:
            # A system that names its own id with another number has changed the number.
            is_renumbered = strength_rank(first[0]) == 0 < strength_rank(generation[0])
            renumbered = generation[0][:3] if is_renumbered else None
            if self._sets.join(first, generation, renumbered=renumbered):
                self._evidence.setdefault(first, mention)
                self._evidence.setdefault(generation, mention)
            elif self._sets.is_separated_by_decision(first, generation):
                self._rejected.add((mention.ref_key, generation[0]))
            else:
                self._unconnected.add((mention.ref_key, generation[0]))

    def _sort_key_unsplit_strongest_first(
        self, generation: Generation
    ) -> tuple[bool, int, Generation]:
        is_split_off = self._sets.is_split_off_by_decision(generation)
        return is_split_off, strength_rank(generation[0]), generation

    def build_objects(self) -> tuple[ResolvedObject, ...]:
        """Return the resolved objects."""
        sets = self._sets
        by_root: dict[Generation, ResolvedObject] = {}
        roots: dict[RefKey, Generation] = {}
        for mention in self._mentions:
            named = sorted(
                self._named[mention.ref_key],
                key=lambda g: (g in self._shared, *self._sort_key_unsplit_strongest_first(g)),
            )
            root = roots[mention.ref_key] = sets.root(named[0])
            resolved = by_root.setdefault(root, ResolvedObject())
            resolved.mentions.append(mention)
            resolved.shared_keys.update(g[0] for g in named[1:] if g in self._shared)
        self._add_corrected_mentions(by_root)
        for key, history in self._generations.items():
            for index in range(len(history.intervals)):
                generation = (key, index)
                group = by_root.get(sets.root(generation))
                if group is not None:
                    group.generations.append(generation)
                    group.is_separated |= sets.is_split_off_by_decision(generation)
                    if generation in self._evidence:
                        group.evidence[generation] = self._evidence[generation]
        for ref_key, key in self._rejected:
            by_root[roots[ref_key]].rejected_keys.add(key)
        for ref_key, key in self._unconnected:
            by_root[roots[ref_key]].shared_keys.add(key)
        for group in by_root.values():
            group.generations.sort()
        return tuple(group for _, group in sorted(by_root.items()))

    def _add_corrected_mentions(self, by_root: dict[Generation, ResolvedObject]) -> None:
        """Add each corrected mention to an object that other mentions name, or to its own object.

        Its keys that no other mention names are rejected there: they identify nothing, but an event
        that names one of them resolves the corrected mention again.
        """
        roots_of_others = frozenset(by_root)
        for mention in self._corrected:
            is_alone = {
                generation: self._sets.root(generation) not in roots_of_others
                for generation in self._named[mention.ref_key]
            }
            own = min(
                is_alone,
                key=lambda g: (is_alone[g], g in self._shared, strength_rank(g[0]), g),
            )
            resolved = by_root.setdefault(self._sets.root(own), ResolvedObject())
            resolved.mentions.append(mention)
            resolved.rejected_keys.update(
                generation[0]
                for generation, alone in is_alone.items()
                if alone and generation != own
            )
