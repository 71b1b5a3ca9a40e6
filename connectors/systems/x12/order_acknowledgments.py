"""Acknowledgments of purchase orders (855) and of their changes (865), and of each line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import Attribute, CanonicalEvent, EventLine, EventType, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import merge_lines
from connectors.systems.x12.line_dates import latest_dates_of_line, latest_dates_of_order
from connectors.systems.x12.line_status_codes import (
    ACCEPTED_CODES,
    BACKORDERED_CODES,
    HOLD_CODES,
    LINE_STATUS_MEASURES,
    LINE_STATUS_TYPES,
    REJECTED_CODES,
)
from connectors.systems.x12.order_and_package_references import (
    required_order_reference,
    seller_order_identifiers,
)
from connectors.systems.x12.orders import DELETED_CODES
from connectors.systems.x12.purchase_order_lines import (
    order_attributes_of_header_segments,
    ordered_quantity_of_po1_or_sdq,
    read_po1_lines,
)
from connectors.systems.x12.read_line_loops_and_errors import Loop

# BAK02
ACKNOWLEDGMENT_TYPES = {
    "AC": EventType.ORDER_ACCEPTED,
    "AD": EventType.ORDER_ACCEPTED,
    "AE": EventType.ORDER_ACCEPTED,
    "AH": EventType.ORDER_HELD,
    "AK": EventType.ORDER_ACCEPTED,
    "AT": EventType.ORDER_ACCEPTED,
    "RD": EventType.ORDER_REJECTED,
    "RJ": EventType.ORDER_REJECTED,
}
# Cancelled quantities of the seller's answers are totals of this part of the order, so that those
# of a later shipping advice add up with them.
ACKNOWLEDGMENT_SCOPE = "acknowledgment"
# (event type, line, reason)
LineChange = tuple[EventType, EventLine, str]


def read_order_acknowledgment(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 855: the acknowledgment of the order and of its lines.

    It occurs when it is sent, or on BAK09 in a file without envelopes. BAK04 is the date of the
    order. A later acknowledgment is another fact: a promise that it changes stays known.
    """
    bak = doc.first_segment("BAK")
    return _acknowledgment_events(doc, bak, doc.loops_starting_with_tag("PO1"), "PO1")


def read_change_acknowledgment(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 865: the acknowledgment of a change, or the seller's own change.

    BCA02 to BCA05 are as in BAK, except that BAK05, the release, is BCA04. BCA08 is the seller's
    order, BCA10 the date. A line (POC) has its quantity in POC03.
    """
    bca = doc.first_segment("BCA")
    bak = Segment("BAK", (bca[1], bca[2], bca[3], bca[6], bca[4], "", "", bca[8], bca[10]))
    loops = []
    for poc, *others in doc.loops_starting_with_tag("POC"):
        quantity = "0" if poc[2] in DELETED_CODES else poc[3]
        po1 = Segment("PO1", (poc[1], quantity, *poc.elements[4:]))
        loops.append((po1, *others))
    return _acknowledgment_events(doc, bak, loops, "POC")


def _acknowledgment_events(
    doc: X12Document, bak: Segment, loops: Sequence[Loop], line_tag: str
) -> list[CanonicalEvent]:
    order = required_order_reference(
        doc, bak[3], "BAK03", *seller_order_identifiers(doc, bak[8]), release=bak[5]
    )
    at = doc.time_sent or (doc.event_time(bak[9], "BAK09") if bak[9] else None)
    number = " ".join(filter(None, (bak[3], bak[5])))
    lines = read_po1_lines(doc, loops, is_acknowledgment=True)
    order_type = ACKNOWLEDGMENT_TYPES.get(bak[2], EventType.UNMAPPED)
    dates = [latest_dates_of_line(doc, loop, is_acknowledgment=True) for _, loop in lines]
    attributes = order_attributes_of_header_segments(
        doc, doc.header_segments(line_tag)
    ) | latest_dates_of_order(dates)
    events = [
        doc.build_event(
            order_type,
            f"{number} {order_type.value} {doc.content_digest}",
            time=at,
            objects=(order,),
            lines=[_zero_backorder_if_accepted_or_rejected(line, loop) for line, loop in lines],
            attributes=attributes | {Attribute.STATUS: bak[2]},
            raw_type=""
            if bak[2] in ACKNOWLEDGMENT_TYPES
            else f"{doc.transaction_set.code} {bak[2]}",
            is_first_copy_used=True,
        )
    ]
    changes = _changes_of_all_lines(doc, lines)
    for event_type in dict.fromkeys(event_type for event_type, _, _ in changes):
        of_type = [(line, reason) for kind, line, reason in changes if kind is event_type]
        reasons = dict.fromkeys(reason for _, reason in of_type if reason)
        events.append(
            doc.build_event(
                event_type,
                f"{number} lines {event_type.value} {doc.content_digest}",
                time=at,
                objects=(order,),
                lines=merge_lines([line for line, _ in of_type]),
                scope=ACKNOWLEDGMENT_SCOPE if event_type is EventType.LINE_SHORTED else "",
                attributes={Attribute.REASON: "; ".join(reasons)},
                is_first_copy_used=True,
            )
        )
    return events


def _changes_of_all_lines(
    doc: X12Document, lines: Sequence[tuple[EventLine, Loop]]
) -> list[LineChange]:
    changes: list[LineChange] = []
    for line, loop in lines:
        try:
            changes += _line_changes(doc, line, loop)
        except PayloadError as error:
            detail = f"line {line.line_id}: {error.detail}"
            doc.line_errors.append(PayloadError(error.reason, error.path, detail))
    return changes


def _zero_backorder_if_accepted_or_rejected(line: EventLine, loop: Loop) -> EventLine:
    """Return the line; if the answer does not back-order it, with nothing back-ordered.

    So a later acceptance takes back a back order that an earlier acknowledgment reported.
    """
    codes = {s[1] for s in loop if s.tag == "ACK"}
    if not codes & (ACCEPTED_CODES | REJECTED_CODES.keys()) or codes & BACKORDERED_CODES:
        return line
    return replace(line, quantities={Measure.BACKORDERED: Decimal(0)})


def _line_changes(doc: X12Document, line: EventLine, loop: Loop) -> Iterator[LineChange]:
    """Yield what the ACK segments say other than plain acceptance."""
    all_acks = [s for s in loop if s.tag == "ACK"]
    for ack in all_acks:
        if ack[1] not in ACCEPTED_CODES and ack[1] not in LINE_STATUS_TYPES:
            doc.not_understood.append(f"line {line.line_id}: ACK01 {ack[1][:20]!r} is not known")
    acks = [s for s in all_acks if s[1] in LINE_STATUS_TYPES]
    ordered = ordered_quantity_of_po1_or_sdq(doc, loop)
    agreed = next((s[2] for s in acks if s[1] == "IQ" and s[2]), "")
    total = doc.parse_nonnegative_quantity(agreed, "ACK02") if agreed else ordered
    for ack in acks:
        if ack[1] == "IQ":
            yield from _quantity_change_or_cancellation_by_iq(doc, line, ordered, all_acks)
        elif ack[1] == "IS":
            yield from _cancelled_and_substitute_line_changes(doc, line, ack, total)
        elif ack[1] != "BP" or all(s[1] != "IB" for s in acks):  # IB has the exact quantity
            measure = LINE_STATUS_MEASURES.get(ack[1])
            quantity = _ack_quantity_or_backorder_balance(doc, ack, total)
            quantities = {} if measure is None or quantity is None else {measure: quantity}
            yield (
                LINE_STATUS_TYPES[ack[1]],
                replace(line, quantities=quantities),
                _rejection_or_hold_reason_text(ack[1]),
            )


def _ack_quantity_or_backorder_balance(
    doc: X12Document, ack: Segment, total: Decimal | None
) -> Decimal | None:
    quantity = doc.parse_nonnegative_quantity(ack[2], "ACK02")
    if ack[1] == "BP":  # ACK02 is what ships, the balance is back-ordered
        return None if total is None or quantity is None else max(total - quantity, Decimal(0))
    return total if quantity is None else quantity


def _rejection_or_hold_reason_text(code: str) -> str:
    if code in REJECTED_CODES:
        return f"rejected by the seller: {REJECTED_CODES[code]} ({code})"
    return f"{HOLD_CODES[code]} ({code})" if code in HOLD_CODES else ""


def _quantity_change_or_cancellation_by_iq(
    doc: X12Document, line: EventLine, ordered: Decimal | None, acks: Sequence[Segment]
) -> Iterator[LineChange]:
    """Yield the seller's cancellation of what no ACK segment of the line counts.

    If PO102 does not exceed the agreed quantity (ACK*IQ), PO102 is the new quantity of the line.
    """
    parsed = [doc.parse_nonnegative_quantity(s[2], "ACK02") for s in acks]
    agreed = next((q for s, q in zip(acks, parsed, strict=True) if s[1] == "IQ"), None)
    if agreed is None:
        return
    if ordered is None or ordered <= agreed:
        reason = "changed by the seller's acknowledgment"
        yield (
            EventType.ORDER_CHANGED,
            replace(line, quantities={Measure.ORDERED: agreed}),
            reason,
        )
        return
    missing = ordered - sum((q for q in parsed if q is not None), Decimal(0))
    if missing > 0:
        yield (
            EventType.LINE_SHORTED,
            replace(line, quantities={Measure.CANCELLED: missing}),
            "quantity reduced by the seller (IQ)",
        )


def _cancelled_and_substitute_line_changes(
    doc: X12Document, line: EventLine, ack: Segment, total: Decimal | None
) -> Iterator[LineChange]:
    substitute_sku = doc.preferred_sku(ack, 7)
    if not substitute_sku or substitute_sku == line.sku:
        return
    quantity = _ack_quantity_or_backorder_balance(doc, ack, total)
    cancelled = {} if quantity is None else {Measure.CANCELLED: quantity}
    ordered = {} if quantity is None else {Measure.ORDERED: quantity}
    substitute = replace(line, sku=substitute_sku, description="", price=None, quantities=ordered)
    yield EventType.LINE_SUBSTITUTED, replace(line, quantities=cancelled), ""
    yield EventType.LINE_SUBSTITUTED, substitute, ""
