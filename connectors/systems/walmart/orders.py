"""Converts orders of Walmart Marketplace to events. A status belongs to units of a line.

https://developer.walmart.com/us-marketplace/reference/getallorders
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.build_references import build_reference, package_references
from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.walmart.json_fields import list_in, object_or_empty, parse_milliseconds

ACKNOWLEDGED, SHIPPED, DELIVERED, CANCELLED = "acknowledged", "shipped", "delivered", "cancelled"


@dataclass(frozen=True, slots=True)
class LineStatus:
    """Units of a line that have one status."""

    line: EventLine  # without quantities
    status: str  # as sent, in lower case
    units: Decimal
    at: ParsedTime | None
    node: Node

    @property
    def tracking(self) -> Node:
        """The tracking information; an empty object if there is none."""
        return object_or_empty(self.node, "trackingInfo")

    def with_units(self, measure: Measure) -> EventLine:
        """Return the line with its units as this measure."""
        return replace(self.line, quantities={measure: self.units})


class WalmartOrderReader:
    """Reads purchase orders. Times are in Unix milliseconds."""

    # Shipped and delivered units were acknowledged before.
    statuses: ClassVar[frozenset[str]] = frozenset(
        {"created", ACKNOWLEDGED, SHIPPED, DELIVERED, CANCELLED}
    )
    spellings: ClassVar[Mapping[str, str]] = {"canceled": CANCELLED}

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def order_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the events of an order."""
        number = order.required_text("purchaseOrderId")
        name, reference = f"order {number}", self._reference(number, order)
        nodes = list_in(order, "orderLines", "orderLine")
        ordered = [
            replace(_line(node), quantities={Measure.ORDERED: _units(node, "orderLineQuantity")})
            for node in nodes
        ]
        states = [state for node in nodes for state in self._states(node)]
        revision = _format(_newest(states))
        yield build_event(
            EventType.ORDER_RECEIVED,
            name,
            parse_milliseconds(order, "orderDate"),
            reference,
            lines=ordered,
            attributes=self._attributes(order, nodes, ordered),
            revision=revision,
        )
        accepted = [s for s in states if s.status in {ACKNOWLEDGED, SHIPPED, DELIVERED}]
        if accepted:
            yield build_event(
                EventType.ORDER_ACCEPTED,
                f"{name} acknowledged",
                min((s.at for s in accepted if s.at), default=None),
                reference,
                flags=(Flag.TIME_OF_REPORT,),
            )
        yield from self._cancellation_events(name, reference, states, revision)
        yield from self._shipment_events(number, reference, states, revision)
        yield from self._refund_events(nodes, reference)
        for state in states:
            if state.status not in self.statuses:
                yield build_event(
                    EventType.UNMAPPED,
                    f"{name} line {state.line.line_id} {state.status}",
                    state.at,
                    reference,
                    raw_type=state.status,
                )

    def _states(self, node: Node) -> Iterator[LineStatus]:
        at, line = parse_milliseconds(node, "statusDate"), _line(node)
        for state in list_in(node, "orderLineStatuses", "orderLineStatus"):
            text = state.required_text("status").lower()
            status = self.spellings.get(text, text)
            yield LineStatus(line, status, _units(state, "statusQuantity"), at, state)

    def _cancellation_events(
        self, name: str, reference: ObjectReference, states: Sequence[LineStatus], revision: str
    ) -> Iterator[CanonicalEvent]:
        """Yield the cancelled units: the cancellation of the order if they are all of them."""
        cancelled = [state for state in states if state.status == CANCELLED]
        if not cancelled:
            return
        is_complete = len(cancelled) == len(states)
        reasons = (state.node.text_at("cancellationReason") for state in cancelled)
        yield build_event(
            EventType.ORDER_CANCELLED if is_complete else EventType.ORDER_CHANGED,
            f"{name} cancelled",
            _newest(cancelled),
            reference,
            lines=_sum_by_line(cancelled, Measure.CANCELLED),
            attributes={Attribute.REASON: next(filter(None, reasons), "")},
            revision=revision,
            complete_measures=(Measure.CANCELLED,),
        )

    def _shipment_events(
        self,
        number: str,
        reference: ObjectReference,
        states: Sequence[LineStatus],
        revision: str,
    ) -> Iterator[CanonicalEvent]:
        """Yield one shipment per tracking number, and its delivery."""
        groups: dict[str, list[LineStatus]] = {}
        for state in states:
            if state.status in {SHIPPED, DELIVERED}:
                tracking = blank_if_placeholder(state.tracking.text_at("trackingNumber"))
                groups.setdefault(tracking, []).append(state)
        for tracking, group in groups.items():
            name = f"shipment {number} {tracking}".strip()
            objects = (
                reference,
                build_reference(
                    ObjectKind.SHIPMENT,
                    "trackingNumber",
                    (IdentifierScheme.SHIPMENT, name.removeprefix("shipment "), self.source),
                ),
                *package_references([tracking]),
            )
            info = group[0].tracking
            carriers = object_or_empty(info, "carrierName")
            attributes = {
                Attribute.CARRIER: carriers.text_at("carrier") or carriers.text_at("otherCarrier"),
                Attribute.SERVICE: info.text_at("methodCode"),
            }
            shipped = parse_milliseconds(info, "shipDateTime")
            yield build_event(
                EventType.SHIPMENT_CONFIRMED,
                name,
                shipped or _newest(group),
                *objects,
                lines=_sum_by_line(group, Measure.SHIPPED),
                scope=name,
                attributes=attributes,
                revision=revision,
                flags=() if shipped else (Flag.TIME_OF_REPORT,),
            )
            delivered = [state for state in group if state.status == DELIVERED]
            if delivered:
                is_complete = len(delivered) == len(group)
                yield build_event(
                    EventType.DELIVERED if is_complete else EventType.ORDER_CHANGED,
                    f"{name} delivered",
                    _newest(delivered),
                    *objects,
                    lines=_sum_by_line(delivered, Measure.DELIVERED),
                    scope=name,
                    attributes=attributes,
                    revision=revision,
                    flags=(Flag.TIME_OF_REPORT,),
                )

    def _refund_events(
        self, nodes: Sequence[Node], reference: ObjectReference
    ) -> Iterator[CanonicalEvent]:
        """Yield the refunds of lines. They have an amount, but neither units nor a time."""
        for node in nodes:
            refund = object_or_empty(node, "refund")
            number = refund.text_at("refundId")
            if not number:
                continue
            line_id = node.required_text("lineNumber")
            amounts = [
                object_or_empty(object_or_empty(entry, "charge"), "chargeAmount")
                for entry in list_in(refund, "refundCharges", "refundCharge")
            ]
            total = sum((abs(a.decimal_at("amount") or Decimal()) for a in amounts), Decimal())
            name = f"refund {number} line {line_id}"
            yield build_event(
                EventType.CREDIT_ISSUED,
                name,
                parse_milliseconds(node, "statusDate"),
                reference,
                scope=name,
                attributes={
                    Attribute.REASON: refund.text_at("refundComments"),
                    Attribute.TOTAL: format_decimal(total) if amounts else "",
                    Attribute.CURRENCY: amounts[0].text_at("currency") if amounts else "",
                },
                flags=(Flag.TIME_OF_REPORT,),
            )

    def _reference(self, number: str, order: Node) -> ObjectReference:
        """A customer order can have several purchase orders, so its number is weak."""
        reference = build_reference(
            ObjectKind.ORDER,
            "purchaseOrderId",
            (IdentifierScheme.WEB_ORDER, number, self.source),
        )
        customer_order = blank_if_placeholder(order.text_at("customerOrderId"))
        if not customer_order:
            return reference
        weak = EventIdentifier(
            IdentifierScheme.ORDER_NUMBER, customer_order, self.source, strong=False
        )
        return replace(reference, identifiers=(*reference.identifiers, weak))

    def _attributes(
        self, order: Node, nodes: Sequence[Node], ordered: Sequence[EventLine]
    ) -> dict[Attribute, str]:
        shipping = object_or_empty(order, "shippingInfo")
        charges = [
            object_or_empty(charge, "chargeAmount")
            for node in nodes
            for charge in list_in(node, "charges", "charge")
        ]
        # Whether an amount is per unit is not documented, so only orders of single units count.
        is_clear = all(line.quantities[Measure.ORDERED] == 1 for line in ordered)
        total = sum((c.decimal_at("amount") or Decimal() for c in charges), Decimal())
        return {
            Attribute.CHANNEL: self.settings.text("channel"),
            Attribute.CUSTOMER_NAME: object_or_empty(shipping, "postalAddress").text_at("name"),
            Attribute.CURRENCY: charges[0].text_at("currency") if charges else "",
            Attribute.TOTAL: format_decimal(total) if charges and is_clear else "",
            Attribute.SERVICE: shipping.text_at("methodCode"),
            Attribute.SHIP_BY: _format(parse_milliseconds(shipping, "estimatedShipDate")),
            Attribute.PROMISED_AT: _format(parse_milliseconds(shipping, "estimatedDeliveryDate")),
            Attribute.WAREHOUSE: object_or_empty(order, "shipNode").text_at("type"),
        }


def _newest(states: Sequence[LineStatus]) -> ParsedTime | None:
    return max((state.at for state in states if state.at), default=None)


def _format(at: ParsedTime | None) -> str:
    return format_rfc3339(at.time) if at else ""


def _units(node: Node, name: str) -> Decimal:
    quantity = object_or_empty(node, name).decimal_at("amount")
    if quantity is None or quantity < 0:
        raise PayloadError(ParkReason.QUANTITY, f"{node.path}.{name}", "expected a quantity")
    return quantity


def _line(node: Node) -> EventLine:
    item = object_or_empty(node, "item")
    return EventLine(
        line_id=node.required_text("lineNumber"),
        sku=item.text_at("sku"),
        description=item.text_at("productName"),
    )


def _sum_by_line(states: Sequence[LineStatus], measure: Measure) -> list[EventLine]:
    """Add up the units of each line."""
    units: dict[str, LineStatus] = {}
    for state in states:
        before = units.get(state.line.line_id)
        total = state.units + (before.units if before else Decimal())
        units[state.line.line_id] = replace(state, units=total)
    return [state.with_units(measure) for state in units.values()]
