"""Shopify orders. An order snapshot contains several facts, each with its own key."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.identifiers import clean_number
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.systems.shopify.fields import (
    ShopifyReader,
    build_event,
    build_line,
    format_time,
    required_id,
    required_quantity,
)
from connectors.systems.shopify.fulfillments import FulfillmentReader

ZERO = Decimal(0)


class OrderReader(ShopifyReader):
    """Reads orders, edits, holds and refunds.

    Facts inside an order refer to it by id only, exactly as in their own webhooks, so that both
    reports have the same content hash.
    """

    # A refunded order was paid before.
    paid: ClassVar[frozenset[str]] = frozenset({"paid", "partially_refunded", "refunded"})

    def order_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield all facts of an order, its fulfillments and refunds included."""
        order_ref, name = self.reference(order, "id"), f"order {required_id(order, 'id')}"
        revision = self.revision(order)
        yield build_event(
            EventType.ORDER_RECEIVED,
            f"{name} received",
            self.first_time(order, "created_at", "processed_at"),
            ObjectReference(ObjectKind.ORDER, (*order_ref.identifiers, *self._numbers(order))),
            lines=tuple(
                build_line(item, required_id(item, "id"), Measure.ORDERED, required_quantity(item))
                for item in order.items("line_items")
            ),
            attributes=self._attributes(order),
            revision=revision,
        )
        status = order.text("financial_status")
        if status in self.paid:
            at = self.first_time(order, "processed_at", "created_at")
            key = f"{name} accepted"
            yield build_event(
                EventType.ORDER_ACCEPTED, key, at, order_ref, revision=revision, raw_type=status
            )
        yield from self._cancellations(order, order_ref, name)
        fulfillments = FulfillmentReader(self.config, self.source)
        for fulfillment in order.items("fulfillments"):
            yield from fulfillments.fulfillment_events(fulfillment, order_ref)
        for refund in order.items("refunds"):
            yield from self.refund_events(refund, order_ref)

    def _cancellations(
        self, order: Node, order_ref: ObjectReference, name: str
    ) -> Iterator[CanonicalEvent]:
        """Yield the cancellation of the order, or of quantities that edits removed."""
        removed = tuple(_removed_quantities(order))
        if order.has("cancelled_at"):
            yield build_event(
                EventType.ORDER_CANCELLED,
                f"{name} cancelled",
                self.first_time(order, "cancelled_at"),
                order_ref,
                lines=removed,
                attributes={Attribute.REASON: order.text("cancel_reason")},
                revision=self.revision(order),
            )
        elif removed:
            # The order has no time of an edit, so the time of the snapshot is used.
            at = self.first_time(order, "updated_at")
            key = f"{name} changed {format_time(at)}".strip()
            yield build_event(EventType.ORDER_CHANGED, key, at, order_ref, lines=removed)

    def edit_events(self, edit: Node) -> Iterator[CanonicalEvent]:
        """Yield orders/edited without lines: it has only deltas, the next snapshot has totals."""
        yield build_event(
            EventType.ORDER_CHANGED,
            f"order edit {required_id(edit, 'id')}",
            self.first_time(edit, "created_at"),
            self.reference(edit, "order_id"),
        )

    def refund_events(self, refund: Node, order: ObjectReference) -> Iterator[CanonicalEvent]:
        """Yield the credit with its lines. Refunds of an amount only have no lines."""
        name = f"refund {required_id(refund, 'id')}"
        yield build_event(
            EventType.CREDIT_ISSUED,
            name,
            self.first_time(refund, "processed_at", "created_at"),
            order,
            lines=tuple(_credited(item) for item in refund.items("refund_line_items")),
            scope=name,
            attributes={Attribute.REASON: refund.text("note")},
        )

    def hold_events(self, kind: EventType, node: Node) -> Iterator[CanonicalEvent]:
        """Yield a hold or its release. Recent webhook versions send no order id."""
        if not node.has("order_id"):
            raise PayloadError(
                ParkReason.REFERENCE,
                "order_id",
                "the webhook has a fulfillment order id but no order id",
            )
        at = self.first_time(node, "updated_at", "created_at")
        reasons = [hold.text("reason") for hold in node.items("fulfillment_holds")]
        action = kind.value.removeprefix("order.")
        yield build_event(
            kind,
            f"fulfillment order {required_id(node, 'id')} {action} {format_time(at)}".strip(),
            at,
            self.reference(node, "order_id"),
            attributes={
                Attribute.STATUS: node.text("status"),
                Attribute.REASON: ", ".join(reason for reason in reasons if reason),
            },
        )

    def unmapped_events(self, node: Node, topic: str) -> Iterator[CanonicalEvent]:
        """Yield an unmapped event for an unknown topic. Raises PayloadError without an order."""
        is_nested = isinstance(node.get("order").value, dict)
        order_node, key = (node.required_object("order"), "id") if is_nested else (node, "order_id")
        if not order_node.has(key):
            detail = f"unknown topic {topic}" if topic else "the topic is missing"
            raise PayloadError(ParkReason.MAPPING, "topic", f"{detail}, and there is no order id")
        at = self.first_time(node, "updated_at", "created_at")
        key_fields = (topic, node.text("id"), format_time(at))
        name = " ".join(field for field in key_fields if field)
        yield build_event(
            EventType.UNMAPPED, name, at, self.reference(order_node, key), raw_type=topic
        )

    def _numbers(self, order: Node) -> Iterator[EventIdentifier]:
        name, order_number = (
            clean_number(order.text("name")),
            clean_number(order.text("order_number")),
        )
        po, customer = clean_number(order.text("po_number")), self._customer(order)
        if name:
            yield EventIdentifier(IdentifierScheme.WEB_ORDER, name, self.source)
        if order_number and order_number != "".join(char for char in name if char.isdecimal()):
            yield EventIdentifier(
                IdentifierScheme.ORDER_NUMBER, order_number, self.source, strong=False
            )
        if po:
            yield EventIdentifier(IdentifierScheme.CUSTOMER_PO, po, customer, strong=bool(customer))

    def _customer(self, order: Node) -> str:
        """Return the customer number of the ERP, if the shop writes it into a note attribute."""
        attribute_name = self.config.get("customer_attribute", "")
        notes = order.items("note_attributes") if attribute_name else []
        values = (note.text("value") for note in notes if note.text("name") == attribute_name)
        return clean_number(next(values, ""))

    def _attributes(self, order: Node) -> dict[Attribute, str]:
        company = person = ""
        if order.has("shipping_address"):
            company = order.required_object("shipping_address").text("company")
        if order.has("customer"):
            customer = order.required_object("customer")
            person = f"{customer.text('first_name')} {customer.text('last_name')}".strip()
        return {
            Attribute.CHANNEL: self.config.get("channel", "") or "web",
            Attribute.CURRENCY: order.text("currency"),
            Attribute.TOTAL: order.text("current_total_price") or order.text("total_price"),
            Attribute.CUSTOMER_NO: self._customer(order),
            Attribute.CUSTOMER_NAME: company or person,
            Attribute.STATUS: order.text("fulfillment_status") or order.text("financial_status"),
        }


def _credited(item: Node) -> EventLine:
    line_node = item.required_object("line_item") if item.has("line_item") else item
    return build_line(
        line_node, required_id(item, "line_item_id"), Measure.CREDITED, required_quantity(item)
    )


def _removed_quantities(order: Node) -> Iterator[EventLine]:
    """Yield quantities removed from the order without a return.

    `current_quantity` is `quantity` minus everything removed, cancelled or returned. A `no_restock`
    refund may be for shipped or for unshipped goods; it counts as returned up to what was shipped.
    """
    shipped: dict[str, Decimal] = {}
    for fulfillment in order.items("fulfillments"):
        if fulfillment.text("status") == "success":
            _add_quantities(shipped, fulfillment.items("line_items"), "id")
    returned: dict[str, Decimal] = {}
    no_restock: dict[str, Decimal] = {}
    for refund in order.items("refunds"):
        for item in refund.items("refund_line_items"):
            kind = item.text("restock_type")
            if kind != "cancel":
                _add_quantities(
                    returned if kind == "return" else no_restock, [item], "line_item_id"
                )
    for item in order.items("line_items"):
        line_id, current = required_id(item, "id"), item.decimal("current_quantity")
        returned_quantity = returned.get(line_id, ZERO)
        returned_quantity += min(no_restock.get(line_id, ZERO), shipped.get(line_id, ZERO))
        removed = ZERO if current is None else required_quantity(item) - current - returned_quantity
        if removed > 0:
            yield build_line(item, line_id, Measure.CANCELLED, removed)


def _add_quantities(totals: dict[str, Decimal], items: Iterable[Node], key: str) -> None:
    for item in items:
        line_id = required_id(item, key)
        totals[line_id] = totals.get(line_id, ZERO) + required_quantity(item)
