"""Invoices and credit notes: INVOIC."""

from dataclasses import replace

from connectors.sdk.events import Attribute, CanonicalEvent, EventLine, EventType, Measure
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.edifact.document import EdifactDocument, Group, reference_numbers
from connectors.systems.edifact.lines import (
    base_line,
    merged_lines,
    positions_by_group,
    quantity_of,
    read_groups,
)
from connectors.systems.edifact.references import invoice_reference, order_reference

# BGM 1001: credit notes. 383 is a debit note, which is invoiced like 380.
CREDIT_CODES = frozenset({"81", "83", "308", "381", "396", "420", "532"})
VOID_FUNCTIONS = frozenset({"1", "3"})
# MOA 5025 of the total, by preference: amount due, invoice amount, invoice total.
TOTAL_QUALIFIERS = ("9", "77", "39", "86")


def read_invoice(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert INVOIC: an invoice or a credit note, or its cancellation.

    Orders are RFF+ON, of the heading or of a line. QTY 47 is invoiced, or 12 with senders that
    send no 47; 61 is returned.
    """
    head = doc.head("LIN", "UNS")
    if not doc.number:
        raise PayloadError(ParkReason.REFERENCE, doc.path("BGM"), "the invoice has no number")
    is_credit = doc.first("BGM").text(1) in CREDIT_CODES
    is_void = doc.function in VOID_FUNCTIONS
    event_type = EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED
    event_type = EventType.INVOICE_VOID if is_void and not is_credit else event_type
    heading = reference_numbers(head, "ON")
    orders = {
        number: reference
        for number in dict.fromkeys([*heading, *reference_numbers(doc.segments, "ON")])
        if (reference := order_reference(doc, number, head if heading == [number] else ()))
    }
    totals = [doc.first("MOA", q).text(1, 2) for q in TOTAL_QUALIFIERS]
    total = doc.decimal(next(filter(None, totals), ""), "MOA")
    return [
        doc.build_event(
            event_type,
            " ".join(filter(None, (doc.number, "void" if is_void else ""))),
            time=doc.time_of(head, "3", "137"),
            objects=(*orders.values(), invoice_reference(doc, doc.number, is_credit=is_credit)),
            lines=() if is_void else _invoiced_lines(doc, list(orders), heading, is_credit),
            scope=f"{'credit' if is_credit else 'invoice'} {doc.number}",
            attributes={
                Attribute.CUSTOMER_NO: doc.customer_number,
                Attribute.CURRENCY: doc.first("CUX", "2").text(1, 2),
                Attribute.TOTAL: "" if total is None else format(total, "f"),
            },
        )
    ]


def _invoiced_lines(
    doc: EdifactDocument, orders: list[str], heading: list[str], is_credit: bool
) -> tuple[EventLine, ...]:
    groups = doc.groups("LIN")
    positions = positions_by_group(groups)

    def read(group: Group) -> EventLine:
        line = base_line(doc, group, positions[id(group)], with_dates=False)
        quantity = quantity_of(doc, group, "47", "12", "61")
        rff = next((s for s in group if s.tag == "RFF" and s.text(1) == "ON"), None)
        number = rff.text(1, 2) if rff else (heading[0] if len(heading) == 1 else "")
        line_id = (rff.text(1, 3).lstrip("0") if rff else "") or line.line_id
        measure = Measure.CREDITED if is_credit else Measure.INVOICED
        return replace(
            line,
            line_id=line_id,
            quantities={} if quantity is None else {measure: quantity},
            order_index=orders.index(number) if number in orders else -1,
        )

    return merged_lines(read_groups(doc, groups, read))
