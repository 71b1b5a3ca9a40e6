"""Converts orders, shipments, invoices and credit memos of Adobe Commerce to events."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import ClassVar

from connectors.sdk.build_references import (
    build_reference,
    build_reference_or_none,
    package_references,
)
from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_rfc3339
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
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.adobe_commerce.items import (
    counted_items,
    document_lines,
    order_lines,
)

JUST_CREATED = timedelta(minutes=1)


class CommerceReader:
    """Reads the documents of the REST API, which events of Adobe I/O contain as well.

    All times are in UTC without an offset. A document that the poll completed with its order has a
    higher revision than the same document in an event, because it tells which items are counted.
    """

    # `state`, not `status`: a merchant's own statuses belong to one of these states.
    states: ClassVar[Mapping[str, EventType | None]] = {
        "": None,
        "new": EventType.ORDER_CHANGED,
        "pending_payment": EventType.ORDER_CHANGED,
        "payment_review": EventType.ORDER_HELD,
        "holded": EventType.ORDER_HELD,
        "processing": EventType.ORDER_ACCEPTED,
        "complete": EventType.ORDER_ACCEPTED,
        "closed": EventType.ORDER_ACCEPTED,  # refunded; the credit memos report that
        "canceled": EventType.ORDER_CANCELLED,
    }
    # https://github.com/magento/magento2: Sales/Model/Order/Invoice.php, STATE_OPEN and others
    invoice_states: ClassVar[Mapping[str, EventType | None]] = {
        "": None,
        "1": None,
        "2": EventType.INVOICE_PAID,
        "3": EventType.INVOICE_VOID,
    }

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def order_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the receipt of the order, its state, and the units that were cancelled."""
        name = f"order {_id_of(order)}"
        reference = self._order_reference(order, "entity_id")
        created, updated = (parse_utc(order, field) for field in ("created_at", "updated_at"))
        items = counted_items(order.list_at("items"), ships_bundles_separately=self._separately())
        yield build_event(
            EventType.ORDER_RECEIVED,
            name,
            created,
            reference,
            lines=order_lines(items, "qty_ordered", Measure.ORDERED),
            attributes=self._order_attributes(order),
            revision=_revision(order),
        )
        state = order.text_at("state")
        kind = self.states.get(state, EventType.UNMAPPED)
        if kind is EventType.ORDER_CHANGED and is_just_created(created, updated):
            kind = None
        cancelled = [
            line
            for line in order_lines(items, "qty_canceled", Measure.CANCELLED)
            if line.quantities[Measure.CANCELLED]
        ]
        if kind:
            yield build_event(
                kind,
                f"{name} state",  # of a hold, its release and a cancellation only the newest holds
                updated,
                reference,
                lines=cancelled if kind is EventType.ORDER_CANCELLED else (),
                attributes={Attribute.STATUS: order.text_at("status") or state},
                revision=_revision(order),
                raw_type=state if kind is EventType.UNMAPPED else "",
                flags=(Flag.TIME_OF_REPORT,),
            )
        if cancelled and kind is not EventType.ORDER_CANCELLED:
            yield build_event(
                EventType.ORDER_CHANGED,
                f"{name} cancelled units",
                updated,
                reference,
                lines=cancelled,
                revision=_revision(order),
                complete_measures=(Measure.CANCELLED,),
            )

    def shipment_events(self, shipment: Node) -> Iterator[CanonicalEvent]:
        """Yield the shipment with its packages: one for each track."""
        tracks = shipment.list_at("tracks")
        name = f"shipment {_id_of(shipment)}"
        number = (IdentifierScheme.SHIPMENT, shipment.text_at("increment_id"), self.source)
        reference = build_reference_or_none(ObjectKind.SHIPMENT, number)
        extension = shipment.get("extension_attributes")
        warehouse = extension.text_at("source_code") if isinstance(extension.value, dict) else ""
        carriers = [t.text_at("title") or t.text_at("carrier_code") for t in tracks]
        yield build_event(
            EventType.SHIPMENT_CONFIRMED,
            name,
            parse_utc(shipment, "created_at"),
            self._order_of(shipment),
            *([reference] if reference else []),
            *package_references(t.text_at("track_number") or t.text_at("number") for t in tracks),
            lines=self._document_lines(shipment, Measure.SHIPPED),
            scope=name,
            attributes={
                Attribute.CARRIER: next(filter(None, carriers), ""),
                Attribute.WAREHOUSE: warehouse,
            },
            revision=_revision(shipment),
        )

    def invoice_events(self, invoice: Node) -> Iterator[CanonicalEvent]:
        """Yield the invoice, and its payment or cancellation."""
        name = f"invoice {_id_of(invoice)}"
        objects = (
            self._order_of(invoice),
            build_reference(
                ObjectKind.INVOICE,
                "increment_id",
                (IdentifierScheme.INVOICE, invoice.text_at("increment_id"), self.source),
            ),
        )
        yield build_event(
            EventType.INVOICE_ISSUED,
            name,
            parse_utc(invoice, "created_at"),
            *objects,
            lines=self._document_lines(invoice, Measure.INVOICED),
            scope=name,
            attributes=_amount(invoice),
            revision=_revision(invoice),
        )
        state = invoice.text_at("state")
        kind = self.invoice_states.get(state, EventType.UNMAPPED)
        if kind:
            yield build_event(
                kind,
                f"{name} state",
                parse_utc(invoice, "updated_at"),
                *objects,
                scope=name,
                revision=_revision(invoice),
                raw_type=f"invoice state {state}" if kind is EventType.UNMAPPED else "",
                flags=(Flag.TIME_OF_REPORT,),
            )

    def credit_memo_events(self, memo: Node) -> Iterator[CanonicalEvent]:
        """Yield the credit. A refund credits goods whether or not they come back."""
        name = f"credit memo {_id_of(memo)}"
        yield build_event(
            EventType.CREDIT_ISSUED,
            name,
            parse_utc(memo, "created_at"),
            self._order_of(memo),
            build_reference(
                ObjectKind.INVOICE,
                "increment_id",
                (IdentifierScheme.CREDIT_MEMO, memo.text_at("increment_id"), self.source),
            ),
            lines=self._document_lines(memo, Measure.CREDITED),
            scope=name,
            attributes=_amount(memo),
            revision=_revision(memo),
        )

    def _separately(self) -> bool:
        return self.settings.text("bundles") == "separately"

    def _document_lines(self, document: Node, measure: Measure) -> Iterator[EventLine]:
        order = document.get("order")
        return document_lines(
            document.list_at("items"),
            measure,
            order.list_at("items") if isinstance(order.value, dict) else None,
            ships_bundles_separately=self._separately(),
        )

    def _order_of(self, document: Node) -> ObjectReference:
        """Reference the order of a shipment, an invoice or a credit memo."""
        order = document.get("order")
        if isinstance(order.value, dict) and order.has_value("entity_id"):
            return self._order_reference(order, "entity_id")
        return self._order_reference(document, "order_id")

    def _order_reference(self, node: Node, id_field: str) -> ObjectReference:
        number = node.text_at("increment_id") if id_field == "entity_id" else ""
        numbers = [
            (IdentifierScheme.WEB_ORDER, number, self.source),
            (IdentifierScheme.SOURCE_ID, node.text_at(id_field), self.source),
        ]
        erp = self.settings.text("erp")
        if erp and id_field == "entity_id":
            numbers.append((IdentifierScheme.SALES_ORDER, node.text_at("ext_order_id"), erp))
        payment = node.get("payment")
        if isinstance(payment.value, dict):
            customer = blank_if_placeholder(node.text_at("customer_id"))
            numbers.append((IdentifierScheme.CUSTOMER_PO, payment.text_at("po_number"), customer))
        return build_reference(ObjectKind.ORDER, id_field, *numbers)

    def _order_attributes(self, order: Node) -> dict[Attribute, str]:
        billing = order.get("billing_address")
        company = billing.text_at("company") if isinstance(billing.value, dict) else ""
        person = f"{order.text_at('customer_firstname')} {order.text_at('customer_lastname')}"
        return {
            **_amount(order),
            Attribute.CHANNEL: self.settings.text("channel"),
            Attribute.CUSTOMER_NO: blank_if_placeholder(order.text_at("customer_id")),
            Attribute.CUSTOMER_NAME: company or person.strip(),
            Attribute.STATUS: order.text_at("status") or order.text_at("state"),
            Attribute.SERVICE: order.text_at("shipping_description"),
        }


def is_just_created(created: ParsedTime | None, updated: ParsedTime | None) -> bool:
    """Whether nothing can have changed yet: a later state without a step ends a hold."""
    return not created or not updated or updated.time - created.time <= JUST_CREATED


def parse_utc(node: Node, field: str) -> ParsedTime | None:
    """Parse a time in UTC without an offset, which is what the vendor documents."""
    parsed = parse_timestamp(node.text_at(field), node.get(field).path, "UTC")
    return ParsedTime(parsed.time) if parsed else None


def _id_of(node: Node) -> str:
    """The technical id: `entity_id`, or `id` in events."""
    return node.text_at("entity_id") or node.required_text("id")


def _revision(node: Node) -> str:
    updated = parse_utc(node, "updated_at")
    text = format_rfc3339(updated.time) if updated else ""
    return f"{text} with order".strip() if node.has_value("order") else text


def _amount(node: Node) -> dict[Attribute, str]:
    return {
        Attribute.CURRENCY: node.text_at("order_currency_code"),
        Attribute.TOTAL: node.text_at("grand_total"),
    }
