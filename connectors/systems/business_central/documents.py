"""Converts sales documents of the Business Central API v2.0 to canonical events."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

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
from connectors.sdk.identifier_parsing import blank_if_placeholder
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp

ORDER_LINE = {
    "quantity": Measure.ORDERED,
    "shippedQuantity": Measure.SHIPPED,
    "invoicedQuantity": Measure.INVOICED,
}


class SalesDocumentReader:
    """Reader of orders, order lines, posted shipments, invoices and credit memos."""

    # Order status (API enum names, in which a space is _x0020_).
    statuses: ClassVar[Mapping[str, EventType]] = {
        "": EventType.ORDER_RECEIVED,
        "Draft": EventType.ORDER_RECEIVED,
        "In Review": EventType.ORDER_HELD,
        "Open": EventType.ORDER_RELEASED,
        "Released": EventType.ORDER_RELEASED,
    }
    invoice_statuses: ClassVar[Mapping[str, tuple[EventType, ...]]] = {
        "Draft": (),
        "In Review": (),
        "Open": (EventType.INVOICE_ISSUED,),
        "Paid": (EventType.INVOICE_ISSUED, EventType.INVOICE_PAID),
        "Canceled": (EventType.INVOICE_VOID,),
        "Corrective": (EventType.INVOICE_VOID,),
    }

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def parse_entity(self, entity: Node, name: str) -> list[CanonicalEvent]:
        """Return the events of an entity of collection `name` (empty: guess from its fields)."""
        readers: Mapping[str, Callable[[Node], list[CanonicalEvent]]] = {
            "salesOrders": self._parse_sales_order,
            "salesOrderLines": self._order_line_events,
            "salesShipments": self._parse_shipment,
            "salesInvoices": self._parse_invoice,
            "salesCreditMemos": self._parse_credit_memo,
        }
        kind = name if name in readers else guess_collection(entity)
        if kind not in readers:
            path = entity.path or "$"
            raise PayloadError(
                ParkReason.MAPPING, path, "not a sales order, shipment, invoice or credit memo"
            )
        return readers[kind](entity)

    def _parse_sales_order(self, order: Node) -> list[CanonicalEvent]:
        number, status = order.required_text("number"), _status_text(order)
        ids = [EventIdentifier(IdentifierScheme.SALES_ORDER, number, self.source)]
        ids += _optional_identifier(IdentifierScheme.SOURCE_ID, order.text_at("id"), self.source)
        ids += self._external_document_identifiers(order)
        known = status in self.statuses
        return [
            self._build_event(
                self.statuses.get(status, EventType.UNMAPPED),
                f"order {number} {status or 'Draft'}",
                order,
                (ObjectReference(ObjectKind.ORDER, tuple(ids)),),
                lines=_parse_item_lines(order.list_at("salesOrderLines"), ORDER_LINE),
                attributes=self._order_attributes(order),
                raw_type="" if known else status,
            )
        ]

    def _order_attributes(self, order: Node) -> dict[Attribute, str]:
        code = order.text_at("shortcutDimension1Code")
        lines = order.list_at("salesOrderLines")
        # The ship-by date of an order is the latest of its lines.
        dated_nodes = [order, *lines] if not _date_or_empty(order, "shipmentDate") else [order]
        return {
            **_common_attributes(order),
            Attribute.CHANNEL: self.settings.family("channel.").get(code)
            or self.settings.text("channel"),
            Attribute.REQUESTED_AT: _date_or_empty(order, "requestedDeliveryDate"),
            Attribute.PROMISED_AT: _date_or_empty(order, "promisedDeliveryDate"),
            Attribute.SHIP_BY: max(
                (_date_or_empty(node, "shipmentDate") for node in dated_nodes), default=""
            ),
            Attribute.WAREHOUSE: next(
                (code for n in (order, *lines) if (code := n.text_at("locationCode"))), ""
            ),
        }

    def _order_line_events(self, line: Node) -> list[CanonicalEvent]:
        document = line.text_at("documentId")
        if not _optional_identifier(IdentifierScheme.SOURCE_ID, document, self.source):
            raise PayloadError(
                ParkReason.REFERENCE, line.get("documentId").path, "the line has no order id"
            )
        ref = ObjectReference(
            ObjectKind.ORDER, (EventIdentifier(IdentifierScheme.SOURCE_ID, document, self.source),)
        )
        fact = f"order line {line.text_at('id') or document}"
        lines = _parse_item_lines([line], ORDER_LINE)
        return [self._build_event(EventType.ORDER_CHANGED, fact, line, (ref,), lines=lines)]

    def _parse_shipment(self, shipment: Node) -> list[CanonicalEvent]:
        number = shipment.required_text("number")
        ids = [EventIdentifier(IdentifierScheme.SHIPMENT, number, self.source)]
        ids += _optional_identifier(IdentifierScheme.SOURCE_ID, shipment.text_at("id"), self.source)
        tracking = shipment.text_at("packageTrackingNo").replace(";", ",").split(",")
        packages = [
            ObjectReference(
                ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, known),)
            )
            for known in dict.fromkeys(map(blank_if_placeholder, tracking))
            if known
        ]
        objects = (
            *self._build_order_refs(shipment),
            ObjectReference(ObjectKind.SHIPMENT, tuple(ids)),
            *packages,
        )
        carrier = shipment.text_at("shippingAgentCode")
        return [
            self._build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"shipment {number}",
                shipment,
                objects,
                lines=_parse_item_lines(
                    shipment.list_at("salesShipmentLines"), {"quantity": Measure.SHIPPED}
                ),
                scope=f"shipment {number}",
                attributes={**_common_attributes(shipment), Attribute.CARRIER: carrier},
            )
        ]

    def _parse_invoice(self, invoice: Node) -> list[CanonicalEvent]:
        number, status = invoice.required_text("number"), _status_text(invoice)
        types = self.invoice_statuses.get(status or "Open", (EventType.UNMAPPED,))
        ids = [EventIdentifier(IdentifierScheme.INVOICE, number, self.source)]
        ids += _optional_identifier(IdentifierScheme.SOURCE_ID, invoice.text_at("id"), self.source)
        return [
            self._build_event(
                event_type,
                f"invoice {number} {event_type.value}",
                invoice,
                (*self._build_order_refs(invoice), ObjectReference(ObjectKind.INVOICE, tuple(ids))),
                lines=_parse_item_lines(
                    invoice.list_at("salesInvoiceLines"), {"quantity": Measure.INVOICED}
                )
                if event_type is EventType.INVOICE_ISSUED
                else (),
                scope=f"invoice {number}",
                attributes=_common_attributes(invoice),
                raw_type=status if event_type is EventType.UNMAPPED else "",
            )
            for event_type in types
        ]

    def _parse_credit_memo(self, credit: Node) -> list[CanonicalEvent]:
        number, status = credit.required_text("number"), _status_text(credit)
        if status in {"Draft", "In Review"}:
            return []
        known = status in {"", "Open", "Paid"}
        ids = [EventIdentifier(IdentifierScheme.CREDIT_MEMO, number, self.source)]
        ids += _optional_identifier(IdentifierScheme.SOURCE_ID, credit.text_at("id"), self.source)
        invoice_ids = _optional_identifier(
            IdentifierScheme.INVOICE, credit.text_at("invoiceNumber"), self.source
        )
        invoice = [ObjectReference(ObjectKind.INVOICE, tuple(invoice_ids))] if invoice_ids else []
        return [
            self._build_event(
                EventType.CREDIT_ISSUED if known else EventType.UNMAPPED,
                f"credit {number} {status}".strip(),
                credit,
                (
                    *self._build_order_refs(credit),
                    ObjectReference(ObjectKind.INVOICE, tuple(ids)),
                    *invoice,
                ),
                lines=_parse_item_lines(
                    credit.list_at("salesCreditMemoLines"), {"quantity": Measure.CREDITED}
                )
                if known
                else (),
                scope=f"credit {number}",
                attributes=_common_attributes(credit),
                raw_type="" if known else status,
            )
        ]

    def _build_order_refs(self, document: Node) -> tuple[ObjectReference, ...]:
        """Reference the order of a posted document by its number, else by the customer's."""
        ids = _optional_identifier(
            IdentifierScheme.SALES_ORDER, document.text_at("orderNumber"), self.source
        )
        ids = ids or self._external_document_identifiers(document)
        return (ObjectReference(ObjectKind.ORDER, tuple(ids)),) if ids else ()

    def _external_document_identifiers(self, document: Node) -> list[EventIdentifier]:
        """Return the external document number: a web order name or the customer PO."""
        text, shop = document.text_at("externalDocumentNumber"), self.settings.text("web_orders")
        if shop and text.startswith("#"):
            return _optional_identifier(IdentifierScheme.WEB_ORDER, text, shop)
        customer = document.text_at("customerNumber")
        return _optional_identifier(
            IdentifierScheme.CUSTOMER_PO, text, customer, strong=bool(customer)
        )

    def _build_event(
        self,
        event_type: EventType,
        fact: str,
        entity: Node,
        objects: Sequence[ObjectReference],
        *,
        lines: Sequence[EventLine] = (),
        scope: str = "",
        attributes: Mapping[Attribute, str] | None = None,
        raw_type: str = "",
    ) -> CanonicalEvent:
        """Create an event of a snapshot. The time of the snapshot is part of the key."""
        modified = _parse_modified_time(entity)
        revision_text = format_rfc3339(modified.time) if modified else ""
        return build_event(
            event_type,
            f"{fact} seen {revision_text}" if revision_text else fact,
            modified,
            *objects,
            lines=lines,
            scope=scope,
            attributes=attributes,
            revision=revision_text,
            raw_type=raw_type,
            flags=(Flag.SANITIZED,) * entity.was_sanitized,
        )


def guess_collection(entity: Node) -> str:
    """Return the collection of an entity, guessed from fields that only its entities have."""
    if entity.has_value("documentId"):
        return "salesOrderLines" if entity.has_value("sequence") else ""
    if entity.has_value("salesOrderLines") or entity.has_value("orderDate"):
        return "salesOrders"
    if entity.has_value("salesCreditMemoLines") or entity.has_value("creditMemoDate"):
        return "salesCreditMemos"
    if entity.has_value("salesInvoiceLines") or entity.has_value("totalAmountIncludingTax"):
        return "salesInvoices"
    shipment = entity.has_value("salesShipmentLines") or entity.has_value("orderNumber")
    return "salesShipments" if shipment else ""


def _optional_identifier(
    scheme: IdentifierScheme, text: str, issuer: str, *, strong: bool = True
) -> list[EventIdentifier]:
    value = blank_if_placeholder(text)
    if not value or value == "00000000-0000-0000-0000-000000000000":
        return []
    return [EventIdentifier(scheme, value, issuer, strong=strong)]


def _status_text(document: Node) -> str:
    return document.text_at("status").replace("_x0020_", " ").strip()


def _parse_modified_time(entity: Node) -> ParsedTime | None:
    text = entity.text_at("lastModifiedDateTime")
    blank = text.startswith("0001-01-01")
    return None if blank else parse_timestamp(text, entity.get("lastModifiedDateTime").path)


def _date_or_empty(document: Node, key: str) -> str:
    """Return a date; 0001-01-01 means blank."""
    text = document.text_at(key)
    moment = (
        None if text.startswith("0001-01-01") else parse_timestamp(text, document.get(key).path)
    )
    return text if moment else ""


def _common_attributes(document: Node) -> dict[Attribute, str]:
    total = document.decimal_at("totalAmountIncludingTax")
    return {
        Attribute.CUSTOMER_NO: document.text_at("customerNumber"),
        Attribute.CUSTOMER_NAME: document.text_at("customerName"),
        Attribute.CURRENCY: document.text_at("currencyCode"),
        Attribute.TOTAL: "" if total is None else format_decimal(total),
        Attribute.STATUS: _status_text(document),
    }


def _parse_item_lines(nodes: Sequence[Node], measures: Mapping[str, Measure]) -> list[EventLine]:
    """Return the item lines. Orders and posted documents share line numbers (`sequence`)."""
    lines = []
    for node in nodes:
        if node.text_at("lineType", "Item") != "Item":
            continue
        quantities = {measure: node.decimal_at(key) for key, measure in measures.items()}
        for measure, quantity in quantities.items():
            if quantity is not None and quantity < 0 and measure is Measure.SHIPPED:
                raise PayloadError(ParkReason.QUANTITY, node.path, f"{quantity} shipped")
        lines.append(
            EventLine(
                line_id=node.text_at("sequence") or node.required_text("id"),
                sku=node.text_at("lineObjectNumber"),
                description=node.text_at("description"),
                unit=node.text_at("unitOfMeasureCode") or "EA",
                price=node.decimal_at("unitPrice"),
                quantities={m: q for m, q in quantities.items() if q is not None},
            )
        )
    return lines
