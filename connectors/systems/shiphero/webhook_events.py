"""Converts ShipHero webhooks to canonical events, by `webhook_type`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_decimal
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
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.shiphero.lines_and_packages import (
    active_tracking_and_carrier,
    order_id_or_number_for_event_key,
    package_references,
    required_identifier_text,
    sum_lines,
    tote_scope,
)

Events = Iterator[CanonicalEvent]


class WebhookEventReader:
    """Reader of allocations, picks, packs, labels, shipments, cancellations and returns."""

    return_statuses: ClassVar[Mapping[str, EventType]] = {"pending": EventType.RETURN_AUTHORIZED}

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def read_events(self, kind: str, body: Node) -> Events:
        """Yield the events of a webhook. An unknown type becomes an unmapped event of its order."""
        readers: Mapping[str, Callable[[Node], Events]] = {
            "Order Allocated": self._allocation_events,
            "Order Deallocated": self._deallocation_events,
            "Tote Complete": self._pick_events,
            "Order Packed Out": self._pack_events,
            "Package Added": self._label_events,
            "Shipment Update": self._shipment_events,
            "Order Canceled": self._cancellation_events,
            "Return Update": self._return_events,
        }
        return readers.get(kind, self._unmapped_events)(body)

    def _allocation_events(self, body: Node) -> Events:
        """Yield an allocation. Without a reference, the quantities are for the whole order."""
        scope, moment = self._allocation_scope(body), self._first_present_time(body, "allocated_at")
        lines = sum_lines(body.list_at("line_items"), Measure.ALLOCATED)
        key = f"{scope or order_id_or_number_for_event_key(body)} allocated"
        yield self._build_event(
            EventType.LINE_ALLOCATED, key, body, moment, lines=lines, scope=scope
        )

    def _deallocation_events(self, body: Node) -> Events:
        """Yield a deallocation. Without lines, it withdraws the allocation event."""
        scope, moment = (
            self._allocation_scope(body),
            self._first_present_time(body, "deallocated_at"),
        )
        lines = sum_lines(body.list_at("line_items"), Measure.ALLOCATED)
        name = scope or order_id_or_number_for_event_key(body)
        event = self._build_event(
            EventType.LINE_DEALLOCATED,
            f"{name} deallocated",
            body,
            moment,
            lines=tuple(
                replace(line, quantities={Measure.ALLOCATED: Decimal(0)}) for line in lines
            ),
            scope=scope,
            attributes={Attribute.REASON: body.text_at("reason")},
        )
        yield replace(event, corrects=() if lines else (f"{name} allocated",))

    def _allocation_scope(self, body: Node) -> str:
        reference = blank_if_placeholder(body.text_at("allocation_reference"))
        return f"allocation {reference}" if reference else ""

    def _pick_events(self, body: Node) -> Events:
        """Yield one event per order of a tote. The message may have no time."""
        moment = self._first_present_time(body, "completed_at", "created_at")
        orders = [
            (tote, order) for tote in body.list_at("totes") for order in tote.list_at("orders")
        ]
        if not orders:
            raise PayloadError(ParkReason.REFERENCE, "totes", "the message has no order number")
        for tote, order in orders:
            scope, lines = tote_scope(tote), sum_lines(order.list_at("items"), Measure.PICKED)
            # Totes are reused, batch ids are not.
            key_fields = (
                scope,
                "picked for",
                order_id_or_number_for_event_key(order),
                body.text_at("batch_id"),
            )
            key = " ".join(p for p in key_fields if p)
            yield self._build_event(
                EventType.PICK_COMPLETED, key, order, moment, lines=lines, scope=scope or key
            )

    def _pack_events(self, body: Node) -> Events:
        """Yield a packing event. Some accounts send items without quantities."""
        items, scope = body.list_at("items"), tote_scope(body) or "packed"
        has_quantities = all(item.has_value("quantity") for item in items)
        yield self._build_event(
            EventType.PACK_COMPLETED,
            f"{scope} packed for {order_id_or_number_for_event_key(body)}",
            body,
            self._first_present_time(body, "packed_at", "created_at"),
            lines=sum_lines(items, Measure.PACKED) if has_quantities else (),
            scope=scope,
        )

    def _label_events(self, body: Node) -> Events:
        numbers, carrier = active_tracking_and_carrier(body.list_at("packages") or [body])
        name = body.text_at("package_id") or body.text_at("shipment_id") or " ".join(numbers)
        yield self._build_event(
            EventType.LABEL_CREATED,
            f"package {name or order_id_or_number_for_event_key(body)} labelled",
            body,
            self._first_present_time(body, "created_at"),
            *package_references(numbers),
            attributes={Attribute.CARRIER: carrier or body.text_at("carrier")},
        )

    def _shipment_events(self, body: Node) -> Events:
        """Yield one shipment with the total of its packages."""
        shipment = body.required_object("fulfillment") if body.has_value("fulfillment") else body
        number = required_identifier_text(shipment, "shipment_id")
        boxes = shipment.list_at("packages") or body.list_at("packages")
        numbers, carrier = active_tracking_and_carrier(boxes or [shipment])
        packed = [item for box in boxes for item in box.list_at("line_items")]
        identifier = EventIdentifier(IdentifierScheme.SOURCE_ID, number, self.source)
        yield self._build_event(
            EventType.SHIPMENT_CONFIRMED,
            f"shipment {number} confirmed",
            shipment,
            self._first_present_time(shipment, "created_at"),
            ObjectReference(ObjectKind.SHIPMENT, (identifier,)),
            *package_references(numbers),
            lines=sum_lines(packed or shipment.list_at("line_items"), Measure.SHIPPED),
            scope=f"shipment {number}",
            attributes={
                Attribute.CARRIER: carrier or shipment.text_at("shipping_carrier"),
                Attribute.SERVICE: shipment.text_at("shipping_method"),
            },
        )

    def _cancellation_events(self, body: Node) -> Events:
        """Yield a cancellation. It has no time; `fulfillment-status` is spelled with a hyphen."""
        yield self._build_event(
            EventType.ORDER_CANCELLED,
            f"order {order_id_or_number_for_event_key(body)} cancelled",
            body,
            self._first_present_time(body, "canceled_at", "updated_at"),
            attributes={Attribute.STATUS: body.text_at("fulfillment-status")},
        )

    def _return_events(self, body: Node) -> Events:
        """Yield a return. It is received once a quantity is; `created_at` is its authorization."""
        number, status = required_identifier_text(body, "return_id"), body.text_at("status")
        scope = f"return {number}"
        lines = sum_lines(body.list_at("items"), Measure.RETURNED, "quantity_received")
        is_received = any(line.quantities[Measure.RETURNED] for line in lines)
        quantities = " ".join(
            f"{e.line_id}={format_decimal(e.quantities[Measure.RETURNED])}" for e in lines
        )
        kind = self.return_statuses.get(status, EventType.UNMAPPED)
        yield self._build_event(
            EventType.RETURN_RECEIVED if is_received else kind,
            f"{scope} received {quantities}" if is_received else f"{scope} {status}".strip(),
            body,
            self._first_present_time(body, "updated_at", *(() if is_received else ("created_at",))),
            ObjectReference(
                ObjectKind.RETURN,
                (EventIdentifier(IdentifierScheme.SOURCE_ID, number, self.source),),
            ),
            lines=lines if is_received else (),
            scope=scope,
            attributes={Attribute.REASON: body.text_at("reason"), Attribute.STATUS: status},
            raw_type="" if is_received or kind is not EventType.UNMAPPED else f"return {status}",
        )

    def _unmapped_events(self, body: Node) -> Events:
        kind, moment = (
            body.text_at("webhook_type"),
            self._first_present_time(body, "updated_at", "created_at"),
        )
        key_fields = (
            kind,
            order_id_or_number_for_event_key(body),
            moment.time.isoformat() if moment else "",
        )
        if not key_fields[1]:
            raise PayloadError(
                ParkReason.MAPPING,
                "webhook_type",
                f"unknown type {kind!r}, and there is no order number",
            )
        attributes = {Attribute.REASON: body.text_at("reason")}
        key = " ".join(field for field in key_fields if field)
        yield self._build_event(
            EventType.UNMAPPED, key, body, moment, attributes=attributes, raw_type=kind
        )

    def _build_event(
        self,
        kind: EventType,
        key: str,
        body: Node,
        time: ParsedTime | None,
        *objects: ObjectReference,
        lines: tuple[EventLine, ...] = (),
        scope: str = "",
        attributes: Mapping[Attribute, str] | None = None,
        raw_type: str = "",
    ) -> CanonicalEvent:
        """Create an event of the order in `body`, with its warehouse."""
        texts = {Attribute.WAREHOUSE: self._warehouse_name(body), **(attributes or {})}
        return build_event(
            kind,
            key,
            time,
            self._order_reference(body),
            *objects,
            lines=lines,
            scope=scope,
            attributes=texts,
            raw_type=raw_type,
            flags=() if time else (Flag.TIME_RECEIVED,),
        )

    def _order_reference(self, body: Node) -> ObjectReference:
        """Reference the order by number, ShipHero id, and the partner's id if it differs."""
        default = (IdentifierScheme.ORDER_NUMBER, self.source)
        scheme, issuer = self.settings.identifier_scheme_and_issuer("order_number", default)
        number, order_id = (
            blank_if_placeholder(body.text_at("order_number")),
            blank_if_placeholder(body.text_at("order_id")),
        )
        partner = blank_if_placeholder(body.text_at("partner_order_id"))
        identifiers = []
        if number:
            identifiers.append(EventIdentifier(scheme, number, issuer))
        if order_id:
            identifiers.append(EventIdentifier(IdentifierScheme.SOURCE_ID, order_id, self.source))
        if partner and partner != number:
            identifiers.append(
                EventIdentifier(
                    IdentifierScheme.REFERENCE, partner, self.source, strong=not identifiers
                )
            )
        if not identifiers:
            path = f"{body.path}.order_number".strip(".")
            raise PayloadError(ParkReason.REFERENCE, path, "the message has no order number")
        return ObjectReference(ObjectKind.ORDER, tuple(identifiers))

    def _warehouse_name(self, body: Node) -> str:
        number = blank_if_placeholder(body.text_at("warehouse_id"))
        configured_name = self.settings.values_of_family_by_id("warehouse.").get(number, "")
        return configured_name or blank_if_placeholder(body.text_at("warehouse")) or number

    def _first_present_time(self, body: Node, *keys: str) -> ParsedTime | None:
        """Return the first of these times that is present: `2022-05-24 18:20:15`, or with a T."""
        for key in keys:
            path = f"{body.path}.{key}".strip(".")
            parsed = parse_timestamp(body.text_at(key), path, self.settings.text("zone"))
            if parsed:
                return parsed
        return None
