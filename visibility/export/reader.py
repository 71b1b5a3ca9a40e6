"""What an export writes, read from the picture a chunk at a time: memory does not grow with it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.events import CanonicalEvent, Identifier, Line, ObjectKind, Scheme, from_dict
from visibility.storage.events import canonical_keys

CHUNK = 500
HAPPENED = """
SELECT e.id, e.occurred_at, e.received_at, e.recorded_at, e.content_hash, e.message_id,
    source.slug, source.role, e.data::text, picked.taken_back AND winner.type <> e.type,
    winner.key, winner.content_hash, winner.recorded_at, winner_source.slug
FROM export_event picked
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
JOIN visibility_source source ON source.id = e.source_id
LEFT JOIN export_event beside ON beside.id = picked.by_id
LEFT JOIN visibility_event winner
    ON winner.id = beside.id AND winner.occurred_at = beside.occurred_at
LEFT JOIN visibility_source winner_source ON winner_source.id = winner.source_id
ORDER BY e.occurred_at, e.id
"""
NAMED = """
SELECT link.event_id, link.ref, link.object_id FROM visibility_eventobject link
JOIN export_object picked ON picked.id = link.object_id
WHERE link.event_id = ANY(%s) ORDER BY link.event_id, link.ref, link.object_id
"""
NUMBERS = """
SELECT i.object_id, picked.kind, i.scheme, i.issuer, i.value, i.strong, i.since
FROM visibility_identifier i JOIN export_object picked ON picked.id = i.object_id
WHERE i.object_id = ANY(%s) AND NOT i.refused
ORDER BY i.object_id, i.scheme, i.issuer, i.value
"""


@dataclass(frozen=True, slots=True)
class Known:
    """An object under the name it has in every export: `order:sales_order:erp:SO-1`."""

    id: str
    kind: ObjectKind
    numbers: tuple[Identifier, ...]

    def number(self, scheme: Scheme) -> Identifier | None:
        """The first number of that scheme."""
        return next((n for n in self.numbers if n.scheme is scheme), None)


@dataclass(frozen=True, slots=True)
class Correction:
    """Why an event counts no longer. `taken_back`: it did not happen; else it was told better."""

    taken_back: bool
    source: str
    key: str
    content_hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """One event with the objects of the picture that it names, by their place in the event."""

    event: CanonicalEvent
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    content_hash: str
    message_id: int
    source: str
    role: str
    named: tuple[tuple[int, Known], ...]
    correction: Correction | None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of orders of the picture: a shared shipment carries those of others too."""
        orders = {ref for ref, o in enumerate(self.event.objects) if o.kind is ObjectKind.ORDER}
        mine = {ref for ref, o in self.named if o.kind is ObjectKind.ORDER}
        if not orders:
            return self.event.lines
        return tuple(
            line for line in self.event.lines if (line.order in mine if line.order >= 0 else mine)
        )

    def of(self, kind: ObjectKind) -> list[Known]:
        """The objects of one kind, each once."""
        return list({k.id: k for _, k in self.named if k.kind is kind}.values())


def chunks(statement: str, values: Sequence[Any] = ()) -> Iterator[list[Any]]:
    """The rows of a statement by a cursor in the database."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(CHUNK):
            yield rows


def event_types() -> list[str]:
    """The types of the events that count, sorted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT type FROM export_event WHERE by_id IS NULL ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def kinds() -> list[str]:
    """The kinds of the objects, sorted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind FROM export_object ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def known(object_ids: Collection[int]) -> dict[int, Known]:
    """These objects under their names."""
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS, [sorted(object_ids)])
        rows = cursor.fetchall()
    keys = canonical_keys((row[0], *row[2:5], row[6]) for row in rows if row[5])
    numbers: dict[int, list[Identifier]] = defaultdict(list)
    kind: dict[int, ObjectKind] = {}
    for object_id, word, scheme, issuer, value, strong, _ in rows:
        kind[object_id] = ObjectKind(word)
        numbers[object_id].append(Identifier(Scheme(scheme), value, issuer, strong))
    return {
        object_id: Known(f"{kind[object_id].value}:{key}", kind[object_id], tuple(told))
        for object_id, told in numbers.items()
        if (key := keys.get(object_id))
    }


def happened(*, superseded: bool) -> Iterator[Happened]:
    """The events in the order of time; on demand also those that count no longer."""
    for rows in chunks(HAPPENED):
        picked = [row for row in rows if superseded or row[11] is None]
        named = _named([row[0] for row in picked])
        for row in picked:
            yield _happened(row, named.get(row[0], ()))


def _named(event_ids: Collection[int]) -> Mapping[int, Sequence[tuple[int, Known]]]:
    with connection.cursor() as cursor:
        cursor.execute(NAMED, [sorted(event_ids)])
        links = cursor.fetchall()
    objects = known({link[2] for link in links})
    found: dict[int, list[tuple[int, Known]]] = defaultdict(list)
    for event_id, ref, object_id in links:
        if object_id in objects:
            found[event_id].append((ref, objects[object_id]))
    return found


def _happened(row: Sequence[Any], named: Sequence[tuple[int, Known]]) -> Happened:
    correction = None
    if row[11] is not None:
        correction = Correction(row[9], row[13], row[10], row[11], row[12])
    return Happened(
        event=from_dict(orjson.loads(row[8])),
        occurred_at=row[1],
        received_at=row[2],
        recorded_at=row[3],
        content_hash=row[4],
        message_id=row[5],
        source=row[6],
        role=row[7],
        named=tuple(named),
        correction=correction,
    )
