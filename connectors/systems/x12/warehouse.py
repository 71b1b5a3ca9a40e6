"""Warehouse shipping orders (940) and shipping advices (945)."""

from collections.abc import Sequence
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
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import (
    TRACKING_PATTERN,
    item_description,
    merge_lines,
    strip_line_number_zeros,
    to_iso_date_or_blank,
)
from connectors.systems.x12.order_and_package_references import package_reference_from_segments

# W0501
RELEASE_TYPES = {
    "N": EventType.ORDER_RELEASED,
    "R": EventType.ORDER_CHANGED,
    "F": EventType.ORDER_CANCELLED,
}
# G6201: 10 requested ship date, 02 requested delivery date.
DATE_ATTRIBUTES = {"10": Attribute.SHIP_BY, "02": Attribute.REQUESTED_AT}
# W1201 (code list 368): the difference is back-ordered. CP is "considered no backorder".
BACKORDERED = frozenset({"BK", "BM", "BO", "BP"})
SHORT_REASONS = {
    "BP": "partially shipped, balance back-ordered (BP)",
    "CP": "partially shipped, balance not back-ordered (CP)",
}


def read_shipping_order(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 940: the release, change or cancellation of a warehouse order.

    W05 has no date and G62*10 is the requested ship date, so the event has the time of the group.
    """
    w05 = doc.first_segment("W05")
    event_type = RELEASE_TYPES.get(w05[1], EventType.UNMAPPED)
    is_cancelled = event_type is EventType.ORDER_CANCELLED
    head = doc.header_segments("W01")
    return [
        doc.build_event(
            event_type,
            f"{w05[2]} {event_type.value}",
            time=doc.event_time("", ""),
            objects=(_order_reference(doc, w05[2], w05[3], "W0502"),),
            lines=() if is_cancelled else _ordered_lines(doc),
            attributes={
                Attribute.WAREHOUSE: doc.party_name(head, "WH"),
                Attribute.CARRIER: doc.first_segment("W66")[10] or doc.first_segment("W66")[5],
                Attribute.DETAIL: "cancelled at the warehouse" if is_cancelled else "",
                **doc.date_attributes(head, DATE_ATTRIBUTES),
            },
            raw_type="" if w05[1] in RELEASE_TYPES else f"940 {w05[1]}",
        )
    ]


def read_shipping_advice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 945: the warehouse shipped the order, fully or partially."""
    w06 = doc.first_segment("W06")
    order = _order_reference(doc, w06[2], w06[6], "W0602")
    shipped = w06[3] or next(
        (s[2] for s in doc.header_segments("LX") if s.tag == "G62" and s[1] == "11"), ""
    )
    at = doc.event_time(shipped, "W0603")
    number = (
        blank_if_placeholder(w06[4])
        or f"{w06[2]} {to_iso_date_or_blank(shipped) or shipped}".strip()
    )
    scope = f"shipment {number}"
    head = doc.header_segments("LX")
    lines, short_items = _shipped_and_short_lines(doc)
    short_lines, reason = (
        [line for line, _ in short_items],
        "; ".join(dict.fromkeys(w for _, w in short_items)),
    )
    confirmed = doc.build_event(
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
    )
    if not short_items:
        return [confirmed]
    shorted = doc.build_event(
        EventType.LINE_SHORTED,
        f"{w06[2]} {scope} short",
        time=at,
        objects=(order,),
        lines=merge_lines(short_lines),
        attributes={Attribute.REASON: reason},
    )
    return [confirmed, shorted]


def _order_reference(doc: X12Document, depositor: str, po: str, element: str) -> ObjectReference:
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
    lines = []
    for loop in doc.loops("W01", ("W76",)):
        w01 = loop[0]
        sku = doc.preferred_sku(w01, 4, 7) or w01[3]
        quantity = doc.parse_nonnegative_quantity(w01[1], "W0101")
        lines.append(
            EventLine(
                line_id=_order_line_number_or_sku(loop, sku),
                sku=sku,
                description=item_description(loop),
                unit=w01[2] or "EA",
                quantities={} if quantity is None else {Measure.ORDERED: quantity},
            )
        )
    return merge_lines(lines)


def _shipped_and_short_lines(
    doc: X12Document,
) -> tuple[list[EventLine], list[tuple[EventLine, str]]]:
    """Return the shipped W12 lines, and the short lines with their reasons."""
    lines: list[EventLine] = []
    short: list[tuple[EventLine, str]] = []
    for loop in doc.loops("W12", ("W03",)):
        w12 = loop[0]
        sku = doc.preferred_sku(w12, 7, 8) or w12[6]
        shipped = doc.parse_nonnegative_quantity(w12[3], "W1203")
        line_id = _order_line_number_or_sku(loop, sku)
        unit, text = w12[5] or "EA", item_description(loop)
        quantities = {} if shipped is None else {Measure.SHIPPED: shipped}
        lines.append(EventLine(line_id, sku, text, unit, quantities=quantities))
        missing = _short_quantity(doc, w12, shipped)
        if missing > 0:
            backordered = {Measure.BACKORDERED: missing} if w12[1] in BACKORDERED else {}
            reason = SHORT_REASONS.get(w12[1], f"status {w12[1]}")
            short.append((EventLine(line_id, sku, text, unit, quantities=backordered), reason))
    return lines, short


def _short_quantity(doc: X12Document, w12: Segment, shipped: Decimal | None) -> Decimal:
    """Return the difference W1204, else ordered minus shipped."""
    if w12[4]:
        return (
            abs(doc.parse_decimal_amount(w12[4], "W1204") or Decimal(0))
            if w12[1] != "CM"
            else Decimal(0)
        )
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
    packages += [package_reference_from_segments(loop) for loop in doc.loops("LX", ("W03",))]
    return list(dict.fromkeys(ref for ref in packages if ref is not None))
