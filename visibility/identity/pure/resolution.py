"""Who is who, as a function of everything that was said and of what people decided. Plain Python.

The answer depends on the set of mentions and on the standing acts, never on the order in which
either came to us.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from visibility.identity.pure.keys import Number, Periods

# One use of a number: the number, and which of its uses, the earliest being 0.
Use = tuple[Number, int]
# (event id, reference): where a mention stands.
Place = tuple[int, int]


class Verdict(StrEnum):
    """What people decide: these two are one, belong together, or are not the same."""

    JOIN = "join"
    BELONGS = "belongs"
    SPLIT = "split"
    DISTINCT = "distinct"


APART = frozenset({Verdict.SPLIT, Verdict.DISTINCT})


@dataclass(frozen=True, slots=True)
class Mention:
    """One reference of one event: its strong numbers name the same thing."""

    place: Place
    # (occurred at, source, key, content hash, reference): nothing of arrival.
    rank: tuple[datetime, str, str, str, int]
    numbers: tuple[Number, ...]
    weak: tuple[Number, ...] = ()

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.rank[0]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things an act is about: its numbers, each with a moment it was in use."""

    numbers: tuple[tuple[Number, datetime], ...]


@dataclass(frozen=True, slots=True)
class Act:
    """A person's standing decision. Of a split, the first side keeps what names both."""

    id: int
    verdict: Verdict
    sides: tuple[Side, Side]


@dataclass(slots=True)
class Group:
    """One object: the uses of numbers that name it, and where it is mentioned."""

    uses: list[Use] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    refused: set[Number] = field(default_factory=set)
    moved: bool = False
    # Where two uses were first said to be one thing.
    evidence: dict[Use, Mention] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Solution:
    """The objects, and how often and when each number was in use."""

    groups: tuple[Group, ...]
    uses: Mapping[Number, "Uses"]


class Uses:
    """The uses of one number: parted where it was silent for longer than its period."""

    def __init__(self, number: Number, times: Iterable[datetime], periods: Periods) -> None:
        """From every moment at which it was said."""
        gap, last = periods.of(number), None
        self.spans: list[tuple[datetime, datetime]] = []
        for at in sorted(times):
            if last is None or (gap is not None and at - last > gap):
                self.spans.append((at, at))
            else:
                self.spans[-1] = (self.spans[-1][0], at)
            last = at

    def at(self, moment: datetime) -> int:
        """Which use was current at a moment: the last that had begun, else the first."""
        return max(bisect_right([span[0] for span in self.spans], moment) - 1, 0)


def solve(mentions: Sequence[Mention], acts: Sequence[Act], periods: Periods) -> Solution:
    """Group the mentions into objects."""
    times: dict[Number, list[datetime]] = {}
    for mention in mentions:
        for number in mention.numbers:
            times.setdefault(number, []).append(mention.at)
    uses = {number: Uses(number, found, periods) for number, found in times.items()}
    forest = _Forest()
    for act in sorted(acts, key=lambda a: a.id):
        sides = [_known(side, uses) for side in act.sides]
        if act.verdict in APART and all(sides):
            for place, side in enumerate(sides):
                for use in side:
                    forest.label(use, (act.id, place))
    for act in sorted(acts, key=lambda a: a.id):
        sides = [_known(side, uses) for side in act.sides]
        if act.verdict is Verdict.JOIN and all(sides):
            forest.join(sides[0][0], sides[1][0])
    return Solution(_groups(mentions, uses, forest), uses)


def _known(side: Side, uses: Mapping[Number, Uses]) -> list[Use]:
    return [(number, uses[number].at(at)) for number, at in side.numbers if number in uses]


def _groups(
    mentions: Sequence[Mention], uses: Mapping[Number, Uses], forest: "_Forest"
) -> tuple[Group, ...]:
    homes: dict[Place, Use] = {}
    refused: list[tuple[Mention, Number]] = []
    evidence: dict[Use, Mention] = {}
    for mention in sorted(mentions, key=lambda m: (m.rank, m.place)):
        named = [(number, uses[number].at(mention.at)) for number in mention.numbers]
        named.sort(key=lambda use: (forest.moved(use), use))
        homes[mention.place] = named[0]
        for use in named[1:]:
            if not forest.join(named[0], use):
                refused.append((mention, use[0]))
            else:
                evidence.setdefault(use, mention)
    groups: dict[Use, Group] = {}
    for mention in mentions:
        groups.setdefault(forest.root(homes[mention.place]), Group()).mentions.append(mention)
    for number, found in uses.items():
        for place in range(len(found.spans)):
            use = (number, place)
            group = groups.get(forest.root(use))
            if group is not None:
                group.uses.append(use)
                group.moved = group.moved or forest.moved(use)
                if use in evidence:
                    group.evidence[use] = evidence[use]
    for mention, number in refused:
        groups[forest.root(homes[mention.place])].refused.add(number)
    for group in groups.values():
        group.uses.sort()
        group.mentions.sort(key=lambda m: (m.rank, m.place))
    return tuple(group for _, group in sorted(groups.items()))


class _Forest:
    """Union-find over uses of numbers; what an act keeps apart is not joined."""

    def __init__(self) -> None:
        self._parent: dict[Use, Use] = {}
        self._labels: dict[Use, set[tuple[int, int]]] = {}

    def root(self, use: Use) -> Use:
        top = use
        while (above := self._parent.get(top, top)) != top:
            top = above
        while (above := self._parent.get(use, use)) != top:
            self._parent[use] = top
            use = above
        return top

    def label(self, use: Use, label: tuple[int, int]) -> None:
        self._labels.setdefault(self.root(use), set()).add(label)

    def moved(self, use: Use) -> bool:
        """Whether an act moved it away from what it had been part of."""
        return any(side for _, side in self._labels.get(self.root(use), ()))

    def join(self, one: Use, other: Use) -> bool:
        """Make them one, unless an act keeps them apart; whether they are."""
        a, b = sorted((self.root(one), self.root(other)))
        if a == b:
            return True
        mine, theirs = self._labels.get(a, set()), self._labels.get(b, set())
        if any((act, 1 - side) in theirs for act, side in mine):
            return False
        self._parent[b] = a
        if theirs:
            self._labels[a] = mine | theirs
        return True
