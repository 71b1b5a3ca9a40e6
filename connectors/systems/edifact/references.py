"""References to the orders, shipments, invoices and packages of EDIFACT messages."""

from collections.abc import Iterable, Sequence

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.edifact.document import EdifactDocument, reference_numbers
from connectors.systems.edifact.segments import EdifactSegment


def order_reference(
    doc: EdifactDocument, number: str, segments: Sequence[EdifactSegment] = ()
) -> ObjectReference | None:
    """Reference an order by the buyer's number, and the seller's (RFF+VN), or None without both.

    The seller's number is identity-grade only with its number range (`seller_order`).
    """
    issuer = doc.customer_number or doc.partner_id
    identifiers = []
    if po := blank_if_placeholder(number):
        identifiers.append(
            EventIdentifier(IdentifierScheme.CUSTOMER_PO, po, issuer, strong=bool(issuer))
        )
    for seller in reference_numbers(segments, "VN")[:1]:
        scheme, owner = doc.settings.seller_order or (
            IdentifierScheme.ORDER_NUMBER,
            doc.issuer_of_sender_numbers,
        )
        strong = doc.settings.seller_order is not None
        identifiers.append(EventIdentifier(scheme, seller, owner, strong=strong))
    return ObjectReference(ObjectKind.ORDER, tuple(identifiers)) if identifiers else None


def required_order_reference(
    doc: EdifactDocument, number: str, name: str, segments: Sequence[EdifactSegment] = ()
) -> ObjectReference:
    """The order by its number, or the message is parked."""
    order = order_reference(doc, number, segments)
    if order is None:
        raise PayloadError(ParkReason.REFERENCE, doc.path(name), f"{number!r} names no order")
    return order


def invoice_reference(
    doc: EdifactDocument, number: str, *, is_credit: bool = False, is_of_sender: bool = True
) -> ObjectReference:
    """Reference an invoice or credit note that the sender of the message, or its receiver, issued.

    Invoices of this company have the number range of the setting `invoice_number`.
    """
    scheme, issuer = (
        IdentifierScheme.INVOICE,
        doc.issuer_of_sender_numbers if is_of_sender else doc.issuer_of_receiver_numbers,
    )
    if doc.is_outbound is is_of_sender and doc.settings.invoice_number:
        scheme, issuer = doc.settings.invoice_number
    if is_credit and scheme is IdentifierScheme.INVOICE:
        scheme = IdentifierScheme.CREDIT_MEMO
    return ObjectReference(ObjectKind.INVOICE, (EventIdentifier(scheme, number, issuer),))


def shipment_reference(
    doc: EdifactDocument,
    number: str,
    segments: Iterable[EdifactSegment] = (),
    *,
    is_of_sender: bool = True,
) -> ObjectReference:
    """Reference a shipment by its number, with the carrier's (RFF+CN) and the transport document.

    `number` is the despatch advice number of the seller. Numbers of this company have the number
    range of the setting `shipment_number`.
    """
    scheme, issuer = (
        IdentifierScheme.SHIPMENT,
        doc.issuer_of_sender_numbers if is_of_sender else doc.issuer_of_receiver_numbers,
    )
    if doc.is_outbound is is_of_sender and doc.settings.shipment_number:
        scheme, issuer = doc.settings.shipment_number
    identifiers = [EventIdentifier(scheme, number, issuer)]
    given = list(segments)
    identifiers += [
        EventIdentifier(IdentifierScheme.PRO, n, strong=False)
        for n in reference_numbers(given, "CN", "AAM")
    ]
    identifiers += [
        EventIdentifier(IdentifierScheme.BOL, n, strong=False)
        for n in reference_numbers(given, "AAS", "BM")
    ]
    return ObjectReference(ObjectKind.SHIPMENT, tuple(dict.fromkeys(identifiers)))


def package_references(segments: Iterable[EdifactSegment]) -> list[ObjectReference]:
    """Return the packages by GIN+BJ, serial shipping container codes (SSCC)."""
    numbers: list[str] = []
    for segment in segments:
        if segment.tag == "GIN" and segment.text(1) in {"BJ", "AW"}:
            for components in segment.elements[1:]:
                numbers += [n for n in components if n]
    sscc = [n[-18:] for n in numbers if n.isdecimal() and len(n) in {18, 20}]
    return [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.SSCC, n),))
        for n in dict.fromkeys(sscc)
    ]
