"""Shopify fulfillments: shipments, their packages and carrier status."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.shopify.fields import (
    ShopifyReader,
    build_item_lines,
    format_time,
    required_id_without_gid_prefix,
)


class FulfillmentReader(ShopifyReader):
    """Reads fulfillments. A fulfillment with two tracking numbers has two packages."""

    # None: not shipped (yet).
    statuses: ClassVar[Mapping[str, EventType | None]] = {
        "success": EventType.SHIPMENT_CONFIRMED,
        "cancelled": EventType.SHIPMENT_VOID,
        "pending": None,
        "open": None,
        "error": None,
        "failure": None,
    }
    # `shipment_status` of a fulfillment and `status` of a fulfillment event.
    carrier_statuses: ClassVar[Mapping[str, EventType]] = {
        "label_printed": EventType.LABEL_CREATED,
        "label_purchased": EventType.LABEL_CREATED,
        "confirmed": EventType.LABEL_CREATED,
        "carrier_picked_up": EventType.PICKED_UP,
        "in_transit": EventType.IN_TRANSIT,
        "out_for_delivery": EventType.OUT_FOR_DELIVERY,
        "attempted_delivery": EventType.ATTEMPTED,
        "ready_for_pickup": EventType.AVAILABLE_FOR_PICKUP,
        "picked_up": EventType.DELIVERED,  # by the customer, at the counter
        "delivered": EventType.DELIVERED,
        "delayed": EventType.DELAYED,
        "failure": EventType.SHIPMENT_EXCEPTION,
    }

    def fulfillment_events(self, node: Node, order: ObjectReference) -> Iterator[CanonicalEvent]:
        """Yield the shipment and its last carrier status. `fulfilled` does not mean delivered."""
        name, status = (
            f"fulfillment {required_id_without_gid_prefix(node, 'id')}",
            node.required_text("status"),
        )
        kind = self.statuses.get(status, EventType.UNMAPPED)
        if kind is None:
            return
        objects = (order, self._shipment_reference(node), *_package_references(node))
        carrier = node.text_at("tracking_company")
        attributes = {Attribute.CARRIER: carrier, Attribute.STATUS: status}
        if kind is not EventType.SHIPMENT_CONFIRMED:
            at = self.last_change_time(node)
            raw_type = status if kind is EventType.UNMAPPED else ""
            key = f"{name} {status} {format_time(at)}".strip()
            yield build_event(
                kind, key, at, *objects, scope=name, attributes=attributes, raw_type=raw_type
            )
            return
        yield build_event(
            kind,
            f"{name} confirmed",
            self.first_present_time(node, "created_at"),
            *objects,
            lines=build_item_lines(node, Measure.SHIPPED),
            scope=name,
            attributes=attributes,
            revision=self.revision(node),
        )
        yield from self._carrier_status_events(node, name, objects, carrier)

    def _carrier_status_events(
        self, node: Node, name: str, objects: tuple[ObjectReference, ...], carrier: str
    ) -> Iterator[CanonicalEvent]:
        """Yield the carrier status. It has no time of its own; the last update's is used."""
        status = node.text_at("shipment_status")
        if status:
            at = self.last_change_time(node)
            yield build_event(
                self.carrier_statuses.get(status, EventType.UNMAPPED),
                f"{name} {status} {format_time(at)}".strip(),
                at,
                *objects,
                attributes={Attribute.CARRIER: carrier, Attribute.STATUS: status},
                raw_type=status,
                flags=(Flag.TIME_OF_REPORT,),
            )

    def scan_events(self, node: Node) -> Iterator[CanonicalEvent]:
        """Yield the carrier scan of fulfillment_events/create."""
        status, eta = (
            node.required_text("status"),
            self.first_present_time(node, "estimated_delivery_at"),
        )
        address = [node.text_at(key) for key in ("city", "province", "country")]
        yield build_event(
            self.carrier_statuses.get(status, EventType.UNMAPPED),
            f"fulfillment event {required_id_without_gid_prefix(node, 'id')}",
            self.first_present_time(node, "happened_at", "created_at"),
            self.object_reference(node, "order_id"),
            self.object_reference(node, "fulfillment_id", ObjectKind.SHIPMENT),
            attributes={
                Attribute.STATUS: status,
                Attribute.DETAIL: node.text_at("message"),
                Attribute.LOCATION: ", ".join(field for field in address if field),
                Attribute.ETA: format_rfc3339(eta.time) if eta else "",
            },
            revision=self.revision(node),
            raw_type=status,
        )

    def _shipment_reference(self, node: Node) -> ObjectReference:
        ref, name = (
            self.object_reference(node, "id", ObjectKind.SHIPMENT),
            blank_if_placeholder(node.text_at("name")),
        )
        numbers = (EventIdentifier(IdentifierScheme.SHIPMENT, name, self.source),) if name else ()
        return ObjectReference(ref.kind, (*ref.identifiers, *numbers))


def _package_references(node: Node) -> Iterator[ObjectReference]:
    """Yield the packages. Old payloads have only `tracking_number`, not `tracking_numbers`."""
    numbers = [item.as_text() for item in node.list_at("tracking_numbers")]
    for text in dict.fromkeys(numbers or [node.text_at("tracking_number")]):
        if blank_if_placeholder(text):
            yield ObjectReference(
                ObjectKind.PACKAGE,
                (EventIdentifier(IdentifierScheme.TRACKING, blank_if_placeholder(text)),),
            )
