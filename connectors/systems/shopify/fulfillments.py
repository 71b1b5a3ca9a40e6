"""Shopify's fulfilments: what left, in which parcels, and what the carrier says of them."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
    iso,
)
from connectors.sdk.payload import Node
from connectors.systems.shopify.fields import Shop, event, line, number, quantity, stamp


class Fulfilments(Shop):
    """Shipments by the shop's fulfilment id; a fulfilment with two numbers is two parcels."""

    # None: nothing has left yet, or never will.
    statuses: ClassVar[Mapping[str, EventType | None]] = {
        "success": EventType.SHIPMENT_CONFIRMED,
        "cancelled": EventType.SHIPMENT_VOID,
        "pending": None,
        "open": None,
        "error": None,
        "failure": None,
    }
    # `shipment_status` of a fulfilment and `status` of a fulfilment event.
    carried: ClassVar[Mapping[str, EventType]] = {
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

    def fulfilment(self, node: Node, order: Ref) -> Iterator[CanonicalEvent]:
        """A shipment and its carrier's last word. An order `fulfilled` or closed is no delivery."""
        name, status = f"fulfillment {number(node, 'id')}", node.need("status")
        kind = self.statuses.get(status, EventType.UNMAPPED)
        if kind is None:
            return
        objects = (order, self._shipment(node), *_packages(node))
        carrier = node.text("tracking_company")
        about = {Attribute.CARRIER: carrier, Attribute.STATUS: status}
        if kind is not EventType.SHIPMENT_CONFIRMED:
            at = self.when(node, "updated_at", "created_at")
            raw = status if kind is EventType.UNMAPPED else ""
            key = f"{name} {status} {stamp(at)}".strip()
            yield event(kind, key, at, *objects, part=name, about=about, raw=raw)
            return
        yield event(
            kind,
            f"{name} confirmed",
            self.when(node, "created_at"),
            *objects,
            lines=tuple(
                line(item, number(item, "id"), Measure.SHIPPED, quantity(item))
                for item in node.items("line_items")
            ),
            part=name,
            about=about,
            revision=self.revision(node),
        )
        yield from self._carried(node, name, objects, carrier)

    def _carried(
        self, node: Node, name: str, objects: tuple[Ref, ...], carrier: str
    ) -> Iterator[CanonicalEvent]:
        """`shipment_status` has no time of its own: it is that of the fulfilment's last change."""
        word = node.text("shipment_status")
        if word:
            at = self.when(node, "updated_at", "created_at")
            yield event(
                self.carried.get(word, EventType.UNMAPPED),
                f"{name} {word} {stamp(at)}".strip(),
                at,
                *objects,
                about={Attribute.CARRIER: carrier, Attribute.STATUS: word},
                raw=word,
            )

    def scan(self, node: Node) -> Iterator[CanonicalEvent]:
        """fulfillment_events/create: one word of the carrier."""
        word, eta = node.need("status"), self.when(node, "estimated_delivery_at")
        place = [node.text(key) for key in ("city", "province", "country")]
        yield event(
            self.carried.get(word, EventType.UNMAPPED),
            f"fulfillment event {number(node, 'id')}",
            self.when(node, "happened_at", "created_at"),
            self.named(node, "order_id"),
            self.named(node, "fulfillment_id", ObjectKind.SHIPMENT),
            about={
                Attribute.STATUS: word,
                Attribute.DETAIL: node.text("message"),
                Attribute.LOCATION: ", ".join(part for part in place if part),
                Attribute.ETA: iso(eta.at) if eta else "",
            },
            revision=self.revision(node),
            raw=word,
        )

    def _shipment(self, node: Node) -> Ref:
        own, name = self.named(node, "id", ObjectKind.SHIPMENT), identifying(node.text("name"))
        numbers = (Identifier(Scheme.SHIPMENT, name, self.source),) if name else ()
        return Ref(own.kind, (*own.identifiers, *numbers))


def _packages(node: Node) -> Iterator[Ref]:
    """`tracking_number` is the first of `tracking_numbers`; old payloads have it alone."""
    numbers = [item.as_text() for item in node.items("tracking_numbers")]
    for text in dict.fromkeys(numbers or [node.text("tracking_number")]):
        if identifying(text):
            yield Ref(ObjectKind.PACKAGE, (Identifier(Scheme.TRACKING, identifying(text)),))
