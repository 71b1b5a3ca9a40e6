"""Converts orders, shipments and tracking messages of ShipBob to canonical events."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from connectors.sdk.event_builder import build_event, revision_of_earliest_report
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
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.shipbob.product_lines import product_lines

Events = Iterator[CanonicalEvent]


class ShipBobShipmentReader:
    """Reader of shipments: their state in the warehouse, and where the carrier reports them.

    Times have an offset and up to seven fractional digits. The status Completed means picked,
    packed and labelled; only a report of the carrier shows that the goods left.
    https://developer.shipbob.com/status-reference
    """

    # `status` of a shipment, without blanks and in lower case.
    states: ClassVar[Mapping[str, EventType]] = {
        "processing": EventType.ORDER_RELEASED,
        "completed": EventType.ORDER_RELEASED,
        "onhold": EventType.ORDER_HELD,
        "exception": EventType.LINE_BACKORDERED,
        "cancelled": EventType.ORDER_CANCELLED,
        "canceled": EventType.ORDER_CANCELLED,
    }
    # `name` of status details, and `status` of tracking messages.
    details: ClassVar[Mapping[str, EventType]] = {
        "pickinprogress": EventType.PICK_STARTED,
        "picked": EventType.PICK_COMPLETED,
        "packed": EventType.PACK_COMPLETED,
        "labeled": EventType.LABEL_CREATED,
        "labeledcreated": EventType.LABEL_CREATED,
        "labelcreated": EventType.LABEL_CREATED,
        "awaitingcarrierscan": EventType.LABEL_CREATED,
        "intransit": EventType.IN_TRANSIT,
        "outfordelivery": EventType.OUT_FOR_DELIVERY,
        "availableforpickup": EventType.AVAILABLE_FOR_PICKUP,
        "delivered": EventType.DELIVERED,
        "deliveryattemptfailed": EventType.ATTEMPTED,
        "deliveryexception": EventType.SHIPMENT_EXCEPTION,
        "returntosender": EventType.SHIPMENT_RETURNED,
    }
    carrier_reports: ClassVar[frozenset[EventType]] = frozenset(
        {
            EventType.IN_TRANSIT,
            EventType.OUT_FOR_DELIVERY,
            EventType.AVAILABLE_FOR_PICKUP,
            EventType.DELIVERED,
            EventType.ATTEMPTED,
            EventType.SHIPMENT_EXCEPTION,
            EventType.SHIPMENT_RETURNED,
        }
    )

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def order_events(self, order: Node) -> Events:
        """Yield the events of all shipments of an order."""
        for shipment in order.list_at("shipments"):
            yield from self.shipment_events(shipment, order)

    def shipment_events(self, shipment: Node, order: Node) -> Events:
        """Yield what holds in the warehouse, and what the carrier reports.

        The state has one key, of which the newest revision counts. `order` names the order; it may
        be the shipment itself.
        """
        number, status = shipment.required_text("id"), shipment.text_at("status")
        kind = self.states.get(_code(status), EventType.UNMAPPED)
        updated = _time(shipment, "last_update_at") or _time(shipment, "created_date")
        created = _time(shipment, "created_date")
        state = self._build_event(
            kind,
            f"shipment {number} state" if kind is not EventType.UNMAPPED else f"{number} {status}",
            shipment,
            order,
            (created or updated) if kind is EventType.ORDER_RELEASED else updated,
            reason="; ".join(_reasons(shipment)) if kind is not EventType.ORDER_RELEASED else "",
        )
        measures = {
            EventType.LINE_BACKORDERED: Measure.BACKORDERED,
            EventType.ORDER_CANCELLED: Measure.CANCELLED,
        }
        if kind in measures:
            state = replace(state, lines=product_lines(shipment, measures[kind]))
        yield replace(
            state,
            revision=format_rfc3339(updated.time) if updated else "",
            raw_type=status or "no status",
        )
        if _code(status) in {"processing", "completed"}:
            yield from self._detail_events(number, shipment, order, _code(status))

    def _detail_events(self, number: str, shipment: Node, order: Node, status: str) -> Events:
        """Yield picks, packs, labels and scans. An unknown detail is left unmapped."""
        packed = _time(shipment, "actual_fulfillment_date")
        if status == "completed" and packed:
            yield from self._packed_events(number, shipment, order, packed)
        scanned = _time(shipment, "last_tracking_update_at") or _time(shipment, "last_update_at")
        for detail in shipment.list_at("status_details"):
            name = detail.text_at("name")
            kind = self.details.get(_code(name), EventType.UNMAPPED)
            if kind is EventType.LABEL_CREATED and packed:
                continue
            time = scanned
            if kind is EventType.DELIVERED:
                time = _time(shipment, "delivery_date") or scanned
            moment = format_rfc3339(time.time) if time else ""
            key = f"shipment {number} {kind.value if kind is EventType.DELIVERED else name}"
            event = self._build_event(
                kind,
                key if kind is EventType.DELIVERED else f"{key} {moment}".strip(),
                shipment,
                order,
                time,
                reason=detail.text_at("description"),
            )
            if kind in self.carrier_reports:
                yield self._confirmed_event(number, shipment, order, time)
            measure = {
                EventType.PICK_COMPLETED: Measure.PICKED,
                EventType.PACK_COMPLETED: Measure.PACKED,
            }.get(kind)
            yield replace(
                event,
                raw_type=name,
                lines=product_lines(shipment, measure) if measure else (),
            )

    def _packed_events(
        self, number: str, shipment: Node, order: Node, packed: ParsedTime
    ) -> Events:
        yield replace(
            self._build_event(
                EventType.PACK_COMPLETED, f"shipment {number} packed", shipment, order, packed
            ),
            lines=product_lines(shipment, Measure.PACKED),
        )
        yield self._build_event(
            EventType.LABEL_CREATED, f"shipment {number} labelled", shipment, order, packed
        )

    def _confirmed_event(
        self, number: str, shipment: Node, order: Node, time: ParsedTime | None
    ) -> CanonicalEvent:
        """Return that the goods left. Of several reports the earliest counts."""
        event = self._build_event(
            EventType.SHIPMENT_CONFIRMED, f"shipment {number} confirmed", shipment, order, time
        )
        return replace(
            event,
            lines=product_lines(shipment, Measure.SHIPPED),
            revision=revision_of_earliest_report(time),
        )

    def tracking_events(self, message: Node) -> Events:
        """Yield the event of a tracking message, which names no shipment."""
        tracking, status = message.required_object("tracking"), message.text_at("status")
        number = blank_if_placeholder(
            tracking.text_at("tracking_id") or tracking.text_at("tracking_number")
        )
        if not number:
            path = tracking.get("tracking_id").path
            raise PayloadError(ParkReason.REFERENCE, path, "the message has no tracking number")
        kind = self.details.get(_code(status), EventType.UNMAPPED)
        time = _time(message, "event_time")
        moment = format_rfc3339(time.time) if time else ""
        event = build_event(
            kind,
            f"tracking {number} {status} {moment}".strip(),
            time,
            self._order_reference(message),
            ObjectReference(
                ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),)
            ),
            attributes=_carrier_attributes(tracking) | {Attribute.STATUS: status},
            raw_type=status or "no status",
            flags=_flags(message, time),
        )
        yield event

    def _build_event(
        self,
        kind: EventType,
        key: str,
        shipment: Node,
        order: Node,
        time: ParsedTime | None,
        *,
        reason: str = "",
    ) -> CanonicalEvent:
        number = shipment.required_text("id")
        tracking, location = shipment.get("tracking"), shipment.get("location")
        has_tracking = isinstance(tracking.value, dict)
        package = blank_if_placeholder(tracking.text_at("tracking_number")) if has_tracking else ""
        objects = [
            self._order_reference(order, shipment),
            ObjectReference(
                ObjectKind.SHIPMENT,
                (EventIdentifier(IdentifierScheme.SOURCE_ID, number, self.source),),
            ),
        ]
        if package:
            identifier = EventIdentifier(IdentifierScheme.TRACKING, package)
            objects.append(ObjectReference(ObjectKind.PACKAGE, (identifier,)))
        return build_event(
            kind,
            key,
            time,
            *objects,
            scope=f"shipment {number}",
            attributes={
                **(_carrier_attributes(tracking) if has_tracking else {}),
                Attribute.WAREHOUSE: location.text_at("name")
                if isinstance(location.value, dict)
                else "",
                Attribute.STATUS: shipment.text_at("status"),
                Attribute.REASON: reason,
            },
            flags=_flags(shipment, time),
        )

    def _order_reference(self, order: Node, shipment: Node | None = None) -> ObjectReference:
        """Reference the order by its number, your reference, and the id of ShipBob."""
        is_order = shipment is not None and order.value is not shipment.value
        order_id = order.text_at("id" if is_order else "order_id")
        number = blank_if_placeholder(order.text_at("order_number"))
        reference = blank_if_placeholder(order.text_at("reference_id"))
        identifiers = []
        for text, setting in ((number, "order_number"), (reference, "reference")):
            default = (IdentifierScheme.REFERENCE, self.source)
            scheme, issuer = self.settings.identifier_scheme_and_issuer(setting, default)
            strong = scheme is not IdentifierScheme.REFERENCE
            if text:
                identifiers.append(EventIdentifier(scheme, text, issuer, strong=strong))
        if blank_if_placeholder(order_id):
            identifiers.append(EventIdentifier(IdentifierScheme.SOURCE_ID, order_id, self.source))
        if not identifiers:
            path = order.get("order_id").path
            raise PayloadError(ParkReason.REFERENCE, path, "the message names no order")
        return ObjectReference(ObjectKind.ORDER, tuple(dict.fromkeys(identifiers)))


def _code(text: str) -> str:
    return text.replace(" ", "").replace("_", "").lower()


def _time(node: Node, key: str) -> ParsedTime | None:
    """Return a time. They have an offset; one without is UTC."""
    return parse_timestamp(node.text_at(key), node.get(key).path, "UTC")


def _flags(node: Node, time: ParsedTime | None) -> tuple[Flag, ...]:
    return (Flag.TIME_RECEIVED,) * (time is None) + (Flag.SANITIZED,) * node.was_sanitized


def _reasons(shipment: Node) -> Iterator[str]:
    for detail in shipment.list_at("status_details"):
        if text := detail.text_at("description") or detail.text_at("name"):
            yield text


def _carrier_attributes(tracking: Node) -> dict[Attribute, str]:
    return {
        Attribute.CARRIER: tracking.text_at("carrier"),
        Attribute.SERVICE: tracking.text_at("carrier_service"),
    }
