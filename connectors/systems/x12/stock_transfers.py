"""Stock transfers to a warehouse (943) and their receipts (944), also of returned goods."""

from collections.abc import Sequence

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
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import item_description, merge_lines, strip_line_number_zeros
from connectors.systems.x12.read_line_loops_and_errors import Loop, read_line_loops_and_errors

RMA_QUALIFIERS = frozenset({"RA", "RZ", "RM"})
# W1303, element 412, receiving condition.
CONDITIONS = {
    "01": "damaged",
    "02": "short",
    "03": "over",
    "04": "quality problem",
    "05": "incorrect product",
    "06": "non-standard container",
    "07": "good",
    "08": "rejected",
    "09": "on hold",
    "10": "scrapped",
}


def read_stock_transfer(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 943: goods are on their way to a warehouse.

    W0602 is the depositor's number, W0603 the date, W0604 the shipment. It names no order of a
    customer, so it is the shipment of a stock transfer and nothing else.
    """
    w06 = doc.first_segment("W06")
    number = blank_if_placeholder(w06[4]) or blank_if_placeholder(w06[2])
    lines = _item_lines(doc, "W04", Measure.SHIPPED)
    w27 = doc.first_segment("W27")
    return [
        doc.build_event(
            EventType.SHIPMENT_CONFIRMED,
            f"{number} transfer shipped",
            time=doc.event_time(w06[3], "W0603"),
            objects=(_transfer_reference(doc, number, "W0604"),),
            lines=lines,
            scope=f"shipment {number}",
            attributes={
                Attribute.WAREHOUSE: doc.party_name(doc.header_segments("W04"), "WH", "ST"),
                Attribute.CARRIER: w27[2] or w27[3],
                Attribute.DETAIL: "stock transfer",
            },
        )
    ]


def read_stock_receipt(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 944: a warehouse received a stock transfer, or returned goods.

    W1702 is the date, W1703 the receipt, W1704 the depositor's number, W1705 the shipment. With an
    RMA (N9*RA, RZ or RM) it is a return, of the order W1704 if `depositor_order` is set. Exceptions
    (W13) are in the detail.
    """
    w17, heading = doc.first_segment("W17"), doc.header_segments("W07")
    rma = _rma_number(doc.transaction_set.segments)
    at = doc.event_time(w17[2], "W1702", w17[7])
    attributes = {
        Attribute.WAREHOUSE: doc.party_name(heading, "WH", "RC"),
        Attribute.DETAIL: "; ".join(_exception_texts(doc)),
    }
    if rma:
        return [
            doc.build_event(
                EventType.RETURN_RECEIVED,
                f"{rma} received {w17[3]}".strip(),
                time=at,
                objects=(_returned_order(doc, w17[4]), _return_reference(doc, rma)),
                lines=_item_lines(doc, "W07", Measure.RETURNED),
                scope=f"return {rma} receipt {w17[3]}".strip(),
                attributes=attributes,
            )
        ]
    number = blank_if_placeholder(w17[5]) or blank_if_placeholder(w17[4])
    return [
        doc.build_event(
            EventType.DELIVERED,
            f"{number} transfer received {w17[3]}".strip(),
            time=at,
            objects=(_transfer_reference(doc, number, "W1705"),),
            lines=_item_lines(doc, "W07", Measure.DELIVERED),
            scope=f"shipment {number}",
            attributes=attributes,
        )
    ]


def _rma_number(segments: Sequence[Segment]) -> str:
    numbers = (s[2] for s in segments if s.tag == "N9" and s[1] in RMA_QUALIFIERS)
    return next(filter(None, map(blank_if_placeholder, numbers)), "")


def _return_reference(doc: X12Document, rma: str) -> ObjectReference:
    """The depositor issues RMA numbers, as it does in a 180."""
    identifier = EventIdentifier(IdentifierScheme.RMA, rma, doc.settings.source)
    return ObjectReference(ObjectKind.RETURN, (identifier,))


def _returned_order(doc: X12Document, number: str) -> ObjectReference | None:
    if doc.settings.carrier_order is None or not blank_if_placeholder(number):
        return None
    scheme, issuer = doc.settings.depositor_order
    return ObjectReference(ObjectKind.ORDER, (EventIdentifier(scheme, number, issuer),))


def _transfer_reference(doc: X12Document, number: str, element: str) -> ObjectReference:
    """The shipment of a transfer. Its numbers are those of the depositor, in both sets."""
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path(element), "the stock transfer has no number"
        )
    identifier = EventIdentifier(
        IdentifierScheme.SHIPMENT, f"transfer {number}", doc.settings.source
    )
    return ObjectReference(ObjectKind.SHIPMENT, (identifier,))


def _item_lines(doc: X12Document, tag: str, measure: Measure) -> tuple[EventLine, ...]:
    """Return the lines of W04 or W07 loops: quantity, unit, UPC, then the item numbers."""

    def read_line(loop: Loop) -> EventLine:
        item = loop[0]
        sku = doc.preferred_sku(item, 4, 8) or item[3]
        if not sku:
            raise PayloadError(
                ParkReason.REFERENCE, doc.element_path(tag), "the item has no number"
            )
        quantity = doc.parse_nonnegative_quantity(item[1], f"{tag}01")
        line = next((s[2] for s in loop if s.tag == "N9" and s[1] == "LI"), "")
        return EventLine(
            line_id=strip_line_number_zeros(line) or sku,
            sku=sku,
            description=item_description(loop),
            unit=item[2] or "EA",
            quantities={} if quantity is None else {measure: quantity},
        )

    loops = doc.loops_starting_with_tag(tag, ("W03", "W14"))
    return merge_lines(read_line_loops_and_errors(doc, loops, read_line))


def _exception_texts(doc: X12Document) -> list[str]:
    texts = []
    for loop in doc.loops_starting_with_tag("W07", ("W14",)):
        sku = doc.preferred_sku(loop[0], 4, 8) or loop[0][3]
        for w13 in (s for s in loop if s.tag == "W13"):
            condition = CONDITIONS.get(w13[3], f"condition {w13[3]}")
            texts.append(f"{sku}: {w13[1]} {w13[2]} {condition}")
    return texts
