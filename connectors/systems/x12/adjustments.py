"""Credit and debit adjustments: 812."""

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.invoice_references import invoice_reference
from connectors.systems.x12.order_and_package_references import (
    order_reference,
    seller_order_identifiers,
)

# BCD05 of a seller: it issues a credit, or asks for more. A buyer asks for a credit.
SELLER_TYPES = {"C": EventType.CREDIT_ISSUED, "D": EventType.DEBIT_REQUESTED}
BUYER_TYPES = {"C": EventType.CREDIT_REQUESTED, "D": EventType.CREDIT_REQUESTED}


def read_adjustment(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 812: a credit or debit adjustment of an invoice.

    BCD01 is its date, BCD02 its number, BCD04 the amount with two implied decimals, BCD05 C or D,
    BCD07 the invoice, BCD08 the seller's order, BCD10 the purchase order. One that a buyer sends
    asks for a credit, as it deducts from what it pays.
    """
    bcd = doc.first_segment("BCD")
    number = blank_if_placeholder(bcd[2])
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("BCD02"), "the adjustment has no number"
        )
    types = SELLER_TYPES if doc.is_outbound else BUYER_TYPES
    event_type = types.get(bcd[5], EventType.UNMAPPED)
    amount = doc.parse_decimal_amount(bcd[4], "BCD04")
    if amount is not None and "." not in bcd[4]:
        amount = amount.scaleb(-2)
    invoice = blank_if_placeholder(bcd[7])
    # BCD07 is the corrected invoice. The object of the event is the adjustment itself.
    corrected = f"invoice {invoice}" if invoice else ""
    sellers = seller_order_identifiers(doc, bcd[8]) if doc.settings.seller_order else ()
    return [
        doc.build_event(
            event_type,
            f"{number} {bcd[1]} {bcd[5]}".strip(),
            time=doc.event_time(bcd[1], "BCD01"),
            objects=(
                order_reference(doc, bcd[10], *sellers),
                _adjustment_reference(doc, number, event_type),
            ),
            scope=f"credit {number}" if event_type is EventType.CREDIT_ISSUED else "",
            attributes={
                Attribute.CURRENCY: doc.first_segment("CUR")[2],
                Attribute.TOTAL: "" if amount is None else format(abs(amount), "f"),
                Attribute.DETAIL: corrected,
            },
            raw_type=f"812 {bcd[5]}" if event_type is EventType.UNMAPPED else "",
        )
    ]


def _adjustment_reference(doc: X12Document, number: str, event_type: EventType) -> ObjectReference:
    if event_type is EventType.CREDIT_REQUESTED:
        kind, scheme = ObjectKind.CREDIT_MEMO_REQUEST, IdentifierScheme.CREDIT_MEMO_REQUEST
    elif event_type is EventType.DEBIT_REQUESTED:
        kind, scheme = ObjectKind.DEBIT_MEMO_REQUEST, IdentifierScheme.DEBIT_MEMO_REQUEST
    else:
        return invoice_reference(doc, number, is_credit=True)
    issuer = doc.issuer_of_sender_numbers
    return ObjectReference(kind, (EventIdentifier(scheme, number, issuer),))
