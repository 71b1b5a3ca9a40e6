"""Data lineage: from messages to events, orders, SLA timers, alerts and KPIs, and back."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from connectors.sdk.trace_context import distinct_traces
from visibility.models import InboundMessage, KpiFact, Order
from visibility.screens.messages.timer_effects import (
    EventClockEffect,
    load_timer_effects_of_orders,
)
from visibility.storage.load_events import preferred_identifier_key_by_object_id

# Maximum number of events, orders and KPI facts in one answer.
MAX_ROWS = 200
REACHABLE_OBJECTS = """
WITH RECURSIVE reach (id) AS (
    SELECT %(order)s::bigint
    UNION
    SELECT r.child_id FROM reach JOIN visibility_objectrelation r ON r.parent_id = reach.id
)
"""
EVENTS_WITH_MESSAGES = """
SELECT event.id, event.type, event.key, source.slug, event.occurred_at, event.received_at,
    event.recorded_at, event.superseded, event.message_id, message.state, message.reason,
    message.attempts, message.processed_at, message.headers::text
FROM {} AS named
JOIN visibility_event event
    ON event.id = named.event_id AND event.occurred_at = named.occurred_at
JOIN visibility_source source ON source.id = event.source_id
LEFT JOIN visibility_inbound_message message
    ON message.id = event.message_id AND message.received_at = event.received_at
ORDER BY named.occurred_at DESC, named.event_id DESC
"""
EVENT_PAGE = """
, named AS (
    SELECT DISTINCT link.occurred_at, link.event_id
    FROM reach JOIN visibility_eventobjectlink link ON link.object_id = reach.id
    WHERE %(at)s::timestamptz IS NULL
        OR (link.occurred_at, link.event_id) < (%(at)s::timestamptz, %(event)s::bigint)
    ORDER BY link.occurred_at DESC, link.event_id DESC LIMIT %(limit)s
)
"""
ORDER_EVENTS = REACHABLE_OBJECTS + EVENT_PAGE + EVENTS_WITH_MESSAGES.format("named")
MESSAGE_EVENTS = EVENTS_WITH_MESSAGES.format(
    """(
    SELECT id AS event_id, occurred_at FROM visibility_event
    WHERE message_id = %(message)s ORDER BY occurred_at, id LIMIT %(limit)s
)"""
)
ORDERS_OF_EVENTS = """
WITH RECURSIVE up (event_id, id) AS (
    SELECT event_id, object_id FROM visibility_eventobjectlink WHERE event_id = ANY(%s)
    UNION
    SELECT up.event_id, next.id FROM up, LATERAL (
        SELECT parent_id FROM visibility_objectrelation WHERE child_id = up.id
        UNION ALL
        SELECT merged_into_id FROM visibility_businessobject
        WHERE id = up.id AND merged_into_id IS NOT NULL
    ) AS next (id)
)
SELECT up.event_id, o.object_id FROM up JOIN visibility_order o ON o.object_id = up.id
ORDER BY 1, 2 LIMIT 5000
"""
OBJECTS_OF_EVENTS = """
SELECT link.event_id, object.id, object.kind FROM visibility_eventobjectlink link
JOIN visibility_businessobject object ON object.id = link.object_id
WHERE link.event_id = ANY(%s) ORDER BY link.event_id, link.ref, object.id
"""
IDENTITY_KEYS = """
SELECT object_id, scheme, issuer, value, reused_from FROM visibility_identifier
WHERE object_id = ANY(%s) AND is_identity
"""


@dataclass(frozen=True, slots=True)
class TracingToolLink:
    """A W3C trace ID and its URL in the tracing tool; no URL if TRACE_URL is not set."""

    trace_id: str
    url: str


@dataclass(frozen=True, slots=True)
class EventWithMessage:
    """One event and its message. `state` is None if the message is no longer stored."""

    id: int
    type: str
    key: str
    source: str
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    superseded: bool
    message_id: int
    state: str | None
    reason: str | None
    attempts: int | None
    processed_at: datetime | None
    traces: tuple[TracingToolLink, ...]


@dataclass(frozen=True, slots=True)
class BusinessObjectWithCanonicalKey:
    """A business object with its canonical key, such as `tracking::1Z999`."""

    id: int
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class EventLineage:
    """One event with the objects it refers to and its effects."""

    event: EventWithMessage
    objects: Sequence[BusinessObjectWithCanonicalKey]
    effects: Sequence[EventClockEffect]


@dataclass(frozen=True, slots=True)
class MessageLineage:
    """A message with its events, their effects and the orders they reach."""

    message: InboundMessage
    traces: tuple[TracingToolLink, ...]
    events: Sequence[EventLineage]
    orders: Sequence[Order]


def tracing_tool_links_from_message_headers(
    headers: Mapping[str, str],
) -> tuple[TracingToolLink, ...]:
    """The trace links in the headers of a message."""
    return tuple(
        TracingToolLink(t.trace_id, settings.TRACE_URL.replace("{trace_id}", t.trace_id))
        for t in distinct_traces(headers)
    )


def load_order_events_with_messages(
    order_id: int, *, after: tuple[str, int] | None = None, limit: int
) -> list[EventWithMessage]:
    """One page of the order's events with their messages, latest first."""
    at, event = after or (None, 0)
    return _fetch_events_with_messages(
        ORDER_EVENTS, {"order": order_id, "at": at, "event": event, "limit": limit}
    )


def add_objects_and_timer_effects_to_events(
    events: Sequence[EventWithMessage], *, order_id: int | None = None
) -> list[EventLineage]:
    """Add objects and effects to events, for one order or for all orders they reach."""
    ids = [event.id for event in events]
    objects = _objects_by_event(ids)
    orders = (
        {event_id: [order_id] for event_id in ids}
        if order_id is not None
        else _order_ids_by_event(ids)
    )
    return _build_event_lineages(events, objects, orders)


def load_kpi_facts_of_orders(order_ids: Collection[int]) -> list[KpiFact]:
    """The KPI facts of these orders: first those of the orders, then those of their events."""
    rows = KpiFact.objects.filter(order_id__in=order_ids).select_related("order__order")
    return list(rows.order_by("subject_key", "kpi", "day", "order_id")[:MAX_ROWS])


def message_lineage(message_id: int) -> MessageLineage | None:
    """The lineage of a message; None if the message is not stored."""
    messages = InboundMessage.objects.select_related("source").defer("unmoved_body")
    message = messages.filter(id=message_id).first()
    if message is None:
        return None
    events = _fetch_events_with_messages(
        MESSAGE_EVENTS, {"message": message_id, "limit": MAX_ROWS}
    )[::-1]
    ids = [event.id for event in events]
    by_event = _order_ids_by_event(ids)
    order_ids = sorted({order for orders in by_event.values() for order in orders})[:MAX_ROWS]
    return MessageLineage(
        message=message,
        traces=tracing_tool_links_from_message_headers(message.headers),
        events=_build_event_lineages(events, _objects_by_event(ids), by_event),
        orders=list(Order.objects.filter(object_id__in=order_ids).order_by("-last_event_at")),
    )


def _fetch_events_with_messages(
    statement: str, values: Mapping[str, Any]
) -> list[EventWithMessage]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [
        EventWithMessage(*(*row[:13], _tracing_tool_links_from_headers_json(row[13])))
        for row in rows
    ]


def _tracing_tool_links_from_headers_json(headers: str | None) -> tuple[TracingToolLink, ...]:
    decoded: dict[str, str] = orjson.loads(headers) if headers else {}
    return tracing_tool_links_from_message_headers(decoded)


def _order_ids_by_event(event_ids: Sequence[int]) -> dict[int, list[int]]:
    """The IDs of the orders that each event reaches."""
    orders: dict[int, list[int]] = defaultdict(list)
    for event_id, order_id in _fetch_all_rows_of_sql_for_ids(ORDERS_OF_EVENTS, event_ids):
        orders[event_id].append(order_id)
    return orders


def _objects_by_event(event_ids: Sequence[int]) -> dict[int, list[BusinessObjectWithCanonicalKey]]:
    links = _fetch_all_rows_of_sql_for_ids(OBJECTS_OF_EVENTS, event_ids)
    names = preferred_identifier_key_by_object_id(
        _fetch_all_rows_of_sql_for_ids(IDENTITY_KEYS, sorted({row[1] for row in links}))
    )
    objects: dict[int, list[BusinessObjectWithCanonicalKey]] = defaultdict(list)
    for event_id, object_id, kind in links:
        objects[event_id].append(
            BusinessObjectWithCanonicalKey(object_id, kind, names.get(object_id, ""))
        )
    return objects


def _build_event_lineages(
    events: Sequence[EventWithMessage],
    objects: Mapping[int, Sequence[BusinessObjectWithCanonicalKey]],
    orders: Mapping[int, Sequence[int]],
) -> list[EventLineage]:
    """Match events to SLA timers: timers that started or stopped at its time."""
    effects = load_timer_effects_of_orders(
        sorted({order for ids in orders.values() for order in ids})
    )
    return [
        EventLineage(
            event,
            list(dict.fromkeys(objects.get(event.id, ()))),
            []
            if event.superseded
            else [e for o in orders.get(event.id, ()) for e in effects[(o, event.occurred_at)]],
        )
        for event in events
    ]


def _fetch_all_rows_of_sql_for_ids(statement: str, ids: Sequence[int]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(ids)])
        return list(cursor.fetchall())
