"""Converts orders of Vendure, with their fulfillments and refunds, to events.

https://docs.vendure.io/current/core/core-concepts/orders
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.build_references import build_reference, package_references
from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp

# A cart and an order are one entity; in these states it is a cart or a draft.
NOT_PLACED = frozenset({"Created", "Draft", "AddingItems", "ArrangingPayment"})


class VendureOrderReader:
    """Reads orders. Money is in minor units, times have an offset."""

    states: ClassVar[Mapping[str, EventType]] = {
        "PaymentAuthorized": EventType.ORDER_CHANGED,
        "PaymentSettled": EventType.ORDER_ACCEPTED,
        "PartiallyShipped": EventType.ORDER_ACCEPTED,
        "Shipped": EventType.ORDER_ACCEPTED,
        "PartiallyDelivered": EventType.ORDER_ACCEPTED,
        "Delivered": EventType.ORDER_ACCEPTED,
        "Modifying": EventType.ORDER_HELD,
        "ArrangingAdditionalPayment": EventType.ORDER_HELD,
        "Cancelled": EventType.ORDER_CANCELLED,
    }
    # None: not shipped yet.
    fulfillment_states: ClassVar[Mapping[str, EventType | None]] = {
        "Created": None,
        "Pending": None,
        "Shipped": EventType.SHIPMENT_CONFIRMED,
        "Delivered": EventType.DELIVERED,
        "Cancelled": EventType.SHIPMENT_VOID,
    }

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def order_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the events of an order; none while it is a cart."""
        state = order.required_text("state")
        placed = parse_time(order, "orderPlacedAt")
        if state in NOT_PLACED or (state == "Cancelled" and not placed):
            return
        number, revision = order.required_text("id"), _format(parse_time(order, "updatedAt"))
        name, reference = f"order {number}", self._reference(order)
        items = {line.required_text("id"): line for line in order.list_at("lines")}
        yield build_event(
            EventType.ORDER_RECEIVED,
            name,
            placed or parse_time(order, "createdAt"),
            reference,
            lines=[
                _line(item, key, _ordered(item), Measure.ORDERED) for key, item in items.items()
            ],
            attributes=self._attributes(order),
            revision=revision,
        )
        cancelled = [
            _line(item, key, units, Measure.CANCELLED)
            for key, item in items.items()
            if (units := _ordered(item) - _quantity(item)) > 0
        ]
        yield from self._state_events(order, state, name, reference, cancelled)
        for fulfillment in order.list_at("fulfillments"):
            yield from self._fulfillment_events(fulfillment, reference, items)
        for payment in order.list_at("payments"):
            for refund in payment.list_at("refunds"):
                yield from self._refund_events(refund, order, reference, items)

    def _state_events(
        self,
        order: Node,
        state: str,
        name: str,
        reference: ObjectReference,
        cancelled: list[EventLine],
    ) -> Iterator[CanonicalEvent]:
        kind = self.states.get(state, EventType.UNMAPPED)
        updated = parse_time(order, "updatedAt")
        is_cancelled = kind is EventType.ORDER_CANCELLED
        yield build_event(
            kind,
            f"{name} state",  # of a hold, its end and a cancellation only the newest holds
            updated,
            reference,
            lines=cancelled if is_cancelled else (),
            attributes={Attribute.STATUS: state},
            revision=_format(updated),
            raw_type=state if kind is EventType.UNMAPPED else "",
            flags=(Flag.TIME_OF_REPORT,),
        )
        if cancelled and not is_cancelled:
            yield build_event(
                EventType.ORDER_CHANGED,
                f"{name} cancelled units",
                updated,
                reference,
                lines=cancelled,
                revision=_format(updated),
                complete_measures=(Measure.CANCELLED,),
                flags=(Flag.TIME_OF_REPORT,),
            )

    def _fulfillment_events(
        self, fulfillment: Node, order: ObjectReference, items: Mapping[str, Node]
    ) -> Iterator[CanonicalEvent]:
        """Yield the shipment, and its delivery or cancellation.

        A fulfillment has only the time of its last change. So a delivered one has a lower revision
        as a shipment: if it was seen before, the time when it was shipped stays.
        """
        number, state = fulfillment.required_text("id"), fulfillment.required_text("state")
        kind = self.fulfillment_states.get(state, EventType.UNMAPPED)
        if kind is None:
            return
        name, at = f"fulfillment {number}", parse_time(fulfillment, "updatedAt")
        objects = (
            order,
            build_reference(
                ObjectKind.SHIPMENT, "id", (IdentifierScheme.SHIPMENT, number, self.source)
            ),
            *package_references([fulfillment.text_at("trackingCode")]),
        )
        attributes = {
            Attribute.CARRIER: fulfillment.text_at("method"),
            Attribute.STATUS: state,
        }
        if kind in {EventType.SHIPMENT_CONFIRMED, EventType.DELIVERED}:
            is_shipped = kind is EventType.SHIPMENT_CONFIRMED
            lines = []
            for row in fulfillment.list_at("lines"):
                key = row.required_text("orderLineId")
                units = _quantity(row)
                lines.append(_line(items.get(key, row), key, units, Measure.SHIPPED))
            yield build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"{name} shipped",
                at,
                *objects,
                lines=lines,
                scope=name,
                attributes=attributes if is_shipped else {**attributes, Attribute.STATUS: ""},
                revision=_format(at) if is_shipped else "",
                flags=(Flag.TIME_OF_REPORT,),
            )
        if kind is not EventType.SHIPMENT_CONFIRMED:
            yield build_event(
                kind,
                f"{name} {state}",
                at,
                *objects,
                scope=name if kind is EventType.SHIPMENT_VOID else "",
                attributes=attributes,
                revision=_format(at),
                raw_type=f"fulfillment {state}" if kind is EventType.UNMAPPED else "",
                flags=(Flag.TIME_OF_REPORT,),
            )

    def _refund_events(
        self, refund: Node, order: Node, reference: ObjectReference, items: Mapping[str, Node]
    ) -> Iterator[CanonicalEvent]:
        """Yield a settled refund with its lines."""
        if refund.text_at("state") != "Settled":
            return
        name = f"refund {refund.required_text('id')}"
        rows = [(row, row.required_text("orderLineId")) for row in refund.list_at("lines")]
        yield build_event(
            EventType.CREDIT_ISSUED,
            name,
            parse_time(refund, "createdAt"),
            reference,
            lines=[
                _line(items.get(key, row), key, _quantity(row), Measure.CREDITED)
                for row, key in rows
            ],
            scope=name,
            attributes={
                Attribute.REASON: refund.text_at("reason"),
                Attribute.TOTAL: self._money(refund, "total"),
                Attribute.CURRENCY: order.text_at("currencyCode"),
            },
        )

    def _reference(self, order: Node) -> ObjectReference:
        return build_reference(
            ObjectKind.ORDER,
            "code",
            (IdentifierScheme.WEB_ORDER, order.text_at("code"), self.source),
            (IdentifierScheme.SOURCE_ID, order.text_at("id"), self.source),
        )

    def _attributes(self, order: Node) -> dict[Attribute, str]:
        customer, company = order.get("customer"), ""
        person = number = ""
        if isinstance(customer.value, dict):
            person = f"{customer.text_at('firstName')} {customer.text_at('lastName')}".strip()
            number = customer.text_at("id")
        for name in ("billingAddress", "shippingAddress"):
            address = order.get(name)
            if isinstance(address.value, dict):
                company = company or address.text_at("company")
        return {
            Attribute.CHANNEL: self.settings.text("channel"),
            Attribute.CUSTOMER_NO: number,
            Attribute.CUSTOMER_NAME: company or person,
            Attribute.CURRENCY: order.text_at("currencyCode"),
            Attribute.TOTAL: self._money(order, "totalWithTax"),
            Attribute.STATUS: order.text_at("state"),
        }

    def _money(self, node: Node, field: str) -> str:
        amount = node.decimal_at(field)
        if amount is None:
            return ""
        return format_decimal(amount.scaleb(-self.settings.integer("money_decimals")))


def order_of_notice(node: Node) -> tuple[str, str]:
    """Return `id` or `code`, and the text of it, of the order that a notice names.

    Raises PayloadError if it names none.
    """
    names = (("id", node, "orderId"), ("id", node.get("order"), "id"), ("code", node, "orderCode"))
    for field, holder, name in names:
        if isinstance(holder.value, dict) and holder.has_value(name):
            return field, holder.required_text(name)
    raise PayloadError(ParkReason.MAPPING, node.path or "$", "neither an order nor its id")


def parse_time(node: Node, field: str) -> ParsedTime | None:
    """Parse a time with an offset."""
    return parse_timestamp(node.text_at(field), node.get(field).path)


def _format(at: ParsedTime | None) -> str:
    return format_rfc3339(at.time) if at else ""


def _quantity(node: Node) -> Decimal:
    quantity = node.decimal_at("quantity")
    if quantity is None or quantity < 0:
        raise PayloadError(ParkReason.QUANTITY, f"{node.path}.quantity", "expected a quantity")
    return quantity


def _ordered(line: Node) -> Decimal:
    """The units that were ordered; `quantity` is what remains after cancellations."""
    return max(line.decimal_at("orderPlacedQuantity") or Decimal(), _quantity(line))


def _line(item: Node, line_id: str, units: Decimal, measure: Measure) -> EventLine:
    variant = item.get("productVariant")
    is_known = isinstance(variant.value, dict)
    return EventLine(
        line_id=line_id,
        sku=variant.text_at("sku") if is_known else "",
        description=variant.text_at("name") if is_known else "",
        quantities={measure: units},
    )
