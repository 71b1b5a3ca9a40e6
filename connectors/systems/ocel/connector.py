"""OCEL 2.0: object-centric event logs as JSON, with any names of object types and activities."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import build_bearer_header
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    SHARED_KINDS,
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.ocel.object_and_activity_names import (
    MEASURES,
    check_activity_names_setting,
    check_object_names_setting,
    event_type_of_activity,
    object_kind_of_type_name,
    parse_custom_names,
)

SCHEMES: Mapping[ObjectKind, IdentifierScheme] = {
    ObjectKind.ORDER: IdentifierScheme.ORDER_NUMBER,
    ObjectKind.SHIPMENT: IdentifierScheme.SHIPMENT,
    ObjectKind.PACKAGE: IdentifierScheme.SOURCE_ID,  # an id in the log is not a tracking number
    ObjectKind.INVOICE: IdentifierScheme.INVOICE,
    ObjectKind.RETURN: IdentifierScheme.RMA,
    ObjectKind.RETURN_DELIVERY: IdentifierScheme.RETURN_DELIVERY,
    ObjectKind.QUOTATION: IdentifierScheme.QUOTATION,
    ObjectKind.CONTRACT: IdentifierScheme.CONTRACT,
    ObjectKind.GOODS_MOVEMENT: IdentifierScheme.GOODS_MOVEMENT,
    ObjectKind.CREDIT_MEMO_REQUEST: IdentifierScheme.CREDIT_MEMO_REQUEST,
    ObjectKind.DEBIT_MEMO_REQUEST: IdentifierScheme.DEBIT_MEMO_REQUEST,
    ObjectKind.LOAD: IdentifierScheme.LOAD,
    ObjectKind.VEHICLE: IdentifierScheme.VEHICLE,
    ObjectKind.CONTAINER: IdentifierScheme.CONTAINER,
    ObjectKind.TRANSPORT_DOCUMENT: IdentifierScheme.TRANSPORT_DOCUMENT,
    ObjectKind.SERIALIZED_ITEM: IdentifierScheme.SERIAL,
}
TEXT_ATTRIBUTES = (
    Attribute.CHANNEL,
    Attribute.CARRIER,
    Attribute.SERVICE,
    Attribute.WAREHOUSE,
    Attribute.LOCATION,
    Attribute.REASON,
)
ORDER_SCOPE_TYPES = frozenset({EventType.ORDER_RECEIVED})


@dataclass(frozen=True)
class _LogObject:
    """An object of a known kind."""

    id: str
    kind: ObjectKind
    sku: str


@dataclass(frozen=True)
class _ObjectsAndOrders:
    """The objects of a log, and the orders related to each object."""

    objects: Mapping[str, _LogObject]
    orders: Mapping[str, Sequence[str]]


class Ocel(Connector):
    """Event logs of process mining tools and ERP extractors.

    Object types (order, delivery, package, invoice, return) are recognized by their usual names.
    Items become lines of their orders. Authentication is the same as for CloudEvents.
    """

    slug = "ocel"
    title = "OCEL 2.0 event log"
    role = SourceRole.OTHER
    reception = "sent with a bearer token, or `manage.py import-ocel FILE --source <slug>`"
    accepts_files = True
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "order_number",
            "The number range of order ids, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
        ),
        Setting(
            "objects",
            "Custom names of object types, such as Box=package, Beleg=invoice.",
            check=check_object_names_setting,
        ),
        Setting(
            "activities",
            "Custom names of activities, such as Book order=order.received.",
            check=check_activity_names_setting,
        ),
        Setting(
            "zone",
            "The IANA time zone of times without an offset.",
            SettingType.ZONE,
            default="UTC",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = (
        standard_webhooks.HEADERS | standard_webhooks.SVIX_HEADERS
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check a bearer token or a Standard Webhooks signature."""
        standard_webhooks.verify_token_or_signature(request.headers, request.body, secrets, now)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token."""
        return {**build_bearer_header(secret), "content-type": "application/json"}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": a log has no id."""
        return ""

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse each event separately, so that an invalid event does not affect the others."""
        root = load_json(message.body)
        log = self._index_log_objects(root)
        linked_pairs = self._pairs_in_event(root, log)
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for node in root.list_at("events"):
            try:
                if event := self._parse_event(node, log, linked_pairs):
                    events.append(event)
            except PayloadError as error:
                errors.append(error)
        ignored = (
            "" if events or errors else "no event refers to an order or to an object of an order"
        )
        return ParseResult(tuple(events), tuple(errors), ignored)

    def _index_log_objects(self, root: Node) -> _ObjectsAndOrders:
        custom_names = parse_custom_names(self.parsed_settings.text("objects"))
        objects: dict[str, _LogObject] = {}
        pairs: list[tuple[str, str]] = []
        for node in root.list_at("objects"):
            object_id, kind = (
                node.required_text("id"),
                object_kind_of_type_name(node.required_text("type"), custom_names),
            )
            pairs += [
                (object_id, r.required_text("objectId")) for r in node.list_at("relationships")
            ]
            if kind:
                objects[object_id] = _LogObject(object_id, kind, _sku_of_item(node) or object_id)
        orders: dict[str, list[str]] = defaultdict(list)
        for first, second in (*pairs, *((b, a) for a, b in pairs)):
            if first in objects and second in objects and objects[second].kind is ObjectKind.ORDER:
                orders[first].append(second)
        return _ObjectsAndOrders(
            objects, {k: list(dict.fromkeys(order_ids)) for k, order_ids in orders.items()}
        )

    def _pairs_in_event(self, root: Node, log: _ObjectsAndOrders) -> frozenset[tuple[str, str]]:
        """Return the (object, order) pairs that occur together in any event."""
        linked: set[tuple[str, str]] = set()
        for node in root.list_at("events"):
            object_ids = [o.id for o in _event_objects(node, log)]
            linked |= {
                (object_id, order)
                for object_id in object_ids
                for order in log.orders.get(object_id, ())
                if order in object_ids
            }
        return frozenset(linked)

    def _parse_event(
        self, node: Node, log: _ObjectsAndOrders, linked_pairs: frozenset[tuple[str, str]]
    ) -> CanonicalEvent | None:
        """Convert an event. Returns None if it refers to no tracked object."""
        activity = node.required_text("type")
        names = parse_custom_names(self.parsed_settings.text("activities"))
        kind = event_type_of_activity(activity, names)
        event_objects = _event_objects(node, log)
        items = [o for o in event_objects if o.kind is ObjectKind.ITEM]
        orders = _orders_of_event_or_of_its_objects(event_objects, items, log, linked_pairs)
        others = [o for o in event_objects if o.kind in SCHEMES and o.kind is not ObjectKind.ORDER]
        objects = tuple(self._build_object_ref(o) for o in (*orders, *others))
        if not objects:
            return None
        at = parse_timestamp(
            node.required_text("time"), f"{node.path}.time", self.parsed_settings.text("zone")
        )
        event_id = node.required_text("id")
        return build_event(
            kind or EventType.UNMAPPED,
            f"ocel {event_id}",
            # The zone of a log is usual, so its times are not flagged.
            ParsedTime(at.time) if at else None,
            *objects,
            lines=_build_lines_of_single_items(items, orders, kind, log),
            scope="" if kind in ORDER_SCOPE_TYPES else f"event {event_id}",
            attributes=_event_attributes(node, event_objects),
            raw_type=activity if kind is None or kind.value != activity else "",
            flags=(Flag.SANITIZED,) * node.was_sanitized,
        )

    def _build_object_ref(self, log_object: _LogObject) -> ObjectReference:
        """Create a reference. Ids of our own export (kind:scheme:issuer:value) are decoded."""
        fields = log_object.id.split(":", 3)
        if (
            len(fields) == 4
            and fields[0] == log_object.kind
            and fields[1] in set(IdentifierScheme)
            and fields[3]
        ):
            return ObjectReference(
                log_object.kind,
                (EventIdentifier(IdentifierScheme(fields[1]), fields[3], fields[2]),),
            )
        scheme, issuer = SCHEMES[log_object.kind], self.source_slug
        if log_object.kind is ObjectKind.ORDER:
            read_number = self.parsed_settings.identifier_scheme_and_issuer
            scheme, issuer = read_number("order_number", (scheme, issuer))
        return ObjectReference(log_object.kind, (EventIdentifier(scheme, log_object.id, issuer),))


def _sku_of_item(node: Node) -> str:
    """Return the SKU of an item if the log has one."""
    for attribute in node.list_at("attributes"):
        if attribute.text_at("name").lower() in {"sku", "product", "product_id", "material"}:
            return attribute.text_at("value")
    return ""


def _event_objects(node: Node, log: _ObjectsAndOrders) -> list[_LogObject]:
    """Return the distinct objects of an event."""
    ids = dict.fromkeys(r.required_text("objectId") for r in node.list_at("relationships"))
    return [log.objects[i] for i in ids if i in log.objects]


def _orders_of_event_or_of_its_objects(
    event_objects: Sequence[_LogObject],
    items: Sequence[_LogObject],
    log: _ObjectsAndOrders,
    linked_pairs: frozenset[tuple[str, str]],
) -> list[_LogObject]:
    """Return the orders of an event, else those of its items, plus those known by relation only."""
    order_ids = [o.id for o in event_objects if o.kind is ObjectKind.ORDER]
    if not order_ids:
        order_ids = [order for item in items for order in log.orders.get(item.id, ())]
    order_ids += [
        order
        for o in event_objects
        if o.kind in SCHEMES and o.kind is not ObjectKind.ORDER and o.kind not in SHARED_KINDS
        for order in log.orders.get(o.id, ())
        if (o.id, order) not in linked_pairs
    ]
    return [log.objects[i] for i in dict.fromkeys(order_ids)]


def _build_lines_of_single_items(
    items: Sequence[_LogObject],
    orders: Sequence[_LogObject],
    kind: EventType | None,
    log: _ObjectsAndOrders,
) -> Iterator[EventLine]:
    """Yield quantity 1 for each item that belongs to exactly one order of the event."""
    measure = MEASURES.get(kind) if kind else None
    indexes = {order.id: index for index, order in enumerate(orders)}
    for item in items if measure else ():
        candidates = [indexes[o] for o in log.orders.get(item.id, ()) if o in indexes]
        candidates = candidates or list(indexes.values())
        if len(candidates) == 1 and measure:
            quantities = {measure: Decimal(1)}
            yield EventLine(item.id, sku=item.sku, quantities=quantities, order_index=candidates[0])


def _event_attributes(node: Node, event_objects: Sequence[_LogObject]) -> dict[Attribute, str]:
    values = {a.text_at("name").lower(): a.get("value") for a in node.list_at("attributes")}
    attributes = {
        name: values[name.value].as_text() for name in TEXT_ATTRIBUTES if name.value in values
    }
    customers = [o.id for o in event_objects if o.kind is ObjectKind.CUSTOMER]
    if len(customers) == 1:
        attributes[Attribute.CUSTOMER_NO] = customers[0]
    return attributes
