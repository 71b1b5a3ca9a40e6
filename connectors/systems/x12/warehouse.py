"""What the warehouse is told to ship and what it shipped: 940, 945."""

from collections.abc import Sequence
from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
)
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.x12 import Segment
from connectors.systems.x12.document import Document
from connectors.systems.x12.elements import TRACKING, line_number, readable, summed, text_of

# W0501
RELEASES = {
    "N": EventType.ORDER_RELEASED,
    "R": EventType.ORDER_CHANGED,
    "F": EventType.ORDER_CANCELLED,
}
# G6201: 10 requested ship date, 02 requested delivery date.
REQUESTED = {"10": Attribute.SHIP_BY, "02": Attribute.REQUESTED_AT}
# W1201 (code list 368): the difference is on back order. CP is "considered no backorder".
BACKORDERED = frozenset({"BK", "BM", "BO", "BP"})
SHORT_WORDS = {
    "BP": "shipped in part, the rest on back order (BP)",
    "CP": "shipped in part, considered no back order (CP)",
}


def shipping_order(doc: Document) -> list[CanonicalEvent]:
    """940: the warehouse is told to ship, to change or to cancel.

    W05 has no date of its own and G62*10 is the day to ship by: the order was released when the
    document was made.
    """
    w05 = doc.first("W05")
    event_type = RELEASES.get(w05[1], EventType.UNMAPPED)
    cancelled = event_type is EventType.ORDER_CANCELLED
    head = doc.head("W01")
    return [
        doc.event(
            event_type,
            f"{w05[2]} {event_type.value}",
            at=doc.moment("", ""),
            objects=(_order(doc, w05[2], w05[3], "W0502"),),
            lines=() if cancelled else _ordered(doc),
            attributes={
                Attribute.WAREHOUSE: doc.named(head, "WH"),
                Attribute.CARRIER: doc.first("W66")[10] or doc.first("W66")[5],
                Attribute.DETAIL: "cancelled at the warehouse" if cancelled else "",
                **doc.dated(head, REQUESTED),
            },
            raw_type="" if w05[1] in RELEASES else f"940 {w05[1]}",
        )
    ]


def shipping_advice(doc: Document) -> list[CanonicalEvent]:
    """945: the warehouse shipped, all of it or a part."""
    w06 = doc.first("W06")
    order = _order(doc, w06[2], w06[6], "W0602")
    shipped = w06[3] or next((s[2] for s in doc.head("LX") if s.tag == "G62" and s[1] == "11"), "")
    at = doc.moment(shipped, "W0603")
    number = identifying(w06[4]) or f"{w06[2]} {readable(shipped) or shipped}".strip()
    part = f"shipment {number}"
    head = doc.head("LX")
    lines, short = _shipped(doc)
    shorts, reason = [line for line, _ in short], "; ".join(dict.fromkeys(w for _, w in short))
    confirmed = doc.event(
        EventType.SHIPMENT_CONFIRMED,
        f"{w06[2]} {part}",
        at=at,
        objects=(order, _shipment(doc, number), *_packages(doc)),
        lines=summed(lines),
        part=part,
        attributes={
            Attribute.WAREHOUSE: doc.named(head, "WH", "SF"),
            Attribute.CARRIER: doc.first("W27")[2] or doc.first("W27")[3],
        },
    )
    if not short:
        return [confirmed]
    shorted = doc.event(
        EventType.LINE_SHORTED,
        f"{w06[2]} {part} short",
        at=at,
        objects=(order,),
        lines=summed(shorts),
        attributes={Attribute.REASON: reason},
    )
    return [confirmed, shorted]


def _order(doc: Document, depositor: str, po: str, element: str) -> Ref:
    """The order by the depositor's number; the partner is a warehouse, so the PO is a hint only."""
    scheme, issuer = doc.profile.depositor_order
    found = [Identifier(scheme, n, issuer) for n in [identifying(depositor)] if n]
    found += [Identifier(Scheme.CUSTOMER_PO, n, strong=False) for n in [identifying(po)] if n]
    if not found:
        raise PayloadError(Reason.REFERENCE, doc.path(element), f"{depositor!r} names no order")
    return Ref(ObjectKind.ORDER, tuple(found))


def _line_id(loop: Sequence[Segment], sku: str) -> str:
    """N9*LI, the order's line; the LX counts cartons or pallets, so the item stands in for it."""
    return line_number(next((s[2] for s in loop if s.tag == "N9" and s[1] == "LI"), "")) or sku


def _ordered(doc: Document) -> tuple[Line, ...]:
    lines = []
    for loop in doc.loops("W01", ("W76",)):
        w01 = loop[0]
        sku = doc.sku(w01, 4, 7) or w01[3]
        quantity = doc.quantity(w01[1], "W0101")
        lines.append(
            Line(
                line_id=_line_id(loop, sku),
                sku=sku,
                description=text_of(loop),
                unit=w01[2] or "EA",
                quantities={} if quantity is None else {Measure.ORDERED: quantity},
            )
        )
    return summed(lines)


def _shipped(doc: Document) -> tuple[list[Line], list[tuple[Line, str]]]:
    """The W12 lines as shipped, and those that fall short with the reason."""
    lines: list[Line] = []
    short: list[tuple[Line, str]] = []
    for loop in doc.loops("W12", ("W03",)):
        w12 = loop[0]
        sku = doc.sku(w12, 7, 8) or w12[6]
        shipped = doc.quantity(w12[3], "W1203")
        line_id = _line_id(loop, sku)
        unit, text = w12[5] or "EA", text_of(loop)
        told = {} if shipped is None else {Measure.SHIPPED: shipped}
        lines.append(Line(line_id, sku, text, unit, quantities=told))
        missing = _missing(doc, w12, shipped)
        if missing > 0:
            back = {Measure.BACKORDERED: missing} if w12[1] in BACKORDERED else {}
            word = SHORT_WORDS.get(w12[1], f"status {w12[1]}")
            short.append((Line(line_id, sku, text, unit, quantities=back), word))
    return lines, short


def _missing(doc: Document, w12: Segment, shipped: Decimal | None) -> Decimal:
    """W1204, the difference; where it is empty, ordered less shipped."""
    if w12[4]:
        return abs(doc.money(w12[4], "W1204") or Decimal(0)) if w12[1] != "CM" else Decimal(0)
    ordered = doc.quantity(w12[2], "W1202")
    return Decimal(0) if ordered is None or shipped is None else ordered - shipped


def _shipment(doc: Document, number: str) -> Ref:
    found = [Identifier(Scheme.SHIPMENT, number, doc.issuer)]
    for segment in doc.set.segments:
        if segment.tag != "N9" or not identifying(segment[2]):
            continue
        if segment[1] == "BM":
            # Orders of one truck share a bill of lading: a hint, it must not join their shipments.
            found.append(Identifier(Scheme.BOL, segment[2], strong=False))
        elif segment[1] == "CN" and not TRACKING.fullmatch(segment[2]):
            found.append(Identifier(Scheme.PRO, segment[2], doc.first("W27")[2], strong=False))
    return Ref(ObjectKind.SHIPMENT, tuple(dict.fromkeys(found)))


def _packages(doc: Document) -> list[Ref]:
    """One package for each LX that is marked, and one for each number in the heading."""
    found = [doc.packages((segment,)) for segment in doc.head("LX")]
    found += [doc.packages(loop) for loop in doc.loops("LX", ("W03",))]
    return list(dict.fromkeys(ref for ref in found if ref is not None))
