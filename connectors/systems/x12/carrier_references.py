"""The shipment, packages and orders that carrier documents (204, 210, 214, 990) name."""

from collections.abc import Iterable, Iterator

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import TRACKING_PATTERN

# Element 128: the shipper's order numbers, and the purchase order numbers of customers.
ORDER_QUALIFIERS = frozenset({"OQ", "IL", "VN"})
PO_QUALIFIERS = frozenset({"PO", "CO"})
# Tracking number (2I) and the carrier's reference number (CN), its PRO or a package number.
CARRIER_QUALIFIERS = frozenset({"2I", "CN"})


def qualified_numbers(segments: Iterable[Segment]) -> Iterator[tuple[str, str]]:
    """Yield (qualifier, number) of L11, N9, REF and OID, without placeholders.

    In L11 the number comes first. OID01 is the shipper's order, OID02 its purchase order.
    """
    for segment in segments:
        if segment.tag == "L11":
            pairs = [(segment[2], segment[1])]
        elif segment.tag in {"N9", "REF"}:
            pairs = [(segment[1], segment[2])]
        elif segment.tag == "OID":
            pairs = [("OQ", segment[1]), ("PO", segment[2])]
        else:
            continue
        yield from ((q, number) for q, v in pairs if (number := blank_if_placeholder(v)))


def carrier_document_objects(
    doc: X12Document,
    heading: Iterable[Segment],
    detail: Iterable[Segment] = (),
    *,
    shipment: str,
    carrier: str,
    carrier_number: str = "",
    element: str,
) -> list[ObjectReference]:
    """Reference the orders, the shipment and the packages of a document or of one stop (`detail`).

    A stop with orders of its own concerns these, and not the load as a whole. `shipment` is the
    shipper's number of the shipment or load, `carrier_number` the carrier's own. If both are equal,
    the carrier only repeated its own. Raises PayloadError if nothing is named.
    """
    in_heading, in_detail = list(qualified_numbers(heading)), list(qualified_numbers(detail))
    if stop_orders := list(_order_references(doc, in_detail)):
        return stop_orders
    orders = list(_order_references(doc, in_heading))
    shippers = blank_if_placeholder(shipment)
    own = blank_if_placeholder(carrier_number)
    if shippers == own and own:
        shippers = ""
    numbers = [*in_heading, *in_detail]
    carriers = [own, *(v for q, v in numbers if q in CARRIER_QUALIFIERS)]
    tracking = dict.fromkeys(v for v in carriers if TRACKING_PATTERN.fullmatch(v))
    packages = [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),))
        for number in tracking
    ]
    shippers = shippers or next((v for q, v in numbers if q == "SI"), "")
    identifiers = list(_shipment_identifiers(doc, shippers, carrier, carriers, numbers))
    shipments = (
        [ObjectReference(ObjectKind.SHIPMENT, tuple(dict.fromkeys(identifiers)))]
        if shippers or (identifiers and not packages)
        else []
    )
    objects = [*orders, *shipments, *packages]
    if not objects:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path(element), "no shipment or order is named"
        )
    return objects


def _shipment_identifiers(
    doc: X12Document,
    shippers: str,
    carrier: str,
    carriers: Iterable[str],
    numbers: Iterable[tuple[str, str]],
) -> Iterator[EventIdentifier]:
    if shippers:
        scheme, issuer = doc.settings.carrier_shipment
        yield EventIdentifier(scheme, shippers, issuer)
    for number in carriers:
        if number and not TRACKING_PATTERN.fullmatch(number):
            yield EventIdentifier(IdentifierScheme.PRO, number, carrier, strong=False)
    for qualifier, number in numbers:
        if qualifier == "BM":
            # All orders of a truck share a bill of lading; it must not merge their shipments.
            yield EventIdentifier(IdentifierScheme.BOL, number, strong=False)


def _order_references(
    doc: X12Document, numbers: Iterable[tuple[str, str]]
) -> Iterator[ObjectReference]:
    """Yield the orders by the shipper's numbers, each with the purchase order after it.

    Without a number range (`carrier_order`), they would name other orders than those of the ERP.
    """
    if doc.settings.carrier_order is None:
        return
    scheme, issuer = doc.settings.carrier_order
    pairs: dict[str, str] = {}
    number = ""
    for qualifier, value in numbers:
        if qualifier in ORDER_QUALIFIERS:
            number = value
            pairs.setdefault(value, "")
        elif qualifier in PO_QUALIFIERS and number and not pairs[number]:
            pairs[number] = value
    for order, po in pairs.items():
        identifiers = [EventIdentifier(scheme, order, issuer)]
        if po:
            identifiers.append(EventIdentifier(IdentifierScheme.CUSTOMER_PO, po, strong=False))
        yield ObjectReference(ObjectKind.ORDER, tuple(identifiers))
