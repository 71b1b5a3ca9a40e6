"""Events that name order lines name the orders of these lines.

A pick of one piece names the piece alone, and a package that contains pieces of two orders names
the pieces. On the timelines of the orders such an event names its orders, as if the source had.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from connectors.sdk.events import (
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    ObjectKind,
    ObjectReference,
)
from visibility.db import bulk

ORDERS_OF_LINES = """
SELECT r.child_id, min(r.parent_id) FROM visibility_objectrelation r
JOIN visibility_businessobject o ON o.id = r.parent_id AND o.kind = 'order'
WHERE r.child_id = ANY(%s) GROUP BY r.child_id HAVING count(*) = 1
"""
# {index in `objects`: object id}
ObjectByRef = Mapping[int, int]


def load_orders_of_order_lines(
    events: Iterable[tuple[CanonicalEvent, ObjectByRef]],
) -> dict[int, int]:
    """Return {object id of an order line: object id of its order}. Runs at most one statement."""
    line_ids = {
        object_by_ref[ref]
        for event, object_by_ref in events
        for ref in _refs_of_kind(event, ObjectKind.ORDER_LINE)
        if ref in object_by_ref
    }
    if not line_ids:
        return {}
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(ORDERS_OF_LINES, [sorted(line_ids)])
        return dict(cursor.fetchall())


def event_naming_orders_of_its_lines(
    event: CanonicalEvent,
    object_by_ref: ObjectByRef,
    order_by_line: Mapping[int, int],
    identifiers_by_object: Mapping[int, Sequence[EventIdentifier]],
) -> tuple[CanonicalEvent, ObjectByRef]:
    """Return the event with the orders of its order lines, and the objects of its references.

    An event that names an order itself gets no further ones. Each line without an order gets that
    of its order line; if that is unknown and the event names no order, the line is removed.
    """
    order_by_ref = {
        ref: order_by_line.get(object_by_ref.get(ref, 0))
        for ref in _refs_of_kind(event, ObjectKind.ORDER_LINE)
    }
    if not order_by_ref:
        return event, object_by_ref
    objects = dict(object_by_ref)
    ref_by_order = {
        objects[ref]: ref for ref in _refs_of_kind(event, ObjectKind.ORDER) if ref in objects
    }
    names_order = any(ref.kind is ObjectKind.ORDER for ref in event.objects)
    added: list[ObjectReference] = []
    for order_id in () if names_order else sorted({o for o in order_by_ref.values() if o}):
        ref_by_order[order_id] = len(event.objects) + len(added)
        objects[ref_by_order[order_id]] = order_id
        identifiers = tuple(identifiers_by_object.get(order_id, ()))
        added.append(ObjectReference(ObjectKind.ORDER, identifiers))
    lines: list[EventLine] = []
    for line in event.lines:
        if line.order_index >= 0 or line.order_line_index < 0:
            lines.append(line)
            continue
        order_ref = ref_by_order.get(order_by_ref.get(line.order_line_index) or 0)
        if order_ref is not None:
            lines.append(replace(line, order_index=order_ref))
        elif names_order:
            lines.append(line)
    return replace(event, objects=(*event.objects, *added), lines=tuple(lines)), objects


def _refs_of_kind(event: CanonicalEvent, kind: ObjectKind) -> list[int]:
    return [ref for ref, named in enumerate(event.objects) if named.kind is kind]
