"""Shopify orders. An order snapshot contains several facts, each with its own key."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.event_builder import build_event
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
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.shopify.fields import (
    ShopifyReader,
    build_item_lines,
    build_line,
    format_time,
    required_id_without_gid_prefix,
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

    def order_fulfillment_and_refund_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield all facts of an order, its fulfillments and refunds included."""
        order_ref, name = (
            self.object_reference(order, "id"),
            f"order {required_id_without_gid_prefix(order, 'id')}",
        )
        revision = self.revision(order)
        yield build_event(
            EventType.ORDER_RECEIVED,
            f"{name} received",
            self.first_present_time(order, "created_at", "processed_at"),
            ObjectReference(
                ObjectKind.ORDER, (*order_ref.identifiers, *self._order_identifiers(order))
            ),
            lines=build_item_lines(order, Measure.ORDERED),
            attributes=self._order_attributes(order),
            revision=revision,
        )
        status = order.text_at("financial_status")
        if status in self.paid:
            at = self.first_present_time(order, "processed_at", "created_at")
            key = f"{name} accepted"
            yield build_event(
                EventType.ORDER_ACCEPTED, key, at, order_ref, revision=revision, raw_type=status
            )
        yield from self._cancellation_or_removal_events(order, order_ref, name)
        fulfillments = FulfillmentReader(self.settings, self.source)
        for fulfillment in order.list_at("fulfillments"):
            yield from fulfillments.fulfillment_events(fulfillment, order_ref)
        for refund in order.list_at("refunds"):
            yield from self.credit_events_of_refund(refund, order_ref)

    def _cancellation_or_removal_events(
        self, order: Node, order_ref: ObjectReference, name: str
    ) -> Iterator[CanonicalEvent]:
        """Yield the cancellation of the order, or of quantities that edits removed."""
        removed = tuple(_removed_quantity_lines(order))
        if order.has_value("cancelled_at"):
            yield build_event(
                EventType.ORDER_CANCELLED,
                f"{name} cancelled",
                self.first_present_time(order, "cancelled_at"),
                order_ref,
                lines=removed,
                attributes={Attribute.REASON: order.text_at("cancel_reason")},
                revision=self.revision(order),
            )
        elif removed:
            # The order has no time of an edit, so the time of the snapshot is used.
            at = self.first_present_time(order, "updated_at")
            key = f"{name} changed {format_time(at)}".strip()
            yield build_event(EventType.ORDER_CHANGED, key, at, order_ref, lines=removed)

    def order_edit_events_without_lines(self, edit: Node) -> Iterator[CanonicalEvent]:
        """Yield orders/edited without lines: it has only deltas, the next snapshot has totals."""
        yield build_event(
            EventType.ORDER_CHANGED,
            f"order edit {required_id_without_gid_prefix(edit, 'id')}",
            self.first_present_time(edit, "created_at"),
            self.object_reference(edit, "order_id"),
        )

    def credit_events_of_refund(
        self, refund: Node, order: ObjectReference
    ) -> Iterator[CanonicalEvent]:
        """Yield the credit with its lines. Refunds of an amount only have no lines."""
        name = f"refund {required_id_without_gid_prefix(refund, 'id')}"
        yield build_event(
            EventType.CREDIT_ISSUED,
            name,
            self.first_present_time(refund, "processed_at", "created_at"),
            order,
            lines=tuple(_credited_line(item) for item in refund.list_at("refund_line_items")),
            scope=name,
            attributes={Attribute.REASON: refund.text_at("note")},
        )

    def hold_events(self, kind: EventType, node: Node) -> Iterator[CanonicalEvent]:
        """Yield a hold or its release. Recent webhook versions send no order id."""
        if not node.has_value("order_id"):
            raise PayloadError(
                ParkReason.REFERENCE,
                "order_id",
                "the webhook has a fulfillment order id but no order id",
            )
        at = self.last_change_time(node)
        reasons = [hold.text_at("reason") for hold in node.list_at("fulfillment_holds")]
        action = kind.value.removeprefix("order.")
        number = required_id_without_gid_prefix(node, "id")
        yield build_event(
            kind,
            f"fulfillment order {number} {action} {format_time(at)}".strip(),
            at,
            self.object_reference(node, "order_id"),
            attributes={
                Attribute.STATUS: node.text_at("status"),
                Attribute.REASON: ", ".join(reason for reason in reasons if reason),
            },
        )

    def unmapped_events(self, node: Node, topic: str) -> Iterator[CanonicalEvent]:
        """Yield an unmapped event for an unknown topic. Raises PayloadError without an order."""
        is_nested = isinstance(node.get("order").value, dict)
        order_node, key = (node.required_object("order"), "id") if is_nested else (node, "order_id")
        if not order_node.has_value(key):
            detail = f"unknown topic {topic}" if topic else "the topic is missing"
            raise PayloadError(ParkReason.MAPPING, "topic", f"{detail}, and there is no order id")
        at = self.last_change_time(node)
        key_fields = (topic, node.text_at("id"), format_time(at))
        name = " ".join(field for field in key_fields if field)
        yield build_event(
            EventType.UNMAPPED, name, at, self.object_reference(order_node, key), raw_type=topic
        )

    def _order_identifiers(self, order: Node) -> Iterator[EventIdentifier]:
        name, order_number = (
            blank_if_placeholder(order.text_at("name")),
            blank_if_placeholder(order.text_at("order_number")),
        )
        po, customer = (
            blank_if_placeholder(order.text_at("po_number")),
            self._erp_customer_number_from_note_attribute(order),
        )
        if name:
            yield EventIdentifier(IdentifierScheme.WEB_ORDER, name, self.source)
        if order_number and order_number != "".join(char for char in name if char.isdecimal()):
            yield EventIdentifier(
                IdentifierScheme.ORDER_NUMBER, order_number, self.source, strong=False
            )
        if po:
            yield EventIdentifier(IdentifierScheme.CUSTOMER_PO, po, customer, strong=bool(customer))

    def _erp_customer_number_from_note_attribute(self, order: Node) -> str:
        """Return the customer number of the ERP, if the shop writes it into a note attribute."""
        attribute_name = self.settings.text("customer_attribute")
        notes = order.list_at("note_attributes") if attribute_name else []
        values = (note.text_at("value") for note in notes if note.text_at("name") == attribute_name)
        return blank_if_placeholder(next(values, ""))

    def _order_attributes(self, order: Node) -> dict[Attribute, str]:
        company = person = ""
        if order.has_value("shipping_address"):
            company = order.required_object("shipping_address").text_at("company")
        if order.has_value("customer"):
            customer = order.required_object("customer")
            person = f"{customer.text_at('first_name')} {customer.text_at('last_name')}".strip()
        return {
            Attribute.CHANNEL: self.settings.text("channel"),
            Attribute.CURRENCY: order.text_at("currency"),
            Attribute.TOTAL: order.text_at("current_total_price") or order.text_at("total_price"),
            Attribute.CUSTOMER_NO: self._erp_customer_number_from_note_attribute(order),
            Attribute.CUSTOMER_NAME: company or person,
            Attribute.STATUS: order.text_at("fulfillment_status")
            or order.text_at("financial_status"),
        }


def _credited_line(item: Node) -> EventLine:
    line_node = item.required_object("line_item") if item.has_value("line_item") else item
    return build_line(
        line_node,
        required_id_without_gid_prefix(item, "line_item_id"),
        Measure.CREDITED,
        required_quantity(item),
    )


def _removed_quantity_lines(order: Node) -> Iterator[EventLine]:
    """Yield quantities removed from the order without a return.

    `current_quantity` is `quantity` minus everything removed, cancelled or returned. A `no_restock`
    refund may be for shipped or for unshipped goods; it counts as returned up to what was shipped.
    """
    shipped: dict[str, Decimal] = {}
    for fulfillment in order.list_at("fulfillments"):
        if fulfillment.text_at("status") == "success":
            _add_quantities_by_line_id(shipped, fulfillment.list_at("line_items"), "id")
    returned: dict[str, Decimal] = {}
    no_restock: dict[str, Decimal] = {}
    for refund in order.list_at("refunds"):
        for item in refund.list_at("refund_line_items"):
            kind = item.text_at("restock_type")
            if kind != "cancel":
                _add_quantities_by_line_id(
                    returned if kind == "return" else no_restock, [item], "line_item_id"
                )
    for item in order.list_at("line_items"):
        line_id, current = (
            required_id_without_gid_prefix(item, "id"),
            item.decimal_at("current_quantity"),
        )
        returned_quantity = returned.get(line_id, ZERO)
        returned_quantity += min(no_restock.get(line_id, ZERO), shipped.get(line_id, ZERO))
        removed = ZERO if current is None else required_quantity(item) - current - returned_quantity
        if removed > 0:
            yield build_line(item, line_id, Measure.CANCELLED, removed)


def _add_quantities_by_line_id(totals: dict[str, Decimal], items: Iterable[Node], key: str) -> None:
    for item in items:
        line_id = required_id_without_gid_prefix(item, key)
        totals[line_id] = totals.get(line_id, ZERO) + required_quantity(item)
