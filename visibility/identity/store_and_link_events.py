"""Store events and assign their references to objects, with a fixed number of statements per batch.

References that are new or unambiguous are assigned here. References that could merge objects, start
a new generation of a number, or conflict with a decision of a person go to `resolve`, which reads
all events of the objects. Both ways give the same result.

Rows are inserted and locked in sorted order to avoid deadlocks. If PostgreSQL still detects one,
the batch is retried.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from connectors.sdk.events import ObjectKind
from visibility.db import bulk
from visibility.identity import (
    corrected_events,
    parent_child_object_relations,
    resolve_from_all_events,
)
from visibility.identity.classify_references_as_ambiguous import (
    BatchAssignment,
    EventReference,
    ReferenceClassifier,
    reversed_keys_and_spellings,
)
from visibility.identity.create_and_delete_objects import delete_objects_without_identifiers
from visibility.identity.generations_of_reused_numbers import (
    extend_generations,
    load_exclusive_numbers,
    load_key_generations_and_decisions,
)
from visibility.identity.insert_events_and_corrections import insert_events
from visibility.identity.load_reuse_windows import load_reuse_windows
from visibility.identity.lock_and_load_component import ConcurrentChange, lock_objects_shared
from visibility.identity.order_lines_of_several_orders import remove_lines_from_several_orders
from visibility.identity.pure.keys_and_reuse_windows import identity_and_other_keys
from visibility.identity.update_unmatched_objects import replace_unmatched_objects
from visibility.models.events import EventToStore
from visibility.storage import refold_queue

__all__ = [
    "ConcurrentChange",
    "store_and_link_events",
    "supersede_events_missing_from_reading",
    "supersede_events_of_messages",
]
# How often to retry if another worker inserts the same number first.
MAX_RETRIES = 4


def store_and_link_events(
    new_events: Sequence[EventToStore], sources: Mapping[int, str]
) -> list[int]:
    """Insert the new events and link them to their objects.

    Return the ids of the objects whose orders must be refolded; a refold of those with ambiguous
    references is already requested. `sources`: {source id: slug}. Call it in a transaction. An
    event that is already stored with the same content changes nothing.
    """
    event_ids, replacing_ids = insert_events(new_events)
    references = [
        reference
        for new_event, event_id in zip(new_events, event_ids, strict=True)
        if event_id is not None
        for reference in _build_event_references(event_id, new_event, sources[new_event.source_id])
    ]
    if not references:
        return []
    correcting = [
        n for n in references if n.new_event.event.corrects or n.event_id in replacing_ids
    ]
    own_references, assignment = _assign_references_to_objects(
        references, correcting_event_ids={n.event_id for n in correcting}
    )
    clear_references = [own_references[i] for i in sorted(assignment.objects)]
    objects = [assignment.objects[i] for i in sorted(assignment.objects)]
    _write_links_and_relations(
        clear_references,
        objects,
        assignment.created,
        ambiguous=[own_references[i] for i in assignment.ambiguous],
    )
    refold_queue.enqueue_refolds_for_future_events(
        [(o, n.at, n.new_event.received_at) for n, o in zip(clear_references, objects, strict=True)]
    )
    if assignment.ambiguous:
        ambiguous = [own_references[i] for i in assignment.ambiguous]
        spellings = dict(reversed_keys_and_spellings(ambiguous))
        object_by_ref = resolve_from_all_events.resolve_identities(
            assignment.seeds, new_mentions=[n.mention for n in ambiguous], spellings=spellings
        )
        refold_queue.enqueue_refolds_for_future_events(
            [(object_by_ref[(n.event_id, n.ref)], n.at, n.new_event.received_at) for n in ambiguous]
        )
    corrected_events.resolve_objects_of_corrected_events(
        ((n.new_event.source_id, n.new_event.event.key) for n in correcting),
        resolve_from_all_events.resolve_identities,
    )
    return sorted(set(objects))


def _build_event_references(
    event_id: int, new_event: EventToStore, slug: str
) -> Iterable[EventReference]:
    for index, ref in enumerate(new_event.event.objects):
        identity_keys, other_keys = identity_and_other_keys(ref, slug)
        if identity_keys:
            yield EventReference(
                event_id, new_event, index, ref.kind, identity_keys, other_keys, slug
            )


def _assign_references_to_objects(
    references: Sequence[EventReference], *, correcting_event_ids: Set[int]
) -> tuple[Sequence[EventReference], BatchAssignment]:
    """Assign each unambiguous reference to an object; create objects for new numbers.

    Events that correct others, or are corrected, are ambiguous: the full resolution locks their
    objects, so that two workers with a correction and its event see each other.
    Return the references without the keys that several objects share, and their assignment.
    """
    keys = sorted({key for reference in references for key in reference.identity_keys})
    windows, created = load_reuse_windows(), set[int]()
    events = sorted(
        {(n.event_id, n.new_event.source_id, n.new_event.event.key) for n in references}
    )
    stored = load_key_generations_and_decisions(keys, events)
    for attempt in range(MAX_RETRIES):
        shared = stored.shared - stored.decided
        own = [reference.without_shared_keys(shared) for reference in references]
        classifier = ReferenceClassifier(
            own,
            stored.generations,
            windows,
            stored.decided,
            correcting_event_ids | stored.corrected_event_ids,
        )
        classifier.flag_number_conflicts_as_ambiguous(load_exclusive_numbers)
        lock_objects_shared(classifier.unambiguous_stored_object_ids)
        reloaded = (
            load_key_generations_and_decisions(keys, events) if classifier.objects else stored
        )
        if reloaded != stored:
            stored = reloaded
            continue
        if not classifier.insert_new_keys_and_report_conflict(created):
            extend_generations(classifier.generations_to_extend_with_intervals())
            return own, classifier.build_assignment(
                created - delete_objects_without_identifiers(created) if attempt else created
            )
        stored = load_key_generations_and_decisions(keys, events)
    raise ConcurrentChange


def _write_links_and_relations(
    references: Sequence[EventReference],
    objects: Sequence[int],
    created: set[int],
    *,
    ambiguous: Sequence[EventReference],
) -> None:
    """Link events to objects, relate the objects, and store identifiers that are no identities."""
    ambiguous_orders = {n.event_id for n in ambiguous if n.kind is ObjectKind.ORDER}
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO visibility_eventobjectlink (object_id, event_id, occurred_at, ref)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::smallint[])
            ON CONFLICT DO NOTHING
            """,
            [
                list(objects),
                [n.event_id for n in references],
                [n.at for n in references],
                [n.ref for n in references],
            ],
        )
        pairs = parent_child_object_relations.relations_of_events(
            (
                (reference.event_id, reference.kind.value, object_id)
                for reference, object_id in zip(references, objects, strict=True)
            ),
            events_with_ambiguous_orders=ambiguous_orders,
        )
        parent_child_object_relations.insert_relations(pairs)
        is_shared = {
            (*key, o): key in reference.shared_keys
            for reference, o in zip(references, objects, strict=True)
            for key in (*reference.other_keys, *reference.shared_keys)
        }
        if is_shared:
            other_keys = sorted(is_shared)
            spellings = dict(reversed_keys_and_spellings(references))
            cursor.execute(
                """
                INSERT INTO visibility_identifier
                    (kind, scheme, issuer, value, object_id, raw, is_shared, is_identity)
                SELECT t.*, false FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[],
                    %s::bigint[], %b::text[], %s::bool[]) AS t
                ON CONFLICT (value, scheme, issuer, kind, object_id) WHERE NOT is_identity
                DO UPDATE SET is_shared = true
                WHERE EXCLUDED.is_shared AND NOT visibility_identifier.is_shared
                """,
                [
                    *[list(column) for column in zip(*other_keys, strict=True)],
                    [spellings[(w[0], w[1], w[2], w[3])] for w in other_keys],
                    [is_shared[key] for key in other_keys],
                ],
            )
    children = {child for _, child, _ in pairs}
    replace_unmatched_objects(created, claimed=children)
    remove_lines_from_several_orders(children)


# Of two messages with the same event, the one that was read last has it.
TAKE_OVER = """
UPDATE visibility_event event SET message_id = t.message_id
FROM unnest(%s::bigint[], %b::text[], %b::text[], %s::timestamptz[], %s::bigint[])
    AS t (source_id, key, content_hash, occurred_at, message_id)
WHERE event.source_id = t.source_id AND event.key = t.key AND event.content_hash = t.content_hash
    AND event.occurred_at = t.occurred_at AND event.message_id <> t.message_id
    AND NOT event.superseded
"""
SUPERSEDE_UNREAD = """
UPDATE visibility_event event SET superseded = true
WHERE event.message_id = ANY(%s) AND NOT event.superseded AND NOT EXISTS (
    SELECT FROM unnest(%s::bigint[], %b::text[], %b::text[], %s::timestamptz[])
        AS t (source_id, key, content_hash, occurred_at)
    WHERE event.source_id = t.source_id AND event.key = t.key
        AND event.content_hash = t.content_hash AND event.occurred_at = t.occurred_at)
RETURNING id, source_id, key
"""


def supersede_events_of_messages(message_ids: Sequence[int]) -> None:
    """Mark the events of these messages as superseded: another version of the message is used.

    Objects that only these events had merged are separated again.
    """
    if message_ids:
        _supersede_and_resolve(
            "UPDATE visibility_event SET superseded = true WHERE message_id = ANY(%s) "
            "AND NOT superseded RETURNING id, source_id, key",
            [list(message_ids)],
        )


def supersede_events_missing_from_reading(
    message_ids: Collection[int], read_events: Iterable[EventToStore]
) -> None:
    """Mark the events of messages that were read again as superseded, except these.

    `read_events`: the events that the messages give now, which are already stored. An object that
    only they name has them already, so it stays the same object.
    """
    if not message_ids:
        return
    read = [event for event in read_events if event.message_id in message_ids]
    columns: list[list[object]] = [
        [event.source_id for event in read],
        [event.event.key for event in read],
        [event.content_hash for event in read],
        [event.occurred_at for event in read],
    ]
    if read:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(TAKE_OVER, [*columns, [event.message_id for event in read]])
    _supersede_and_resolve(SUPERSEDE_UNREAD, [sorted(message_ids), *columns])


def _supersede_and_resolve(statement: str, parameters: Sequence[object]) -> None:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(statement, parameters)
        superseded = cursor.fetchall()
        cursor.execute(
            "SELECT DISTINCT object_id FROM visibility_eventobjectlink WHERE event_id = ANY(%s)",
            [[row[0] for row in superseded]],
        )
        objects = [row[0] for row in cursor.fetchall()]
    if objects:
        resolve_from_all_events.resolve_identities(objects)
        corrected_events.resolve_objects_of_corrected_events(
            ((source_id, key) for _, source_id, key in superseded),
            resolve_from_all_events.resolve_identities,
        )
