"""What an event of an OCEL log says of its objects: their orders, its lines and its attributes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.events import SHARED_KINDS, Attribute, EventLine, EventType, ObjectKind
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.systems.ocel.object_and_activity_names import MEASURES

TEXT_ATTRIBUTES = (
    Attribute.CHANNEL,
    Attribute.CARRIER,
    Attribute.SERVICE,
    Attribute.WAREHOUSE,
    Attribute.LOCATION,
    Attribute.REASON,
)
# Limits of the attributes of one event.
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME = 100
MAX_ATTRIBUTE_TEXT = 2_000
TEXT_ATTRIBUTE_NAMES = frozenset(name.value for name in TEXT_ATTRIBUTES)


@dataclass(frozen=True)
class LogObject:
    """An object of a known kind."""

    id: str
    kind: ObjectKind
    sku: str


@dataclass(frozen=True)
class ObjectsAndOrders:
    """The objects of a log, and the orders related to each object."""

    objects: Mapping[str, LogObject]
    orders: Mapping[str, Sequence[str]]


def sku_of_item(node: Node) -> str:
    """Return the SKU of an item if the log has one."""
    for attribute in node.list_at("attributes"):
        if attribute.text_at("name").lower() in {"sku", "product", "product_id", "material"}:
            return attribute.text_at("value")
    return ""


def objects_of_event(node: Node, log: ObjectsAndOrders) -> list[LogObject]:
    """Return the distinct objects of an event."""
    ids = dict.fromkeys(r.required_text("objectId") for r in node.list_at("relationships"))
    return [log.objects[i] for i in ids if i in log.objects]


def orders_of_event_or_of_its_objects(
    event_objects: Sequence[LogObject],
    items: Sequence[LogObject],
    log: ObjectsAndOrders,
    linked_pairs: frozenset[tuple[str, str]],
) -> list[LogObject]:
    """Return the orders of an event, else those of its items, plus those known by relation only."""
    order_ids = [o.id for o in event_objects if o.kind is ObjectKind.ORDER]
    if not order_ids:
        related = [log.orders.get(item.id, ()) for item in items]
        # What several orders have is no piece of one of them.
        order_ids = [orders[0] for orders in related if len(orders) == 1]
    order_ids += [
        order
        for o in event_objects
        if o.kind not in {ObjectKind.ORDER, ObjectKind.ORDER_LINE, *SHARED_KINDS}
        for order in log.orders.get(o.id, ())
        if (o.id, order) not in linked_pairs
    ]
    return [log.objects[i] for i in dict.fromkeys(order_ids)]


def build_lines_of_single_items(
    items: Sequence[LogObject],
    named: Sequence[LogObject],
    kind: EventType | None,
    log: ObjectsAndOrders,
) -> Iterator[EventLine]:
    """Yield quantity 1 for each item that belongs to one order, in the event's only package.

    `named`: the objects of the event in the order of its references. The order of an order line may
    be unknown here.
    """
    measure = MEASURES.get(kind) if kind else None
    indexes = {o.id: index for index, o in enumerate(named)}
    orders = [index for index, o in enumerate(named) if o.kind is ObjectKind.ORDER]
    packages = [index for index, o in enumerate(named) if o.kind is ObjectKind.PACKAGE]
    for item in items if measure else ():
        candidates = [indexes[o] for o in log.orders.get(item.id, ()) if o in indexes] or orders
        is_order_line = item.kind is ObjectKind.ORDER_LINE
        if measure and (len(candidates) == 1 or is_order_line):
            yield EventLine(
                item.id,
                sku=item.sku,
                quantities={measure: Decimal(1)},
                order_index=candidates[0] if len(candidates) == 1 else -1,
                package_index=packages[0] if len(packages) == 1 else -1,
                order_line_index=indexes[item.id] if is_order_line else -1,
            )


def other_attributes_of_event(node: Node) -> dict[str, str]:
    """The attributes of an event that have no meaning here. Raises PayloadError.

    Of two whose names differ only in case, the first is used: SQLite logs cannot have both.
    """
    values: dict[str, tuple[str, str]] = {}
    for attribute in node.list_at("attributes"):
        name, text = attribute.text_at("name"), _attribute_text(attribute.get("value"))
        if name.lower() in TEXT_ATTRIBUTE_NAMES or not (name and text):
            continue
        if len(name) > MAX_ATTRIBUTE_NAME or len(text) > MAX_ATTRIBUTE_TEXT:
            raise PayloadError(ParkReason.SIZE, attribute.path, "the attribute is too long")
        values.setdefault(name.lower(), (name, text))
    if len(values) > MAX_ATTRIBUTES:
        raise PayloadError(ParkReason.SIZE, node.path, f"more than {MAX_ATTRIBUTES} attributes")
    return dict(values.values())


def _attribute_text(value: Node) -> str:
    if isinstance(value.value, bool):
        return str(value.value).lower()
    return value.as_text()


def attributes_of_event(node: Node, event_objects: Sequence[LogObject]) -> dict[Attribute, str]:
    values = {a.text_at("name").lower(): a.get("value") for a in node.list_at("attributes")}
    attributes = {
        name: values[name.value].as_text() for name in TEXT_ATTRIBUTES if name.value in values
    }
    customers = [o.id for o in event_objects if o.kind is ObjectKind.CUSTOMER]
    if len(customers) == 1:
        attributes[Attribute.CUSTOMER_NO] = customers[0]
    return attributes
