"""Lock and load a connected component: objects that share identifiers, with all their mentions."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from visibility.db import bulk
from visibility.identity import record_merges_and_move_alerts
from visibility.identity.corrected_events import load_corrected_event_ids
from visibility.identity.generations_of_reused_numbers import transpose_keys_to_columns
from visibility.identity.pure.group_mentions_into_objects import (
    Decision,
    DecisionKind,
    DecisionSide,
)
from visibility.identity.pure.keys_and_reuse_windows import (
    IdentifierKey,
    identity_and_other_keys,
    keys_and_original_spellings,
)
from visibility.identity.pure.mentions_and_generations import Mention, RefKey

# The maximum number of objects in one connected component.
MAX_COMPONENT = 2_000
# A number that more objects share stays shared, whatever happens to one of them: they are not
# resolved together.
MAX_SHARING_OBJECTS = 20
LOCK_EXCLUSIVE = """
SELECT id, merged_into_id FROM visibility_businessobject
WHERE id = ANY(%s) ORDER BY id FOR UPDATE
"""
# A shared lock: many transactions may have it at once, also while the order is folded.
LOCK_SHARED = "SELECT FROM visibility_businessobject WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
SURVIVORS = """
SELECT DISTINCT coalesce(merged_into_id, id) FROM visibility_businessobject WHERE id = ANY(%s)
"""
OBJECTS_WITH_KEYS = """
SELECT t.kind, t.scheme, t.issuer, t.value,
    ARRAY(SELECT i.object_id FROM visibility_identifier i
        WHERE i.is_identity AND i.value = t.value AND i.scheme = t.scheme
            AND i.issuer = t.issuer AND i.kind = t.kind),
    ARRAY(SELECT i.object_id FROM visibility_identifier i
        WHERE NOT i.is_identity AND i.rejected AND i.value = t.value AND i.scheme = t.scheme
            AND i.issuer = t.issuer AND i.kind = t.kind),
    ARRAY(SELECT i.object_id FROM visibility_identifier i
        WHERE NOT i.is_identity AND i.is_shared AND i.value = t.value AND i.scheme = t.scheme
            AND i.issuer = t.issuer AND i.kind = t.kind LIMIT %s)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
"""
MENTIONS = """
SELECT link.object_id, link.event_id, link.ref, link.occurred_at, event.superseded, source.slug,
    event.key, event.content_hash, event.type, (event.data->'objects'->(link.ref::int))::text,
    EXISTS (SELECT FROM visibility_effective_event_correction c
        WHERE c.source_id = event.source_id AND c.key = event.key)
FROM visibility_eventobjectlink link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
JOIN visibility_source source ON source.id = event.source_id
WHERE link.object_id = ANY(%s)
"""
DECISIONS = """
SELECT a.id, a.verdict, n.side, n.kind, n.scheme, n.issuer, n.value, n.used_at
FROM visibility_identitydecision a JOIN visibility_decisionidentifier n ON n.decision_id = a.id
WHERE a.undone_at IS NULL AND a.id IN (
    SELECT n.decision_id FROM visibility_decisionidentifier n
    JOIN unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS t (kind, scheme, issuer, value)
        ON n.value = t.value AND n.scheme = t.scheme AND n.issuer = t.issuer AND n.kind = t.kind)
ORDER BY a.id, n.side, n.id
"""


class ConcurrentChange(RuntimeError):
    """Another worker changed the identity of these objects: retry the batch."""


@dataclass(slots=True)
class ConnectedComponent:
    """Objects that are resolved together, with their mentions and decisions."""

    objects: set[int] = field(default_factory=set)
    merged_into: dict[int, int | None] = field(default_factory=dict)
    mentions: dict[RefKey, Mention] = field(default_factory=dict)
    object_by_ref: dict[RefKey, int] = field(default_factory=dict)
    superseded: dict[RefKey, int] = field(default_factory=dict)
    times: dict[RefKey, datetime] = field(default_factory=dict)
    spellings: dict[IdentifierKey, tuple[object, str]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    # Keys that objects outside the component share.
    widely_shared_keys: set[IdentifierKey] = field(default_factory=set)


def lock_and_load_component(
    seeds: Iterable[int], new_mentions: Sequence[Mention], keys: set[IdentifierKey]
) -> ConnectedComponent:
    """Lock and load everything that is connected with the seeds by identifiers."""
    return _load_component(seeds, new_mentions, keys, lock_and_load_merge_targets, MAX_COMPONENT)


def find_connected_objects(
    seeds: Iterable[int], keys: set[IdentifierKey], *, limit: int
) -> set[int]:
    """Return what is connected with the seeds and the keys by identifiers. Locks nothing.

    Adds the keys of these objects to `keys`. Raises MergeTooLarge if there are more than `limit`.
    """
    return _load_component(seeds, (), keys, lambda ids: dict.fromkeys(ids), limit).objects


def _load_component(
    seeds: Iterable[int],
    new_mentions: Sequence[Mention],
    keys: set[IdentifierKey],
    load_merge_targets: Callable[[Collection[int]], dict[int, int | None]],
    limit: int,
) -> ConnectedComponent:
    component = ConnectedComponent()
    for mention in new_mentions:
        component.mentions[mention.ref_key] = mention
        component.times[mention.ref_key] = mention.at
        keys.update(mention.identity_keys)
    wanted, looked_up = set(seeds), 0
    while True:
        if looked_up < len(keys):
            looked_up = len(keys)
            component.decisions = _load_decisions(keys)
            keys |= {
                n
                for decision in component.decisions
                for side in decision.sides
                for n, _ in side.keys
            }
            wanted |= _find_object_ids_by_keys(component, keys)
        new = _load_surviving_ids(wanted) - component.objects
        if not new and looked_up == len(keys):
            _flag_corrected_mentions(component, new_mentions)
            return component
        component.objects |= new
        if len(component.objects) > limit:
            raise record_merges_and_move_alerts.MergeTooLarge(
                f"more than {limit} objects share identifiers"
            )
        component.merged_into |= load_merge_targets(new)
        if any(component.merged_into[o] is not None for o in new):
            raise ConcurrentChange
        keys |= _add_mentions_and_return_keys(component, new)


def _flag_corrected_mentions(
    component: ConnectedComponent, new_mentions: Sequence[Mention]
) -> None:
    """Flag the new mentions whose events are corrected, now that their objects are locked."""
    corrected = load_corrected_event_ids({mention.ref_key[0] for mention in new_mentions})
    for mention in new_mentions:
        if mention.ref_key[0] in corrected:
            component.mentions[mention.ref_key] = replace(mention, other_keys=(), is_corrected=True)


def _load_decisions(keys: Collection[IdentifierKey]) -> list[Decision]:
    sides: dict[tuple[int, str], tuple[list[tuple[IdentifierKey, datetime]], ...]] = {}
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(DECISIONS, transpose_keys_to_columns(sorted(keys)))
        for decision_id, verdict, side, *key, at in cursor.fetchall():
            k, s, i, v = key
            sides.setdefault((decision_id, verdict), ([], []))[side].append(((k, s, i, v), at))
    return [
        Decision(
            decision_id,
            DecisionKind(verdict),
            (DecisionSide(tuple(left)), DecisionSide(tuple(right))),
        )
        for (decision_id, verdict), (left, right) in sides.items()
    ]


def _find_object_ids_by_keys(
    component: ConnectedComponent, keys: Collection[IdentifierKey]
) -> set[int]:
    """Return the objects that these keys connect; note the keys that too many objects share."""
    object_ids: set[int] = set()
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            OBJECTS_WITH_KEYS, [MAX_SHARING_OBJECTS + 1, *transpose_keys_to_columns(sorted(keys))]
        )
        for kind, scheme, issuer, value, owners, rejecting, sharing in cursor.fetchall():
            object_ids.update(owners, rejecting)
            if len(sharing) > MAX_SHARING_OBJECTS:
                component.widely_shared_keys.add((kind, scheme, issuer, value))
            else:
                object_ids.update(sharing)
    return object_ids


def _load_surviving_ids(object_ids: Collection[int]) -> set[int]:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(SURVIVORS, [sorted(object_ids)])
        return {row[0] for row in cursor.fetchall()}


def _add_mentions_and_return_keys(
    component: ConnectedComponent, objects: Collection[int]
) -> set[IdentifierKey]:
    """Load the mentions of these objects. Return their identity keys."""
    keys: set[IdentifierKey] = set()
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(MENTIONS, [sorted(objects)])
        rows = cursor.fetchall()
    for row in rows:
        object_id, event_id, index, at, superseded, slug, key, digest, event_type, data = row[:-1]
        is_corrected = row[-1]
        ref_key = (event_id, index)
        if superseded:
            component.superseded[ref_key] = object_id
            continue
        ref = _object_reference_from_json(data)
        identity_keys, other_keys = identity_and_other_keys(ref, slug)
        sort_key = (at, slug, key, digest, index)
        component.mentions[ref_key] = Mention(
            ref_key,
            sort_key,
            identity_keys,
            () if is_corrected else other_keys,
            event_type,
            is_corrected,
        )
        component.object_by_ref[ref_key], component.times[ref_key] = object_id, at
        for number, spelling in keys_and_original_spellings(ref, slug):
            if (
                number not in component.spellings
                or (sort_key, spelling) < component.spellings[number]
            ):
                component.spellings[number] = (sort_key, spelling)
        keys.update(identity_keys)
    return keys


def _object_reference_from_json(data: str) -> ObjectReference:
    reference = orjson.loads(data)
    return ObjectReference(
        ObjectKind(reference["kind"]),
        tuple(
            EventIdentifier(IdentifierScheme(i["scheme"]), i["value"], i["issuer"], i["strong"])
            for i in reference["identifiers"]
        ),
    )


def lock_objects_shared(object_ids: Collection[int]) -> None:
    """Lock the objects FOR KEY SHARE until the transaction ends."""
    if object_ids:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(LOCK_SHARED, [sorted(object_ids)])


def lock_and_load_merge_targets(object_ids: Collection[int]) -> dict[int, int | None]:
    """Lock the objects FOR UPDATE in id order. Return {id: id of the surviving object or None}."""
    if not object_ids:
        return {}
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_EXCLUSIVE, [sorted(object_ids)])
        return dict(cursor.fetchall())
