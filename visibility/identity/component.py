"""Some objects and whatever hangs together with them by numbers, locked, with all that was said."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from connectors.sdk.events import Identifier, ObjectKind, Ref, Scheme
from visibility.db import bulk
from visibility.identity import merge
from visibility.identity.generations import columns
from visibility.identity.pure.keys import Number, numbers_of, written
from visibility.identity.pure.resolution import Act, Mention, Place, Side, Verdict

# Objects that share numbers by one chain or another and are weighed together.
MOST_WEIGHED = 2_000
LOCK = """
SELECT id, merged_into_id FROM visibility_businessobject
WHERE id = ANY(%s) ORDER BY id FOR UPDATE
"""
# Any number may hold an object at once, also while its order is folded: nobody may lock it.
HOLD = "SELECT FROM visibility_businessobject WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
ROOTS = """
SELECT DISTINCT coalesce(merged_into_id, id) FROM visibility_businessobject WHERE id = ANY(%s)
"""
SHARING = """
SELECT DISTINCT i.object_id
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
JOIN visibility_identifier i ON i.value = t.value AND i.scheme = t.scheme
    AND i.issuer = t.issuer AND i.kind = t.kind
WHERE i.strong
UNION
SELECT DISTINCT i.object_id
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
JOIN visibility_identifier i ON i.value = t.value AND i.scheme = t.scheme
    AND i.issuer = t.issuer AND i.kind = t.kind
WHERE NOT i.strong AND i.refused
"""
MENTIONS = """
SELECT link.object_id, link.event_id, link.ref, link.occurred_at, event.withdrawn, source.slug,
    event.key, event.content_hash, (event.data->'objects'->(link.ref::int))::text
FROM visibility_eventobject link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
JOIN visibility_source source ON source.id = event.source_id
WHERE link.object_id = ANY(%s)
"""
ACTS = """
SELECT a.id, a.verdict, n.side, n.kind, n.scheme, n.issuer, n.value, n.at
FROM visibility_joinact a JOIN visibility_joinnumber n ON n.act_id = a.id
WHERE a.undone_at IS NULL AND a.id IN (
    SELECT n.act_id FROM visibility_joinnumber n
    JOIN unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
        ON n.value = t.value AND n.scheme = t.scheme AND n.issuer = t.issuer AND n.kind = t.kind)
ORDER BY a.id, n.side, n.id
"""


class Moved(RuntimeError):
    """Another worker changed who is who while this batch was looking: do the batch again."""


@dataclass(slots=True)
class Gathered:
    """Objects that are weighed together and everything said of them."""

    objects: set[int] = field(default_factory=set)
    merged: dict[int, int | None] = field(default_factory=dict)
    mentions: dict[Place, Mention] = field(default_factory=dict)
    places: dict[Place, int] = field(default_factory=dict)
    withdrawn: dict[Place, int] = field(default_factory=dict)
    times: dict[Place, datetime] = field(default_factory=dict)
    raws: dict[Number, tuple[object, str]] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)


def gather(seeds: Iterable[int], fresh: Sequence[Mention], numbers: set[Number]) -> Gathered:
    """Everything that hangs together with the seeds by numbers, locked."""
    found = Gathered()
    for mention in fresh:
        found.mentions[mention.place] = mention
        found.times[mention.place] = mention.at
        numbers.update(mention.numbers)
    wanted, looked_up = set(seeds), 0
    while True:
        if looked_up < len(numbers):
            looked_up = len(numbers)
            found.acts = _acts(numbers)
            numbers |= {n for act in found.acts for side in act.sides for n, _ in side.numbers}
            wanted |= _sharing(numbers)
        new = _roots(wanted) - found.objects
        if not new and looked_up == len(numbers):
            return found
        found.objects |= new
        if len(found.objects) > MOST_WEIGHED:
            raise merge.JoinTooLarge(f"more than {MOST_WEIGHED} objects share numbers")
        found.merged |= lock(new)
        if any(found.merged[o] is not None for o in new):
            raise Moved
        numbers |= _read(found, new)


def _acts(numbers: Collection[Number]) -> list[Act]:
    sides: dict[tuple[int, str], tuple[list[tuple[Number, datetime]], ...]] = {}
    with bulk.cursor() as cursor:
        cursor.execute(ACTS, columns(sorted(numbers)))
        for act_id, verdict, side, *number, at in cursor.fetchall():
            k, s, i, v = number
            sides.setdefault((act_id, verdict), ([], []))[side].append(((k, s, i, v), at))
    return [
        Act(act_id, Verdict(verdict), (Side(tuple(left)), Side(tuple(right))))
        for (act_id, verdict), (left, right) in sides.items()
    ]


def _sharing(numbers: Collection[Number]) -> set[int]:
    given = columns(sorted(numbers))
    with bulk.cursor() as cursor:
        cursor.execute(SHARING, [*given, *given])
        return {row[0] for row in cursor.fetchall()}


def _roots(object_ids: Collection[int]) -> set[int]:
    with bulk.cursor() as cursor:
        cursor.execute(ROOTS, [sorted(object_ids)])
        return {row[0] for row in cursor.fetchall()}


def _read(found: Gathered, objects: Collection[int]) -> set[Number]:
    """Everything said of these objects; the numbers it names them by."""
    numbers: set[Number] = set()
    with bulk.cursor() as cursor:
        cursor.execute(MENTIONS, [sorted(objects)])
        rows = cursor.fetchall()
    for object_id, event_id, index, at, withdrawn, slug, key, digest, data in rows:
        place = (event_id, index)
        if withdrawn:
            found.withdrawn[place] = object_id
            continue
        ref = _ref(data)
        strong, weak = numbers_of(ref, slug)
        rank = (at, slug, key, digest, index)
        found.mentions[place] = Mention(place, rank, strong, weak)
        found.places[place], found.times[place] = object_id, at
        for number, raw in written(ref, slug):
            if number not in found.raws or (rank, raw) < found.raws[number]:
                found.raws[number] = (rank, raw)
        numbers.update(strong)
    return numbers


def _ref(data: str) -> Ref:
    said = orjson.loads(data)
    return Ref(
        ObjectKind(said["kind"]),
        tuple(
            Identifier(Scheme(i["scheme"]), i["value"], i["issuer"], i["strong"])
            for i in said["identifiers"]
        ),
    )


def hold(object_ids: Collection[int]) -> None:
    """See to it that the objects stay what they are until the end of the transaction."""
    if object_ids:
        with bulk.cursor() as cursor:
            cursor.execute(HOLD, [sorted(object_ids)])


def lock(object_ids: Collection[int]) -> dict[int, int | None]:
    """Have the objects for oneself, in the order of their ids; into which each was merged."""
    if not object_ids:
        return {}
    with bulk.cursor() as cursor:
        cursor.execute(LOCK, [sorted(object_ids)])
        return dict(cursor.fetchall())
