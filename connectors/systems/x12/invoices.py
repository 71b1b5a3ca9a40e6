"""Invoices and credit memos: 810."""

from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import item_description, merge_lines, strip_line_number_zeros
from connectors.systems.x12.order_and_package_references import (
    order_reference,
    seller_order_identifiers,
)

# BIG07: CR credit memo, CN credit invoice. Everything else is an invoice.
CREDIT_TYPES = frozenset({"CR", "CN"})
# BIG08: 01 cancellation, 03 deletion.
VOID_PURPOSES = frozenset({"01", "03"})


def read_invoice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 810: an invoice, a credit memo, or the cancellation of an invoice.

    Some senders repeat invoice numbers, even in one group, so date and PO are part of the key.
    """
    big = doc.first_segment("BIG")
    number = blank_if_placeholder(big[2])
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("BIG02"), "the invoice has no number"
        )
    is_credit, is_void = big[7] in CREDIT_TYPES, big[8] in VOID_PURPOSES
    event_type = EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED
    event_type = EventType.INVOICE_VOID if is_void and not is_credit else event_type
    orders = _order_references_by_po(doc)
    return [
        doc.build_event(
            event_type,
            " ".join(filter(None, (number, big[1], big[4], "void" if is_void else ""))),
            time=doc.event_time(big[1], "BIG01"),
            objects=(*orders.values(), _invoice_reference(doc, number, is_credit=is_credit)),
            lines=() if is_void else _invoice_lines(doc, list(orders), is_credit=is_credit),
            scope=f"{'credit' if is_credit else 'invoice'} {number}",
            attributes={
                Attribute.CUSTOMER_NO: doc.partner_customer_number_in_settings,
                Attribute.CURRENCY: doc.first_segment("CUR")[2],
                Attribute.TOTAL: _invoice_total_from_tds(doc),
            },
        )
    ]


def _invoice_total_from_tds(doc: X12Document) -> str:
    """Return the total. TDS01 has two implied decimals: 5770 is 57.70."""
    cents = doc.parse_decimal_amount(doc.first_segment("TDS")[1], "TDS01")
    return "" if cents is None else format(cents.scaleb(-2), "f")


def _invoice_reference(doc: X12Document, number: str, *, is_credit: bool) -> ObjectReference:
    scheme, issuer = (IdentifierScheme.INVOICE, doc.issuer_of_sender_numbers)
    if doc.is_outbound and doc.settings.invoice_number:
        scheme, issuer = doc.settings.invoice_number
    if is_credit and scheme is IdentifierScheme.INVOICE:
        scheme = IdentifierScheme.CREDIT_MEMO
    return ObjectReference(ObjectKind.INVOICE, (EventIdentifier(scheme, number, issuer),))


def _header_po(doc: X12Document) -> str:
    """Return the PO from BIG04, else from REF*PO in the header."""
    heading = (s[2] for s in doc.header_segments("IT1") if s.tag == "REF" and s[1] == "PO")
    return blank_if_placeholder(doc.first_segment("BIG")[4]) or next(heading, "")


def _order_references_by_po(doc: X12Document) -> dict[str, ObjectReference]:
    """Return the orders by PO: the one in the header, then those in the lines."""
    seller = next((s[2] for s in doc.header_segments("IT1") if s.tag == "REF" and s[1] == "VN"), "")
    po_numbers = [_header_po(doc)]
    po_numbers += [
        s[2] for loop in doc.loops("IT1") for s in loop if s.tag == "REF" and s[1] == "PO"
    ]
    refs: dict[str, ObjectReference] = {}
    for po in map(blank_if_placeholder, po_numbers):
        is_header_po = doc.settings.seller_order is not None and po == blank_if_placeholder(
            _header_po(doc)
        )
        ref = order_reference(
            doc, po, *(seller_order_identifiers(doc, seller) if is_header_po else ())
        )
        if po and ref is not None:
            refs.setdefault(po, ref)
    return refs


def _invoice_lines(
    doc: X12Document, orders: list[str], *, is_credit: bool
) -> tuple[EventLine, ...]:
    lines = []
    heading = blank_if_placeholder(_header_po(doc))
    for loop in doc.loops("IT1", ("TDS", "CTT")):
        it1 = loop[0]
        quantity = doc.parse_decimal_amount(it1[2], "IT102")
        sku = doc.preferred_sku(it1, 6)
        po = next((s[2] for s in loop if s.tag == "REF" and s[1] == "PO"), heading)
        measure = Measure.CREDITED if is_credit else Measure.INVOICED
        if quantity is not None and quantity < 0 and not is_credit:
            raise PayloadError(
                ParkReason.QUANTITY, doc.element_path("IT102"), f"{quantity} is negative"
            )
        lines.append(
            EventLine(
                line_id=strip_line_number_zeros(it1[1]) or sku,
                sku=sku,
                description=item_description(loop),
                unit=it1[3] or "EA",
                price=doc.parse_decimal_amount(it1[4], "IT104"),
                quantities={} if quantity is None else {measure: abs(Decimal(quantity))},
                order_index=orders.index(po) if po in orders else -1,
            )
        )
    return merge_lines(lines)
