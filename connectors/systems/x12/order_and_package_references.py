"""References to the orders and packages of X12 documents, by the identifiers that they have."""

from collections.abc import Iterable

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import sscc_or_tracking_identifier

# REF01 and N901: tracking number (2I) and carrier reference (CN), a PRO or package number.
PACKAGE_REFERENCES = frozenset({"2I", "CN"})


def order_reference(
    doc: X12Document, po: str, *more: EventIdentifier, release: str = ""
) -> ObjectReference | None:
    """Reference the order by the customer PO, which is unique per partner.

    A release (BEG04, BCH04, BAK05, PRF02, BIG05) of a blanket order is an order of its own, with
    the exclusive order number `4711/3`. It shares the PO 4711 with other releases. A document
    without a release therefore belongs to the only release, but to none of several.
    """
    issuer = doc.partner_customer_number_in_settings or doc.partner_id
    identifiers = [*more]
    number, release = blank_if_placeholder(po), blank_if_placeholder(release)
    if number:
        strong = bool(issuer)
        own = [EventIdentifier(IdentifierScheme.CUSTOMER_PO, number, issuer, strong=strong)]
        if release:
            name = f"{number}/{release}"
            own.insert(
                0, EventIdentifier(IdentifierScheme.CUSTOMER_PO, name, issuer, strong=strong)
            )
            own.append(EventIdentifier(IdentifierScheme.ORDER_NUMBER, name, issuer, strong=strong))
        identifiers = [*own, *more]
    return ObjectReference(ObjectKind.ORDER, tuple(identifiers)) if identifiers else None


def required_order_reference(
    doc: X12Document, po: str, element: str, *more: EventIdentifier, release: str = ""
) -> ObjectReference:
    """The order by the customer's number of it, or the set is parked."""
    order = order_reference(doc, po, *more, release=release)
    if order is None:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path(element), f"{po!r} names no order"
        )
    return order


def seller_order_identifiers(doc: X12Document, number: str) -> tuple[EventIdentifier, ...]:
    """Return the seller's order number (BAK08, REF*VN), strong if `seller_order` is set."""
    if not blank_if_placeholder(number):
        return ()
    scheme, issuer = doc.settings.seller_order or (
        IdentifierScheme.ORDER_NUMBER,
        doc.issuer_of_sender_numbers,
    )
    strong = doc.settings.seller_order is not None
    return (EventIdentifier(scheme, blank_if_placeholder(number), issuer, strong=strong),)


def package_reference_from_segments(segments: Iterable[Segment]) -> ObjectReference | None:
    """Return the package marked by these segments: its SSCC and tracking number."""
    identifiers: list[EventIdentifier] = []
    for segment in segments:
        if segment.tag == "MAN":
            numbers = [(segment[1], segment[2]), (segment[4], segment[5])]
        elif segment.tag in {"REF", "N9"} and segment[1] in PACKAGE_REFERENCES:
            numbers = [("CP", segment[2])]
        else:
            continue
        identifiers += [
            known
            for q, v in numbers
            if (known := sscc_or_tracking_identifier(q, v)) and known not in identifiers
        ]
    return ObjectReference(ObjectKind.PACKAGE, tuple(identifiers)) if identifiers else None
