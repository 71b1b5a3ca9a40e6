"""Both ways: message, events, objects, orders; the clocks, alerts and numbers that followed."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from connectors.sdk.trace_context import traces
from visibility.models import InboundMessage, KpiFact, Order
from visibility.storage.events import canonical_keys

# Events, orders and facts that are told at once.
MOST = 200
REACH = """
WITH RECURSIVE reach (id) AS (
    SELECT %(order)s::bigint
    UNION
    SELECT r.child_id FROM reach JOIN visibility_objectrelation r ON r.parent_id = reach.id
)
"""
TOLD = """
SELECT event.id, event.type, event.key, source.slug, event.occurred_at, event.received_at,
    event.recorded_at, event.withdrawn, event.message_id, message.state, message.reason,
    message.attempts, message.processed_at, message.headers::text
FROM {} AS named
JOIN visibility_event event
    ON event.id = named.event_id AND event.occurred_at = named.occurred_at
JOIN visibility_source source ON source.id = event.source_id
LEFT JOIN visibility_inbound_message message
    ON message.id = event.message_id AND message.received_at = event.received_at
ORDER BY named.occurred_at DESC, named.event_id DESC
"""
PAGE = """
, named AS (
    SELECT DISTINCT link.occurred_at, link.event_id
    FROM reach JOIN visibility_eventobject link ON link.object_id = reach.id
    WHERE %(at)s::timestamptz IS NULL
        OR (link.occurred_at, link.event_id) < (%(at)s::timestamptz, %(event)s::bigint)
    ORDER BY link.occurred_at DESC, link.event_id DESC LIMIT %(limit)s
)
"""
OF_ORDER = REACH + PAGE + TOLD.format("named")
OF_MESSAGE = TOLD.format(
    """(
    SELECT id AS event_id, occurred_at FROM visibility_event
    WHERE message_id = %(message)s ORDER BY occurred_at, id LIMIT %(limit)s
)"""
)
ORDERS = """
WITH RECURSIVE up (event_id, id) AS (
    SELECT event_id, object_id FROM visibility_eventobject WHERE event_id = ANY(%s)
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
NAMED = """
SELECT link.event_id, object.id, object.kind FROM visibility_eventobject link
JOIN visibility_businessobject object ON object.id = link.object_id
WHERE link.event_id = ANY(%s) ORDER BY link.event_id, link.ref, object.id
"""
NAMES = """
SELECT object_id, scheme, issuer, value, since FROM visibility_identifier
WHERE object_id = ANY(%s) AND strong
"""
CLOCKS = """
SELECT clock.order_id, clock.started_at, clock.stopped_at, clock.due_at, clock.state, rule.code,
    rule.title, clock.obligation, alert.id, alert.state
FROM visibility_slaclock clock
JOIN visibility_slarule rule ON rule.id = clock.rule_id
LEFT JOIN visibility_alert alert ON alert.order_id = clock.order_id
    AND alert.rule_id = clock.rule_id AND alert.obligation = clock.obligation
WHERE clock.order_id = ANY(%s) ORDER BY clock.due_at, clock.id LIMIT 1000
"""
OVER = frozenset({"resolved", "withdrawn"})


@dataclass(frozen=True, slots=True)
class TraceLink:
    """A trace, and where it can be looked at; no address where none is set up."""

    trace_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Told:
    """One event and the message it came with; no state: the message is no more."""

    id: int
    type: str
    key: str
    source: str
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    withdrawn: bool
    message_id: int
    state: str | None
    reason: str | None
    attempts: int | None
    processed_at: datetime | None
    traces: tuple[TraceLink, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event did to a clock, and the alert that came of it. `did`: started or stopped."""

    did: str
    rule: str
    title: str
    obligation: str
    due_at: datetime
    state: str
    alert_id: int | None
    alert_state: str | None

    @property
    def alert_did(self) -> str:
        """`opened` or `closed` an alert, or nothing."""
        if self.alert_id is None:
            return ""
        if self.did == "started":
            return "opened"
        return "closed" if self.alert_state in OVER else ""


@dataclass(frozen=True, slots=True)
class Object:
    """An object under the number it goes by."""

    id: int
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Thread:
    """One event with what it names and what it did."""

    told: Told
    objects: Sequence[Object]
    effects: Sequence[Effect]


@dataclass(frozen=True, slots=True)
class Fed:
    """Everything that followed from a message."""

    message: InboundMessage
    traces: tuple[TraceLink, ...]
    threads: Sequence[Thread]
    orders: Sequence[Order]


def links(headers: Mapping[str, str]) -> tuple[TraceLink, ...]:
    """The traces of a kept message."""
    return tuple(
        TraceLink(t.trace_id, settings.TRACE_URL.replace("{trace_id}", t.trace_id))
        for t in traces(headers)
    )


def of_order(order_id: int, *, after: tuple[str, int] | None = None, limit: int) -> list[Told]:
    """One page of the order's events, the latest first, with the messages they came in."""
    at, event = after or (None, 0)
    return _told(OF_ORDER, {"order": order_id, "at": at, "event": event, "limit": limit})


def threads(told: Sequence[Told], *, order_id: int | None = None) -> list[Thread]:
    """These events with their objects and effects; of one order, or of all that they reach."""
    ids = [one.id for one in told]
    objects = _objects(ids)
    orders = {one: [order_id] for one in ids} if order_id is not None else _orders(ids)
    return _threads(told, objects, orders)


def facts(order_ids: Collection[int]) -> list[KpiFact]:
    """How these orders count in the numbers."""
    rows = KpiFact.objects.filter(order_id__in=order_ids).select_related("order__order")
    return list(rows.order_by("kpi", "day", "order_id")[:MOST])


def of_message(message_id: int) -> Fed | None:
    """What a message fed, None where it is not kept."""
    found = InboundMessage.objects.select_related("source").defer("body")
    message = found.filter(id=message_id).first()
    if message is None:
        return None
    told = _told(OF_MESSAGE, {"message": message_id, "limit": MOST})[::-1]
    ids = [one.id for one in told]
    by_event = _orders(ids)
    order_ids = sorted({order for orders in by_event.values() for order in orders})[:MOST]
    return Fed(
        message=message,
        traces=links(message.headers),
        threads=_threads(told, _objects(ids), by_event),
        orders=list(Order.objects.filter(object_id__in=order_ids).order_by("-last_event_at")),
    )


def _told(statement: str, values: Mapping[str, Any]) -> list[Told]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [Told(*(*row[:13], _links(row[13]))) for row in rows]


def _links(headers: str | None) -> tuple[TraceLink, ...]:
    found: dict[str, str] = orjson.loads(headers) if headers else {}
    return links(found)


def _orders(event_ids: Sequence[int]) -> dict[int, list[int]]:
    """The orders that each event reaches."""
    found: dict[int, list[int]] = defaultdict(list)
    for event_id, order_id in _rows(ORDERS, event_ids):
        found[event_id].append(order_id)
    return found


def _objects(event_ids: Sequence[int]) -> dict[int, list[Object]]:
    links_ = _rows(NAMED, event_ids)
    names = canonical_keys(_rows(NAMES, sorted({row[1] for row in links_})))
    found: dict[int, list[Object]] = defaultdict(list)
    for event_id, object_id, kind in links_:
        found[event_id].append(Object(object_id, kind, names.get(object_id, "")))
    return found


def _threads(
    told: Sequence[Told],
    objects: Mapping[int, Sequence[Object]],
    orders: Mapping[int, Sequence[int]],
) -> list[Thread]:
    """An event moved a clock of its order if the clock started or stopped when it happened."""
    wanted = sorted({order for found in orders.values() for order in found})
    effects: dict[tuple[int, datetime], list[Effect]] = defaultdict(list)
    for order_id, started_at, stopped_at, *rest in _rows(CLOCKS, wanted) if wanted else ():
        due_at, state, rule, title, obligation, alert_id, alert_state = rest
        for did, at in (("started", started_at), ("stopped", stopped_at)):
            if at is not None:
                effect = Effect(did, rule, title, obligation, due_at, state, alert_id, alert_state)
                effects[(order_id, at)].append(effect)
    return [
        Thread(
            one,
            list(dict.fromkeys(objects.get(one.id, ()))),
            []
            if one.withdrawn
            else [e for o in orders.get(one.id, ()) for e in effects[(o, one.occurred_at)]],
        )
        for one in told
    ]


def _rows(statement: str, ids: Sequence[int]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(ids)])
        return list(cursor.fetchall())
