"""The clear references of a batch from the unclear ones, as the numbers stand now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from connectors.sdk.events import ObjectKind
from visibility.db import bulk
from visibility.identity import objects as making
from visibility.identity.generations import Known
from visibility.identity.pure.keys import Number, Periods, written
from visibility.identity.pure.resolution import Mention
from visibility.identity.pure.union_find import Clusters
from visibility.models.events import Draft


@dataclass(frozen=True, slots=True)
class Named:
    """One reference of one stored event, with its numbers in normal form."""

    event_id: int
    draft: Draft
    ref: int
    kind: ObjectKind
    strong: tuple[Number, ...]
    weak: tuple[Number, ...]
    source: str

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.draft.occurred_at

    @property
    def mention(self) -> Mention:
        """As `solve` wants it."""
        d = self.draft
        rank = (d.occurred_at, self.source, d.event.key, d.content_hash, self.ref)
        return Mention((self.event_id, self.ref), rank, self.strong, self.weak)


@dataclass(slots=True)
class Placing:
    """What a batch comes to: objects of clear references, those made for it, and the unclear."""

    objects: dict[int, int]
    made: set[int]
    unclear: list[int]
    seeds: set[int]


class Sorting:
    """Clear references from unclear ones, as the numbers stand now."""

    def __init__(
        self,
        named: Sequence[Named],
        known: Mapping[Number, Sequence[Known]],
        silences: Periods,
        held: frozenset[Number],
    ) -> None:
        self._named, self._known, self._silences = named, known, silences
        self._clusters = Clusters()
        self._fresh: dict[Number, int] = {}
        self._times: dict[Number, list[datetime]] = {}
        self._uses: dict[tuple[int, Number], Known] = {}
        doubtful: set[int] = set()
        for place, name in enumerate(named):
            members: list[int] = []
            for number in name.strong:
                found, clear = self._member(place, number)
                members += found
                if not clear or number in held:
                    doubtful.update(found)
            self._clusters.join(members)
        for number, times in self._times.items():
            gap = silences.of(number)
            times.sort()
            if gap and any(b - a > gap for a, b in pairwise(times)):
                doubtful.add(self._fresh[number])
        self.objects = sorted(m for m in self._clusters.members() if m > 0)
        self._unclear = {self._clusters.root(m) for m in doubtful}
        owners: dict[int, int] = {}
        for member in self.objects:
            root = self._clusters.root(member)
            if owners.setdefault(root, member) != member:
                self._unclear.add(root)
        self._owners = owners
        self.clear = [m for m in self.objects if self._clusters.root(m) not in self._unclear]

    def _member(self, place: int, number: Number) -> tuple[list[int], bool]:
        """The objects this number may mean here (a fresh one below zero); whether that is clear."""
        name, found = self._named[place], self._known.get(number)
        if not found:
            self._times.setdefault(number, []).append(name.at)
            return [self._fresh.setdefault(number, -1 - len(self._fresh))], True
        use = Known.current(found, name.at, self._silences.of(number))
        if use is None or use.by_hand:
            return [k.object_id for k in found], False
        self._uses[(place, number)] = use
        return [use.object_id], True

    def write(self, made: set[int]) -> bool:
        """Insert the fresh numbers of what is clear; whether another worker was faster."""
        roots = {n: self._clusters.root(member) for n, member in self._fresh.items()}
        fresh = sorted(n for n, root in roots.items() if root not in self._unclear)
        if not fresh:
            return False
        kinds = {roots[n]: n[0] for n in fresh if roots[n] not in self._owners}
        created = making.create([kinds[root] for root in sorted(kinds)])
        self._owners |= dict(zip(sorted(kinds), created, strict=True))
        made.update(created)
        raws = dict(raw(self._named))
        with bulk.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO visibility_identifier
                    (kind, scheme, issuer, value, raw, strong, object_id, home, first_at, last_at)
                SELECT kind, scheme, issuer, value, raw, true, object_id, object_id, first, last
                FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
                    %s::bigint[], %s::timestamptz[], %s::timestamptz[])
                    AS t (kind, scheme, issuer, value, raw, object_id, first, last)
                ON CONFLICT DO NOTHING
                """,
                [
                    *[list(column) for column in zip(*fresh, strict=True)],
                    [raws[n] for n in fresh],
                    [self._owners[roots[n]] for n in fresh],
                    [self._times[n][0] if self._silences.of(n) else None for n in fresh],
                    [self._times[n][-1] if self._silences.of(n) else None for n in fresh],
                ],
            )
            return int(cursor.rowcount) < len(fresh)

    def reached(self) -> dict[tuple[Number, int], tuple[datetime, datetime]]:
        """Uses that are now known to have begun earlier, or to last notably longer."""
        found: dict[tuple[Number, int], tuple[datetime, datetime]] = {}
        for (place, number), use in self._uses.items():
            gap, at = self._silences.of(number), self._named[place].at
            if gap is None or not self._clear(place) or not use.widened(at, gap):
                continue
            first, last = found.get((number, use.part), (at, at))
            found[(number, use.part)] = (min(first, at), max(last, at))
        return found

    def _clear(self, place: int) -> bool:
        return self._root(place) not in self._unclear

    def _root(self, place: int) -> int:
        """The cluster of a reference."""
        number = self._named[place].strong[0]
        if number in self._fresh:
            return self._clusters.root(self._fresh[number])
        return (
            self._clusters.root(self._known[number][0].object_id)
            if ((place, number) not in self._uses)
            else self._clusters.root(self._uses[(place, number)].object_id)
        )

    def placing(self, made: set[int]) -> Placing:
        """The outcome."""
        objects, unclear, seeds = {}, [], set()
        for place in range(len(self._named)):
            root = self._root(place)
            if root in self._unclear:
                unclear.append(place)
            else:
                objects[place] = self._owners[root]
        for member in self.objects:
            if self._clusters.root(member) in self._unclear:
                seeds.add(member)
        return Placing(objects, made, unclear, seeds)


def raw(named: Iterable[Named]) -> Iterable[tuple[Number, str]]:
    """Each number as it was written; the first way wins in a dict made of the reverse."""
    for name in reversed(list(named)):
        yield from written(name.draft.event.objects[name.ref], name.source)
