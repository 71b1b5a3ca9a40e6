"""Remittance advices (820): what the customer paid of each invoice, and what it deducted."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from connectors.sdk.events import Attribute, CanonicalEvent, EventType
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.invoice_references import invoice_reference
from connectors.systems.x12.order_and_package_references import order_reference
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
    required_loops,
)

# RMR01: IV seller's invoice number. Other items, such as credit memos, are not invoices.
INVOICE_QUALIFIERS = frozenset({"IV", "12"})
# Element 426 (ADX02): the reason of an adjustment, as far as it is common in deductions.
DEDUCTION_REASONS = {
    "01": "pricing error",
    "02": "allowance or charge error",
    "03": "extension error",
    "04": "item not accepted, damaged",
    "05": "item not accepted, quality",
    "06": "quantity contested",
    "07": "incorrect product",
    "08": "substitute product",
    "09": "terms of sale error",
    "11": "returns, damage",
    "12": "returns, quality",
    "15": "returns, recall",
    "19": "duplicate billing",
    "24": "incorrect discount",
    "25": "item not accepted",
    "26": "invoice cancelled",
    "30": "delivery charge incorrect",
    "50": "late charge",
    "54": "freight deducted",
    "55": "tax deducted",
    "56": "advertising allowance taken",
    "57": "volume discount taken",
    "59": "item not received",
    "70": "advance ship notice not received",
    "72": "authorized return",
}


def read_remittance(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 820: one event per paid invoice (RMR).

    RMR04 is the paid amount, RMR05 the amount of the invoice, RMR06 the discount, BPR16 the date of
    the payment. The invoice is paid if payment, discount and adjustments (ADX, negative if they are
    deducted) reach its amount, or if its amount is not sent.
    """

    def read_item(loop: Loop) -> CanonicalEvent | None:
        return _payment_event(doc, loop)

    loops = required_loops(doc, _loops_of_all_entities(doc), "RMR")
    return [e for e in read_line_loops_and_errors(doc, loops, read_item) if e is not None]


def _loops_of_all_entities(doc: X12Document) -> list[tuple[Segment, ...]]:
    """Return each RMR with the segments after it; an ENT begins the next entity."""
    loops: list[list[Segment]] = []
    is_open = False
    for segment in doc.transaction_set.segments:
        if segment.tag == "RMR":
            loops.append([segment])
            is_open = True
        elif segment.tag == "ENT":
            is_open = False
        elif is_open:
            loops[-1].append(segment)
    return [tuple(loop) for loop in loops]


def _payment_event(doc: X12Document, loop: Sequence[Segment]) -> CanonicalEvent | None:
    rmr, bpr = loop[0], doc.first_segment("BPR")
    number = blank_if_placeholder(rmr[2])
    if rmr[1] not in INVOICE_QUALIFIERS:
        doc.not_understood.append(f"RMR*{rmr[1][:3]}*{rmr[2][:30]} is no invoice")
        return None
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("RMR02"), "the paid invoice has no number"
        )
    paid = doc.parse_decimal_amount(rmr[4], "RMR04")
    due = doc.parse_decimal_amount(rmr[5], "RMR05")
    discount = doc.parse_decimal_amount(rmr[6], "RMR06") or Decimal(0)
    adjustments = [(_adjusted_amount(doc, s), s) for s in loop if s.tag == "ADX"]
    settled = (paid or Decimal(0)) + discount - sum((a for a, _ in adjustments), Decimal(0))
    is_paid = due is None or settled >= due
    payment = doc.first_segment("TRN")[2]
    po = next((s[2] for s in loop if s.tag == "REF" and s[1] == "PO"), "")
    details = [f"payment {payment}" if payment else ""]
    details += [f"{paid} of {due} paid"] if due is not None and paid is not None else []
    details += [f"discount {discount}"] if discount else []
    return doc.build_event(
        EventType.INVOICE_PAID if is_paid else EventType.INVOICE_PARTLY_PAID,
        " ".join(filter(None, (number, "payment", payment or bpr[16], rmr[4]))),
        time=doc.event_time(bpr[16], "BPR16"),
        objects=(
            order_reference(doc, po) if po else None,
            invoice_reference(doc, number, is_of_sender=False),
        ),
        attributes={
            Attribute.CURRENCY: doc.first_segment("CUR")[2],
            Attribute.TOTAL: "" if paid is None else format(paid, "f"),
            Attribute.REASON: "; ".join(_deduction_texts(adjustments)),
            Attribute.DETAIL: "; ".join(filter(None, details)),
        },
    )


def _adjusted_amount(doc: X12Document, adx: Segment) -> Decimal:
    return doc.parse_decimal_amount(adx[1], "ADX01") or Decimal(0)


def _deduction_texts(adjustments: Sequence[tuple[Decimal, Segment]]) -> Iterator[str]:
    for amount, adx in adjustments:
        reason = DEDUCTION_REASONS.get(adx[2], "")
        text = f"{reason} ({adx[2]})" if reason else f"reason code {adx[2]}"
        number = f", {adx[3]} {adx[4]}" if adx[4] else ""
        yield f"{'deducted' if amount < 0 else 'added'} {abs(amount)}: {text}{number}"
