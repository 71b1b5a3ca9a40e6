"""Weigh everything that was ever said of some objects again, and write who is who.

A number of statements that does not grow with the objects: take them and whatever shares a number
with them under locks, `solve`, write the differences. Ids stay with the numbers they were first
given to, so that a join redirects and its undoing gives both their ids back.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

from visibility.db import bulk
from visibility.identity import identifier_rows, merge, objects, relations
from visibility.identity.component import Gathered, gather, lock
from visibility.identity.pure.keys import Number, Periods
from visibility.identity.pure.resolution import (
    Group,
    Mention,
    Place,
    Solution,
    Use,
    Verdict,
    solve,
)
from visibility.identity.reuse_windows import periods
from visibility.storage import refold_queue

LAST = 2**63


def resolve(
    seeds: Iterable[int],
    *,
    fresh: Sequence[Mention] = (),
    numbers: Iterable[Number] = (),
    raws: Mapping[Number, str] | None = None,
) -> dict[Place, int]:
    """Weigh these objects, the fresh mentions and these numbers; the object of each mention.

    In the caller's transaction. Marks whatever changed to be folded. Raises JoinTooLarge, Moved.
    """
    found = gather(seeds, fresh, set(numbers))
    for number, raw in (raws or {}).items():
        found.raws.setdefault(number, ((), raw))
    silences = periods()
    solution = solve(list(found.mentions.values()), found.acts, silences)
    stored = identifier_rows.stored(found.objects)
    before = relations.above(found.objects)
    outcome = _Outcome(found, solution, stored, silences)
    outcome.write()
    refold_queue.mark({*before, *found.objects, *outcome.owners})
    return outcome.places


class _Outcome:
    """Which object is which group, and the rows that follow."""

    def __init__(
        self,
        found: Gathered,
        solution: Solution,
        stored: Mapping[int, identifier_rows.Row],
        silences: Periods,
    ) -> None:
        self._found, self._uses, self._stored = found, solution.uses, stored
        self._silences = silences
        self._written = {row.number: row.raw for row in stored.values()}
        self._homes = self._homes_of_uses()
        homes = {id(group): self._homes_of(group) for group in solution.groups}
        self._groups = sorted(
            solution.groups, key=lambda g: (g.moved, min(homes[id(g)], default=LAST), g.uses)
        )
        taken: set[int] = set()
        self.owners: list[int] = []
        for group in self._groups:
            if len(homes[id(group)]) > merge.MOST_JOINED:
                raise merge.JoinTooLarge(f"more than {merge.MOST_JOINED} objects would become one")
            free = sorted(homes[id(group)] - taken)
            self.owners.append(free[0] if free else 0)
            taken.update(free[:1])
        lacking = [place for place, owner in enumerate(self.owners) if not owner]
        created = objects.create([self._groups[place].uses[0][0][0] for place in lacking])
        for place, object_id in zip(lacking, created, strict=True):
            self.owners[place] = object_id
        # Into whom each object that stands for no group has gone.
        self._gone: dict[int, int] = {}
        for group, owner in zip(self._groups, self.owners, strict=True):
            for home in homes[id(group)]:
                if home not in taken:
                    self._gone.setdefault(home, owner)
        self.places = {
            mention.place: owner
            for group, owner in zip(self._groups, self.owners, strict=True)
            for mention in group.mentions
        }

    def _homes_of_uses(self) -> dict[Use, set[int]]:
        homes: dict[Use, set[int]] = {}
        for row in self._stored.values():
            if row.strong and row.number in self._uses:
                uses = self._uses[row.number]
                part = uses.at(row.first_at) if row.first_at else min(row.part, len(uses.spans) - 1)
                homes.setdefault((row.number, part), set()).add(row.home or row.object_id)
        outside = {home for found in homes.values() for home in found} - self._found.objects
        self._found.merged |= lock(outside)
        # One that has become part of something else altogether is not ours to move.
        foreign = {o for o in outside if self._found.merged.get(o) not in self._found.objects}
        return {use: found - foreign for use, found in homes.items()}

    def _homes_of(self, group: Group) -> set[int]:
        return {home for use in group.uses for home in self._homes.get(use, ())}

    def write(self) -> None:
        """Everything that differs."""
        joined = self._joined()
        freed = [o for o in self.owners if self._found.merged.get(o) is not None]
        self._write_objects()
        self._write_links()
        identifier_rows.write(self._stored, self._wanted())
        touched = {*self._found.objects, *self.owners}
        relations.again(touched, self.places, self._found.acts)
        merge.absorb(joined)
        if freed:
            merge.give_back({*self._found.objects, *self.owners, *self._gone})
        refold_queue.orphans(touched, claimed=touched)

    def _joined(self) -> list[merge.Join]:
        """Objects that were their own and now are another's, each with the evidence."""
        evidence: dict[int, tuple[int, Number | None]] = {}
        for group in self._groups:
            for use, mention in sorted(group.evidence.items()):
                for home in self._homes.get(use, ()):
                    evidence.setdefault(home, (mention.place[0], use[0]))
        acts = [a for a in self._found.acts if a.verdict is Verdict.JOIN]
        joined = []
        for loser, winner in sorted(self._gone.items()):
            if self._found.merged.get(loser) == winner:
                continue
            event_id, number = evidence.get(loser, (0, None))
            act = acts[-1].id if acts and not event_id else None
            joined.append(merge.Join(winner, loser, event_id, ":".join(number or ())[:350], act))
        return joined

    def _write_objects(self) -> None:
        hand = any(a.verdict is not Verdict.BELONGS for a in self._found.acts)
        targets: dict[int, int | None] = {**self._gone, **dict.fromkeys(self.owners)}
        ordered = sorted(targets)
        with bulk.cursor() as cursor:
            cursor.execute(
                """
                UPDATE visibility_businessobject o SET merged_into_id = t.target, by_hand = %s
                FROM unnest(%s::bigint[], %s::bigint[]) AS t (id, target)
                WHERE o.id = t.id
                    AND (o.merged_into_id, o.by_hand) IS DISTINCT FROM (t.target, %s)
                """,
                [hand, ordered, [targets[o] for o in ordered], hand],
            )
            cursor.execute(
                """
                UPDATE visibility_businessobject o SET merged_into_id = r.merged_into_id
                FROM visibility_businessobject r
                WHERE o.merged_into_id = ANY(%s) AND r.id = o.merged_into_id
                    AND r.merged_into_id IS NOT NULL
                """,
                [sorted(self._gone)],
            )

    def _write_links(self) -> None:
        places, found = self.places, self._found
        moved = {p: o for p, o in places.items() if found.places.get(p, o) != o}
        moved |= {p: self._gone[o] for p, o in found.withdrawn.items() if o in self._gone}
        fresh = sorted(p for p in places if p not in found.places)
        with bulk.cursor() as cursor:
            if moved:
                ordered = sorted(moved)
                cursor.execute(
                    """
                    UPDATE visibility_eventobject link SET object_id = t.object_id
                    FROM unnest(%s::bigint[], %s::int[], %s::bigint[])
                        AS t (event_id, ref, object_id)
                    WHERE link.event_id = t.event_id AND link.ref = t.ref
                    """,
                    [[p[0] for p in ordered], [p[1] for p in ordered], [moved[p] for p in ordered]],
                )
            if fresh:
                cursor.execute(
                    """
                    INSERT INTO visibility_eventobject (object_id, event_id, occurred_at, ref)
                    SELECT * FROM unnest(
                        %s::bigint[], %s::bigint[], %s::timestamptz[], %s::smallint[])
                    """,
                    [
                        [places[p] for p in fresh],
                        [p[0] for p in fresh],
                        [found.times[p] for p in fresh],
                        [p[1] for p in fresh],
                    ],
                )

    def _wanted(self) -> Iterable[identifier_rows.Row]:
        """The rows of the numbers as they follow from what was said."""
        for group, owner in zip(self._groups, self.owners, strict=True):
            for number, part in group.uses:
                first, last = self._uses[number].spans[part]
                timed = self._silences.of(number) is not None
                yield identifier_rows.Row(
                    number,
                    self._raw(number),
                    strong=True,
                    object_id=owner,
                    part=part,
                    since=first.astimezone(UTC).date() if part else None,
                    first_at=first if timed else None,
                    last_at=last if timed else None,
                    home=self._home((number, part), owner),
                )
            own = {number for number, _ in group.uses}
            for number in sorted(group.refused - own):
                yield identifier_rows.Row(
                    number, self._raw(number), strong=False, object_id=owner, refused=True
                )
            weak = {number for mention in group.mentions for number in mention.weak}
            for number in sorted(weak - group.refused):
                yield identifier_rows.Row(number, self._raw(number), strong=False, object_id=owner)

    def _home(self, use: Use, owner: int) -> int:
        """The object it was first known as, as long as that is this object or went into it."""
        known = self._homes.get(use, set())
        return min((h for h in known if h == owner or self._gone.get(h) == owner), default=owner)

    def _raw(self, number: Number) -> str:
        return self._written.get(number) or self._found.raws.get(number, ((), number[3]))[1]
