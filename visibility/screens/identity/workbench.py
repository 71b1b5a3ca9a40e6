"""Who may be who: orphans, orders that look like one, and what was joined or parted, by whom."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from django.db import connection

from connectors.sdk.normalization import visible
from visibility.models import (
    STANDING,
    Alert,
    BusinessObject,
    Identifier,
    JoinAct,
    Merge,
    Order,
)
from visibility.screens.orders.search import SCHEMES
from visibility.storage.events import PREFERRED

PAGE = 25
DONE = 50
# Counting further would tell nobody more.
MOST_COUNTED = 1_000
ORPHANS = """
SELECT o.object_id, b.kind, b.created_at, said.events, said.first_at, said.sources
FROM visibility_orphan o JOIN visibility_businessobject b ON b.id = o.object_id
CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(link.occurred_at) AS first_at,
        array_agg(DISTINCT source.title) AS sources
    FROM (SELECT event_id, occurred_at FROM visibility_eventobject
        WHERE object_id = o.object_id LIMIT 500) link
    JOIN visibility_event event ON event.id = link.event_id
        AND event.occurred_at = link.occurred_at AND NOT event.withdrawn
    JOIN visibility_source source ON source.id = event.source_id
) said
WHERE o.object_id > %s ORDER BY o.object_id LIMIT %s
"""
COUNTED = "SELECT count(*) FROM (SELECT FROM visibility_orphan LIMIT %s) counted"
# An order that goes by a number which the orphan mentions under whatever name.
OWNERS = """
SELECT DISTINCT ON (mine.object_id) mine.object_id, theirs.object_id, mine.scheme, theirs.scheme,
    mine.raw
FROM visibility_identifier mine
CROSS JOIN LATERAL (
    (SELECT object_id, scheme FROM visibility_identifier i
        WHERE i.strong AND i.value = mine.value AND i.kind = 'order' LIMIT 3)
    UNION ALL
    (SELECT object_id, scheme FROM visibility_identifier i
        WHERE NOT i.strong AND i.value = mine.value AND i.kind = 'order' LIMIT 3)
) theirs
WHERE mine.object_id = ANY(%s) AND mine.scheme <> 'source_id' AND length(mine.value) > 3
ORDER BY mine.object_id, mine.scheme, theirs.object_id
"""
ON_IT = """
WITH RECURSIVE reach (root, id) AS (
    SELECT id, id FROM unnest(%s::bigint[]) AS wanted (id)
    UNION SELECT reach.root, r.child_id FROM reach
    JOIN visibility_objectrelation r ON r.parent_id = reach.id
)
SELECT count(DISTINCT link.event_id) FROM reach
JOIN visibility_eventobject link ON link.object_id = reach.id
"""
NAMING = """
SELECT (event.data->'objects'->(link.ref::int)->'identifiers')::text, source.title, event.type,
    event.occurred_at, event.message_id
FROM visibility_eventobject link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    AND NOT event.withdrawn
JOIN visibility_source source ON source.id = event.source_id
WHERE link.object_id = %s ORDER BY link.occurred_at LIMIT 500
"""
EVIDENCE = """
SELECT event.id, event.type, event.occurred_at, event.message_id, source.title
FROM visibility_event event JOIN visibility_source source ON source.id = event.source_id
WHERE event.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something that belongs to no order we know; `since` is when we first heard of it."""

    id: int
    kind: str
    since: datetime
    events: int
    first_at: datetime | None
    sources: tuple[str, ...]
    names: tuple[str, ...]
    owner: Order | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """One side of a comparison."""

    id: int
    kind: str
    order: Order | None
    names: tuple[tuple[str, str, str], ...]
    events: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What an act would do, in numbers."""

    before: int
    after: int
    events: int
    alerts: int
    numbers: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """`2 orders become 1: 14 events, 2 alerts.`"""
        told = f"{_many(self.events, 'event')}, {_many(self.alerts, 'alert')}"
        if self.before == self.after:
            return f"{_many(self.after, 'order')} affected: {told}."
        verb = "becomes" if self.before == 1 else "become"
        return f"{_many(self.before, 'order')} {verb} {self.after}: {told}."


@dataclass(frozen=True, slots=True)
class Done:
    """Two that were found to be one by an event, and the event."""

    order: Order
    gone: int
    at: datetime
    number: str
    event: str
    source: str
    occurred_at: datetime | None
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Name:
    """One number of an order: how often it is named, by whom, and what else is named with it."""

    scheme: str
    issuer: str
    value: str
    words: str
    written: str
    events: int
    sources: tuple[str, ...] = field(default=())

    @property
    def code(self) -> str:
        """As a form sends it."""
        return "|".join((self.scheme, self.issuer, self.value))


def orphans(*, after: int = 0, limit: int = PAGE) -> list[Orphan]:
    """The oldest first, each with the order it probably belongs to; four statements."""
    with connection.cursor() as cursor:
        cursor.execute(ORPHANS, [after, limit])
        rows = cursor.fetchall()
        ids = [row[0] for row in rows]
        cursor.execute(OWNERS, [ids])
        owners = {row[0]: row[1:] for row in cursor.fetchall()}
    names, orders = names_of(ids), Order.objects.in_bulk({row[0] for row in owners.values()})
    found = []
    for object_id, kind, since, events, first_at, sources in rows:
        owner, mine, theirs, raw = owners.get(object_id, (0, "", "", ""))
        found.append(
            Orphan(
                id=object_id,
                kind=kind,
                since=since,
                events=events,
                first_at=first_at,
                sources=tuple(sources or ()),
                names=_spoken(names[object_id]),
                owner=orders.get(owner),
                why=f"its {SCHEMES[mine]} {visible(raw)} is the order's {SCHEMES[theirs]}"
                if owner in orders
                else "",
            )
        )
    return found


def _spoken(names: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    """A system's own id says nothing to people, unless it is all there is."""
    others = [name for name in names if name[0] != SCHEMES["source_id"]]
    return tuple(f"{words} {written}" for words, _, written in others or names)


def orphan_count() -> int:
    """How many there are; 1,000 stands for more."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, [MOST_COUNTED])
        return int(cursor.fetchone()[0])


def names_of(object_ids: Collection[int]) -> dict[int, tuple[tuple[str, str, str], ...]]:
    """Each object's own numbers: what kind, whose, and as written; the one people say first."""
    rank = {scheme.value: place for scheme, place in PREFERRED.items()}
    rows = Identifier.objects.filter(object_id__in=object_ids, refused=False)
    ordered = sorted(
        rows.values_list("object_id", "scheme", "issuer", "value", "raw")[:MOST_COUNTED],
        key=lambda row: (rank.get(row[1], len(rank)), row[1:]),
    )
    found: dict[int, list[tuple[str, str, str]]] = {object_id: [] for object_id in object_ids}
    for object_id, scheme, issuer, _, raw in ordered:
        found[object_id].append((SCHEMES.get(scheme, scheme), issuer.rstrip("?"), visible(raw)))
    return {object_id: tuple(names) for object_id, names in found.items()}


def things(object_ids: Sequence[int]) -> list[Thing]:
    """Both sides of a comparison, in this order; those that do not exist are left out."""
    objects = BusinessObject.objects.in_bulk(object_ids)
    orders, names = Order.objects.in_bulk(object_ids), names_of(object_ids)
    return [
        Thing(
            id=object_id,
            kind=objects[object_id].kind,
            order=orders.get(object_id),
            names=names[object_id],
            events=events_on([object_id]),
            alerts=alerts_on([object_id]),
        )
        for object_id in object_ids
        if object_id in objects
    ]


def events_on(object_ids: Collection[int]) -> int:
    """How many events speak of these, and of what belongs to them."""
    with connection.cursor() as cursor:
        cursor.execute(ON_IT, [sorted(object_ids)])
        return int(cursor.fetchone()[0])


def alerts_on(object_ids: Collection[int]) -> int:
    """How many alerts stand on these orders."""
    return Alert.objects.filter(order_id__in=object_ids, state__in=STANDING).count()


def orders_among(object_ids: Collection[int]) -> dict[int, str]:
    """The orders that stand, with what they are called."""
    rows = Order.objects.filter(pk__in=object_ids, object__merged_into=None)
    return dict(rows.values_list("pk", "number"))


def effect(before: Collection[int], after: Collection[int]) -> Effect:
    """From the orders before and after; call it where the act has been done."""
    left = orders_among(after)
    return Effect(
        before=len(before),
        after=len(left),
        events=events_on(left),
        alerts=alerts_on(left),
        numbers=tuple(sorted(left.values())),
    )


def acts(*, before: int | None = None, limit: int = DONE) -> list[JoinAct]:
    """What people decided, the newest first."""
    rows = JoinAct.objects.select_related("made_by", "undone_by").order_by("-pk")
    return list((rows.filter(pk__lt=before) if before else rows)[:limit])


def numbers_of(act: JoinAct, side: int) -> list[tuple[str, str, str]]:
    """One side's numbers: what kind, whose, and the number."""
    return [
        (SCHEMES.get(n.scheme, n.scheme), n.issuer.rstrip("?"), visible(n.value))
        for n in act.numbers.all()
        if n.side == side
    ]


def found_to_be_one(*, limit: int = DONE) -> list[Done]:
    """Joins that events made and that stand, the newest first, with the evidence."""
    merges = list(
        Merge.objects.filter(act=None, winner__kind="order", loser__merged_into__isnull=False)
        .select_related("loser")
        .order_by("-pk")[:limit]
    )
    with connection.cursor() as cursor:
        cursor.execute(EVIDENCE, [[m.event_id for m in merges]])
        told = {row[0]: row[1:] for row in cursor.fetchall()}
    orders = Order.objects.in_bulk({m.loser.merged_into_id for m in merges})
    seen: set[int] = set()
    found = []
    for m in merges:
        order = orders.get(m.loser.merged_into_id or 0)
        if order is None or m.loser_id in seen:
            continue
        seen.add(m.loser_id)
        kind, at, message_id, source = told.get(m.event_id, ("", None, None, ""))
        scheme, _, value = m.number.partition(":")[2].partition(":")
        words = f"{SCHEMES.get(scheme, scheme)} {value.partition(':')[2]}".strip()
        found.append(
            Done(order, m.loser_id, m.merged_at, visible(words), kind, source, at, message_id)
        )
    return found


def named(order_id: int) -> list[Name]:
    """An order's numbers with how often each is said, and by whom: what a split is chosen from."""
    rows = Identifier.objects.filter(object_id=order_id, strong=True)
    said = _said(order_id)
    rank = {scheme.value: place for scheme, place in PREFERRED.items()}
    found = [
        Name(
            scheme=i.scheme,
            issuer=i.issuer,
            value=i.value,
            words=SCHEMES.get(i.scheme, i.scheme),
            written=visible(i.raw),
            events=said.get((i.scheme, i.raw), (0, frozenset()))[0],
            sources=tuple(sorted(said.get((i.scheme, i.raw), (0, frozenset()))[1])),
        )
        for i in rows[:MOST_COUNTED]
    ]
    return sorted(found, key=lambda n: (rank.get(n.scheme, len(rank)), n.scheme, n.value))


def _said(order_id: int) -> Mapping[tuple[str, str], tuple[int, frozenset[str]]]:
    said: dict[tuple[str, str], tuple[int, frozenset[str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(NAMING, [order_id])
        for identifiers, source, *_ in cursor.fetchall():
            for one in orjson.loads(identifiers):
                key = (one["scheme"], one["value"])
                many, who = said.get(key, (0, frozenset()))
                said[key] = (many + 1, who | {source})
    return said


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def is_order(object_id: int) -> bool:
    """Whether there is or was such an order."""
    return BusinessObject.objects.filter(pk=object_id, kind="order").exists()
