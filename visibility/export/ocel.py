"""The picture in the words of OCEL 2.0: objects whose attributes change in time, events, relations.

A relation is qualified by the kind of what it leads to; that of an event to an item says which
quantities of it the event tells. Only events that count are part of the log.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.events import Attribute, Measure, ObjectKind, iso
from visibility.export.reader import Happened, chunks, happened, kinds, known
from visibility.export.redaction import Sight
from visibility.models import Milestone, Order

Scalar = str | float
FLOATS = frozenset({Attribute.TOTAL.value, *(m.value for m in Measure)})
MOMENTS = frozenset({"received_at", "recorded_at"})
ITEM = ObjectKind.ITEM.value
# Which events tell which attributes of which kind of object.
SHIPPING = ("shipment.", "eta.", "pack.")
TELLS: Mapping[ObjectKind, tuple[tuple[str, ...], tuple[Attribute, ...]]] = {
    ObjectKind.ORDER: (
        ("order.",),
        (
            Attribute.CHANNEL,
            Attribute.CUSTOMER_NO,
            Attribute.CUSTOMER_NAME,
            Attribute.CURRENCY,
            Attribute.TOTAL,
            Attribute.WAREHOUSE,
            Attribute.REQUESTED_AT,
            Attribute.PROMISED_AT,
            Attribute.SHIP_BY,
        ),
    ),
    ObjectKind.SHIPMENT: (
        SHIPPING,
        (Attribute.CARRIER, Attribute.SERVICE, Attribute.WAREHOUSE, Attribute.ETA),
    ),
    ObjectKind.PACKAGE: (
        SHIPPING,
        (Attribute.CARRIER, Attribute.SERVICE, Attribute.LOCATION, Attribute.ETA),
    ),
    ObjectKind.INVOICE: (("invoice.", "credit."), (Attribute.TOTAL, Attribute.CURRENCY)),
    ObjectKind.RETURN: (("return.",), (Attribute.REASON,)),
}
# What does not change; `step` is the milestone an order has reached.
FIXED: Mapping[str, tuple[str, ...]] = {
    ObjectKind.ORDER: ("number", "customer_po"),
    ITEM: ("sku", "description"),
}
VARYING: Mapping[str, tuple[str, ...]] = {ObjectKind.ORDER: ("step",)}
OBJECTS = "SELECT id, kind FROM export_object ORDER BY id"
TOLD = """
SELECT link.object_id, e.occurred_at, e.type, e.data -> 'attributes'
FROM visibility_eventobject link
JOIN export_event picked ON picked.id = link.event_id AND picked.by_id IS NULL
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
WHERE link.object_id = ANY(%s) AND e.data -> 'attributes' <> '{}'::jsonb
ORDER BY link.object_id, e.occurred_at, e.id
"""
RELATED = """
SELECT r.parent_id, r.child_id FROM visibility_objectrelation r
JOIN export_object parent ON parent.id = r.parent_id
JOIN export_object child ON child.id = r.child_id
WHERE r.parent_id = ANY(%s) ORDER BY r.parent_id, r.child_id
"""
ITEMS = """
SELECT sku, coalesce(max(description), '') FROM (
    SELECT line ->> 'sku' AS sku, nullif(line ->> 'description', '') AS description
    FROM export_event picked
    JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
    CROSS JOIN jsonb_array_elements(e.data -> 'lines') AS line
    WHERE picked.by_id IS NULL
) AS told WHERE sku <> '' GROUP BY sku ORDER BY sku
"""
ORDERED = """
SELECT DISTINCT link.object_id, line ->> 'sku'
FROM visibility_eventobject link
JOIN export_event picked ON picked.id = link.event_id AND picked.by_id IS NULL
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
CROSS JOIN jsonb_array_elements(e.data -> 'lines') AS line
WHERE link.object_id = ANY(%s) AND line ->> 'sku' <> ''
    AND (line ->> 'order')::int IN (-1, link.ref)
    AND link.object_id IN (SELECT id FROM export_order)
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value from a moment on; None: from the beginning."""

    name: str
    at: datetime | None
    value: Scalar


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: its values, the earliest of each attribute first, and (object, qualifier)."""

    id: str
    kind: str
    values: tuple[Value, ...]
    related: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Act:
    """An event: its attributes, and (object, qualifier)."""

    id: str
    type: str
    at: datetime
    values: Mapping[str, Scalar]
    related: tuple[tuple[str, str], ...]


def item_id(sku: str) -> str:
    """The name of an item."""
    return f"{ITEM}:sku::{sku}"


def object_attributes(kind: str, sight: Sight) -> dict[str, str]:
    """The attributes of a kind of object, with their types."""
    told: Sequence[Attribute] = TELLS[ObjectKind(kind)][1] if kind in TELLS else ()
    names = [*FIXED.get(kind, ()), *VARYING.get(kind, ())]
    names += [name.value for name in told if name in sight.attributes]
    return {name: _type(name) for name in names}


def object_kinds() -> list[str]:
    """The kinds of the objects, items included."""
    return list(dict.fromkeys((*kinds(), ITEM)))


def event_attributes(sight: Sight) -> dict[str, str]:
    """The attributes of every type of event, with their types."""
    own = ("source", "role", "key", "word", "part", "message", "received_at", "recorded_at")
    told = sorted(name.value for name in sight.attributes)
    return {name: _type(name) for name in (*own, *told, *(m.value for m in Measure))}


def _type(name: str) -> str:
    return "float" if name in FLOATS else "time" if name in MOMENTS else "string"


def things(sight: Sight) -> Iterator[Thing]:
    """Every object of the picture, then the items its lines speak of."""
    for rows in chunks(OBJECTS):
        yield from _things([row[0] for row in rows], sight)
    for rows in chunks(ITEMS):
        for sku, description in rows:
            values = [Value("sku", None, sku)]
            values += [Value("description", None, description)] if description else []
            yield Thing(item_id(sku), ITEM, tuple(values), ())


def _things(ids: Sequence[int], sight: Sight) -> Iterator[Thing]:
    related = _rows(RELATED, ids)
    objects = known({*ids, *(child for _, child in related)})
    relations: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for parent, child in related:
        if child in objects:
            relations[parent].append((objects[child].id, objects[child].kind.value))
    for order_id, sku in _rows(ORDERED, ids):
        relations[order_id].append((item_id(sku), ITEM))
    values = _order_values(ids)
    for object_id, told in _told(ids, sight).items():
        values[object_id] += told
    for object_id in ids:
        if thing := objects.get(object_id):
            yield Thing(
                thing.id, thing.kind.value, tuple(values[object_id]), tuple(relations[object_id])
            )


def _order_values(ids: Collection[int]) -> dict[int, list[Value]]:
    """What the fold says of orders: their numbers, and the steps they reached."""
    found: dict[int, list[Value]] = defaultdict(list)
    orders = Order.objects.filter(object_id__in=ids)
    for object_id, *fixed in orders.values_list("object_id", *FIXED[ObjectKind.ORDER]):
        pairs = zip(FIXED[ObjectKind.ORDER], fixed, strict=True)
        found[object_id] += [Value(name, None, text) for name, text in pairs if text]
    steps = Milestone.objects.filter(order_id__in=ids, reached_at__isnull=False)
    for order_id, code, at in steps.order_by("reached_at", "pk").values_list(
        "order_id", "code", "reached_at"
    ):
        found[order_id].append(Value("step", at, code))
    return found


def _told(ids: Sequence[int], sight: Sight) -> dict[int, list[Value]]:
    """What the events tell of objects: each attribute where it changes."""
    kinds = dict(_rows("SELECT id, kind FROM export_object WHERE id = ANY(%s)", ids))
    found: dict[int, list[Value]] = defaultdict(list)
    last: dict[tuple[int, str], str] = {}
    for object_id, at, event_type, attributes in _rows(TOLD, ids):
        prefixes, names = TELLS[ObjectKind(kinds[object_id])]
        if not event_type.startswith(prefixes):
            continue
        told = sight.of({Attribute(k): text for k, text in _mapping(attributes).items()})
        for name in names:
            text = told.get(name)
            if text and last.get((object_id, name.value)) != text:
                last[(object_id, name.value)] = text
                found[object_id].append(Value(name.value, at, _scalar(name.value, text)))
    return found


def acts(sight: Sight) -> Iterator[Act]:
    """Every event that counts, in the order of time."""
    for told in happened(superseded=False):
        related = dict.fromkeys((o.id, o.kind.value) for _, o in told.named)
        items = [(item_id(sku), measures) for sku, measures in _items(told).items()]
        yield Act(
            id=event_id(told.source, told.event.key, told.content_hash),
            type=told.event.type.value,
            at=told.occurred_at,
            values=_event_values(told, sight),
            related=(*related, *items),
        )


def event_id(source: str, key: str, content_hash: str) -> str:
    """The name of an event: the same in every export of every installation told the same."""
    return f"{source}:{key}:{content_hash[:16]}"


def _items(told: Happened) -> dict[str, str]:
    """The items of an event's lines, with what it counts of them."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in told.lines:
        if line.sku:
            found[line.sku] |= {m.value for m in line.quantities}
    return {sku: "+".join(sorted(measures)) or ITEM for sku, measures in found.items()}


def _event_values(told: Happened, sight: Sight) -> dict[str, Scalar]:
    event = told.event
    totals: dict[Measure, Decimal] = defaultdict(Decimal)
    for line in told.lines:
        for measure, quantity in line.quantities.items():
            totals[measure] += quantity
    texts: dict[str, Scalar] = {
        "source": told.source,
        "role": told.role,
        "key": event.key,
        "word": event.raw_type,
        "part": event.part,
        "message": str(told.message_id),
        "received_at": iso(told.received_at),
        "recorded_at": iso(told.recorded_at),
    }
    texts |= {
        name.value: _scalar(name.value, text) for name, text in sight.of(event.attributes).items()
    }
    texts |= {measure.value: float(quantity) for measure, quantity in sorted(totals.items())}
    return {name: value for name, value in texts.items() if value != ""}


def _scalar(name: str, text: str) -> Scalar:
    return float(Decimal(text)) if name in FLOATS else text


def _mapping(value: Any) -> dict[str, str]:
    """jsonb as the driver gives it."""
    found: dict[str, str] = value if isinstance(value, dict) else orjson.loads(value)
    return found


def _rows(statement: str, ids: Collection[int]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [sorted(ids)])
        return list(cursor.fetchall())
