"""Stock of items: inventory advices (846) and warehouse inventory adjustments (947)."""

from collections.abc import Sequence
from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.timestamps import ParsedTime
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.document_times import time_of_dtm
from connectors.systems.x12.elements import item_description
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
    required_loops,
)

# Element 673, quantity qualifier (QTY01), as far as senders agree on it.
QUANTITY_NAMES = {"17": "on_hand", "33": "available_for_sale", "63": "on_order"}
# DTM01: 405 production, 007 effective, 050 received, 102 issue, 018 available.
STOCK_DATE_QUALIFIERS = ("007", "102", "405")
# Element 181 (W1901): the reason of an adjustment.
ADJUSTMENT_REASONS = {
    "04": "receipt less than previously reported",
    "07": "product dumped or destroyed",
    "51": "product located that could not be found",
    "52": "rework of damaged product",
    "53": "shipment less than previously reported",
    "56": "book adjustment, increase",
    "AB": "accounting error",
    "AC": "condition change",
    "AG": "ownership change",
    "AH": "other",
    "AI": "disaster",
    "AR": "order shipment error",
    "AU": "damaged in the facility",
    "AV": "damaged in transit",
    "AW": "product recall",
    "AX": "shelf-life obsolescence",
    "AY": "receipt error",
}


def read_inventory_advice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 846: one event per item (LIN), with its quantities by kind (QTY01)."""
    heading = doc.header_segments("LIN")

    def read_item(loop: Loop) -> CanonicalEvent:
        sku = doc.preferred_sku(loop[0], 2)
        quantities = [(s[1], _quantity(doc, s), s[3]) for s in loop if s.tag == "QTY"]
        warehouse = doc.party_name(loop, "WH", "LC", "SF") or doc.party_name(
            heading, "WH", "LC", "SF"
        )
        names = [(QUANTITY_NAMES.get(q, f"qualifier {q}"), n, unit) for q, n, unit in quantities]
        texts = [f"{name.replace('_', ' ')} {n} {unit}".strip() for name, n, unit in names]
        at = _stock_time(doc, loop) or _stock_time(doc, heading) or doc.time_sent
        stock_date = f"{at.time:%Y-%m-%d %H:%M}" if at else ""
        return doc.build_event(
            EventType.INVENTORY_SNAPSHOT,
            " ".join(filter(None, (sku, warehouse, stock_date))),
            time=at,
            objects=(_item_reference(doc, sku, "LIN"),),
            lines=(EventLine(sku, sku, item_description(loop)),),
            attributes={Attribute.WAREHOUSE: warehouse, Attribute.DETAIL: "; ".join(texts)},
            other_attributes={name: str(n) for name, n, _ in names},
        )

    loops = required_loops(doc, doc.loops_starting_with_tag("LIN"), "LIN")
    return read_line_loops_and_errors(doc, loops, read_item)


def read_inventory_adjustment(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 947: one event per adjusted item (W19).

    W1501 is the date, W1502 the warehouse's number, W1901 the reason, W1902 the difference, which
    is negative if stock was removed.
    """
    w15, heading = doc.first_segment("W15"), doc.header_segments("W19")
    number = w15[2] or w15[3]
    loops = required_loops(doc, doc.loops_starting_with_tag("W19", ("SE",)), "W19")
    positions = {id(loop): position for position, loop in enumerate(loops, 1)}

    def read_item(loop: Loop) -> CanonicalEvent:
        w19 = loop[0]
        sku = doc.preferred_sku(w19, 5, 9) or w19[4]
        difference = doc.parse_decimal_amount(w19[2], "W1902")
        reason = ADJUSTMENT_REASONS.get(w19[1], "")
        code = f"reason code {w19[1]}" if w19[1] else ""
        warehouse = doc.party_name(heading, "WH", "SF")
        fact = (number, w15[1], warehouse, str(positions[id(loop)]), doc.content_digest)
        return doc.build_event(
            EventType.INVENTORY_ADJUSTED,
            " ".join(filter(None, fact)),
            time=doc.event_time(w15[1], "W1501"),
            objects=(_item_reference(doc, sku, "W19"),),
            lines=(EventLine(sku, sku, item_description(loop), w19[3] or "EA"),),
            attributes={
                Attribute.WAREHOUSE: warehouse,
                Attribute.REASON: f"{reason} ({w19[1]})" if reason else code,
                Attribute.DETAIL: "" if difference is None else f"{difference:+} {w19[3]}".strip(),
            },
            other_attributes={} if difference is None else {"difference": str(difference)},
            is_first_copy_used=True,
        )

    return read_line_loops_and_errors(doc, loops, read_item)


def _item_reference(doc: X12Document, sku: str, tag: str) -> ObjectReference:
    if not sku:
        raise PayloadError(ParkReason.REFERENCE, doc.element_path(tag), "the item has no number")
    identifier = EventIdentifier(IdentifierScheme.SKU, sku, doc.settings.source)
    return ObjectReference(ObjectKind.ITEM, (identifier,))


def _quantity(doc: X12Document, qty: Segment) -> Decimal:
    return doc.parse_decimal_amount(qty[2], "QTY02") or Decimal(0)


def _stock_time(doc: X12Document, segments: Sequence[Segment]) -> ParsedTime | None:
    for qualifier in STOCK_DATE_QUALIFIERS:
        for segment in segments:
            if segment.tag == "DTM" and segment[1] == qualifier and segment[2]:
                return time_of_dtm(segment, doc.element_path(f"DTM*{qualifier}"), doc.settings.zone)
    return None
