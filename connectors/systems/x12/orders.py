"""Purchase orders (850), their changes (860) and acknowledgments (855)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Measure,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import (
    item_description,
    merge_lines,
    strip_line_number_zeros,
    to_iso_date_or_blank,
)
from connectors.systems.x12.order_and_package_references import (
    required_order_reference,
    seller_order_identifiers,
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
# ACK01: line statuses that need an event besides the acceptance of the order.
LINE_STATUS_TYPES = {
    "IB": EventType.LINE_BACKORDERED,
    "BP": EventType.LINE_BACKORDERED,
    "IS": EventType.LINE_SUBSTITUTED,
    "IH": EventType.ORDER_HELD,
    "IQ": EventType.ORDER_CHANGED,
    "ID": EventType.ORDER_CHANGED,
    "IR": EventType.ORDER_CHANGED,
}
# What ACK02 counts. For a substituted item it is the quantity that will not be shipped.
LINE_STATUS_MEASURES = {
    "IB": Measure.BACKORDERED,
    "BP": Measure.BACKORDERED,
    "IS": Measure.CANCELLED,
    "ID": Measure.CANCELLED,
    "IR": Measure.CANCELLED,
    "IQ": Measure.ORDERED,
}
LINE_REASONS = {
    EventType.ORDER_HELD: "item on hold (IH)",
    EventType.ORDER_CHANGED: "changed by the seller's acknowledgement",
}
DATE_ATTRIBUTES = {
    "002": Attribute.REQUESTED_AT,
    "010": Attribute.SHIP_BY,
    "067": Attribute.PROMISED_AT,
    "017": Attribute.PROMISED_AT,
    "068": Attribute.SHIP_BY,
}
# ACK04: ship dates. All other dates of an acknowledged line are promised deliveries.
SHIP_DATE_QUALIFIERS = frozenset({"010", "011", "037", "038", "068", "069", "079", "118"})


def read_purchase_order(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 850: a purchase order, or its cancellation or replacement."""
    beg = doc.first_segment("BEG")
    event_type = PURPOSE_TYPES.get(beg[1], EventType.UNMAPPED)
    fact_names = {EventType.ORDER_RECEIVED: "received", EventType.ORDER_CANCELLED: "cancelled"}
    fact = " ".join(filter(None, (beg[3], beg[4], fact_names.get(event_type, f"purpose {beg[1]}"))))
    is_cancelled = event_type is EventType.ORDER_CANCELLED
    return [
        doc.build_event(
            event_type,
            fact,
            time=doc.event_time(beg[5], "BEG05"),
            objects=(required_order_reference(doc, beg[3], "BEG03"),),
            lines=() if is_cancelled else _ordered_lines(doc),
            attributes=_order_attributes(doc, doc.header_segments("PO1")),
            raw_type="" if event_type in fact_names else f"850 purpose {beg[1]}",
        )
    ]


def read_order_change(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 860: a change or cancellation. Quantities are the new totals."""
    bch = doc.first_segment("BCH")
    is_cancelled = bch[1] in {"01", "03"}
    fact = " ".join(filter(None, (bch[3], bch[4], f"change {bch[5] or bch[6] or '1'}")))
    return [
        doc.build_event(
            EventType.ORDER_CANCELLED if is_cancelled else EventType.ORDER_CHANGED,
            fact,
            # BCH06 is the date of the order, BCH11 the date of the change, if sent.
            time=doc.event_time(bch[11] or bch[6], "BCH11" if bch[11] else "BCH06"),
            objects=(required_order_reference(doc, bch[3], "BCH03"),),
            lines=() if is_cancelled else _changed_lines(doc),
            attributes=_order_attributes(doc, doc.header_segments("POC")),
            raw_type=f"860 purpose {bch[1]}",
        )
    ]


def read_order_acknowledgment(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 855: the acknowledgment of the order and of its lines."""
    bak = doc.first_segment("BAK")
    order = required_order_reference(doc, bak[3], "BAK03", *seller_order_identifiers(doc, bak[8]))
    at = doc.event_time(bak[9] or bak[4], "BAK09" if bak[9] else "BAK04")
    loops = doc.loops("PO1")
    lines = _po1_lines(doc, loops)
    order_type = ACKNOWLEDGMENT_TYPES.get(bak[2], EventType.UNMAPPED)
    attributes = _order_attributes(
        doc, doc.header_segments("PO1")
    ) | _latest_ship_and_promise_dates(loops)
    events = [
        doc.build_event(
            order_type,
            f"{bak[3]} {order_type.value}",
            time=at,
            objects=(order,),
            lines=lines,
            attributes=attributes | {Attribute.STATUS: bak[2]},
            raw_type="" if bak[2] in ACKNOWLEDGMENT_TYPES else f"855 {bak[2]}",
        )
    ]
    lines_by_type: dict[EventType, list[EventLine]] = {}
    for line, loop in zip(lines, loops, strict=True):
        for event_type, changed_line in _acknowledged_line_changes(doc, line, loop):
            lines_by_type.setdefault(event_type, []).append(changed_line)
    return events + [
        doc.build_event(
            event_type,
            f"{bak[3]} lines {event_type.value}",
            time=at,
            objects=(order,),
            lines=merge_lines(changed_lines),
            attributes={Attribute.REASON: LINE_REASONS.get(event_type, "")},
        )
        for event_type, changed_lines in lines_by_type.items()
    ]


def _order_attributes(doc: X12Document, head: Sequence[Segment]) -> dict[Attribute, str]:
    return {
        Attribute.CHANNEL: "edi",
        Attribute.CUSTOMER_NO: doc.partner_customer_number_in_settings,
        Attribute.CUSTOMER_NAME: doc.party_name(head, "BY", "BT", "ST"),
        Attribute.CURRENCY: doc.first_segment("CUR")[2],
        **doc.date_attributes(head, DATE_ATTRIBUTES),
    }


def _po1_lines(
    doc: X12Document,
    loops: Sequence[Sequence[Segment]],
    quantities: Sequence[Mapping[Measure, Decimal]] = (),
) -> list[EventLine]:
    """Return the PO1 lines. If line numbers are missing or repeated, positions replace them."""
    ids = [strip_line_number_zeros(loop[0][1]) for loop in loops]
    if "" in ids or len(set(ids)) != len(ids):
        ids = [str(position) for position in range(1, len(ids) + 1)]
    return [
        EventLine(
            line_id=line_id,
            sku=doc.preferred_sku(loop[0], 6),
            description=item_description(loop),
            unit=loop[0][3] or "EA",
            price=doc.parse_decimal_amount(
                loop[0][4] or _ctp_unit_price(loop), f"PO1 {line_id} price"
            ),
            quantities=quantities[index] if quantities else {},
        )
        for index, (line_id, loop) in enumerate(zip(ids, loops, strict=True))
    ]


def _ctp_unit_price(loop: Sequence[Segment]) -> str:
    """Return CTP03, which some senders use instead of PO104."""
    return next((s[3] for s in loop if s.tag == "CTP" and s[3]), "")


def _ordered_lines(doc: X12Document) -> list[EventLine]:
    loops = doc.loops("PO1", ("CTT", "AMT"))
    quantities = [_ordered_quantity(doc, loop) for loop in loops]
    return _po1_lines(
        doc, loops, [{Measure.ORDERED: q} if q is not None else {} for q in quantities]
    )


def _ordered_quantity(doc: X12Document, loop: Sequence[Segment]) -> Decimal | None:
    """Return PO102, else the sum of the store quantities in SDQ."""
    total = doc.parse_nonnegative_quantity(loop[0][2], "PO102")
    shares = [
        share
        for segment in loop
        if segment.tag == "SDQ"
        for at in range(4, len(segment.elements) + 1, 2)
        if (share := doc.parse_nonnegative_quantity(segment[at], "SDQ")) is not None
    ]
    return sum(shares, Decimal(0)) if total is None and shares else total


def _changed_lines(doc: X12Document) -> list[EventLine]:
    lines: dict[str, EventLine] = {}
    for loop in doc.loops("POC"):
        poc = loop[0]
        line_id = strip_line_number_zeros(poc[1])
        if not line_id:
            raise PayloadError(
                ParkReason.MAPPING, doc.element_path("POC01"), "the changed line has no number"
            )
        quantity = (
            Decimal(0)
            if poc[2] in DELETED_CODES
            else doc.parse_nonnegative_quantity(poc[3], "POC03")
        )
        lines[line_id] = EventLine(
            line_id=line_id,
            sku=doc.preferred_sku(poc, 8),
            description=item_description(loop),
            unit=poc[5] or "EA",
            price=doc.parse_decimal_amount(poc[6], "POC06"),
            quantities={} if quantity is None else {Measure.ORDERED: quantity},
        )
    return list(lines.values())


def _latest_ship_and_promise_dates(loops: Sequence[Sequence[Segment]]) -> dict[Attribute, str]:
    """Return the latest promised date of any line, as the date of the order."""
    dates: dict[Attribute, str] = {}
    for ack in (s for loop in loops for s in loop if s.tag == "ACK"):
        # ACK04 and ACK05. Some senders use ACK06 and ACK07 instead.
        for at in (4, 6):
            date = to_iso_date_or_blank(ack[at + 1])
            if len(ack[at]) == 3 and date:
                name = (
                    Attribute.SHIP_BY if ack[at] in SHIP_DATE_QUALIFIERS else Attribute.PROMISED_AT
                )
                dates[name] = max(dates.get(name, ""), date)
    return dates


def _acknowledged_line_changes(
    doc: X12Document, line: EventLine, loop: Sequence[Segment]
) -> Iterator[tuple[EventType, EventLine]]:
    """Yield (event type, line) for ACK segments other than plain acceptance."""
    acks = [s for s in loop if s.tag == "ACK" and s[1] in LINE_STATUS_TYPES]
    agreed_quantity = next((s[2] for s in acks if s[1] == "IQ" and s[2]), loop[0][2])
    total = doc.parse_nonnegative_quantity(agreed_quantity, "PO102")
    for ack in acks:
        if ack[1] == "BP" and any(s[1] == "IB" for s in acks):
            continue  # IB has the exact quantity
        quantity = doc.parse_nonnegative_quantity(ack[2], "ACK02")
        substitute_sku = doc.preferred_sku(ack, 7) if ack[1] == "IS" else ""
        if ack[1] == "BP":  # ACK02 is what ships, the balance is backordered
            quantity = (
                None if total is None or quantity is None else max(total - quantity, Decimal(0))
            )
        elif quantity is None:
            quantity = total
        measure = LINE_STATUS_MEASURES.get(ack[1])
        quantities = {} if measure is None or quantity is None else {measure: quantity}
        if ack[1] != "IS":
            yield LINE_STATUS_TYPES[ack[1]], replace(line, quantities=quantities)
        elif substitute_sku and substitute_sku != line.sku:
            yield LINE_STATUS_TYPES[ack[1]], replace(line, quantities=quantities)
            substitute_quantities = {} if quantity is None else {Measure.ORDERED: quantity}
            yield (
                LINE_STATUS_TYPES[ack[1]],
                replace(
                    line,
                    sku=substitute_sku,
                    description="",
                    price=None,
                    quantities=substitute_quantities,
                ),
            )
