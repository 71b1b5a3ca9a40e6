"""Converts invoices, receipts and credits of QuickBooks Online to canonical events."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_decimal, format_rfc3339
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
from connectors.sdk.invoice_lines import InvoiceRow, add_up_rows_by_item
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_date_as_midnight, parse_timestamp
from connectors.systems.quickbooks.order_references import order_and_other_references

# QuickBooks adds shipping as an item of this id.
SHIPPING_ITEM = "SHIPPING_ITEM_ID"


class QuickBooksTransactionReader:
    """Reader of Invoice, SalesReceipt, CreditMemo and RefundReceipt.

    A voided transaction stays, with the amount 0 and a note that begins with "Voided". A deleted
    one is only named, by its id. https://developer.intuit.com/app/developer/qbo/docs/workflows
    """

    names: ClassVar[tuple[str, ...]] = (
        "Invoice",
        "SalesReceipt",
        "CreditMemo",
        "RefundReceipt",
        "Payment",
    )
    credits: ClassVar[frozenset[str]] = frozenset({"CreditMemo", "RefundReceipt"})

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def read_events(self, name: str, entity: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of an entity, or none and why. Raises PayloadError."""
        if name == "Payment":
            return [], "payment: the invoice itself says when nothing is left to pay"
        is_void = entity.text_at("status") == "Deleted" or _is_voided(entity)
        if name in self.credits:
            return self._credit_events(name, entity, is_void=is_void), ""
        return list(self._invoice_events(name, entity, is_void=is_void)), ""

    def _invoice_events(
        self, name: str, invoice: Node, *, is_void: bool
    ) -> Iterator[CanonicalEvent]:
        """Yield that it was issued, and what holds now: nothing more, paid or void.

        The state has one key, of which the newest revision counts: deleting a payment opens a paid
        invoice.
        """
        subject = _subject(name, invoice)
        if is_void:
            yield self._build_event(EventType.INVOICE_VOID, f"{subject} state", name, invoice)
            return
        total, balance = invoice.decimal_at("TotalAmt"), invoice.decimal_at("Balance")
        lines = add_up_rows_by_item(_rows(invoice), Measure.INVOICED)
        issued = replace(
            self._build_event(
                EventType.INVOICE_ISSUED, f"{subject} issued", name, invoice, date="TxnDate"
            ),
            lines=lines,
        )
        is_paid = name == "SalesReceipt" or (bool(total) and balance is not None and not balance)
        if not is_paid:
            yield replace(issued, key=f"{subject} state")
        else:
            yield issued
            date = "TxnDate" if name == "SalesReceipt" else ""
            yield self._build_event(
                EventType.INVOICE_PAID, f"{subject} state", name, invoice, date=date
            )
        if self.settings.is_on("shipments") and invoice.text_at("ShipDate"):
            yield self._shipment_event(subject, name, invoice)

    def _shipment_event(self, subject: str, name: str, invoice: Node) -> CanonicalEvent:
        """Return that the goods of the invoice left on ShipDate, in the package of TrackingNum."""
        event = self._build_event(
            EventType.SHIPMENT_CONFIRMED, f"{subject} shipped", name, invoice, date="ShipDate"
        )
        lines = [
            replace(line, quantities={Measure.SHIPPED: line.quantities[Measure.INVOICED]})
            for line in add_up_rows_by_item(_rows(invoice), Measure.INVOICED)
            if line.is_goods and Measure.INVOICED in line.quantities
        ]
        shipment = EventIdentifier(
            IdentifierScheme.SOURCE_ID, f"shipment of {subject}", self.source
        )
        objects = (*event.objects, ObjectReference(ObjectKind.SHIPMENT, (shipment,)))
        attributes = {**event.attributes}
        if carrier := _text_of(invoice, "ShipMethodRef", "name"):
            attributes[Attribute.CARRIER] = carrier
        return replace(
            event,
            objects=objects,
            lines=tuple(lines),
            scope=f"shipment of {subject}",
            attributes=attributes,
        )

    def _credit_events(self, name: str, credit: Node, *, is_void: bool) -> list[CanonicalEvent]:
        subject = _subject(name, credit)
        if is_void:
            event = self._build_event(EventType.INVOICE_VOID, f"{subject} void", name, credit)
            return [replace(event, corrects=(subject,))]
        event = self._build_event(EventType.CREDIT_ISSUED, subject, name, credit, date="TxnDate")
        return [replace(event, lines=add_up_rows_by_item(_rows(credit), Measure.CREDITED))]

    def _build_event(
        self, event_type: EventType, key: str, name: str, entity: Node, *, date: str = ""
    ) -> CanonicalEvent:
        """Create an event at a date of the entity, else when it was last changed.

        A state without a date of its own, such as paid, has the time of the change that shows it.
        """
        changed = last_updated_time(entity)
        time = self._time_of_date(entity, date, changed) if date else None
        flags = () if date or not changed else (Flag.TIME_OF_REPORT,)
        time = time or (ParsedTime(changed, flags) if changed else None)
        total = entity.decimal_at("TotalAmt")
        return build_event(
            event_type,
            key,
            time,
            *order_and_other_references(name, entity, self.settings, self.source),
            scope=_subject(name, entity),
            attributes={
                Attribute.CUSTOMER_NO: _text_of(entity, "CustomerRef", "value"),
                Attribute.CUSTOMER_NAME: _text_of(entity, "CustomerRef", "name"),
                Attribute.CURRENCY: _text_of(entity, "CurrencyRef", "value"),
                Attribute.TOTAL: "" if total is None else format_decimal(total),
                Attribute.STATUS: entity.text_at("status"),
            },
            revision=format_rfc3339(changed) if changed else "",
            raw_type=name,
            flags=(Flag.SANITIZED,) * entity.was_sanitized,
        )

    def _time_of_date(self, entity: Node, key: str, changed: datetime | None) -> ParsedTime | None:
        """Return midnight of a date in the zone of the company; a date ahead is only a plan."""
        text, path = entity.text_at(key), entity.get(key).path
        if not text:
            return None
        midnight = parse_date_as_midnight(text[:10], path, self.settings.text("zone"))
        return ParsedTime(changed) if changed and midnight.time > changed else midnight


def last_updated_time(entity: Node) -> datetime | None:
    """Return MetaData.LastUpdatedTime. It has an offset."""
    metadata = entity.get("MetaData")
    if not isinstance(metadata.value, dict):
        return None
    path = metadata.get("LastUpdatedTime").path
    parsed = parse_timestamp(metadata.text_at("LastUpdatedTime"), path)
    return parsed.time if parsed else None


def _subject(name: str, entity: Node) -> str:
    return f"{name} {entity.required_text('Id')}"


def _is_voided(entity: Node) -> bool:
    note, total = entity.text_at("PrivateNote"), entity.decimal_at("TotalAmt")
    return note.startswith("Voided") and not total


def _text_of(entity: Node, reference: str, member: str) -> str:
    node = entity.get(reference)
    return node.text_at(member) if isinstance(node.value, dict) else ""


def _rows(entity: Node) -> Iterator[InvoiceRow]:
    """Yield the lines of items, also those in a bundle. Subtotals and discounts are none."""
    for line in entity.list_at("Line"):
        group = line.get("GroupLineDetail")
        if isinstance(group.value, dict):
            yield from _rows(group)
        detail = line.get("SalesItemLineDetail")
        if not isinstance(detail.value, dict):
            continue
        quantity = detail.decimal_at("Qty")
        if quantity is None:
            continue
        item = _text_of(detail, "ItemRef", "value")
        sku = blank_if_placeholder(_text_of(detail, "ItemRef", "name")) or item
        yield InvoiceRow(
            sku="" if item == SHIPPING_ITEM else sku,
            line_id=line.text_at("Id"),
            quantity=quantity,
            description=line.text_at("Description"),
            price=detail.decimal_at("UnitPrice"),
        )
