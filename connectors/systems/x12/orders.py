"""Purchase orders (850) and their changes (860)."""

from collections.abc import Sequence

from connectors.sdk.events import Attribute, CanonicalEvent, EventLine, EventType, Measure
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import item_description, strip_line_number_zeros
from connectors.systems.x12.line_dates import latest_dates_of_line, latest_dates_of_order
from connectors.systems.x12.order_and_package_references import required_order_reference
from connectors.systems.x12.pack_sizes import pieces_per_unit
from connectors.systems.x12.purchase_order_lines import (
    order_attributes_of_header_segments,
    read_po1_lines,
)
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
)

# BEG01: 00 original, 06 confirmation, 07 duplicate, 15 re-submission, 22 information copy.
PURPOSE_TYPES = {
    "00": EventType.ORDER_RECEIVED,
    "01": EventType.ORDER_CANCELLED,
    "03": EventType.ORDER_CANCELLED,
    "04": EventType.ORDER_CHANGED,
    "05": EventType.ORDER_CHANGED,
    "06": EventType.ORDER_RECEIVED,
    "07": EventType.ORDER_RECEIVED,
    "15": EventType.ORDER_RECEIVED,
    "22": EventType.ORDER_RECEIVED,
}
# POC02: the item is deleted or cancelled; its ordered quantity becomes 0.
DELETED_CODES = frozenset({"DI", "CF"})


def read_purchase_order(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 850: a purchase order, or its cancellation, change or replacement.

    BEG05 is the date of the purchase order. A cancellation or change occurs when it is sent.
    """
    beg = doc.first_segment("BEG")
    event_type = PURPOSE_TYPES.get(beg[1], EventType.UNMAPPED)
    is_order = event_type is EventType.ORDER_RECEIVED
    is_cancelled = event_type is EventType.ORDER_CANCELLED
    fact_names = {EventType.ORDER_RECEIVED: "received", EventType.ORDER_CANCELLED: "cancelled"}
    # Two changes of one order are two facts.
    fact_name = fact_names.get(event_type, f"purpose {beg[1]} {doc.content_digest}")
    time = doc.event_time(beg[5], "BEG05") if is_order else doc.time_sent
    loops = doc.loops_starting_with_tag("PO1")
    lines = [] if is_cancelled else [line for line, _ in read_po1_lines(doc, loops)]
    return [
        doc.build_event(
            event_type,
            " ".join(filter(None, (beg[3], beg[4], fact_name))),
            time=time,
            objects=(required_order_reference(doc, beg[3], "BEG03", release=beg[4]),),
            lines=lines,
            attributes=latest_dates_of_order([latest_dates_of_line(doc, loop) for loop in loops])
            | order_attributes_of_header_segments(doc, doc.header_segments("PO1")),
            raw_type="" if event_type in fact_names else f"850 purpose {beg[1]}",
            is_first_copy_used=not is_order,
            # A replacement: what it does not list is no longer ordered.
            complete_measures=(Measure.ORDERED,) if beg[1] == "05" else (),
        )
    ]


def read_order_change(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 860: a change or cancellation. Quantities are the new totals.

    BCH06 is the date of the order, BCH11 the date of the change. The change occurs when it is sent,
    or on BCH11 in a file without envelopes. BCH05, the sequence of the change, is optional and
    often constant, so the content is part of the key.
    """
    bch = doc.first_segment("BCH")
    is_cancelled = bch[1] in {"01", "03"}
    change = f"change {bch[5]}".strip()
    loops = doc.loops_starting_with_tag("POC")
    return [
        doc.build_event(
            EventType.ORDER_CANCELLED if is_cancelled else EventType.ORDER_CHANGED,
            " ".join(filter(None, (bch[3], bch[4], change, doc.content_digest))),
            time=doc.time_sent or (doc.event_time(bch[11], "BCH11") if bch[11] else None),
            objects=(required_order_reference(doc, bch[3], "BCH03", release=bch[4]),),
            lines=() if is_cancelled else _read_poc_lines(doc, loops),
            attributes=latest_dates_of_order([latest_dates_of_line(doc, loop) for loop in loops])
            | order_attributes_of_header_segments(doc, doc.header_segments("POC")),
            raw_type=f"860 purpose {bch[1]}",
            is_first_copy_used=True,
        )
    ]


def _read_poc_lines(doc: X12Document, loops: Sequence[Loop]) -> list[EventLine]:
    def read_line(loop: Loop) -> EventLine:
        poc = loop[0]
        line_id = strip_line_number_zeros(poc[1])
        if not line_id:
            raise PayloadError(
                ParkReason.MAPPING, doc.element_path("POC01"), "the changed line has no number"
            )
        is_deleted = poc[2] in DELETED_CODES
        quantity = "0" if is_deleted else poc[3]
        parsed = doc.parse_nonnegative_quantity(quantity, "POC03")
        dates = latest_dates_of_line(doc, loop)
        return EventLine(
            line_id=line_id,
            sku=doc.preferred_sku(poc, 8),
            description=item_description(loop),
            unit=poc[5] or "EA",
            price=doc.parse_decimal_amount(poc[6], "POC06"),
            quantities={} if parsed is None else {Measure.ORDERED: parsed},
            ship_by=dates.get(Attribute.SHIP_BY, ""),
            requested_at=dates.get(Attribute.REQUESTED_AT, ""),
            promised_at=dates.get(Attribute.PROMISED_AT, ""),
            pieces_per_unit=pieces_per_unit(doc, loop, poc[5]),
        )

    lines = read_line_loops_and_errors(doc, loops, read_line)
    return list({line.line_id: line for line in lines}.values())
