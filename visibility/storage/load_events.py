"""Load the events of orders for the fold, with a fixed number of statements per level."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime
from typing import Any

import orjson

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import event_from_dict
from connectors.sdk.events import CanonicalEvent, EventIdentifier, IdentifierScheme
from connectors.sdk.identifier_normalization import normalize_identifier
from visibility.db import bulk
from visibility.storage.orders_of_order_lines import (
    event_naming_orders_of_its_lines,
    load_orders_of_order_lines,
)
from visibility.timeline.model import RecordedEvent

# The setting of a source that replaced another one.
REPLACES_SETTING = "replaces"
# The order of preference of the identifiers of an object.
SCHEME_PREFERENCE: Mapping[str, int] = {
    scheme.value: rank
    for rank, scheme in enumerate(
        (
            IdentifierScheme.SALES_ORDER,
            IdentifierScheme.WEB_ORDER,
            IdentifierScheme.CUSTOMER_PO,
            IdentifierScheme.ORDER_NUMBER,
            IdentifierScheme.TRACKING,
            IdentifierScheme.SSCC,
            IdentifierScheme.DELIVERY,
            IdentifierScheme.SHIPMENT,
            IdentifierScheme.INVOICE,
            IdentifierScheme.CREDIT_MEMO,
            IdentifierScheme.RMA,
            IdentifierScheme.RETURN_DELIVERY,
            IdentifierScheme.GOODS_MOVEMENT,
            IdentifierScheme.CREDIT_MEMO_REQUEST,
            IdentifierScheme.DEBIT_MEMO_REQUEST,
            IdentifierScheme.QUOTATION,
            IdentifierScheme.CONTRACT,
            IdentifierScheme.LOAD,
            IdentifierScheme.VEHICLE,
            IdentifierScheme.CONTAINER,
            IdentifierScheme.TRANSPORT_DOCUMENT,
            IdentifierScheme.SERIAL,
            IdentifierScheme.BOL,
            IdentifierScheme.PRO,
            IdentifierScheme.SOURCE_ID,
        )
    )
}
# One query per level instead of WITH RECURSIVE: the planner can estimate an array parameter, but
# not a recursive term.
CHILDREN = "SELECT parent_id, child_id FROM visibility_objectrelation WHERE parent_id = ANY(%s)"
EVENT_LINKS = """
SELECT object_id, event_id, occurred_at FROM visibility_eventobjectlink WHERE object_id = ANY(%s)
"""
LOAD_EVENTS = """
SELECT event.id, event.message_id, source.slug, source.role,
    event.occurred_at, event.received_at, event.content_hash, event.data::text,
    (SELECT array_agg(ARRAY[link.ref::bigint, link.object_id])
        FROM visibility_eventobjectlink link WHERE link.event_id = event.id),
    EXISTS (SELECT FROM visibility_eventcorrection c
        WHERE c.source_id = event.source_id AND c.key = event.key),
    coalesce(source.config ->> %s, '')
FROM unnest(%s::bigint[], %s::timestamptz[]) AS linked (id, at)
JOIN visibility_event event ON event.id = linked.id AND event.occurred_at = linked.at
    AND NOT event.superseded
JOIN visibility_source source ON source.id = event.source_id
"""
# Also what events of other orders withdraw.
CORRECTIONS = """
SELECT event.id, c.occurred_at, c.received_at
FROM visibility_event event
JOIN visibility_effective_event_correction c
    ON c.source_id = event.source_id AND c.key = event.key
WHERE event.id = ANY(%s) ORDER BY 1, 2, 3
"""
IDENTIFIERS = """
SELECT object_id, scheme, issuer, value, reused_from, rejected, raw FROM visibility_identifier
WHERE object_id = ANY(%s) AND (is_identity OR rejected)
"""


@dataclass(frozen=True, slots=True)
class OrderIdsAndTimesByEvent:
    """The events of orders: {event id: ids of its orders} and {event id: when it occurred}."""

    orders_by_event: Mapping[int, Collection[int]]
    times: Mapping[int, datetime]


def load_key_and_events_by_order(
    order_ids: Collection[int], linked: OrderIdsAndTimesByEvent | None = None
) -> dict[int, tuple[str, list[RecordedEvent]]]:
    """Return {object id of the order: (canonical key, its events, unsorted)}.

    `linked`: which events they are, if the caller knows.
    """
    sorted_ids = sorted(order_ids)
    linked = linked or _find_events_of_orders_and_children(sorted_ids)
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            LOAD_EVENTS, [REPLACES_SETTING, list(linked.times), list(linked.times.values())]
        )
        rows = cursor.fetchall()
        events = [(row, event_from_dict(orjson.loads(row[7])), dict(row[8] or ())) for row in rows]
        order_by_line = load_orders_of_order_lines(event[1:] for event in events)
        owners = {owner for _, _, object_by_ref in events for owner in object_by_ref.values()}
        cursor.execute(IDENTIFIERS, [sorted(owners | {*sorted_ids, *order_by_line.values()})])
        identifiers = cursor.fetchall()
        corrected_at = _load_correction_times(cursor, [row[0] for row in rows if row[9]])
    identifiers_by_order = _identifiers_by_object(identifiers, order_by_line.values())
    keys = preferred_identifier_key_by_object_id(row[:5] for row in identifiers if not row[5])
    rejected = {(row[0], row[1], row[2], row[3]) for row in identifiers if row[5]}
    result: dict[int, tuple[str, list[RecordedEvent]]] = {
        order_id: (keys.get(order_id, ""), []) for order_id in sorted_ids
    }
    for row, named_event, named_objects in events:
        event_id, message_id, slug, role, occurred, received, digest = row[:7]
        event, object_by_ref = event_naming_orders_of_its_lines(
            named_event, named_objects, order_by_line, identifiers_by_order
        )
        cleaned = (
            _event_without_rejected_identifiers(event, object_by_ref, rejected)
            if rejected
            else event
        )
        object_keys = tuple(
            keys.get(object_by_ref.get(ref, 0), "") for ref in range(len(event.objects))
        )
        for order_id in linked.orders_by_event[event_id]:
            order = next(
                (ref for ref, owner_id in sorted(object_by_ref.items()) if owner_id == order_id), -1
            )
            result[order_id][1].append(
                RecordedEvent(
                    event=cleaned,
                    source=slug,
                    role=SourceRole.from_stored(role),
                    occurred_at=occurred,
                    received_at=received,
                    content_hash=digest,
                    object_keys=object_keys,
                    order_index=order,
                    event_id=event_id,
                    message_id=message_id,
                    corrected_at=corrected_at.get(event_id, ()),
                    replaces=row[10],
                )
            )
    return result


def _load_correction_times(
    cursor: bulk.ServerBoundCursor, event_ids: Sequence[int]
) -> Mapping[int, tuple[tuple[datetime, datetime], ...]]:
    """Return when the events that withdraw these events occurred and were received."""
    times: dict[int, tuple[tuple[datetime, datetime], ...]] = {}
    if event_ids:
        cursor.execute(CORRECTIONS, [list(event_ids)])
        for event_id, occurred_at, received_at in cursor.fetchall():
            times[event_id] = (*times.get(event_id, ()), (occurred_at, received_at))
    return times


def _identifiers_by_object(
    rows: Iterable[Sequence[Any]], object_ids: Collection[int]
) -> Mapping[int, list[EventIdentifier]]:
    """Return the own numbers of these objects as written."""
    wanted, result = set(object_ids), defaultdict[int, list[EventIdentifier]](list)
    for object_id, scheme, issuer, _, _, rejected, raw in rows if wanted else ():
        if object_id in wanted and not rejected:
            result[object_id].append(EventIdentifier(IdentifierScheme(scheme), raw, issuer))
    return {object_id: sorted(own, key=astuple) for object_id, own in result.items()}


def _find_events_of_orders_and_children(order_ids: Sequence[int]) -> OrderIdsAndTimesByEvent:
    """Find the events of the orders and of everything that belongs to them."""
    owners = {order_id: {order_id} for order_id in order_ids}
    orders_by_event: dict[int, set[int]] = defaultdict(set)
    times: dict[int, datetime] = {}
    with bulk.server_bound_cursor() as cursor:
        level = set(order_ids)
        while level:
            cursor.execute(CHILDREN, [sorted(level)])
            level = set()
            for parent, child in cursor.fetchall():
                child_orders = owners.setdefault(child, set())
                if not owners[parent] <= child_orders:
                    child_orders |= owners[parent]
                    level.add(child)
        cursor.execute(EVENT_LINKS, [sorted(owners)])
        for object_id, event_id, occurred in cursor.fetchall():
            orders_by_event[event_id] |= owners[object_id]
            times[event_id] = occurred
    return OrderIdsAndTimesByEvent(orders_by_event, times)


def _event_without_rejected_identifiers(
    event: CanonicalEvent,
    object_by_ref: Mapping[int, int],
    rejected: Collection[tuple[int, str, str, str]],
) -> CanonicalEvent:
    """Return the event without the identifiers that a person split from its objects."""

    def belongs(index: int, i: EventIdentifier) -> bool:
        value = normalize_identifier(i.scheme, i.value)
        return (object_by_ref.get(index, 0), i.scheme.value, i.issuer, value) not in rejected

    return replace(
        event,
        objects=tuple(
            replace(ref, identifiers=tuple(i for i in ref.identifiers if belongs(index, i)))
            for index, ref in enumerate(event.objects)
        ),
    )


def load_keys_of_objects(object_ids: Collection[int]) -> Mapping[int, str]:
    """Return the canonical key of each object that has identifiers, by object id."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(IDENTIFIERS, [sorted(object_ids)])
        return preferred_identifier_key_by_object_id(
            row[:5] for row in cursor.fetchall() if not row[5]
        )


def scheme_rank(scheme: str) -> int:
    """Return the position of a scheme in the order of preference; others come last."""
    return SCHEME_PREFERENCE.get(scheme, len(SCHEME_PREFERENCE))


def preferred_identifier_key_by_object_id(
    identifiers: Iterable[tuple[int, str, str, str, date | None]],
) -> Mapping[int, str]:
    """Return the key of each object, a pure function of its identifiers: `sales_order:erp:SO-1`.

    Of several numbers of the preferred scheme, the smallest issuer and value is used. The key of a
    reused number ends with the day on which that use began: `tracking::1Z9~2026-07-01`.
    """
    best: dict[int, tuple[int, str, str, str]] = {}
    for object_id, scheme, issuer, value, reused_from in identifiers:
        dated_value = f"{value}~{reused_from:%Y-%m-%d}" if reused_from else value
        candidate = (
            scheme_rank(scheme),
            scheme,
            issuer,
            dated_value,
        )
        if object_id not in best or candidate < best[object_id]:
            best[object_id] = candidate
    return {object_id: ":".join(key[1:]) for object_id, key in best.items()}
