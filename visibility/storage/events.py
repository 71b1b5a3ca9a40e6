"""The events of orders as the fold wants them: some statements for any number of orders."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

import orjson

from connectors.sdk.connector import Role
from connectors.sdk.events import CanonicalEvent, Identifier, Scheme, from_dict
from connectors.sdk.normalization import normalise
from visibility.db import bulk
from visibility.timeline.model import Spoken

# The number an object goes by: the first of these it has, then by issuer and value.
PREFERRED = {
    scheme: rank
    for rank, scheme in enumerate(
        (
            Scheme.SALES_ORDER,
            Scheme.WEB_ORDER,
            Scheme.CUSTOMER_PO,
            Scheme.ORDER_NUMBER,
            Scheme.TRACKING,
            Scheme.SSCC,
            Scheme.DELIVERY,
            Scheme.SHIPMENT,
            Scheme.INVOICE,
            Scheme.CREDIT_MEMO,
            Scheme.RMA,
            Scheme.BOL,
            Scheme.PRO,
            Scheme.SOURCE_ID,
        )
    )
}
# Level by level, because the planner knows how many rows an array has, and of a recursion nothing.
CHILDREN = "SELECT parent_id, child_id FROM visibility_objectrelation WHERE parent_id = ANY(%s)"
TOLD = """
SELECT object_id, event_id, occurred_at FROM visibility_eventobject WHERE object_id = ANY(%s)
"""
EVENTS = """
SELECT event.id, event.message_id, source.slug, source.role,
    event.occurred_at, event.received_at, event.content_hash, event.data::text
FROM unnest(%s::bigint[], %s::timestamptz[]) AS told (id, at)
JOIN visibility_event event ON event.id = told.id AND event.occurred_at = told.at
    AND NOT event.withdrawn
JOIN visibility_source source ON source.id = event.source_id
"""
LINKS = """
SELECT link.event_id, link.ref, link.object_id
FROM visibility_eventobject link WHERE link.event_id = ANY(%s)
"""
NAMES = """
SELECT object_id, scheme, issuer, value, since, refused FROM visibility_identifier
WHERE object_id = ANY(%s) AND (strong OR refused)
"""


def spoken_of(order_ids: Collection[int]) -> dict[int, tuple[str, list[Spoken]]]:
    """For each order (by object id) its canonical key and everything said of it, unsorted."""
    wanted = sorted(order_ids)
    whose, times = _told_of(wanted)
    with bulk.cursor() as cursor:
        cursor.execute(EVENTS, [list(times), list(times.values())])
        events = cursor.fetchall()
        cursor.execute(LINKS, [sorted(row[0] for row in events)])
        links = cursor.fetchall()
        cursor.execute(NAMES, [sorted({row[2] for row in links} | set(wanted))])
        names = cursor.fetchall()
    keys = canonical_keys(row[:5] for row in names if not row[5])
    refused = {(row[0], row[1], row[2], row[3]) for row in names if row[5]}
    objects: dict[int, dict[int, int]] = defaultdict(dict)
    for event_id, ref, object_id in links:
        objects[event_id][ref] = object_id
    result: dict[int, tuple[str, list[Spoken]]] = {
        order_id: (keys.get(order_id, ""), []) for order_id in wanted
    }
    for event_id, message_id, slug, role, occurred, received, digest, data in events:
        event, named = from_dict(orjson.loads(data)), objects[event_id]
        said = _without(event, named, refused) if refused else event
        about = tuple(keys.get(named.get(ref, 0), "") for ref in range(len(event.objects)))
        for order_id in whose[event_id]:
            order = next((ref for ref, found in sorted(named.items()) if found == order_id), -1)
            result[order_id][1].append(
                Spoken(
                    event=said,
                    source=slug,
                    role=Role(role),
                    occurred_at=occurred,
                    received_at=received,
                    content_hash=digest,
                    objects=about,
                    order=order,
                    event_id=event_id,
                    message_id=message_id,
                )
            )
    return result


def _told_of(order_ids: Sequence[int]) -> tuple[dict[int, set[int]], dict[int, datetime]]:
    """The events of the orders and of what is theirs: event -> its orders, event -> its time."""
    owners = {order_id: {order_id} for order_id in order_ids}
    whose: dict[int, set[int]] = defaultdict(set)
    times: dict[int, datetime] = {}
    with bulk.cursor() as cursor:
        fresh = set(order_ids)
        while fresh:
            cursor.execute(CHILDREN, [sorted(fresh)])
            fresh = set()
            for parent, child in cursor.fetchall():
                known = owners.setdefault(child, set())
                if not owners[parent] <= known:
                    known |= owners[parent]
                    fresh.add(child)
        cursor.execute(TOLD, [sorted(owners)])
        for object_id, event_id, occurred in cursor.fetchall():
            whose[event_id] |= owners[object_id]
            times[event_id] = occurred
    return whose, times


def _without(
    event: CanonicalEvent, named: Mapping[int, int], refused: Collection[tuple[int, str, str, str]]
) -> CanonicalEvent:
    """The event without the numbers that a person told apart from the object it is about."""

    def stays(place: int, i: Identifier) -> bool:
        value = normalise(i.scheme, i.value)
        return (named.get(place, 0), i.scheme.value, i.issuer, value) not in refused

    return replace(
        event,
        objects=tuple(
            replace(ref, identifiers=tuple(i for i in ref.identifiers if stays(place, i)))
            for place, ref in enumerate(event.objects)
        ),
    )


def canonical_keys(names: Iterable[tuple[int, str, str, str, date | None]]) -> Mapping[int, str]:
    """The key of each object, a pure function of its identifiers: `sales_order:erp:SO-1`.

    A later use of a number that was used before is told by the day it began:
    `tracking::1Z9~2026-07-01`.
    """
    best: dict[int, tuple[int, str, str, str]] = {}
    for object_id, scheme, issuer, value, since in names:
        told = f"{value}~{since:%Y-%m-%d}" if since else value
        candidate = (PREFERRED.get(Scheme(scheme), len(PREFERRED)), scheme, issuer, told)
        if object_id not in best or candidate < best[object_id]:
            best[object_id] = candidate
    return {object_id: ":".join(parts[1:]) for object_id, parts in best.items()}
