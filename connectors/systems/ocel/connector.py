"""OCEL 2.0: object-centric event logs as JSON, with any names of object types and activities."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import build_bearer_header
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    CanonicalEvent,
    EventIdentifier,
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
    ITEM_KINDS,
    check_activity_names_setting,
    check_object_names_setting,
    event_type_of_activity,
    kind_of_exported_id,
    object_kind_of_type_name,
    parse_custom_names,
)
from connectors.systems.ocel.orders_lines_and_attributes_of_events import (
    LogObject,
    ObjectsAndOrders,
    attributes_of_event,
    build_lines_of_single_items,
    objects_of_event,
    orders_of_event_or_of_its_objects,
    other_attributes_of_event,
    sku_of_item,
)

SCHEMES: Mapping[ObjectKind, IdentifierScheme] = {
    ObjectKind.ORDER: IdentifierScheme.ORDER_NUMBER,
    ObjectKind.ORDER_LINE: IdentifierScheme.SOURCE_ID,
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
# How many events without a tracked object a message lists.
MAX_LISTED = 5
ORDER_SCOPE_TYPES = frozenset({EventType.ORDER_RECEIVED})


class Ocel(Connector):
    """Event logs of process mining tools and ERP extractors.

    Object types (order, item, delivery, package, invoice, return) are recognized by their usual
    names. An item is a line or piece of one order, the one that an event or a relation of the log
    names it with; events that name only items, or packages of such items, then belong to that
    order. A product is no such piece: many orders have it. Authentication is the same as for
    CloudEvents.
    """

    slug = "ocel"
    title = "OCEL 2.0 event log"
    role = SourceRole.OTHER
    reception = "sent with a bearer token, or `manage.py import-ocel FILE --source <slug>`"
    accepts_files = True
    setup = (
        "Send each log by POST to the webhook URL, with the header Authorization: Bearer and the "
        "secret of this source.\n"
        "Large logs are imported with manage.py import-ocel."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "order_number",
            "The number range of order ids, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders",
        ),
        Setting(
            "objects",
            "Custom names of object types, such as Box=package, Beleg=invoice.",
            check=check_object_names_setting,
            label="Names of object types",
        ),
        Setting(
            "activities",
            "Custom names of activities, such as Book order=order.received.",
            check=check_activity_names_setting,
            label="Names of activities",
        ),
        Setting(
            "zone",
            "The IANA time zone of times without an offset.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone",
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
        ignored: list[str] = []
        for node in root.list_at("events"):
            try:
                if event := self._parse_event(node, log, linked_pairs):
                    events.append(event)
                else:
                    ignored.append(node.required_text("id"))
            except PayloadError as error:
                errors.append(error)
        return ParseResult(tuple(events), tuple(errors), _ignored_events_text(ignored))

    def _index_log_objects(self, root: Node) -> ObjectsAndOrders:
        custom_names = parse_custom_names(self.parsed_settings.text("objects"))
        objects: dict[str, LogObject] = {}
        pairs: list[tuple[str, str]] = []
        for node in root.list_at("objects"):
            object_id = node.required_text("id")
            kind = kind_of_exported_id(object_id) or object_kind_of_type_name(
                node.required_text("type"), custom_names
            )
            pairs += [
                (object_id, r.required_text("objectId")) for r in node.list_at("relationships")
            ]
            if kind:
                objects[object_id] = LogObject(object_id, kind, sku_of_item(node) or object_id)
        orders: dict[str, list[str]] = defaultdict(list)
        for first, second in (*pairs, *((b, a) for a, b in pairs)):
            if first in objects and second in objects and objects[second].kind is ObjectKind.ORDER:
                orders[first].append(second)
        return ObjectsAndOrders(
            objects, {k: list(dict.fromkeys(order_ids)) for k, order_ids in orders.items()}
        )

    def _pairs_in_event(self, root: Node, log: ObjectsAndOrders) -> frozenset[tuple[str, str]]:
        """Return the (object, order) pairs that occur together in any event."""
        linked: set[tuple[str, str]] = set()
        for node in root.list_at("events"):
            object_ids = [o.id for o in objects_of_event(node, log)]
            linked |= {
                (object_id, order)
                for object_id in object_ids
                for order in log.orders.get(object_id, ())
                if order in object_ids
            }
        return frozenset(linked)

    def _parse_event(
        self, node: Node, log: ObjectsAndOrders, linked_pairs: frozenset[tuple[str, str]]
    ) -> CanonicalEvent | None:
        """Convert an event. Returns None if it refers to no tracked object."""
        activity = node.required_text("type")
        names = parse_custom_names(self.parsed_settings.text("activities"))
        kind = event_type_of_activity(activity, names)
        event_objects = objects_of_event(node, log)
        items = [o for o in event_objects if o.kind in ITEM_KINDS]
        orders = orders_of_event_or_of_its_objects(event_objects, items, log, linked_pairs)
        others = [o for o in event_objects if o.kind in SCHEMES and o.kind is not ObjectKind.ORDER]
        named = (*orders, *others)
        objects = tuple(self._build_object_ref(o) for o in named)
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
            lines=build_lines_of_single_items(items, named, kind, log),
            scope="" if kind in ORDER_SCOPE_TYPES else f"event {event_id}",
            attributes=attributes_of_event(node, event_objects),
            other_attributes=other_attributes_of_event(node),
            raw_type=activity if kind is None or kind.value != activity else "",
            flags=(Flag.SANITIZED,) * node.was_sanitized,
        )

    def _build_object_ref(self, log_object: LogObject) -> ObjectReference:
        """Create a reference. Ids of our own export (kind:scheme:issuer:value) are decoded."""
        if kind_of_exported_id(log_object.id):
            _, own_scheme, own_issuer, value = log_object.id.split(":", 3)
            identifier = EventIdentifier(IdentifierScheme(own_scheme), value, own_issuer)
            return ObjectReference(log_object.kind, (identifier,))
        scheme, issuer = SCHEMES[log_object.kind], self.source_slug
        if log_object.kind is ObjectKind.ORDER:
            read_number = self.parsed_settings.identifier_scheme_and_issuer
            scheme, issuer = read_number("order_number", (scheme, issuer))
        return ObjectReference(log_object.kind, (EventIdentifier(scheme, log_object.id, issuer),))


def _ignored_events_text(event_ids: Sequence[str]) -> str:
    """What to say of events without a tracked object."""
    if not event_ids:
        return ""
    few = ", ".join(event_ids[:MAX_LISTED]) + ", ..." * (len(event_ids) > MAX_LISTED)
    count = "1 event names" if len(event_ids) == 1 else f"{len(event_ids)} events name"
    return f"{count} no order and no object of an order: {few}"
