"""Lines of a ship notice (856) whose rest is not shipped, or is back-ordered."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Measure,
    ObjectReference,
)
from connectors.sdk.timestamps import ParsedTime
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12 import line_status_codes, shipment_status_codes
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import merge_lines
from connectors.systems.x12.ship_notice_hierarchy import HierarchyLevel, ShipNoticeHierarchy

# event type: its measure, and the name of its fact
MEASURES_AND_NAMES = {
    EventType.LINE_SHORTED: (Measure.CANCELLED, "short"),
    EventType.LINE_BACKORDERED: (Measure.BACKORDERED, "backordered"),
}


class ShortageTypeAndReason(NamedTuple):
    """The event type of a status, and its reason."""

    event_type: EventType
    reason: str


def build_event_per_shortage_type(
    doc: X12Document,
    shipment: str,
    time: ParsedTime | None,
    items: Sequence[tuple[HierarchyLevel, EventLine]],
    hierarchy: ShipNoticeHierarchy,
    orders: Sequence[ObjectReference],
) -> list[CanonicalEvent]:
    """Return an event for the lines closed short, and one for those back-ordered.

    The quantity is SN105 (ordered) minus SN102 (shipped). A status without SN105 is reported on the
    message. Cancelled quantities are totals of the shipment: those of several shipments add up.
    """
    lines: dict[EventType, list[EventLine]] = {}
    reasons: dict[EventType, dict[str, None]] = {}
    for level, line in items:
        status = _shortage_type_and_reason_of_level(doc, level, hierarchy)
        if status is None:
            continue
        missing = _ordered_minus_shipped_quantity(doc, next(iter(level.segments_with_tag("SN1"))))
        if missing is None:
            text = f"HL {level.number[:20]}: {status.reason}, without the quantity ordered (SN105)"
            doc.not_understood.append(text)
        elif missing > 0:
            quantities = {MEASURES_AND_NAMES[status.event_type][0]: missing}
            lines.setdefault(status.event_type, []).append(replace(line, quantities=quantities))
            reasons.setdefault(status.event_type, {})[status.reason] = None
    return [
        doc.build_event(
            event_type,
            f"{shipment} {MEASURES_AND_NAMES[event_type][1]}",
            time=time,
            objects=orders,
            lines=merge_lines(short_lines),
            scope=f"shipment {shipment}" if event_type is EventType.LINE_SHORTED else "",
            attributes={Attribute.REASON: "; ".join(reasons[event_type])},
        )
        for event_type, short_lines in lines.items()
    ]


def _shortage_type_and_reason_of_level(
    doc: X12Document, level: HierarchyLevel, hierarchy: ShipNoticeHierarchy
) -> ShortageTypeAndReason | None:
    """Return the status by SN108, else by TD506 of the level or its nearest ancestor with one."""
    code = next((s[8] for s in level.segments_with_tag("SN1") if s[8]), "")
    if code in line_status_codes.REJECTED_CODES:
        text = f"{line_status_codes.REJECTED_CODES[code]} ({code})"
        return ShortageTypeAndReason(EventType.LINE_SHORTED, text)
    if code in line_status_codes.BACKORDERED_CODES:
        return ShortageTypeAndReason(EventType.LINE_BACKORDERED, f"back-ordered ({code})")
    if code in line_status_codes.ACCEPTED_CODES:
        return None
    inherited = (
        s[6] for x in hierarchy.with_ancestors(level) for s in x.segments_with_tag("TD5") if s[6]
    )
    # Some senders put a code of element 368 into SN108.
    status = code or next(inherited, "")
    reason = shipment_status_codes.shortage_reason_of_status_code(status)
    if status in shipment_status_codes.CLOSED_CODES:
        return ShortageTypeAndReason(EventType.LINE_SHORTED, reason)
    if status in shipment_status_codes.BACKORDERED_CODES:
        return ShortageTypeAndReason(EventType.LINE_BACKORDERED, reason)
    if code and code not in line_status_codes.LINE_STATUS_TYPES:
        doc.not_understood.append(f"HL {level.number[:20]}: SN108 {code[:20]!r} is not known")
    return None


def _ordered_minus_shipped_quantity(doc: X12Document, sn1: Segment) -> Decimal | None:
    """Return ordered minus shipped, or None without SN105 or if SN106 is another unit."""
    shipped = doc.parse_nonnegative_quantity(sn1[2], "SN102")
    ordered = doc.parse_nonnegative_quantity(sn1[5], "SN105")
    if shipped is None or ordered is None or (sn1[6] or sn1[3]) != sn1[3]:
        return None
    return max(ordered - shipped, Decimal(0))
