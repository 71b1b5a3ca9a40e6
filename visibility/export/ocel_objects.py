"""The objects of the export snapshot for OCEL 2.0: attribute values by time, and relations.

A relation is qualified by the kind of its target.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.events import Attribute, ObjectKind
from visibility.export.ocel_attributes import (
    ATTRIBUTE_SOURCES,
    FIXED_ATTRIBUTES,
    ITEM_KIND,
    Scalar,
    ocel_attribute_value,
)
from visibility.export.read_snapshot_in_chunks import fetch_row_chunks, load_objects
from visibility.export.read_snapshot_in_chunks import object_kinds as snapshot_kinds
from visibility.export.redaction import Redaction
from visibility.models import Milestone, Order

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
# Without the lines of orders that are not exported, which an event of a shared package also has.
SELECT_ITEMS = """
SELECT sku, coalesce(max(description), '') FROM (
    SELECT line ->> 'sku' AS sku, nullif(line ->> 'description', '') AS description
    FROM export_event picked
    JOIN visibility_event e ON e.id = picked.id AND e.occurred_at = picked.occurred_at
    CROSS JOIN jsonb_array_elements(e.data -> 'lines') AS line
    CROSS JOIN LATERAL (SELECT coalesce(nullif((line ->> 'order')::int, -1),
        (line ->> 'order_line')::int, -1) AS ref) AS line_ref
    WHERE picked.by_id IS NULL AND (line_ref.ref < 0 OR EXISTS (
        SELECT FROM visibility_eventobjectlink link
        JOIN export_object ON export_object.id = link.object_id
        WHERE link.event_id = e.id AND link.ref = line_ref.ref))
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
class OcelAttributeValueFromTime:
    """An attribute's value from a time on; None: from the start."""

    name: str
    at: datetime | None
    value: Scalar


@dataclass(frozen=True, slots=True)
class OcelObject:
    """An object with its attribute values by time and its relations (object id, qualifier)."""

    id: str
    kind: str
    values: tuple[OcelAttributeValueFromTime, ...]
    related: tuple[tuple[str, str], ...]


def item_id(sku: str) -> str:
    """The OCEL object id of an item."""
    return f"{ITEM_KIND}:sku::{sku}"


def snapshot_object_kinds_and_item() -> list[str]:
    """The object kinds of the snapshot, including items."""
    return list(dict.fromkeys((*snapshot_kinds(), ITEM_KIND)))


def ocel_objects(redaction: Redaction) -> Iterator[OcelObject]:
    """All objects of the snapshot, then the items of its lines."""
    for rows in fetch_row_chunks(SELECT_OBJECTS):
        yield from _ocel_business_objects([row[0] for row in rows], redaction)
    for rows in fetch_row_chunks(SELECT_ITEMS):
        for sku, description in rows:
            values = [OcelAttributeValueFromTime("sku", None, sku)]
            values += (
                [OcelAttributeValueFromTime("description", None, description)]
                if description
                else []
            )
            yield OcelObject(item_id(sku), ITEM_KIND, tuple(values), ())


def _ocel_business_objects(ids: Sequence[int], redaction: Redaction) -> Iterator[OcelObject]:
    related = _fetch_all_rows_for_ids(SELECT_RELATIONS, ids)
    objects = load_objects({*ids, *(child for _, child in related)})
    relations: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for parent, child in related:
        if child in objects:
            relations[parent].append((objects[child].id, objects[child].kind.value))
    for order_id, sku in _fetch_all_rows_for_ids(SELECT_ORDER_ITEMS, ids):
        relations[order_id].append((item_id(sku), ITEM_KIND))
    values = _attribute_values_from_orders(ids)
    for object_id, changes in _attribute_values_from_events(ids, redaction).items():
        values[object_id] += changes
    for object_id in ids:
        if obj := objects.get(object_id):
            yield OcelObject(
                obj.id, obj.kind.value, tuple(values[object_id]), tuple(relations[object_id])
            )


def _attribute_values_from_orders(
    ids: Collection[int],
) -> dict[int, list[OcelAttributeValueFromTime]]:
    """Attribute values of orders from their rows: numbers and reached milestones."""
    values: dict[int, list[OcelAttributeValueFromTime]] = defaultdict(list)
    orders = Order.objects.filter(object_id__in=ids)
    for object_id, *fixed in orders.values_list("object_id", *FIXED_ATTRIBUTES[ObjectKind.ORDER]):
        pairs = zip(FIXED_ATTRIBUTES[ObjectKind.ORDER], fixed, strict=True)
        values[object_id] += [
            OcelAttributeValueFromTime(name, None, text) for name, text in pairs if text
        ]
    steps = Milestone.objects.filter(order_id__in=ids, reached_at__isnull=False)
    for order_id, code, at in steps.order_by("reached_at", "pk").values_list(
        "order_id", "code", "reached_at"
    ):
        values[order_id].append(OcelAttributeValueFromTime("step", at, code))
    return values


def _attribute_values_from_events(
    ids: Sequence[int], redaction: Redaction
) -> dict[int, list[OcelAttributeValueFromTime]]:
    """Attribute values of objects from their events, one per change."""
    kinds = dict(
        _fetch_all_rows_for_ids("SELECT id, kind FROM export_object WHERE id = ANY(%s)", ids)
    )
    values: dict[int, list[OcelAttributeValueFromTime]] = defaultdict(list)
    last_text: dict[tuple[int, str], str] = {}
    for object_id, at, event_type, attributes in _fetch_all_rows_for_ids(SELECT_ATTRIBUTES, ids):
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
                    OcelAttributeValueFromTime(
                        name.value, at, ocel_attribute_value(name.value, text)
                    )
                )
    return values


def _decode_json_object(value: Any) -> dict[str, str]:
    """A jsonb value as a dict; depending on the cursor the driver returns text."""
    json_object: dict[str, str] = value if isinstance(value, dict) else orjson.loads(value)
    return json_object


def _fetch_all_rows_for_ids(statement: str, ids: Collection[int]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [sorted(ids)])
        return list(cursor.fetchall())
