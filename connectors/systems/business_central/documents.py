"""Converts sales documents of the Business Central API v2.0 to canonical events."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_rfc3339
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
from connectors.systems.business_central.document_fields import (
    customer_and_total_attributes,
    date_or_empty,
    external_document_identifiers,
    identifiers_or_empty,
    is_order_line_not_posted_line,
    measures_of_lines_if_lines_sent,
    parse_item_lines,
    parse_modified_time,
    status_text,
)
from connectors.systems.business_central.posted_document_lines import (
    group_invoice_lines_by_shipment,
    subtract_undo_shipment_lines,
)

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
    # What a status revokes: Reopen takes back a release, and the end of a review the hold.
    revoked_by_status: ClassVar[Mapping[str, tuple[EventType, ...]]] = {
        "Draft": (EventType.ORDER_RELEASED, EventType.ORDER_HELD),
        "In Review": (EventType.ORDER_RELEASED,),
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
            "salesOrderLines": self._order_changed_events_of_line,
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
        number, status = order.required_text("number"), status_text(order)
        ids = [EventIdentifier(IdentifierScheme.SALES_ORDER, number, self.source)]
        ids += identifiers_or_empty(IdentifierScheme.SOURCE_ID, order.text_at("id"), self.source)
        ids += external_document_identifiers(order, self.settings)
        known = status in self.statuses
        lines = parse_item_lines(order.list_at("salesOrderLines"), ORDER_LINE)
        complete = measures_of_lines_if_lines_sent(order, "salesOrderLines", lines)
        return [
            self._build_event(
                self.statuses.get(status, EventType.UNMAPPED),
                f"order {number} {status or 'Draft'}",
                order,
                (ObjectReference(ObjectKind.ORDER, tuple(ids)),),
                lines=lines,
                attributes=self._order_attributes(order),
                raw_type="" if known else status,
                complete=complete,
                takes_back=self.revoked_by_status.get(status, ()),
            )
        ]

    def _order_attributes(self, order: Node) -> dict[Attribute, str]:
        code = order.text_at("shortcutDimension1Code")
        lines = order.list_at("salesOrderLines")
        # The ship-by date of an order is the latest of its lines.
        dated_nodes = [order, *lines] if not date_or_empty(order, "shipmentDate") else [order]
        return {
            **customer_and_total_attributes(order),
            Attribute.CHANNEL: self.settings.values_of_family_by_id("channel.").get(code)
            or self.settings.text("channel"),
            Attribute.REQUESTED_AT: date_or_empty(order, "requestedDeliveryDate"),
            Attribute.PROMISED_AT: date_or_empty(order, "promisedDeliveryDate"),
            Attribute.SHIP_BY: max(
                (date_or_empty(node, "shipmentDate") for node in dated_nodes), default=""
            ),
            Attribute.WAREHOUSE: next(
                (code for n in (order, *lines) if (code := n.text_at("locationCode"))), ""
            ),
        }

    def _order_changed_events_of_line(self, line: Node) -> list[CanonicalEvent]:
        document = line.text_at("documentId")
        if not identifiers_or_empty(IdentifierScheme.SOURCE_ID, document, self.source):
            raise PayloadError(
                ParkReason.REFERENCE, line.get("documentId").path, "the line has no order id"
            )
        ref = ObjectReference(
            ObjectKind.ORDER, (EventIdentifier(IdentifierScheme.SOURCE_ID, document, self.source),)
        )
        fact = f"order line {line.text_at('id') or document}"
        lines = parse_item_lines([line], ORDER_LINE)
        return [self._build_event(EventType.ORDER_CHANGED, fact, line, (ref,), lines=lines)]

    def _parse_shipment(self, shipment: Node) -> list[CanonicalEvent]:
        number = shipment.required_text("number")
        ids = [EventIdentifier(IdentifierScheme.SHIPMENT, number, self.source)]
        ids += identifiers_or_empty(IdentifierScheme.SOURCE_ID, shipment.text_at("id"), self.source)
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
        nodes = shipment.list_at("salesShipmentLines")
        lines = subtract_undo_shipment_lines(
            parse_item_lines(nodes, {"quantity": Measure.SHIPPED}), "salesShipmentLines"
        )
        return [
            self._build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"shipment {number}",
                shipment,
                objects,
                lines=lines,
                scope=f"shipment {number}",
                complete=measures_of_lines_if_lines_sent(shipment, "salesShipmentLines", lines),
                attributes={**customer_and_total_attributes(shipment), Attribute.CARRIER: carrier},
            )
        ]

    def _parse_invoice(self, invoice: Node) -> list[CanonicalEvent]:
        number, status = invoice.required_text("number"), status_text(invoice)
        types = self.invoice_statuses.get(status or "Open", (EventType.UNMAPPED,))
        ids = [EventIdentifier(IdentifierScheme.INVOICE, number, self.source)]
        ids += identifiers_or_empty(IdentifierScheme.SOURCE_ID, invoice.text_at("id"), self.source)
        orders = self._build_order_refs(invoice)
        objects = (*orders, ObjectReference(ObjectKind.INVOICE, tuple(ids)))
        nodes, index = invoice.list_at("salesInvoiceLines"), len(objects)
        lines = parse_item_lines(nodes, {"quantity": Measure.INVOICED})
        if not orders:
            collected = group_invoice_lines_by_shipment(nodes, self.source, first_index=index)
            objects, lines = (*objects, *collected.shipments), collected.lines or lines
        return [
            self._build_event(
                event_type,
                f"invoice {number} {event_type.value}",
                invoice,
                objects,
                lines=lines if event_type is EventType.INVOICE_ISSUED else (),
                scope=f"invoice {number}",
                attributes=customer_and_total_attributes(invoice),
                raw_type=status if event_type is EventType.UNMAPPED else "",
            )
            for event_type in types
        ]

    def _parse_credit_memo(self, credit: Node) -> list[CanonicalEvent]:
        number, status = credit.required_text("number"), status_text(credit)
        if status in {"Draft", "In Review"}:
            return []
        known = status in {"", "Open", "Paid"}
        ids = [EventIdentifier(IdentifierScheme.CREDIT_MEMO, number, self.source)]
        ids += identifiers_or_empty(IdentifierScheme.SOURCE_ID, credit.text_at("id"), self.source)
        invoice_ids = identifiers_or_empty(
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
                lines=parse_item_lines(
                    credit.list_at("salesCreditMemoLines"), {"quantity": Measure.CREDITED}
                )
                if known
                else (),
                scope=f"credit {number}",
                attributes=customer_and_total_attributes(credit),
                raw_type="" if known else status,
            )
        ]

    def _build_order_refs(self, document: Node) -> tuple[ObjectReference, ...]:
        """Reference the order of a posted document by its number, else by the customer's."""
        ids = identifiers_or_empty(
            IdentifierScheme.SALES_ORDER, document.text_at("orderNumber"), self.source
        )
        ids = ids or external_document_identifiers(document, self.settings)
        return (ObjectReference(ObjectKind.ORDER, tuple(ids)),) if ids else ()

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
        complete: Sequence[Measure] = (),
        takes_back: Sequence[EventType] = (),
    ) -> CanonicalEvent:
        """Create an event of a snapshot. The time of the snapshot is part of the key."""
        modified = parse_modified_time(entity)
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
            complete_measures=complete,
            takes_back=takes_back,
        )


def guess_collection(entity: Node) -> str:
    """Return the collection of an entity, guessed from fields that only its entities have."""
    if entity.has_value("documentId"):
        return "salesOrderLines" if is_order_line_not_posted_line(entity) else ""
    if entity.has_value("salesOrderLines") or entity.has_value("orderDate"):
        return "salesOrders"
    if entity.has_value("salesCreditMemoLines") or entity.has_value("creditMemoDate"):
        return "salesCreditMemos"
    if entity.has_value("salesInvoiceLines") or entity.has_value("totalAmountIncludingTax"):
        return "salesInvoices"
    shipment = entity.has_value("salesShipmentLines") or entity.has_value("orderNumber")
    return "salesShipments" if shipment else ""
