"""Converts sales invoices and credit notes of Xero to canonical events."""

from collections.abc import Sequence
from dataclasses import replace

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
from connectors.sdk.invoice_lines import InvoiceRow, add_up_rows_by_item
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.xero.json_dates import changed_at, time_of_date

# What a document says in its first states; DELETED is a draft that was deleted.
# https://developer.xero.com/documentation/api/accounting/types#invoice-status-codes
DRAFT_STATUSES = frozenset({"DRAFT", "SUBMITTED", "DELETED"})
ISSUED, PAID, VOIDED = "AUTHORISED", "PAID", "VOIDED"
COLLECTIONS = {"Invoices": "InvoiceID", "CreditNotes": "CreditNoteID", "Payments": "PaymentID"}
COLLECTIONS = {"Invoices": "InvoiceID", "CreditNotes": "CreditNoteID", "Payments": "PaymentID"}
# A line with a negative quantity takes back what the document otherwise states.
OPPOSITE = {Measure.INVOICED: Measure.CREDITED, Measure.CREDITED: Measure.INVOICED}


class XeroDocumentReader:
    """Reader of sales invoices and credit notes. Purchases are of no order of a customer."""

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def read_events(self, document: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a document, or none and why. Raises PayloadError."""
        if document.has_value("PaymentID"):
            return [], _why_payment_is_ignored(document)
        is_credit = document.has_value("CreditNoteID")
        if not is_credit and not document.has_value("InvoiceID"):
            raise PayloadError(
                ParkReason.MAPPING,
                document.path or "$",
                "neither an invoice nor a credit note nor a payment",
            )
        kind, status = document.text_at("Type"), document.text_at("Status")
        if kind != ("ACCRECCREDIT" if is_credit else "ACCREC"):
            return [], f"{kind or 'a document without Type'} is no sale to a customer"
        if status in DRAFT_STATUSES:
            return [], f"{status}: a draft is not issued"
        read = self._credit_events if is_credit else self._invoice_events
        return read(document, status), ""

    def _invoice_events(self, invoice: Node, status: str) -> list[CanonicalEvent]:
        """Return that it was issued, and what holds now: open, paid or void.

        The state has one key, of which the newest revision counts: removing a payment opens a paid
        invoice.
        """
        name = f"invoice {invoice.required_text('InvoiceID')}"
        issued = self._build_event(EventType.INVOICE_ISSUED, f"{name} issued", invoice, "Date")
        issued = replace(issued, lines=self._read_lines(invoice, Measure.INVOICED))
        if status == ISSUED:
            return [replace(issued, key=f"{name} state")]
        if status == PAID:
            paid = self._build_event(
                EventType.INVOICE_PAID, f"{name} state", invoice, "FullyPaidOnDate"
            )
            return [issued, paid]
        if status == VOIDED:
            return [issued, self._build_event(EventType.INVOICE_VOID, f"{name} state", invoice)]
        return [self._unmapped_event(invoice, f"{name} {status}", status)]

    def _credit_events(self, credit: Node, status: str) -> list[CanonicalEvent]:
        """Return the credit; PAID means that all of it was allocated or refunded."""
        name = f"credit {credit.required_text('CreditNoteID')}"
        if status in {ISSUED, PAID}:
            issued = self._build_event(EventType.CREDIT_ISSUED, name, credit, "Date")
            return [replace(issued, lines=self._read_lines(credit, Measure.CREDITED))]
        if status == VOIDED:
            event = self._build_event(EventType.INVOICE_VOID, f"{name} void", credit)
            return [replace(event, corrects=(name,))]
        return [self._unmapped_event(credit, f"{name} {status}", status)]

    def _unmapped_event(self, document: Node, key: str, status: str) -> CanonicalEvent:
        event = self._build_event(EventType.UNMAPPED, key, document)
        return replace(event, raw_type=status or "no status")

    def _build_event(
        self, event_type: EventType, key: str, document: Node, date: str = ""
    ) -> CanonicalEvent:
        """Create an event at a date of the document, else when it was last changed."""
        changed, zone = changed_at(document), self.settings.text("zone")
        time = time_of_date(document, date, zone) if date else None
        time = time or (ParsedTime(changed) if changed else None)
        total = document.decimal_at("Total")
        contact = document.get("Contact")
        is_contact = isinstance(contact.value, dict)
        return build_event(
            event_type,
            key,
            time,
            *self._references(document),
            scope=" ".join(key.split(" ")[:2]),
            attributes={
                Attribute.CUSTOMER_NO: contact.text_at("ContactNumber") if is_contact else "",
                Attribute.CUSTOMER_NAME: contact.text_at("Name") if is_contact else "",
                Attribute.CURRENCY: document.text_at("CurrencyCode"),
                Attribute.TOTAL: "" if total is None else format_decimal(total),
                Attribute.STATUS: document.text_at("Status"),
            },
            revision=format_rfc3339(changed) if changed else "",
            raw_type=document.text_at("Status"),
            flags=(Flag.SANITIZED,) * document.was_sanitized,
        )

    def _references(self, document: Node) -> list[ObjectReference]:
        """Return the order that Reference names, the document, and the invoices of a credit."""
        is_credit = document.has_value("CreditNoteID")
        scheme = IdentifierScheme.CREDIT_MEMO if is_credit else IdentifierScheme.INVOICE
        number = document.text_at("CreditNoteNumber" if is_credit else "InvoiceNumber")
        document_id = document.required_text("CreditNoteID" if is_credit else "InvoiceID")
        own = [EventIdentifier(IdentifierScheme.SOURCE_ID, document_id, self.source)]
        if blank_if_placeholder(number):
            own.insert(0, EventIdentifier(scheme, number, self.source))
        order = self._order_identifiers(document.text_at("Reference"))
        if not order and blank_if_placeholder(document.text_at("Reference")):
            reference = document.text_at("Reference")
            own.append(
                EventIdentifier(IdentifierScheme.REFERENCE, reference, self.source, strong=False)
            )
        references = [ObjectReference(ObjectKind.ORDER, tuple(order))] if order else []
        references.append(ObjectReference(ObjectKind.INVOICE, tuple(own)))
        if document.text_at("Status") == VOIDED:
            return references  # it voids itself, and not the invoices that it was allocated to
        return [*references, *self._invoices_of_allocations(document)]

    def _order_identifiers(self, reference: str) -> list[EventIdentifier]:
        """Return the order number in Reference, if the settings say that it contains one.

        Reference is free text. Without the settings nothing says whose number it is.
        """
        number, prefix = blank_if_placeholder(reference), self.settings.text("reference_prefix")
        if not number or not number.startswith(prefix):
            return []
        default = (IdentifierScheme.REFERENCE, "")
        scheme, issuer = self.settings.identifier_scheme_and_issuer("reference", default)
        return [EventIdentifier(scheme, number, issuer)] if issuer else []

    def _invoices_of_allocations(self, document: Node) -> list[ObjectReference]:
        references = []
        for allocation in document.list_at("Allocations"):
            if not allocation.has_value("Invoice"):
                continue
            invoice = allocation.required_object("Invoice")
            texts = {
                IdentifierScheme.INVOICE: invoice.text_at("InvoiceNumber"),
                IdentifierScheme.SOURCE_ID: invoice.text_at("InvoiceID"),
            }
            identifiers = tuple(
                EventIdentifier(scheme, text, self.source)
                for scheme, text in texts.items()
                if blank_if_placeholder(text)
            )
            if identifiers:
                references.append(ObjectReference(ObjectKind.INVOICE, identifiers))
        return list(dict.fromkeys(references))

    def _read_lines(self, document: Node, measure: Measure) -> tuple[EventLine, ...]:
        """Return the lines, added up by item: the line ids of an invoice are not the order's.

        Lines without an item code, such as freight, are no goods. Those without quantity are text.
        """
        return add_up_rows_by_item(
            [
                InvoiceRow(
                    sku=node.text_at("ItemCode"),
                    line_id=node.text_at("LineItemID"),
                    quantity=quantity,
                    description=node.text_at("Description"),
                    price=node.decimal_at("UnitAmount"),
                )
                for node in document.list_at("LineItems")
                if (quantity := node.decimal_at("Quantity")) is not None
            ],
            measure,
        )


def documents_of(root: Node) -> Sequence[Node]:
    """Return the documents of a response of the API, or the document that `root` is."""
    if not any(isinstance(root.get(name).value, list) for name in COLLECTIONS) or any(
        root.has_value(key) for key in COLLECTIONS.values()
    ):
        return [root]
    return [node for name in COLLECTIONS for node in root.list_at(name)]


def _why_payment_is_ignored(payment: Node) -> str:
    amount, invoice = payment.decimal_at("Amount"), payment.get("Invoice")
    number = invoice.text_at("InvoiceNumber") if isinstance(invoice.value, dict) else ""
    of_invoice = f" of {number}" if number else ""
    text = "" if amount is None else f" of {format_decimal(amount)}"
    return f"payment{of_invoice}{text}: the document itself says when it is paid in full"
