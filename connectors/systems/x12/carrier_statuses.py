"""Carrier shipment status messages: 214."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from connectors.sdk.events import Attribute, CanonicalEvent, EventType, Flag
from connectors.sdk.timestamps import ParsedTime
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.carrier_references import carrier_document_objects
from connectors.systems.x12.carrier_status_codes import (
    APPOINTMENT_TYPES,
    STATUS_TYPES,
    STEPS_WITHOUT_EVENT,
)
from connectors.systems.x12.document import EMPTY_SEGMENT, X12Document
from connectors.systems.x12.document_times import time_of_dtm
from connectors.systems.x12.elements import to_iso_date
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
    required_loops,
)

# AT702 and AT704 of a status or an appointment without a particular reason.
NORMAL_REASONS = frozenset({"", "NA", "NS"})


def read_carrier_status(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 214: one event per status (AT7) of each stop or shipment (LX).

    B1001 is the carrier's number, B1002 the shipper's number of the shipment, B1003 the SCAC. A
    stop that names orders of its own (L11, OID) is about these only.
    """
    heading = doc.header_segments("LX" if doc.first_segment("LX").tag else "AT7")
    statuses = [
        (stop, status)
        for stop in doc.loops_starting_with_tag("LX") or [doc.transaction_set.segments]
        for status in _segments_by_status(stop)
    ]
    stops = {id(status): stop for stop, status in statuses}

    def read_status(loop: Loop) -> CanonicalEvent | None:
        return _status_event(doc, heading, stops[id(loop)], loop)

    loops = required_loops(doc, [status for _, status in statuses], "AT7")
    return [e for e in read_line_loops_and_errors(doc, loops, read_status) if e is not None]


def _segments_by_status(stop: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """Yield each AT7 with the segments after it, such as its city (MS1)."""
    starts = [n for n, segment in enumerate(stop) if segment.tag == "AT7"]
    for start, end in pairwise([*starts, len(stop)]):
        yield tuple(stop[start:end])


def _status_event(
    doc: X12Document, heading: Sequence[Segment], stop: Loop, status: Loop
) -> CanonicalEvent | None:
    at7, b10 = status[0], doc.first_segment("B10")
    code = at7[1] or at7[3]
    event_type = (STATUS_TYPES if at7[1] else APPOINTMENT_TYPES).get(code, EventType.UNMAPPED)
    if event_type is EventType.UNMAPPED and code in STEPS_WITHOUT_EVENT:
        doc.not_understood.append(f"AT7 {code}: {STEPS_WITHOUT_EVENT[code]}, no change of status")
        return None
    at = _time_of_status(doc, at7)
    ms1 = next((s for s in status if s.tag == "MS1"), EMPTY_SEGMENT)
    city = ", ".join(filter(None, (ms1[1], ms1[2], ms1[3])))
    reason = at7[2] if at7[1] else at7[4]
    is_estimate = event_type is EventType.ETA_UPDATED
    stop_number = stop[0][1] if stop[0].tag == "LX" else ""
    names = (b10[1] or b10[2], stop_number, code, at7[5], at7[6], city)
    return doc.build_event(
        event_type,
        " ".join(filter(None, names)),
        time=doc.time_sent if is_estimate else at,
        objects=carrier_document_objects(
            doc,
            heading,
            () if stop is doc.transaction_set.segments else stop,
            shipment=b10[2],
            carrier=b10[3],
            carrier_number=b10[1],
            element="B1002",
        ),
        attributes={
            Attribute.CARRIER: b10[3],
            Attribute.LOCATION: city,
            Attribute.STATUS: code,
            Attribute.REASON: "" if reason in NORMAL_REASONS else f"reason code {reason}",
            Attribute.ETA: _estimate_text(at, at7) if is_estimate else "",
        },
        raw_type=f"214 {code}" if event_type is EventType.UNMAPPED else "",
    )


def _time_of_status(doc: X12Document, at7: Segment) -> ParsedTime | None:
    """Return AT705 and AT706 in the zone AT707, else when the document was sent."""
    if not at7[5]:
        return doc.time_sent
    # AT705 to AT707 are what DTM02 to DTM04 are.
    dtm = Segment("DTM", ("", at7[5], at7[6], at7[7]))
    return time_of_dtm(dtm, doc.element_path("AT705"), doc.settings.zone)


def _estimate_text(at: ParsedTime | None, at7: Segment) -> str:
    """Return the estimated date, or the time as ISO 8601 text in UTC."""
    if at is None or not at7[5]:
        return ""
    if Flag.DATE_ONLY in at.flags:
        return to_iso_date(at7[5], "AT705")
    return f"{at.time:%Y-%m-%dT%H:%M:%SZ}"
