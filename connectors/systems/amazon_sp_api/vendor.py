"""Vendor Central: purchase orders of Amazon as the customer, and shipments to Amazon.

https://developer-docs.amazon.com/sp-api/docs/vendor-orders-api-v1-reference
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from connectors.sdk.build_references import (
    build_reference,
    build_reference_or_none,
)
from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.systems.amazon_sp_api.fields import (
    AmazonReader,
    format_time,
    object_or_empty,
    plain_status,
)

UNITS: Mapping[str, str] = {"eaches": "EA", "cases": "CA"}


class VendorReader(AmazonReader):
    """Reads the status of purchase orders, and shipments."""

    shipment_statuses: ClassVar[Mapping[str, EventType | None]] = {
        "created": None,
        "transportationrequested": None,
        "carrierassigned": EventType.LABEL_CREATED,
        "shipped": EventType.SHIPMENT_CONFIRMED,
    }
    po_statuses: ClassVar[frozenset[str]] = frozenset({"", "open", "closed"})

    def purchase_order_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the receipt of a purchase order, and what was acknowledged and received."""
        number = order.required_text("purchaseordernumber")
        reference, updated = self._po(number), self.time(order, "lastupdateddate")
        items = order.list_at("itemstatus")
        status = order.text_at("purchaseorderstatus")
        attributes = {Attribute.STATUS: status}
        yield build_event(
            EventType.ORDER_RECEIVED,
            f"po {number}",
            self.time(order, "purchaseorderdate"),
            reference,
            lines=[_line(i, Measure.ORDERED, i.get("orderedquantity")) for i in items],
            attributes={
                **attributes,
                Attribute.CHANNEL: self.settings.text("channel"),
                Attribute.CUSTOMER_NO: self.settings.text("vendor_customer"),
                Attribute.CUSTOMER_NAME: "Amazon",
                Attribute.LOCATION: object_or_empty(order, "shiptoparty").text_at("partyid"),
            },
            revision=format_time(updated),
        )
        acknowledged = [(i, object_or_empty(i, "acknowledgedquantity")) for i in items]
        accepted = _amounts(acknowledged, "acceptedquantity")
        rejected = _amounts(acknowledged, "rejectedquantity")
        if any(accepted.values()) or any(rejected.values()):
            yield build_event(
                EventType.ORDER_ACCEPTED if any(accepted.values()) else EventType.ORDER_REJECTED,
                f"po {number} acknowledged",
                updated,
                reference,
                lines=_nonzero(acknowledged, Measure.CANCELLED, "rejectedquantity"),
                attributes=attributes,
                revision=format_time(updated),
            )
        received = [(i, object_or_empty(i, "receivingstatus")) for i in items]
        times = [at for _, node in received if (at := self.time(node, "lastreceivedate"))]
        lines = _nonzero(received, Measure.DELIVERED, "receivedquantity")
        if lines:
            amounts = _amounts(received, "receivedquantity")
            complete = all(amounts[key] >= count for key, count in accepted.items())
            yield build_event(
                EventType.DELIVERED if complete and accepted else EventType.ORDER_CHANGED,
                f"po {number} received",
                max(times) if times else updated,
                reference,
                lines=lines,
                attributes=attributes,
                revision=format_time(max(times)) if times else format_time(updated),
            )
        if plain_status(status) not in self.po_statuses:
            yield build_event(
                EventType.UNMAPPED, f"po {number} {status}", updated, reference, raw_type=status
            )

    def shipment_events(self, shipment: Node) -> Iterator[CanonicalEvent]:
        """Yield a shipment of one or several purchase orders, with its cartons."""
        number = shipment.required_text("vendorshipmentidentifier")
        status = shipment.text_at("currentshipmentstatus")
        kind = self.shipment_statuses.get(plain_status(status), EventType.UNMAPPED)
        if kind is None:
            return
        orders = shipment.list_at("purchaseorders")
        references = [self._po(order.required_text("purchaseordernumber")) for order in orders]
        if not references:
            raise PayloadError(ParkReason.REFERENCE, "purchaseorders", "there is no order")
        lines = [
            _line(item, Measure.SHIPPED, item.get("shippedquantity"), index)
            for index, order in enumerate(orders)
            for item in order.list_at("items")
        ]
        transport = object_or_empty(shipment, "transportationdetails")
        bol = (IdentifierScheme.BOL, transport.text_at("billofladingnumber"), self.source)
        is_shipped = kind is EventType.SHIPMENT_CONFIRMED
        yield build_event(
            kind,
            f"shipment {number}" if is_shipped else f"shipment {number} {status}",
            self.time(shipment, "shippeddate", "shipmentconfirmdate", "transactiondate"),
            *references,
            build_reference(
                ObjectKind.SHIPMENT,
                "vendorshipmentidentifier",
                (IdentifierScheme.SHIPMENT, number, self.source),
                bol,
            ),
            *_cartons(shipment),
            lines=lines if is_shipped else (),
            scope=f"shipment {number}" if is_shipped else "",
            attributes={
                Attribute.CARRIER: transport.text_at("carrierscac"),
                Attribute.STATUS: status,
            },
            revision=format_time(self.time(shipment, "transactiondate")),
            raw_type=status if kind is EventType.UNMAPPED else "",
        )

    def _po(self, number: str) -> ObjectReference:
        customer = self.settings.text("vendor_customer")
        return build_reference(
            ObjectKind.ORDER,
            "purchaseordernumber",
            (IdentifierScheme.CUSTOMER_PO, number, customer),
            (IdentifierScheme.SOURCE_ID, number, self.source),
        )


def _line_id(item: Node) -> str:
    """The number of an item: a shipment writes 001 where the order writes 1."""
    text = item.required_text("itemsequencenumber")
    return text.lstrip("0") or text


def _line(item: Node, measure: Measure, amount: Node, order: int = -1) -> EventLine:
    quantity = amount.decimal_at("amount") if isinstance(amount.value, dict) else None
    if quantity is None or quantity < 0:
        raise PayloadError(ParkReason.QUANTITY, amount.path, "expected a quantity")
    unit = amount.text_at("unitofmeasure")
    size = amount.decimal_at("unitsize")
    return EventLine(
        line_id=_line_id(item),
        sku=item.text_at("vendorproductidentifier"),
        unit=UNITS.get(unit.casefold(), unit or "EA"),
        quantities={measure: quantity},
        order_index=order,
        pieces_per_unit=size if size and size > 1 else None,
    )


def _amounts(rows: list[tuple[Node, Node]], name: str) -> dict[str, int]:
    """The quantity at `name` of each item."""
    amounts = {}
    for item, node in rows:
        amount = object_or_empty(node, name).decimal_at("amount")
        amounts[_line_id(item)] = int(amount or 0)
    return amounts


def _nonzero(rows: list[tuple[Node, Node]], measure: Measure, name: str) -> list[EventLine]:
    return [
        _line(item, measure, node.get(name))
        for item, node in rows
        if object_or_empty(node, name).decimal_at("amount")
    ]


def _cartons(shipment: Node) -> Iterator[ObjectReference]:
    """Yield a package for each carton: by its tracking number and its SSCC."""
    tracked: set[str] = set()
    for carton in shipment.list_at("containers"):
        tracking = carton.text_at("trackingnumber")
        codes = [
            identifier.text_at("containeridentificationnumber")
            for identifier in carton.list_at("containeridentifiers")
            if identifier.text_at("containeridentificationtype") == "SSCC"
        ]
        sscc = next((code for code in codes if code.isdecimal() and len(code) in {18, 20}), "")
        numbers = [(IdentifierScheme.SSCC, sscc, "")]
        # Of cartons that share a tracking number, the others are known by their SSCC only.
        if tracking not in tracked:
            numbers.insert(0, (IdentifierScheme.TRACKING, tracking, ""))
            tracked.add(tracking)
        if reference := build_reference_or_none(ObjectKind.PACKAGE, *numbers):
            yield reference
