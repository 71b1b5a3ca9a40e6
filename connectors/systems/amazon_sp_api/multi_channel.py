"""Multi-channel fulfillment (MCF): Amazon ships orders of other channels from its warehouses.

https://developer-docs.amazon.com/sp-api/docs/fulfillment-outbound-api-v2020-07-01-reference
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from connectors.sdk.build_references import build_reference, package_references
from connectors.sdk.event_builder import build_event
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
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.amazon_sp_api.fields import (
    AmazonReader,
    build_line,
    format_time,
    object_or_empty,
    plain_status,
)


class MultiChannelReader(AmazonReader):
    """Reads fulfillment orders, their notifications, and package tracking."""

    order_statuses: ClassVar[Mapping[str, EventType | None]] = {
        "": None,
        "new": None,
        "received": None,
        "planning": EventType.ORDER_RELEASED,
        "processing": EventType.ORDER_RELEASED,
        "complete": EventType.ORDER_RELEASED,  # its shipments report more
        "completepartialled": EventType.ORDER_RELEASED,
        "cancelled": EventType.ORDER_CANCELLED,
        "unfulfillable": EventType.SHIPMENT_EXCEPTION,
        "invalid": EventType.ORDER_REJECTED,
    }
    shipment_statuses: ClassVar[Mapping[str, EventType | None]] = {
        "": None,
        "pending": None,
        "shipped": EventType.SHIPMENT_CONFIRMED,
        "cancelledbyfulfiller": EventType.SHIPMENT_VOID,
        "cancelledbyseller": EventType.SHIPMENT_VOID,
    }
    # Codes 2xx are scans under way, codes 4xx problems.
    scans: ClassVar[Mapping[str, EventType]] = {
        "EVENT_101": EventType.LABEL_CREATED,
        "EVENT_102": EventType.PICKED_UP,
        **dict.fromkeys([f"EVENT_20{n}" for n in range(1, 7)], EventType.IN_TRANSIT),
        "EVENT_301": EventType.DELIVERED,
        "EVENT_302": EventType.OUT_FOR_DELIVERY,
        "EVENT_304": EventType.ATTEMPTED,
        "EVENT_309": EventType.SHIPMENT_RETURNED,
        **dict.fromkeys([f"EVENT_4{n:02}" for n in range(1, 20)], EventType.SHIPMENT_EXCEPTION),
    }

    def fulfillment_order_events(self, document: Node) -> Iterator[CanonicalEvent]:
        """Yield a fulfillment order with its items and shipments."""
        order = object_or_empty(document, "fulfillmentorder")
        number = order.required_text("sellerfulfillmentorderid")
        reference = self._reference(order, number)
        updated = self.time(order, "statusupdateddate")
        items = document.list_at("fulfillmentorderitems")
        yield build_event(
            EventType.ORDER_RECEIVED,
            f"fulfillment order {number}",
            self.time(order, "receiveddate", "displayableorderdate"),
            reference,
            lines=[_line(item, {Measure.ORDERED: "quantity"}) for item in items],
            attributes={
                Attribute.CHANNEL: self.settings.text("channel"),
                Attribute.SERVICE: order.text_at("shippingspeedcategory"),
                Attribute.STATUS: order.text_at("fulfillmentorderstatus"),
                Attribute.DETAIL: order.text_at("displayableordercomment"),
            },
            revision=format_time(updated),
        )
        cancelled = [_line(item, {Measure.CANCELLED: "cancelledquantity"}) for item in items]
        cancelled = [line for line in cancelled if any(line.quantities.values())]
        yield from self._state_events(order, number, updated, reference, cancelled)
        for shipment in document.list_at("fulfillmentshipments"):
            yield from self._shipment_events(shipment, reference, updated)

    def status_notification_events(
        self, notice: Node, at: ParsedTime | None
    ) -> Iterator[CanonicalEvent]:
        """Yield the events of FULFILLMENT_ORDER_STATUS, which has no quantities of shipments."""
        number = notice.required_text("sellerfulfillmentorderid")
        reference = self._reference(notice, number)
        updated = self.time(notice, "statusupdateddatetime") or at
        yield from self._state_events(notice, number, updated, reference, [])
        if notice.has_value("fulfillmentshipment"):
            shipment = notice.required_object("fulfillmentshipment")
            yield from self._shipment_events(shipment, reference, updated, " notice")
        if notice.has_value("fulfillmentreturnitem"):
            item = notice.required_object("fulfillmentreturnitem")
            received = self.time(item, "receiveddatetime") or updated
            sku = item.required_text("sellersku")
            key = f"return {number} {sku} {format_time(received)}"
            yield build_event(
                EventType.RETURN_RECEIVED,
                key,
                received,
                reference,
                lines=[build_line(item, sku, {Measure.RETURNED: "returnedquantity"})],
                scope=key,
            )

    def tracking_events(self, package: Node) -> Iterator[CanonicalEvent]:
        """Yield the scans of a package."""
        number = package.required_text("trackingnumber")
        (reference,) = tuple(package_references([number])) or (None,)
        if reference is None:
            return
        for scan in package.list_at("trackingevents"):
            code = scan.required_text("eventcode")
            at = self.time(scan, "eventdate")
            address = object_or_empty(scan, "eventaddress")
            location = [address.text_at(name) for name in ("city", "state", "country")]
            yield build_event(
                self.scans.get(code, EventType.UNMAPPED),
                f"tracking {number} {code} {format_time(at)}",
                at,
                reference,
                attributes={
                    Attribute.CARRIER: package.text_at("carriercode"),
                    Attribute.LOCATION: ", ".join(filter(None, location)),
                    Attribute.DETAIL: scan.text_at("eventdescription"),
                },
                raw_type=code,
            )

    def _state_events(
        self,
        order: Node,
        number: str,
        at: ParsedTime | None,
        reference: ObjectReference,
        cancelled: list[EventLine],
    ) -> Iterator[CanonicalEvent]:
        status = order.text_at("fulfillmentorderstatus")
        kind = self.order_statuses.get(plain_status(status), EventType.UNMAPPED)
        if cancelled and kind is not EventType.ORDER_CANCELLED:
            yield build_event(
                EventType.ORDER_CHANGED,
                f"fulfillment order {number} cancelled units",
                at,
                reference,
                lines=cancelled,
                revision=format_time(at),
            )
        if kind:
            yield build_event(
                kind,
                f"fulfillment order {number} state",
                at,
                reference,
                lines=cancelled if kind is EventType.ORDER_CANCELLED else (),
                attributes={Attribute.STATUS: status},
                revision=format_time(at),
                raw_type=f"MCF {status}" if kind is EventType.UNMAPPED else "",
            )

    def _shipment_events(
        self,
        shipment: Node,
        order: ObjectReference,
        at: ParsedTime | None,
        suffix: str = "",
    ) -> Iterator[CanonicalEvent]:
        number = shipment.required_text("amazonshipmentid")
        status = shipment.text_at("fulfillmentshipmentstatus")
        kind = self.shipment_statuses.get(plain_status(status), EventType.UNMAPPED)
        if kind is None:
            return
        packages = shipment.list_at("fulfillmentshipmentpackage") or shipment.list_at(
            "fulfillmentshipmentpackages"
        )
        tracking = {p.text_at("packagenumber"): p.text_at("trackingnumber") for p in packages}
        numbers = list(dict.fromkeys(filter(None, tracking.values())))
        objects = (
            order,
            build_reference(
                ObjectKind.SHIPMENT,
                "amazonshipmentid",
                (IdentifierScheme.SHIPMENT, number, self.source),
            ),
            *package_references(numbers),
        )
        eta = self.time(shipment, "estimatedarrivaldate", "estimatedarrivaldatetime")
        shipped = self.time(shipment, "shippingdate")
        is_shipped = kind is EventType.SHIPMENT_CONFIRMED
        yield build_event(
            kind,
            f"shipment {number}{suffix}" if is_shipped else f"shipment {number} {status}",
            shipped or at,
            *objects,
            lines=_shipped_lines(shipment, tracking, numbers) if is_shipped else (),
            scope=f"shipment {number}" if _items(shipment) or not is_shipped else "",
            attributes={
                Attribute.CARRIER: next((p.text_at("carriercode") for p in packages), ""),
                Attribute.WAREHOUSE: shipment.text_at("fulfillmentcenterid"),
                Attribute.ETA: format_time(eta),
                Attribute.STATUS: status,
            },
            raw_type=f"MCF shipment {status}" if kind is EventType.UNMAPPED else "",
            flags=() if shipped else (Flag.TIME_OF_REPORT,),
        )

    def _reference(self, order: Node, number: str) -> ObjectReference:
        scheme, issuer = self.settings.identifier_scheme_and_issuer(
            "displayable_orders", (IdentifierScheme.ORDER_NUMBER, self.source)
        )
        return build_reference(
            ObjectKind.ORDER,
            "sellerfulfillmentorderid",
            (IdentifierScheme.SOURCE_ID, number, self.source),
            (scheme, order.text_at("displayableorderid"), issuer),
        )


def _items(shipment: Node) -> list[Node]:
    return shipment.list_at("fulfillmentshipmentitem")


def _shipped_lines(
    shipment: Node, tracking: Mapping[str, str], numbers: Sequence[str]
) -> list[EventLine]:
    """Return the shipped items, each with its package, which is after order and shipment."""
    lines = []
    for item in _items(shipment):
        line = _line(item, {Measure.SHIPPED: "quantity"})
        number = tracking.get(item.text_at("packagenumber"), "")
        index = 2 + numbers.index(number) if number in numbers else -1
        lines.append(replace(line, package_index=index))
    return lines


def _line(item: Node, amounts: dict[Measure, str]) -> EventLine:
    return build_line(item, item.required_text("sellerfulfillmentorderitemid"), amounts)
