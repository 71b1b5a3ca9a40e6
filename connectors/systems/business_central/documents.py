"""Sales documents of Business Central's API v2.0 as canonical events."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
    iso,
    plain,
)
from connectors.sdk.payload import Node, PayloadError, Reason
from connectors.sdk.timestamps import Moment, instant

ORDER_LINE = {
    "quantity": Measure.ORDERED,
    "shippedQuantity": Measure.SHIPPED,
    "invoicedQuantity": Measure.INVOICED,
}


class SalesDocuments:
    """Reads orders, order lines, posted shipments, invoices and credit memos of one source."""

    # Order status (API enum names; a blank is written _x0020_).
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

    def __init__(self, config: Mapping[str, str], source: str) -> None:
        self.config = config
        self.source = source

    def read(self, entity: Node, name: str) -> list[CanonicalEvent]:
        """The events of one entity of the collection `name` (empty: its fields tell)."""
        readers: Mapping[str, Callable[[Node], list[CanonicalEvent]]] = {
            "salesOrders": self._order,
            "salesOrderLines": self._order_line,
            "salesShipments": self._shipment,
            "salesInvoices": self._invoice,
            "salesCreditMemos": self._credit,
        }
        kind = name if name in readers else kind_of(entity)
        if kind not in readers:
            path = entity.path or "$"
            raise PayloadError(Reason.MAPPING, path, "no sales order, shipment, invoice or credit")
        return readers[kind](entity)

    def _order(self, order: Node) -> list[CanonicalEvent]:
        number, word = order.need("number"), _word(order)
        ids = [Identifier(Scheme.SALES_ORDER, number, self.source)]
        ids += _ids(Scheme.SOURCE_ID, order.text("id"), self.source)
        ids += self._customers_number(order)
        known = word in self.statuses
        return [
            self._event(
                self.statuses.get(word, EventType.UNMAPPED),
                f"order {number} {word or 'Draft'}",
                order,
                (Ref(ObjectKind.ORDER, tuple(ids)),),
                lines=_lines(order.items("salesOrderLines"), ORDER_LINE),
                attributes=self._about_order(order),
                raw_type="" if known else word,
            )
        ]

    def _about_order(self, order: Node) -> dict[Attribute, str]:
        code = order.text("shortcutDimension1Code")
        lines = order.items("salesOrderLines")
        # The order is to have left when its last line is to leave.
        by = [order, *lines] if not _date(order, "shipmentDate") else [order]
        return {
            **_about(order),
            Attribute.CHANNEL: self.config.get(f"channel.{code}") or self.config.get("channel", ""),
            Attribute.REQUESTED_AT: _date(order, "requestedDeliveryDate"),
            Attribute.PROMISED_AT: _date(order, "promisedDeliveryDate"),
            Attribute.SHIP_BY: max((_date(node, "shipmentDate") for node in by), default=""),
            Attribute.WAREHOUSE: next(
                (code for n in (order, *lines) if (code := n.text("locationCode"))), ""
            ),
        }

    def _order_line(self, line: Node) -> list[CanonicalEvent]:
        document = line.text("documentId")
        if not _ids(Scheme.SOURCE_ID, document, self.source):
            raise PayloadError(
                Reason.REFERENCE, line.at("documentId").path, "the line names no order"
            )
        ref = Ref(ObjectKind.ORDER, (Identifier(Scheme.SOURCE_ID, document, self.source),))
        fact = f"order line {line.text('id') or document}"
        lines = _lines([line], ORDER_LINE)
        return [self._event(EventType.ORDER_CHANGED, fact, line, (ref,), lines=lines)]

    def _shipment(self, shipment: Node) -> list[CanonicalEvent]:
        number = shipment.need("number")
        ids = [Identifier(Scheme.SHIPMENT, number, self.source)]
        ids += _ids(Scheme.SOURCE_ID, shipment.text("id"), self.source)
        tracking = shipment.text("packageTrackingNo").replace(";", ",").split(",")
        packages = [
            Ref(ObjectKind.PACKAGE, (Identifier(Scheme.TRACKING, known),))
            for known in dict.fromkeys(map(identifying, tracking))
            if known
        ]
        objects = (*self._order_of(shipment), Ref(ObjectKind.SHIPMENT, tuple(ids)), *packages)
        carrier = shipment.text("shippingAgentCode")
        return [
            self._event(
                EventType.SHIPMENT_CONFIRMED,
                f"shipment {number}",
                shipment,
                objects,
                lines=_lines(shipment.items("salesShipmentLines"), {"quantity": Measure.SHIPPED}),
                part=f"shipment {number}",
                attributes={**_about(shipment), Attribute.CARRIER: carrier},
            )
        ]

    def _invoice(self, invoice: Node) -> list[CanonicalEvent]:
        number, word = invoice.need("number"), _word(invoice)
        types = self.invoice_statuses.get(word or "Open", (EventType.UNMAPPED,))
        ids = [Identifier(Scheme.INVOICE, number, self.source)]
        ids += _ids(Scheme.SOURCE_ID, invoice.text("id"), self.source)
        return [
            self._event(
                event_type,
                f"invoice {number} {event_type.value}",
                invoice,
                (*self._order_of(invoice), Ref(ObjectKind.INVOICE, tuple(ids))),
                lines=_lines(invoice.items("salesInvoiceLines"), {"quantity": Measure.INVOICED})
                if event_type is EventType.INVOICE_ISSUED
                else (),
                part=f"invoice {number}",
                attributes=_about(invoice),
                raw_type=word if event_type is EventType.UNMAPPED else "",
            )
            for event_type in types
        ]

    def _credit(self, credit: Node) -> list[CanonicalEvent]:
        number, word = credit.need("number"), _word(credit)
        if word in {"Draft", "In Review"}:
            return []
        known = word in {"", "Open", "Paid"}
        ids = [Identifier(Scheme.CREDIT_MEMO, number, self.source)]
        ids += _ids(Scheme.SOURCE_ID, credit.text("id"), self.source)
        billed = _ids(Scheme.INVOICE, credit.text("invoiceNumber"), self.source)
        invoice = [Ref(ObjectKind.INVOICE, tuple(billed))] if billed else []
        return [
            self._event(
                EventType.CREDIT_ISSUED if known else EventType.UNMAPPED,
                f"credit {number} {word}".strip(),
                credit,
                (*self._order_of(credit), Ref(ObjectKind.INVOICE, tuple(ids)), *invoice),
                lines=_lines(credit.items("salesCreditMemoLines"), {"quantity": Measure.CREDITED})
                if known
                else (),
                part=f"credit {number}",
                attributes=_about(credit),
                raw_type="" if known else word,
            )
        ]

    def _order_of(self, document: Node) -> tuple[Ref, ...]:
        """The order a posted document belongs to: by its number, else by the customer's."""
        ids = _ids(Scheme.SALES_ORDER, document.text("orderNumber"), self.source)
        ids = ids or self._customers_number(document)
        return (Ref(ObjectKind.ORDER, tuple(ids)),) if ids else ()

    def _customers_number(self, document: Node) -> list[Identifier]:
        """The external document number: a shop's order name, or the customer's PO."""
        text, shop = document.text("externalDocumentNumber"), self.config.get("web_orders", "")
        if shop and text.startswith("#"):
            return _ids(Scheme.WEB_ORDER, text, shop)
        customer = document.text("customerNumber")
        return _ids(Scheme.CUSTOMER_PO, text, customer, strong=bool(customer))

    def _event(
        self,
        event_type: EventType,
        fact: str,
        entity: Node,
        objects: Sequence[Ref],
        *,
        lines: Sequence[Line] = (),
        part: str = "",
        attributes: Mapping[Attribute, str] | None = None,
        raw_type: str = "",
    ) -> CanonicalEvent:
        """A state seen in a snapshot: it has no time but the snapshot's, which is in the key."""
        moment = _modified(entity)
        seen = iso(moment.at) if moment else ""
        flags = (moment.flags if moment else ()) + ((Flag.SANITISED,) * entity.sanitised)
        return CanonicalEvent(
            type=event_type,
            key=f"{fact} seen {seen}" if seen else fact,
            occurred_at=moment.at if moment else None,
            objects=tuple(objects),
            lines=tuple(lines),
            part=part,
            attributes={name: text for name, text in (attributes or {}).items() if text},
            revision=seen,
            raw_type=raw_type,
            flags=flags,
        )


def kind_of(entity: Node) -> str:
    """Which collection an entity is of, by the fields that only its entities have."""
    if entity.has("documentId"):
        return "salesOrderLines" if entity.has("sequence") else ""
    if entity.has("salesOrderLines") or entity.has("orderDate"):
        return "salesOrders"
    if entity.has("salesCreditMemoLines") or entity.has("creditMemoDate"):
        return "salesCreditMemos"
    if entity.has("salesInvoiceLines") or entity.has("totalAmountIncludingTax"):
        return "salesInvoices"
    shipment = entity.has("salesShipmentLines") or entity.has("orderNumber")
    return "salesShipments" if shipment else ""


def _ids(scheme: Scheme, text: str, issuer: str, *, strong: bool = True) -> list[Identifier]:
    value = identifying(text)
    if not value or value == "00000000-0000-0000-0000-000000000000":
        return []
    return [Identifier(scheme, value, issuer, strong=strong)]


def _word(document: Node) -> str:
    return document.text("status").replace("_x0020_", " ").strip()


def _modified(entity: Node) -> Moment | None:
    text = entity.text("lastModifiedDateTime")
    blank = text.startswith("0001-01-01")
    return None if blank else instant(text, entity.at("lastModifiedDateTime").path)


def _date(document: Node, key: str) -> str:
    """A date; 0001-01-01 is how a blank one is written."""
    text = document.text(key)
    moment = None if text.startswith("0001-01-01") else instant(text, document.at(key).path)
    return text if moment else ""


def _about(document: Node) -> dict[Attribute, str]:
    total = document.decimal("totalAmountIncludingTax")
    return {
        Attribute.CUSTOMER_NO: document.text("customerNumber"),
        Attribute.CUSTOMER_NAME: document.text("customerName"),
        Attribute.CURRENCY: document.text("currencyCode"),
        Attribute.TOTAL: "" if total is None else plain(total),
        Attribute.STATUS: _word(document),
    }


def _lines(nodes: Sequence[Node], measures: Mapping[str, Measure]) -> list[Line]:
    """The items; comments, freight accounts and charges are no goods. The line number stays the
    same from the order to the posted documents, so it is the line's id."""
    lines = []
    for node in nodes:
        if node.text("lineType", "Item") != "Item":
            continue
        told = {measure: node.decimal(key) for key, measure in measures.items()}
        for measure, quantity in told.items():
            if quantity is not None and quantity < 0 and measure is Measure.SHIPPED:
                raise PayloadError(Reason.QUANTITY, node.path, f"{quantity} shipped")
        lines.append(
            Line(
                line_id=node.text("sequence") or node.need("id"),
                sku=node.text("lineObjectNumber"),
                description=node.text("description"),
                unit=node.text("unitOfMeasureCode") or "EA",
                price=node.decimal("unitPrice"),
                quantities={m: q for m, q in told.items() if q is not None},
            )
        )
    return lines
