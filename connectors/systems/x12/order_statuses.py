"""Order status reports: 870."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from connectors.sdk.events import Attribute, CanonicalEvent, EventLine, EventType, Measure
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12 import shipment_status_codes
from connectors.systems.x12.document import EMPTY_SEGMENT, X12Document
from connectors.systems.x12.elements import (
    item_description,
    strip_line_number_zeros,
    to_iso_date_or_blank,
)
from connectors.systems.x12.order_and_package_references import (
    order_reference,
    seller_order_identifiers,
)
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
    required_loops,
)

# The scope of cancelled quantities, so that they add up with those of other documents.
STATUS_SCOPE = "order status"


def read_order_status(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 870: one event per status (ISR) of each order or item.

    The order is PRF01 of the HL loop, or of the nearest one above it. ISR01 is the status, ISR02
    its date. What an order line needs is in PO1 (line, quantity, item). Codes that say nothing of
    quantities are unmapped events, for a person to map.
    """
    loops = required_loops(doc, [tuple(loop) for loop in _loops_with_status(doc)], "ISR")
    orders = _order_segments_by_loop(doc)

    def read_statuses(loop: Loop) -> list[CanonicalEvent]:
        return list(_events_of_loop(doc, loop, orders.get(id(loop[0]), EMPTY_SEGMENT)))

    return [
        event
        for events in read_line_loops_and_errors(doc, loops, read_statuses)
        for event in events
    ]


def _loops_with_status(doc: X12Document) -> Iterator[Sequence[Segment]]:
    """Yield the HL loops, or their PO1 loops, that have a status."""
    for loop in doc.loops_starting_with_tag("HL"):
        starts = [n for n, s in enumerate(loop) if s.tag == "PO1"]
        head = loop[: starts[0]] if starts else loop
        if any(s.tag == "ISR" for s in head):
            yield head
        for start, end in pairwise([*starts, len(loop)]):
            if any(s.tag == "ISR" for s in loop[start:end]):
                yield loop[start:end]


def _order_segments_by_loop(doc: X12Document) -> dict[int, Segment]:
    """Return the PRF of each HL and PO1 segment, by the identity of the segment."""
    prfs: dict[int, Segment] = {}
    by_number: dict[str, Segment] = {}
    for loop in doc.loops_starting_with_tag("HL"):
        hl = loop[0]
        prf = next((s for s in loop if s.tag == "PRF"), by_number.get(hl[2], EMPTY_SEGMENT))
        by_number[hl[1]] = prf
        for segment in loop:
            if segment.tag in {"HL", "PO1"}:
                prfs[id(segment)] = prf
    return prfs


def _events_of_loop(doc: X12Document, loop: Loop, prf: Segment) -> Iterator[CanonicalEvent]:
    seller = next((s[2] for s in loop if s.tag == "REF" and s[1] == "VN"), "")
    order = order_reference(doc, prf[1], *seller_order_identifiers(doc, seller), release=prf[2])
    if order is None:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("PRF01"), "the status names no order"
        )
    bsr = doc.first_segment("BSR")
    po1 = next((s for s in loop if s.tag == "PO1"), EMPTY_SEGMENT)
    for isr in (s for s in loop if s.tag == "ISR"):
        event_type, measure = _type_and_measure(isr[1])
        line = _status_line(doc, loop, po1, measure) if po1.tag else None
        is_cancelled = measure is Measure.CANCELLED
        date = to_iso_date_or_blank(isr[2])
        names = (blank_if_placeholder(prf[1]), prf[2], line.line_id if line else "", isr[1], date)
        yield doc.build_event(
            event_type,
            " ".join(filter(None, (*names, "" if date else doc.content_digest))),
            time=doc.event_time(isr[2] or bsr[4], "ISR02"),
            objects=(order,),
            lines=() if line is None else (line,),
            scope=STATUS_SCOPE if is_cancelled else "",
            attributes={
                Attribute.CUSTOMER_NO: doc.partner_customer_number_in_settings,
                Attribute.STATUS: isr[1],
                Attribute.REASON: shipment_status_codes.shortage_reason_of_status_code(isr[1])
                if measure is not None
                else "",
            },
            raw_type=f"870 {isr[1]}" if event_type is EventType.UNMAPPED else "",
        )


def _type_and_measure(code: str) -> tuple[EventType, Measure | None]:
    """Return the event type and the measure of the open quantity of a status code."""
    if code in shipment_status_codes.CLOSED_CODES:
        return EventType.LINE_SHORTED, Measure.CANCELLED
    if code in shipment_status_codes.BACKORDERED_CODES:
        return EventType.LINE_BACKORDERED, Measure.BACKORDERED
    return EventType.UNMAPPED, None


def _status_line(doc: X12Document, loop: Loop, po1: Segment, measure: Measure | None) -> EventLine:
    """Return the line; QTY counts what the status is about, else PO102, the ordered quantity."""
    counted = next((s[2] for s in loop if s.tag == "QTY" and s[2]), po1[2])
    quantity = doc.parse_nonnegative_quantity(counted, "QTY02")
    sku = doc.preferred_sku(po1, 6)
    line_id = strip_line_number_zeros(po1[1]) or sku
    if not line_id:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("PO101"), "the line has no number and no item"
        )
    return EventLine(
        line_id=line_id,
        sku=sku,
        description=item_description(loop),
        unit=po1[3] or "EA",
        quantities={} if measure is None or quantity is None else {measure: quantity},
    )
