"""Shopify orders. An order snapshot contains several facts, each with its own key."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
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
from connectors.systems.shopify.refund_amount import refund_amount_attributes
from connectors.systems.shopify.removed_units import (
    CANCEL,
    RETURN,
    ZERO,
    CancelledAndReturnedUnits,
    cancelled_and_returned_by_line_id,
)

# Quantities that a snapshot of an order reports completely, by the lines that have any.
REMOVED_MEASURES = (Measure.CANCELLED, Measure.RETURNED)
# A snapshot of a new order cannot take anything back.
JUST_CREATED = timedelta(minutes=1)


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
        removed = cancelled_and_returned_by_line_id(order)
        yield from self._cancellation_or_removal_events(order, order_ref, name, removed)
        fulfillments = FulfillmentReader(self.settings, self.source)
        for fulfillment in order.list_at("fulfillments"):
            yield from fulfillments.fulfillment_events(fulfillment, order_ref)
        unsent = {n: u.cancelled_without_restock for n, u in removed.items()}
        for refund in order.list_at("refunds"):
            yield from self.credit_events_of_refund(refund, order_ref, unsent, revision)

    def _cancellation_or_removal_events(
        self,
        order: Node,
        order_ref: ObjectReference,
        name: str,
        removed: Mapping[str, CancelledAndReturnedUnits],
    ) -> Iterator[CanonicalEvent]:
        """Yield the cancellation of the order, or the quantities that were removed.

        A later snapshot in which nothing is removed takes earlier removals back, so it is an event.
        """
        lines = tuple(_removed_quantity_lines(order, removed))
        created, updated = (
            self.first_present_time(order, key) for key in ("created_at", "updated_at")
        )
        if order.has_value("cancelled_at"):
            yield build_event(
                EventType.ORDER_CANCELLED,
                f"{name} cancelled",
                self.first_present_time(order, "cancelled_at"),
                order_ref,
                lines=lines,
                attributes={Attribute.REASON: order.text_at("cancel_reason")},
                revision=self.revision(order),
            )
        elif lines:
            # The order has no time of an edit, so the time of the snapshot is used.
            key = f"{name} changed {format_time(updated)}".strip()
            yield build_event(
                EventType.ORDER_CHANGED,
                key,
                updated,
                order_ref,
                lines=lines,
                complete_measures=REMOVED_MEASURES,
            )
        elif created and updated and updated.time - created.time > JUST_CREATED:
            yield build_event(
                EventType.ORDER_CHANGED,
                f"{name} nothing removed",
                updated,
                order_ref,
                revision=self.revision(order),
                complete_measures=REMOVED_MEASURES,
            )

    def order_edit_events_without_lines(self, edit: Node) -> Iterator[CanonicalEvent]:
        """Yield orders/edited without lines: it has only deltas, the next snapshot has totals."""
        yield build_event(
            EventType.ORDER_CHANGED,
            f"order edit {required_id_without_gid_prefix(edit, 'id')}",
            self.first_present_time(edit, "created_at"),
            self.object_reference(edit, "order_id"),
        )

    def credit_events_of_refund(
        self,
        refund: Node,
        order: ObjectReference,
        unsent: dict[str, Decimal] | None = None,
        order_revision: str = "",
    ) -> Iterator[CanonicalEvent]:
        """Yield the credit with its lines. Refunds of an amount only have no lines.

        `unsent`: by line id, the units refunded without restock that were not sent, which only the
        order tells. Then the event has the revision of the order and replaces that of the refund's
        own webhook.
        """
        name = f"refund {required_id_without_gid_prefix(refund, 'id')}"
        unsent = unsent or {}
        before = sum(unsent.values(), ZERO)
        lines = tuple(
            _build_cancelled_or_credited_line(item, unsent)
            for item in refund.list_at("refund_line_items")
        )
        amount = refund_amount_attributes(refund)
        # A refund with its amount is newer than one whose payment was pending.
        revision = "0" if amount else ""
        yield build_event(
            EventType.CREDIT_ISSUED,
            name,
            self.first_present_time(refund, "processed_at", "created_at"),
            order,
            lines=lines,
            scope=name,
            attributes={Attribute.REASON: refund.text_at("note"), **amount},
            revision=order_revision if before != sum(unsent.values(), ZERO) else revision,
        )

    def hold_or_release_events(self, kind: EventType, node: Node) -> Iterator[CanonicalEvent]:
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
            scope=f"fulfillment order {number}",
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


def _build_cancelled_or_credited_line(item: Node, unsent: dict[str, Decimal]) -> EventLine:
    """A refunded line. Units that were not sent are cancelled; the others are credited.

    `unsent`: by line id, the units refunded without restock that were not sent; it is used up.
    """
    line_node = item.required_object("line_item") if item.has_value("line_item") else item
    line_id, quantity = (
        required_id_without_gid_prefix(item, "line_item_id"),
        required_quantity(item),
    )
    restock_type = item.text_at("restock_type")
    if restock_type == CANCEL:
        return build_line(line_node, line_id, Measure.CANCELLED, quantity)
    line = build_line(line_node, line_id, Measure.CREDITED, quantity)
    cancelled = ZERO if restock_type == RETURN else min(quantity, unsent.get(line_id, ZERO))
    if not cancelled:
        return line
    unsent[line_id] -= cancelled
    quantities = {Measure.CANCELLED: cancelled, Measure.CREDITED: quantity - cancelled}
    return replace(line, quantities={m: q for m, q in quantities.items() if q})


def _removed_quantity_lines(
    order: Node, removed: Mapping[str, CancelledAndReturnedUnits]
) -> Iterator[EventLine]:
    """Yield the cancelled and returned units of each line that has any."""
    for item in order.list_at("line_items"):
        line_id = required_id_without_gid_prefix(item, "id")
        units = removed.get(line_id, CancelledAndReturnedUnits())
        quantities = {Measure.CANCELLED: units.cancelled, Measure.RETURNED: units.returned}
        if any(quantities.values()):
            line = build_line(item, line_id, Measure.CANCELLED, units.cancelled)
            yield replace(line, quantities={m: q for m, q in quantities.items() if q})
