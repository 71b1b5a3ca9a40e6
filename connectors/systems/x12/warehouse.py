"""Warehouse shipping orders (940) and shipping advices (945)."""

from collections.abc import Sequence
from dataclasses import replace
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
from connectors.sdk.timestamps import ParsedTime
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import EMPTY_SEGMENT, X12Document
from connectors.systems.x12.document_times import time_of_dtm
from connectors.systems.x12.elements import (
    TRACKING_PATTERN,
    item_description,
    merge_lines,
    strip_line_number_zeros,
    to_iso_date_or_blank,
    to_iso_time_or_blank,
)
from connectors.systems.x12.order_and_package_references import package_reference_from_segments
from connectors.systems.x12.read_line_loops_and_errors import Loop, read_line_loops_and_errors
from connectors.systems.x12.shipment_status_codes import (
    BACKORDERED_CODES,
    CLOSED_CODES,
    shortage_reason_of_status_code,
)

# W0501
RELEASE_TYPES = {
    "N": EventType.ORDER_RELEASED,
    "R": EventType.ORDER_CHANGED,
    "F": EventType.ORDER_CANCELLED,
}
# G6201, element 432; of several dates of one kind, the first qualifier counts.
DATE_ATTRIBUTES = {
    "10": Attribute.SHIP_BY,  # requested ship date
    "38": Attribute.SHIP_BY,  # ship not later than
    "02": Attribute.REQUESTED_AT,  # delivery requested on this date
    "54": Attribute.REQUESTED_AT,  # deliver no later than
}
# What a W12 says of its difference: cancelled, back-ordered, or only short ("").
SHORTAGE_MEASURES = {
    **dict.fromkeys(CLOSED_CODES, Measure.CANCELLED),
    **dict.fromkeys(BACKORDERED_CODES, Measure.BACKORDERED),
}


def read_shipping_order(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 940: the release, change or cancellation of a warehouse order.

    W05 has no date and G62*10 is the requested ship date, so the event has the time of the group.
    """
    w05 = doc.first_segment("W05")
    event_type = RELEASE_TYPES.get(w05[1], EventType.UNMAPPED)
    is_cancelled = event_type is EventType.ORDER_CANCELLED
    is_changed = event_type is EventType.ORDER_CHANGED
    # Two changes of one order are two facts.
    digest = doc.content_digest if is_changed else ""
    head = doc.header_segments("W01")
    return [
        doc.build_event(
            event_type,
            f"{w05[2]} {event_type.value} {digest}".strip(),
            time=doc.time_sent,
            objects=(_order_and_po_reference(doc, w05[2], w05[3], "W0502"),),
            lines=() if is_cancelled else _ordered_lines(doc),
            attributes={
                Attribute.WAREHOUSE: doc.party_name(head, "WH"),
                Attribute.CARRIER: doc.first_segment("W66")[10] or doc.first_segment("W66")[5],
                Attribute.DETAIL: "cancelled at the warehouse" if is_cancelled else "",
                **doc.date_attributes(head, DATE_ATTRIBUTES),
            },
            raw_type="" if w05[1] in RELEASE_TYPES else f"940 {w05[1]}",
            is_first_copy_used=is_changed,
        )
    ]


def read_shipping_advice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 945: the warehouse shipped the order, fully or partially.

    If it shipped nothing of any line, there is no shipment. Lines that are back-ordered or short
    are one event. Lines whose rest is closed are another: their cancelled quantities are totals of
    the shipment, so that those of several shipments add up.
    """
    w06 = doc.first_segment("W06")
    order = _order_and_po_reference(doc, w06[2], w06[6], "W0602")
    at = _ship_time_from_w06_or_g62(doc)
    number, replaced_number = _shipment_number_and_former_number(doc)
    scope = f"shipment {number}"
    head = doc.header_segments("LX")
    lines, short_items = _shipped_and_short_lines(doc)
    replaced_fact = f"{w06[2]} shipment {replaced_number}" if replaced_number else ""
    events = []
    if not lines or any(line.quantities.get(Measure.SHIPPED, 1) for line in lines):
        events.append(
            doc.build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"{w06[2]} {scope}",
                time=at,
                objects=(
                    order,
                    _shipment_reference_with_bol_and_pro(doc, number),
                    *_package_references(doc),
                ),
                lines=merge_lines(lines),
                scope=scope,
                attributes={
                    Attribute.WAREHOUSE: doc.party_name(head, "WH", "SF"),
                    Attribute.CARRIER: doc.first_segment("W27")[2] or doc.first_segment("W27")[3],
                },
                replaced_facts=[replaced_fact] if replaced_fact else [],
            )
        )
    is_only_closed = all(Measure.CANCELLED in line.quantities for line, _ in short_items)
    for name, is_closed in (("short", False), ("closed", True)):
        items = [x for x in short_items if (Measure.CANCELLED in x[0].quantities) is is_closed]
        if items:
            facts = [replaced_fact] if replaced_fact else []
            facts += [f"{w06[2]} {scope}"] if is_closed and is_only_closed else []
            events.append(
                doc.build_event(
                    EventType.LINE_SHORTED,
                    f"{w06[2]} {scope} {name}",
                    time=at,
                    objects=(order,),
                    lines=merge_lines([line for line, _ in items]),
                    scope=scope if is_closed else "",
                    attributes={Attribute.REASON: "; ".join(dict.fromkeys(r for _, r in items))},
                    replaced_facts=[f"{fact} short" for fact in facts],
                )
            )
    return events


def _ship_date_segment(doc: X12Document) -> Segment:
    """Return G62*11, shipped on this date, of the heading, or an empty segment."""
    dates = (s for s in doc.header_segments("LX") if s.tag == "G62" and s[1] == "11")
    return next(dates, EMPTY_SEGMENT)


def _ship_time_from_w06_or_g62(doc: X12Document) -> ParsedTime | None:
    """Return W0603, else G6202; the time is G6204 if G62*11 has the same date."""
    shipped, g62 = doc.first_segment("W06")[3], _ship_date_segment(doc)
    if g62[2] and to_iso_time_or_blank(g62[4]) and shipped in {"", g62[2]}:
        # G6204 and G6205 are what DTM03 and DTM04 are.
        dtm = Segment("DTM", ("011", g62[2], g62[4], g62[5]))
        return time_of_dtm(dtm, doc.element_path("G62*11"), doc.settings.zone)
    return doc.event_time(shipped or g62[2], "W0603")


def _shipment_number_and_former_number(doc: X12Document) -> tuple[str, str]:
    """Return the number of the shipment, and the one by which it was known before, or "".

    W0604 is optional, W0605 is the agent's number. Without them, order, ship date and content stand
    for the shipment: a warehouse ships twice on one day, and sends an advice again.
    """
    w06 = doc.first_segment("W06")
    number = blank_if_placeholder(w06[4])
    if number:
        return number, ""
    shipped = w06[3] or _ship_date_segment(doc)[2]
    order_and_date = f"{w06[2]} {to_iso_date_or_blank(shipped) or shipped}".strip()
    agent_number = blank_if_placeholder(w06[5])
    return agent_number or f"{order_and_date} {doc.content_digest}", order_and_date


def _order_and_po_reference(
    doc: X12Document, depositor: str, po: str, element: str
) -> ObjectReference:
    """Reference the order by the depositor's number. The PO is weak: its customer is unknown."""
    scheme, issuer = doc.settings.depositor_order
    identifiers = [
        EventIdentifier(scheme, n, issuer) for n in [blank_if_placeholder(depositor)] if n
    ]
    identifiers += [
        EventIdentifier(IdentifierScheme.CUSTOMER_PO, n, strong=False)
        for n in [blank_if_placeholder(po)]
        if n
    ]
    if not identifiers:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path(element), f"{depositor!r} is not an order number"
        )
    return ObjectReference(ObjectKind.ORDER, tuple(identifiers))


def _order_line_number_or_sku(loop: Sequence[Segment], sku: str) -> str:
    """Return the order line (N9*LI), else the item. LX counts cartons or pallets, not lines."""
    return (
        strip_line_number_zeros(next((s[2] for s in loop if s.tag == "N9" and s[1] == "LI"), ""))
        or sku
    )


def _ordered_lines(doc: X12Document) -> tuple[EventLine, ...]:
    def read_line(loop: Loop) -> EventLine:
        w01 = loop[0]
        sku = doc.preferred_sku(w01, 4, 7) or w01[3]
        quantity = doc.parse_nonnegative_quantity(w01[1], "W0101")
        ship_by = doc.date_attributes(loop, DATE_ATTRIBUTES).get(Attribute.SHIP_BY, "")
        return EventLine(
            line_id=_order_line_number_or_sku(loop, sku),
            sku=sku,
            description=item_description(loop),
            unit=w01[2] or "EA",
            quantities={} if quantity is None else {Measure.ORDERED: quantity},
            ship_by=ship_by,
        )

    return merge_lines(
        read_line_loops_and_errors(doc, doc.loops_starting_with_tag("W01", ("W76",)), read_line)
    )


def _shipped_and_short_lines(
    doc: X12Document,
) -> tuple[list[EventLine], list[tuple[EventLine, str]]]:
    """Return the shipped W12 lines, and the short lines with their reasons."""
    short: list[tuple[EventLine, str]] = []

    def read_line(loop: Loop) -> EventLine:
        w12 = loop[0]
        # A pair has two elements. W1206 is a UPC without a qualifier.
        sku = doc.preferred_sku(w12, 7, 9) or w12[6]
        shipped = doc.parse_nonnegative_quantity(w12[3], "W1203")
        line = EventLine(
            _order_line_number_or_sku(loop, sku),
            sku,
            item_description(loop),
            w12[5] or "EA",
            quantities={} if shipped is None else {Measure.SHIPPED: shipped},
        )
        missing = _short_or_computed_quantity(doc, w12, shipped)
        if missing > 0:
            measure = SHORTAGE_MEASURES.get(w12[1])
            quantities = {measure: missing} if measure is not None else {}
            short.append(
                (replace(line, quantities=quantities), shortage_reason_of_status_code(w12[1]))
            )
        return line

    lines = read_line_loops_and_errors(doc, doc.loops_starting_with_tag("W12", ("W03",)), read_line)
    return lines, short


def _short_or_computed_quantity(doc: X12Document, w12: Segment, shipped: Decimal | None) -> Decimal:
    """Return the difference W1204, else ordered minus shipped."""
    if w12[1] == "CM":  # complete with additional quantity
        return Decimal(0)
    if w12[4]:
        return abs(doc.parse_decimal_amount(w12[4], "W1204") or Decimal(0))
    ordered = doc.parse_nonnegative_quantity(w12[2], "W1202")
    return Decimal(0) if ordered is None or shipped is None else ordered - shipped


def _shipment_reference_with_bol_and_pro(doc: X12Document, number: str) -> ObjectReference:
    identifiers = [EventIdentifier(IdentifierScheme.SHIPMENT, number, doc.issuer_of_sender_numbers)]
    for segment in doc.transaction_set.segments:
        if segment.tag != "N9" or not blank_if_placeholder(segment[2]):
            continue
        if segment[1] == "BM":
            # All orders of a truck share a bill of lading; it must not merge their shipments.
            identifiers.append(EventIdentifier(IdentifierScheme.BOL, segment[2], strong=False))
        elif segment[1] == "CN" and not TRACKING_PATTERN.fullmatch(segment[2]):
            identifiers.append(
                EventIdentifier(
                    IdentifierScheme.PRO, segment[2], doc.first_segment("W27")[2], strong=False
                )
            )
    return ObjectReference(ObjectKind.SHIPMENT, tuple(dict.fromkeys(identifiers)))


def _package_references(doc: X12Document) -> list[ObjectReference]:
    """Return one package per marked LX loop, and one per number in the header."""
    packages = [
        package_reference_from_segments((segment,)) for segment in doc.header_segments("LX")
    ]
    packages += [
        package_reference_from_segments(loop)
        for loop in doc.loops_starting_with_tag("LX", ("W03",))
    ]
    return list(dict.fromkeys(ref for ref in packages if ref is not None))
