"""Read the events and objects of the export snapshot in chunks, with constant memory."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.event_codec import event_from_dict
from connectors.sdk.events import (
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    IdentifierScheme,
    ObjectKind,
)
from visibility.storage.load_events import preferred_identifier_key_by_object_id

CHUNK_SIZE = 500
SELECT_EVENTS = """
SELECT e.id, e.occurred_at, e.received_at, e.recorded_at, e.content_hash, e.message_id,
    source.slug, source.role, e.data::text, picked.taken_back AND winner.type <> e.type,
    winner.key, winner.content_hash, winner.recorded_at, winner_source.slug
FROM export_event picked
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
JOIN visibility_source source ON source.id = e.source_id
LEFT JOIN visibility_event winner
    ON winner.id = picked.by_id AND winner.occurred_at = picked.by_at
LEFT JOIN visibility_source winner_source ON winner_source.id = winner.source_id
ORDER BY e.occurred_at, e.id
"""
SELECT_EVENT_OBJECTS = """
SELECT link.event_id, link.ref, link.object_id FROM visibility_eventobjectlink link
JOIN export_object picked ON picked.id = link.object_id
WHERE link.event_id = ANY(%s) ORDER BY link.event_id, link.ref, link.object_id
"""
SELECT_OTHER_ATTRIBUTES = """
SELECT DISTINCT picked.type, jsonb_object_keys(e.data -> 'other_attributes') COLLATE "C"
FROM export_event picked
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
WHERE picked.by_id IS NULL AND e.data -> 'other_attributes' IS NOT NULL ORDER BY 1, 2
"""
SELECT_IDENTIFIERS = """
SELECT i.object_id, picked.kind, i.scheme, i.issuer, i.value, i.is_identity, i.reused_from
FROM visibility_identifier i JOIN export_object picked ON picked.id = i.object_id
WHERE i.object_id = ANY(%s) AND NOT i.rejected
ORDER BY i.object_id, i.scheme, i.issuer, i.value
"""


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """An object with its export id, such as `order:sales_order:erp:SO-1`, and its identifiers."""

    id: str
    kind: ObjectKind
    identifiers: tuple[EventIdentifier, ...]

    def identifier_with_scheme(self, scheme: IdentifierScheme) -> EventIdentifier | None:
        """The first identifier of this scheme."""
        return next((n for n in self.identifiers if n.scheme is scheme), None)


@dataclass(frozen=True, slots=True)
class SupersedingEvent:
    """The event that superseded another. `taken_back`: cancelled it; otherwise replaced it."""

    taken_back: bool
    source: str
    key: str
    content_hash: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    """An event with the snapshot's objects that it refers to, by their index in the event."""

    event: CanonicalEvent
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    content_hash: str
    message_id: int
    source: str
    role: str
    objects: tuple[tuple[int, ExportedObject], ...]
    correction: SupersedingEvent | None

    @property
    def lines_of_exported_orders(self) -> tuple[EventLine, ...]:
        """The lines of exported orders; a shared shipment also has lines of other orders."""
        orders = {ref for ref, o in enumerate(self.event.objects) if o.kind is ObjectKind.ORDER}
        exported_orders = {ref for ref, o in self.objects if o.kind is ObjectKind.ORDER}
        if not orders:
            exported_refs = {ref for ref, _ in self.objects}
            return tuple(
                line
                for line in self.event.lines
                if line.order_line_index < 0 or line.order_line_index in exported_refs
            )
        return tuple(
            line
            for line in self.event.lines
            if (line.order_index in exported_orders if line.order_index >= 0 else exported_orders)
        )

    def objects_of_kind(self, kind: ObjectKind) -> list[ExportedObject]:
        """The distinct objects of one kind."""
        return list({k.id: k for _, k in self.objects if k.kind is kind}.values())


def fetch_row_chunks(statement: str, values: Sequence[Any] = ()) -> Iterator[list[Any]]:
    """The rows of a statement in chunks, through a server-side cursor."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(CHUNK_SIZE):
            yield rows


def event_types_not_superseded() -> list[str]:
    """The types of the events that are not superseded, sorted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT type FROM export_event WHERE by_id IS NULL ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def other_attributes_by_event_type() -> dict[str, list[str]]:
    """By event type, the names of the sources' attributes without a meaning here; both sorted.

    Of names that differ only in case, which SQLite does not tell apart, the first is returned.
    """
    types = event_types_not_superseded()
    names: dict[str, dict[str, str]] = {event_type: {} for event_type in types}
    with connection.cursor() as cursor:
        cursor.execute(SELECT_OTHER_ATTRIBUTES)
        for event_type, name in cursor.fetchall():
            names[event_type].setdefault(name.lower(), name)
    return {event_type: list(by_name.values()) for event_type, by_name in names.items()}


def object_kinds() -> list[str]:
    """The object kinds of the snapshot, sorted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind FROM export_object ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def load_objects(object_ids: Collection[int]) -> dict[int, ExportedObject]:
    """These objects by id; objects without an identity key are left out."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_IDENTIFIERS, [sorted(object_ids)])
        rows = cursor.fetchall()
    keys = preferred_identifier_key_by_object_id(
        (row[0], *row[2:5], row[6]) for row in rows if row[5]
    )
    identifiers_by_object: dict[int, list[EventIdentifier]] = defaultdict(list)
    kind_by_object: dict[int, ObjectKind] = {}
    for object_id, kind_text, scheme, issuer, value, is_identity, _ in rows:
        kind_by_object[object_id] = ObjectKind(kind_text)
        identifiers_by_object[object_id].append(
            EventIdentifier(IdentifierScheme(scheme), value, issuer, is_identity)
        )
    return {
        object_id: ExportedObject(
            f"{kind_by_object[object_id].value}:{key}",
            kind_by_object[object_id],
            tuple(identifiers),
        )
        for object_id, identifiers in identifiers_by_object.items()
        if (key := keys.get(object_id))
    }


def exported_events(*, superseded: bool) -> Iterator[ExportedEvent]:
    """The events in order of time, optionally including superseded ones."""
    for rows in fetch_row_chunks(SELECT_EVENTS):
        picked = [row for row in rows if superseded or row[11] is None]
        objects = _load_objects_by_event([row[0] for row in picked])
        for row in picked:
            yield _build_exported_event(row, objects.get(row[0], ()))


def _load_objects_by_event(
    event_ids: Collection[int],
) -> Mapping[int, Sequence[tuple[int, ExportedObject]]]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_EVENT_OBJECTS, [sorted(event_ids)])
        links = cursor.fetchall()
    objects = load_objects({link[2] for link in links})
    objects_by_event: dict[int, list[tuple[int, ExportedObject]]] = defaultdict(list)
    for event_id, ref, object_id in links:
        if object_id in objects:
            objects_by_event[event_id].append((ref, objects[object_id]))
    return objects_by_event


def _build_exported_event(
    row: Sequence[Any], objects: Sequence[tuple[int, ExportedObject]]
) -> ExportedEvent:
    correction = None
    if row[11] is not None:
        correction = SupersedingEvent(row[9], row[13], row[10], row[11], row[12])
    return ExportedEvent(
        event=event_from_dict(orjson.loads(row[8])),
        occurred_at=row[1],
        received_at=row[2],
        recorded_at=row[3],
        content_hash=row[4],
        message_id=row[5],
        source=row[6],
        role=row[7],
        objects=tuple(objects),
        correction=correction,
    )
