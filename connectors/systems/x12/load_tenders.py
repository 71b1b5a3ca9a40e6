"""Load tenders (204), the carrier's answer (990) and its freight invoice (210)."""

from collections.abc import Iterator

from connectors.sdk.events import Attribute, CanonicalEvent, EventType
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.x12.carrier_references import carrier_document_objects
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import to_iso_date_or_blank

# B2A01: 01 cancellation, 03 deletion. Everything else offers the load, or offers it as changed.
CANCELLED_PURPOSES = frozenset({"01", "03"})
# B104, element 558.
ANSWER_TYPES = {
    "A": EventType.DOCUMENT_ACKNOWLEDGED,
    "D": EventType.DOCUMENT_REJECTED,
    "R": EventType.DOCUMENT_REJECTED,
}
ANSWER_TEXTS = {"A": "load accepted", "D": "load declined", "R": "load declined"}
# S502, element 163.
STOP_TEXTS = {
    "CL": "load",
    "LD": "load",
    "PL": "load",
    "CU": "unload",
    "UL": "unload",
    "PU": "unload",
}


def read_load_tender(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 204: a load was offered to a carrier, for the orders of all its stops (S5).

    B202 is the SCAC, B204 the number of the load. A cancellation withdraws the offer.
    """
    b2, purpose = doc.first_segment("B2"), doc.first_segment("B2A")[1]
    number = _required_load_number(doc, b2[4], "B204")
    is_cancelled = purpose in CANCELLED_PURPOSES
    fact = f"{number} tendered"
    return [
        doc.build_event(
            EventType.UNMAPPED if is_cancelled else EventType.SHIPMENT_TENDERED,
            f"{number} tender cancelled" if is_cancelled else fact,
            time=doc.time_sent,
            objects=carrier_document_objects(
                doc,
                doc.transaction_set.segments,
                shipment=number,
                carrier=b2[2],
                element="B204",
            ),
            attributes={
                Attribute.CARRIER: b2[2],
                Attribute.STATUS: f"204 purpose {purpose}" if purpose else "",
                Attribute.DETAIL: "; ".join(_stop_texts(doc)),
            },
            raw_type="204 cancelled" if is_cancelled else "",
            replaced_facts=[fact] if is_cancelled else [],
        )
    ]


def _stop_texts(doc: X12Document) -> Iterator[str]:
    """Yield what happens at each stop: `stop 1: load 2026-03-05 DALLAS`."""
    for loop in doc.loops_starting_with_tag("S5"):
        dates = (to_iso_date_or_blank(s[2]) for s in loop if s.tag == "G62")
        city = next((s[1] for s in loop if s.tag == "N4"), "")
        what = STOP_TEXTS.get(loop[0][2], loop[0][2])
        yield " ".join(filter(None, (f"stop {loop[0][1]}: {what}", next(dates, ""), city)))


def read_tender_answer(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 990: the carrier accepts or declines a load (B104)."""
    b1 = doc.first_segment("B1")
    number = _required_load_number(doc, b1[2], "B102")
    event_type = ANSWER_TYPES.get(b1[4], EventType.UNMAPPED)
    is_known = b1[4] in ANSWER_TYPES
    reasons = [
        s[2] if s.tag == "NTE" else s[1]
        for s in doc.transaction_set.segments
        if s.tag in {"K1", "NTE"}
    ]
    return [
        doc.build_event(
            event_type,
            f"{number} answer {b1[4]} {doc.content_digest}",
            time=doc.event_time(b1[3], "B103"),
            objects=carrier_document_objects(
                doc,
                doc.transaction_set.segments,
                shipment=number,
                carrier=b1[1],
                element="B102",
            ),
            attributes={
                Attribute.CARRIER: b1[1],
                Attribute.STATUS: b1[4],
                Attribute.REASON: "; ".join(filter(None, (ANSWER_TEXTS.get(b1[4], ""), *reasons))),
            },
            raw_type="" if is_known else f"990 {b1[4]}",
            is_first_copy_used=True,
        )
    ]


def read_freight_invoice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 210: what the carrier charges. It is no invoice to the customer.

    B302 is its number, B303 the shipment, B306 the date, B307 the amount with two implied decimals,
    B311 the SCAC.
    """
    b3 = doc.first_segment("B3")
    number = blank_if_placeholder(b3[2])
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("B302"), "the freight invoice has no number"
        )
    amount = doc.parse_decimal_amount(b3[7], "B307")
    if amount is not None and "." not in b3[7]:
        amount = amount.scaleb(-2)
    numbers = doc.transaction_set.segments
    pro = next((s[2] for s in numbers if s.tag == "N9" and s[1] == "CN"), "")
    return [
        doc.build_event(
            EventType.FREIGHT_INVOICED,
            f"{b3[11]} {number}".strip(),
            time=doc.event_time(b3[6], "B306"),
            objects=carrier_document_objects(
                doc,
                numbers,
                shipment=b3[3],
                carrier=b3[11],
                carrier_number=pro,
                element="B303",
            ),
            attributes={
                Attribute.CARRIER: b3[11],
                Attribute.CURRENCY: doc.first_segment("C3")[1],
                Attribute.TOTAL: "" if amount is None else format(amount, "f"),
                Attribute.DETAIL: f"freight invoice {number}",
            },
        )
    ]


def _required_load_number(doc: X12Document, text: str, element: str) -> str:
    number = blank_if_placeholder(text)
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path(element), "the load has no number"
        )
    return number
