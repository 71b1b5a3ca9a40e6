"""Which stored rows decide how another reading of messages changes orders. Locks nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from visibility.db import bulk
from visibility.identity.lock_and_load_component import find_connected_objects
from visibility.identity.parent_child_object_relations import with_ancestors
from visibility.identity.pure.keys_and_reuse_windows import (
    IdentifierKey,
    identity_and_other_keys,
)
from visibility.identity.record_merges_and_move_alerts import MergeTooLarge
from visibility.models.events import EventToStore

MAX_OBJECTS, MAX_EVENTS = 30_000, 100_000
OBJECTS_OF_MESSAGES = """
SELECT DISTINCT link.object_id FROM visibility_event event
JOIN visibility_eventobjectlink link ON link.event_id = event.id
WHERE event.message_id = ANY(%s)
"""
# Events that these correct, or that correct these: by source and key.
OBJECTS_OF_CORRECTIONS = """
WITH named (source_id, key) AS (
    SELECT * FROM unnest(%s::bigint[], %b::text[])
    UNION SELECT source_id, key FROM visibility_event WHERE message_id = ANY(%s)
), beside (source_id, key) AS (
    SELECT c.source_id, c.key FROM named JOIN visibility_eventcorrection c
        ON c.source_id = named.source_id AND c.correcting_key = named.key
    UNION SELECT c.source_id, c.correcting_key FROM named JOIN visibility_eventcorrection c
        ON c.source_id = named.source_id AND c.key = named.key
    UNION SELECT * FROM unnest(%s::bigint[], %b::text[])
)
SELECT DISTINCT link.object_id
FROM beside JOIN visibility_event event
    ON event.source_id = beside.source_id AND event.key = beside.key
JOIN visibility_eventobjectlink link ON link.event_id = event.id
"""
MERGED = "SELECT id FROM visibility_businessobject WHERE merged_into_id = ANY(%s)"
DESCENDANTS = """
WITH RECURSIVE down (id) AS (
    SELECT unnest(%s::bigint[])
    UNION SELECT r.child_id FROM down JOIN visibility_objectrelation r ON r.parent_id = down.id
) SELECT id FROM down
"""
EVENTS = """
SELECT event_id FROM visibility_eventobjectlink WHERE object_id = ANY(%s)
UNION SELECT id FROM visibility_event WHERE message_id = ANY(%s)
UNION SELECT event.id FROM visibility_event event
    JOIN unnest(%s::bigint[], %b::text[]) AS t (source_id, key)
        ON t.source_id = event.source_id AND t.key = event.key
"""
# All versions of what corrects these events.
CORRECTING_EVENTS = """
SELECT DISTINCT version.id FROM visibility_event event
JOIN visibility_eventcorrection c ON c.source_id = event.source_id AND c.key = event.key
JOIN visibility_event version
    ON version.source_id = c.source_id AND version.key = c.correcting_key
WHERE event.id = ANY(%s)
"""
LINKED_OBJECTS = """
SELECT DISTINCT object_id FROM visibility_eventobjectlink WHERE event_id = ANY(%s)
"""
OWNERS_OF_KEYS = """
SELECT i.id, i.object_id FROM visibility_identifier i
JOIN unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
    ON i.value = t.value AND i.scheme = t.scheme AND i.issuer = t.issuer AND i.kind = t.kind
"""


class TooManyAffected(RuntimeError):
    """The messages are connected with more orders than a check compares."""


@dataclass(frozen=True, slots=True)
class AffectedRows:
    """Ids of the rows to copy. `objects`: those that the other reading can change."""

    objects: Sequence[int]
    beside: Sequence[int]
    events: Sequence[int]
    identifiers: Sequence[int]

    def contents(self) -> Mapping[str, tuple[str, Sequence[Sequence[int]]]]:
        """The conditions on the rows of each table."""
        everything = sorted({*self.objects, *self.beside})
        objects, events = list(self.objects), list(self.events)
        return {
            "visibility_businessobject": ("r.id = ANY(%s)", [everything]),
            "visibility_identifier": (
                "r.object_id = ANY(%s) OR r.id = ANY(%s)",
                [everything, list(self.identifiers)],
            ),
            "visibility_objectrelation": (
                "r.parent_id = ANY(%s) OR r.child_id = ANY(%s)",
                [objects, objects],
            ),
            "visibility_event": ("r.id = ANY(%s)", [events]),
            "visibility_eventreader": ("true", []),
            "visibility_eventobjectlink": ("r.event_id = ANY(%s)", [events]),
            "visibility_eventcorrection": (
                "(r.source_id, r.key) IN (SELECT e.source_id, e.key FROM public.visibility_event e"
                " WHERE e.id = ANY(%s)) OR r.event_id = ANY(%s)",
                [events, events],
            ),
        }


def find_affected_rows(
    message_ids: Collection[int], new_events: Sequence[EventToStore], slugs: Mapping[int, str]
) -> AffectedRows:
    """Find what these messages, read as `new_events`, are connected with.

    `slugs`: {source id: slug}. Raises TooManyAffected.
    """
    ids = sorted(message_ids)
    keys = _keys_of_events(new_events, slugs)
    own = _columns((event.source_id, event.event.key) for event in new_events)
    corrected = _columns(
        (event.source_id, key) for event in new_events for key in event.event.corrects
    )
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(OBJECTS_OF_MESSAGES, [ids])
        seeds = {row[0] for row in cursor.fetchall()}
        cursor.execute(OBJECTS_OF_CORRECTIONS, [*own, ids, *corrected])
        seeds |= {row[0] for row in cursor.fetchall()}
        try:
            connected = find_connected_objects(seeds, keys, limit=MAX_OBJECTS)
        except MergeTooLarge as error:
            raise TooManyAffected from error
        objects = with_ancestors(connected | seeds)
        cursor.execute(DESCENDANTS, [sorted(objects)])
        objects |= {row[0] for row in cursor.fetchall()}
        cursor.execute(MERGED, [sorted(objects)])
        objects |= {row[0] for row in cursor.fetchall()}
        cursor.execute(EVENTS, [sorted(objects), ids, *own])
        events = {row[0] for row in cursor.fetchall()}
        if len(objects) > MAX_OBJECTS or len(events) > MAX_EVENTS:
            raise TooManyAffected
        cursor.execute(CORRECTING_EVENTS, [sorted(events)])
        events |= {row[0] for row in cursor.fetchall()}
        cursor.execute(LINKED_OBJECTS, [sorted(events)])
        beside = {row[0] for row in cursor.fetchall()}
        cursor.execute(OWNERS_OF_KEYS, _key_columns(keys))
        owners = cursor.fetchall()
    beside |= {owner for _, owner in owners}
    return AffectedRows(
        sorted(objects), sorted(beside - objects), sorted(events), sorted(row[0] for row in owners)
    )


def _keys_of_events(events: Iterable[EventToStore], slugs: Mapping[int, str]) -> set[IdentifierKey]:
    keys: set[IdentifierKey] = set()
    for event in events:
        for reference in event.event.objects:
            identities, _ = identity_and_other_keys(reference, slugs[event.source_id])
            keys.update(identities)
    return keys


def _columns(pairs: Iterable[tuple[int, str]]) -> list[list[object]]:
    ordered = sorted(set(pairs))
    return [[source_id for source_id, _ in ordered], [key for _, key in ordered]]


def _key_columns(keys: Collection[IdentifierKey]) -> list[list[str]]:
    ordered = sorted(keys)
    return [[key[index] for key in ordered] for index in range(4)]
