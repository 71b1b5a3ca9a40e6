"""The export snapshot as OCEL 2.0: objects with time-dependent attributes, events and relations.

A relation is qualified by the kind of its target. The relation of an event to an item is qualified
by the measures that the event reports. Superseded events are not part of the log.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Attribute, Measure, ObjectKind
from visibility.export.redaction import Redaction
from visibility.export.snapshot_reader import (
    ExportedEvent,
    exported_events,
    fetch_row_chunks,
    load_objects,
)
from visibility.export.snapshot_reader import (
    object_kinds as snapshot_kinds,
)
from visibility.models import Milestone, Order

Scalar = str | float
FLOAT_ATTRIBUTES = frozenset({Attribute.TOTAL.value, *(m.value for m in Measure)})
TIME_ATTRIBUTES = frozenset({"received_at", "recorded_at"})
ITEM_KIND = ObjectKind.ITEM.value
# Per object kind: prefixes of the event types that set its attributes, and these attributes.
SHIPPING_EVENTS = ("shipment.", "eta.", "pack.")
ATTRIBUTE_SOURCES: Mapping[ObjectKind, tuple[tuple[str, ...], tuple[Attribute, ...]]] = {
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
        SHIPPING_EVENTS,
        (Attribute.CARRIER, Attribute.SERVICE, Attribute.WAREHOUSE, Attribute.ETA),
    ),
    ObjectKind.PACKAGE: (
        SHIPPING_EVENTS,
        (Attribute.CARRIER, Attribute.SERVICE, Attribute.LOCATION, Attribute.ETA),
    ),
    ObjectKind.INVOICE: (("invoice.", "credit."), (Attribute.TOTAL, Attribute.CURRENCY)),
    ObjectKind.RETURN: (("return.",), (Attribute.REASON,)),
}
# Attributes that never change. `step` is the latest milestone that the order has reached.
FIXED_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    ObjectKind.ORDER: ("number", "customer_po"),
    ITEM_KIND: ("sku", "description"),
}
VARYING_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {ObjectKind.ORDER: ("step",)}
SELECT_OBJECTS = "SELECT id, kind FROM export_object ORDER BY id"
SELECT_ATTRIBUTES = """
SELECT link.object_id, e.occurred_at, e.type, e.data -> 'attributes'
FROM visibility_eventobjectlink link
JOIN export_event picked ON picked.id = link.event_id AND picked.by_id IS NULL
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
WHERE link.object_id = ANY(%s) AND e.data -> 'attributes' <> '{}'::jsonb
ORDER BY link.object_id, e.occurred_at, e.id
"""
SELECT_RELATIONS = """
SELECT r.parent_id, r.child_id FROM visibility_objectrelation r
JOIN export_object parent ON parent.id = r.parent_id
JOIN export_object child ON child.id = r.child_id
WHERE r.parent_id = ANY(%s) ORDER BY r.parent_id, r.child_id
"""
SELECT_ITEMS = """
SELECT sku, coalesce(max(description), '') FROM (
    SELECT line ->> 'sku' AS sku, nullif(line ->> 'description', '') AS description
    FROM export_event picked
    JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
    CROSS JOIN jsonb_array_elements(e.data -> 'lines') AS line
    WHERE picked.by_id IS NULL
) AS reported WHERE sku <> '' GROUP BY sku ORDER BY sku
"""
SELECT_ORDER_ITEMS = """
SELECT DISTINCT link.object_id, line ->> 'sku'
FROM visibility_eventobjectlink link
JOIN export_event picked ON picked.id = link.event_id AND picked.by_id IS NULL
JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
CROSS JOIN jsonb_array_elements(e.data -> 'lines') AS line
WHERE link.object_id = ANY(%s) AND line ->> 'sku' <> ''
    AND (line ->> 'order')::int IN (-1, link.ref)
    AND link.object_id IN (SELECT id FROM export_order)
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """An attribute's value from a time on; None: from the start."""

    name: str
    at: datetime | None
    value: Scalar


@dataclass(frozen=True, slots=True)
class OcelObject:
    """An object with its attribute values by time and its relations (object id, qualifier)."""

    id: str
    kind: str
    values: tuple[AttributeValue, ...]
    related: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OcelEvent:
    """An event with its attributes and its relations (object id, qualifier)."""

    id: str
    type: str
    at: datetime
    values: Mapping[str, Scalar]
    related: tuple[tuple[str, str], ...]


def item_id(sku: str) -> str:
    """The OCEL object id of an item."""
    return f"{ITEM_KIND}:sku::{sku}"


def object_attribute_types(kind: str, redaction: Redaction) -> dict[str, str]:
    """The attributes of an object kind with their OCEL types."""
    attributes: Sequence[Attribute] = (
        ATTRIBUTE_SOURCES[ObjectKind(kind)][1] if kind in ATTRIBUTE_SOURCES else ()
    )
    names = [*FIXED_ATTRIBUTES.get(kind, ()), *VARYING_ATTRIBUTES.get(kind, ())]
    names += [name.value for name in attributes if name in redaction.allowed_attributes]
    return {name: _ocel_attribute_type(name) for name in names}


def object_kinds() -> list[str]:
    """The object kinds of the snapshot, including items."""
    return list(dict.fromkeys((*snapshot_kinds(), ITEM_KIND)))


def event_attribute_types(redaction: Redaction) -> dict[str, str]:
    """The attributes of all event types with their OCEL types."""
    common = (
        "source",
        "role",
        "key",
        "raw_type",
        "scope",
        "message_id",
        "received_at",
        "recorded_at",
    )
    attributes = sorted(name.value for name in redaction.allowed_attributes)
    return {
        name: _ocel_attribute_type(name)
        for name in (*common, *attributes, *(m.value for m in Measure))
    }


def _ocel_attribute_type(name: str) -> str:
    return "float" if name in FLOAT_ATTRIBUTES else "time" if name in TIME_ATTRIBUTES else "string"


def ocel_objects(redaction: Redaction) -> Iterator[OcelObject]:
    """All objects of the snapshot, then the items of its lines."""
    for rows in fetch_row_chunks(SELECT_OBJECTS):
        yield from _ocel_business_objects([row[0] for row in rows], redaction)
    for rows in fetch_row_chunks(SELECT_ITEMS):
        for sku, description in rows:
            values = [AttributeValue("sku", None, sku)]
            values += [AttributeValue("description", None, description)] if description else []
            yield OcelObject(item_id(sku), ITEM_KIND, tuple(values), ())


def _ocel_business_objects(ids: Sequence[int], redaction: Redaction) -> Iterator[OcelObject]:
    related = _fetch_rows(SELECT_RELATIONS, ids)
    objects = load_objects({*ids, *(child for _, child in related)})
    relations: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for parent, child in related:
        if child in objects:
            relations[parent].append((objects[child].id, objects[child].kind.value))
    for order_id, sku in _fetch_rows(SELECT_ORDER_ITEMS, ids):
        relations[order_id].append((item_id(sku), ITEM_KIND))
    values = _attribute_values_from_orders(ids)
    for object_id, changes in _attribute_values_from_events(ids, redaction).items():
        values[object_id] += changes
    for object_id in ids:
        if obj := objects.get(object_id):
            yield OcelObject(
                obj.id, obj.kind.value, tuple(values[object_id]), tuple(relations[object_id])
            )


def _attribute_values_from_orders(ids: Collection[int]) -> dict[int, list[AttributeValue]]:
    """Attribute values of orders from their rows: numbers and reached milestones."""
    values: dict[int, list[AttributeValue]] = defaultdict(list)
    orders = Order.objects.filter(object_id__in=ids)
    for object_id, *fixed in orders.values_list("object_id", *FIXED_ATTRIBUTES[ObjectKind.ORDER]):
        pairs = zip(FIXED_ATTRIBUTES[ObjectKind.ORDER], fixed, strict=True)
        values[object_id] += [AttributeValue(name, None, text) for name, text in pairs if text]
    steps = Milestone.objects.filter(order_id__in=ids, reached_at__isnull=False)
    for order_id, code, at in steps.order_by("reached_at", "pk").values_list(
        "order_id", "code", "reached_at"
    ):
        values[order_id].append(AttributeValue("step", at, code))
    return values


def _attribute_values_from_events(
    ids: Sequence[int], redaction: Redaction
) -> dict[int, list[AttributeValue]]:
    """Attribute values of objects from their events, one per change."""
    kinds = dict(_fetch_rows("SELECT id, kind FROM export_object WHERE id = ANY(%s)", ids))
    values: dict[int, list[AttributeValue]] = defaultdict(list)
    last_text: dict[tuple[int, str], str] = {}
    for object_id, at, event_type, attributes in _fetch_rows(SELECT_ATTRIBUTES, ids):
        prefixes, names = ATTRIBUTE_SOURCES[ObjectKind(kinds[object_id])]
        if not event_type.startswith(prefixes):
            continue
        attributes_by_name = redaction.redact_attributes(
            {Attribute(k): text for k, text in _decode_json_object(attributes).items()}
        )
        for name in names:
            text = attributes_by_name.get(name)
            if text and last_text.get((object_id, name.value)) != text:
                last_text[(object_id, name.value)] = text
                values[object_id].append(
                    AttributeValue(name.value, at, _convert_attribute(name.value, text))
                )
    return values


def ocel_events(redaction: Redaction) -> Iterator[OcelEvent]:
    """All events that are not superseded, in order of time."""
    for event in exported_events(superseded=False):
        related = dict.fromkeys((o.id, o.kind.value) for _, o in event.objects)
        items = [(item_id(sku), measures) for sku, measures in _measures_by_sku(event).items()]
        yield OcelEvent(
            id=event_id(event.source, event.event.key, event.content_hash),
            type=event.event.type.value,
            at=event.occurred_at,
            values=_ocel_event_attributes(event, redaction),
            related=(*related, *items),
        )


def event_id(source: str, key: str, content_hash: str) -> str:
    """The OCEL event id. It is the same in every installation that received the same data."""
    return f"{source}:{key}:{content_hash[:16]}"


def _measures_by_sku(event: ExportedEvent) -> dict[str, str]:
    """The items of an event's lines with the reported measures, joined by `+`."""
    measures_by_sku: dict[str, set[str]] = defaultdict(set)
    for line in event.lines_of_exported_orders:
        if line.sku:
            measures_by_sku[line.sku] |= {m.value for m in line.quantities}
    return {
        sku: "+".join(sorted(measures)) or ITEM_KIND for sku, measures in measures_by_sku.items()
    }


def _ocel_event_attributes(recorded: ExportedEvent, redaction: Redaction) -> dict[str, Scalar]:
    event = recorded.event
    totals: dict[Measure, Decimal] = defaultdict(Decimal)
    for line in recorded.lines_of_exported_orders:
        for measure, quantity in line.quantities.items():
            totals[measure] += quantity
    values: dict[str, Scalar] = {
        "source": recorded.source,
        "role": recorded.role,
        "key": event.key,
        "raw_type": event.raw_type,
        "scope": event.scope,
        "message_id": str(recorded.message_id),
        "received_at": format_rfc3339(recorded.received_at),
        "recorded_at": format_rfc3339(recorded.recorded_at),
    }
    values |= {
        name.value: _convert_attribute(name.value, text)
        for name, text in redaction.redact_attributes(event.attributes).items()
    }
    values |= {measure.value: float(quantity) for measure, quantity in sorted(totals.items())}
    return {name: value for name, value in values.items() if value != ""}


def _convert_attribute(name: str, text: str) -> Scalar:
    return float(Decimal(text)) if name in FLOAT_ATTRIBUTES else text


def _decode_json_object(value: Any) -> dict[str, str]:
    """A jsonb value as a dict; depending on the cursor the driver returns text."""
    json_object: dict[str, str] = value if isinstance(value, dict) else orjson.loads(value)
    return json_object


def _fetch_rows(statement: str, ids: Collection[int]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [sorted(ids)])
        return list(cursor.fetchall())
