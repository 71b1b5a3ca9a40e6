"""Despatch advices (DESADV) and receiving advices (RECADV)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Measure,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.edifact.document import EdifactDocument, Group, reference_numbers
from connectors.systems.edifact.lines import (
    base_line,
    merged_lines,
    positions_by_group,
    quantity_of,
    read_groups,
    with_quantity,
)
from connectors.systems.edifact.references import (
    order_reference,
    package_references,
    shipment_reference,
)
from connectors.systems.edifact.segments import EdifactSegment

# BGM 1225.
CANCELLED_FUNCTIONS = frozenset({"1", "3"})
SHIPMENT_DATES = {"17": Attribute.ETA, "132": Attribute.ETA, "69": Attribute.PROMISED_AT}


def read_despatch_advice(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert DESADV: goods were shipped, with their orders, packages and lines.

    BGM C106 is the number of the shipment, DTM 11 the despatch. Orders are RFF+ON, of the heading
    or of a line. Each CPS level contains the lines after it; its GIN+BJ are its packages.
    """
    head = doc.head("CPS", "LIN", "UNS")
    number = _required_number(doc)
    is_void = doc.function in CANCELLED_FUNCTIONS
    orders = _orders_by_number(doc, head)
    packages = list(dict.fromkeys(package_references(doc.segments)))
    objects = [*orders.values(), shipment_reference(doc, number, head), *packages]
    carrier = doc.first("TDT", "20")
    return [
        doc.build_event(
            EventType.SHIPMENT_VOID if is_void else EventType.SHIPMENT_CONFIRMED,
            f"{number} {'void' if is_void else 'shipped'}",
            time=doc.time_sent if is_void else doc.time_of(head, "11", "137"),
            objects=objects,
            lines=() if is_void else _shipped_lines(doc, list(orders), objects),
            scope=f"shipment {number}",
            attributes={
                Attribute.CARRIER: carrier.text(5, 4) or carrier.text(5) or doc.party_name("CA"),
                Attribute.WAREHOUSE: doc.party_name("SF", "WH"),
                **doc.dates(head, SHIPMENT_DATES),
            },
        )
    ]


def _required_number(doc: EdifactDocument) -> str:
    if not doc.number:
        raise PayloadError(ParkReason.REFERENCE, doc.path("BGM"), "the document has no number")
    return doc.number


def _orders_by_number(doc: EdifactDocument, head: Group) -> dict[str, ObjectReference]:
    """Return the orders of the heading and of the lines. The seller's number is the heading's."""
    numbers = reference_numbers(head, "ON")
    orders: dict[str, ObjectReference] = {}
    for number in dict.fromkeys([*numbers, *reference_numbers(doc.segments, "ON")]):
        segments = head if numbers == [number] else ()
        if reference := order_reference(doc, number, segments):
            orders[number] = reference
    return orders


def _levels(segments: Sequence[EdifactSegment]) -> Iterator[tuple[Group, Group]]:
    """Yield each LIN group with the segments of its CPS level before its first line."""
    level: list[EdifactSegment] = []
    line: list[EdifactSegment] = []
    for segment in segments:
        if segment.tag in {"CPS", "LIN", "UNS"} and line:
            yield tuple(level), tuple(line)
            line = []
        if segment.tag == "CPS":
            level = [segment]
        elif segment.tag == "LIN":
            line = [segment]
        elif segment.tag == "UNS":
            return
        elif line:
            line.append(segment)
        else:
            level.append(segment)
    if line:
        yield tuple(level), tuple(line)


def _shipped_lines(
    doc: EdifactDocument, orders: Sequence[str], objects: Sequence[ObjectReference]
) -> tuple[EventLine, ...]:
    pairs = list(_levels(doc.segments))
    groups = [line for _, line in pairs]
    levels = {id(line): level for level, line in pairs}
    positions = positions_by_group(groups)
    heading = reference_numbers(doc.head("CPS", "LIN", "UNS"), "ON")

    def read(group: Group) -> EventLine:
        line = base_line(doc, group, positions[id(group)], with_dates=False)
        rff = next((s for s in group if s.tag == "RFF" and s.text(1) == "ON"), None)
        number = rff.text(1, 2) if rff else (heading[0] if len(heading) == 1 else "")
        # RFF 1156 is the number of the order line.
        line_id = (rff.text(1, 3).lstrip("0") if rff else "") or line.line_id
        inside = package_references(group) or package_references(levels[id(group)])
        return replace(
            with_quantity(line, Measure.SHIPPED, quantity_of(doc, group, "12", "46")),
            line_id=line_id,
            order_index=orders.index(number) if number in orders else -1,
            package_index=objects.index(inside[0]) if len(inside) == 1 else -1,
        )

    return merged_lines(read_groups(doc, groups, read))


def read_receiving_advice(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert RECADV: the customer received goods.

    The shipment is RFF+AAK or DQ, the orders RFF+ON, the date DTM 50 or 35. QTY 194 is received and
    accepted, 48 received; 195, not accepted, is in the reason.
    """
    head = doc.head("CPS", "LIN", "UNS")
    shipments = reference_numbers(doc.segments, "AAK", "DQ")
    orders = _orders_by_number(doc, head)
    if not shipments and not orders:
        raise PayloadError(
            ParkReason.REFERENCE, doc.path("RFF"), "the receipt names no shipment and no order"
        )
    groups = doc.groups("LIN")
    positions = positions_by_group(groups)
    numbers = list(orders)
    reasons: list[str] = []

    def read(group: Group) -> EventLine:
        line = base_line(doc, group, positions[id(group)], with_dates=False)
        refused = quantity_of(doc, group, "195")
        if refused:
            reasons.append(f"{line.sku or line.line_id}: {refused} not accepted")
        rff = next((s for s in group if s.tag == "RFF" and s.text(1) == "ON"), None)
        number = rff.text(1, 2) if rff else (numbers[0] if len(numbers) == 1 else "")
        line_id = (rff.text(1, 3).lstrip("0") if rff else "") or line.line_id
        return replace(
            with_quantity(line, Measure.DELIVERED, quantity_of(doc, group, "194", "48", "46")),
            line_id=line_id,
            order_index=numbers.index(number) if number in numbers else -1,
        )

    lines = merged_lines(read_groups(doc, groups, read))
    return [
        doc.build_event(
            EventType.DELIVERED,
            f"{doc.number or doc.content_digest} received",
            time=doc.time_of(head, "50", "35", "137"),
            objects=(
                *orders.values(),
                *(shipment_reference(doc, n, is_of_sender=False) for n in shipments[:1]),
                *dict.fromkeys(package_references(doc.segments)),
            ),
            lines=lines,
            scope=f"shipment {shipments[0]}" if shipments else f"receipt {doc.number}",
            attributes={Attribute.REASON: "; ".join(reasons)},
        )
    ]
