"""Invoices and credit memos: 810."""

from collections.abc import Sequence

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Measure,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import (
    item_description,
    merge_lines,
    strip_line_number_zeros,
)
from connectors.systems.x12.invoice_references import invoice_reference
from connectors.systems.x12.item_numbers import number_with_qualifier
from connectors.systems.x12.order_and_package_references import (
    order_reference,
    seller_order_identifiers,
)
from connectors.systems.x12.pack_sizes import pieces_per_unit
from connectors.systems.x12.read_line_loops_and_errors import (
    read_line_loops_and_errors,
)

# BIG07: CR credit memo, CN credit invoice. Everything else is an invoice.
CREDIT_TYPES = frozenset({"CR", "CN"})
# BIG08: 01 cancellation, 03 deletion.
VOID_PURPOSES = frozenset({"01", "03"})
# (PO, release): the key of an order within an invoice
OrderNumber = tuple[str, str]


def read_invoice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 810: an invoice, a credit memo, or the cancellation of an invoice.

    Some senders repeat invoice numbers, even in one group, so date and PO are part of the key.
    """
    big = doc.first_segment("BIG")
    number = blank_if_placeholder(big[2])
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("BIG02"), "the invoice has no number"
        )
    is_credit, is_void = big[7] in CREDIT_TYPES, big[8] in VOID_PURPOSES
    event_type = EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED
    event_type = EventType.INVOICE_VOID if is_void and not is_credit else event_type
    orders = _order_references_by_number(doc)
    release = blank_if_placeholder(big[5])
    return [
        doc.build_event(
            event_type,
            " ".join(filter(None, (number, big[1], big[4], release, "void" if is_void else ""))),
            time=doc.event_time(big[1], "BIG01"),
            objects=(*orders.values(), invoice_reference(doc, number, is_credit=is_credit)),
            lines=() if is_void else _invoice_lines(doc, list(orders), is_credit=is_credit),
            scope=f"{'credit' if is_credit else 'invoice'} {number}",
            attributes={
                Attribute.CUSTOMER_NO: doc.partner_customer_number_in_settings,
                Attribute.CURRENCY: doc.first_segment("CUR")[2],
                Attribute.TOTAL: _invoice_total_from_tds(doc),
                Attribute.DETAIL: _finding_if_tds01_has_decimal_point(doc),
            },
        )
    ]


def _invoice_total_from_tds(doc: X12Document) -> str:
    """Return the total. TDS01 has two implied decimals (type N2): 5770 is 57.70.

    Some senders write the decimal point all the same; then the number is what it says.
    """
    text = doc.first_segment("TDS")[1]
    amount = doc.parse_decimal_amount(text, "TDS01")
    if amount is None:
        return ""
    return format(amount if "." in text else amount.scaleb(-2), "f")


def _finding_if_tds01_has_decimal_point(doc: X12Document) -> str:
    text = doc.first_segment("TDS")[1]
    return f"TDS01 {text[:30]!r} has a decimal point and is read as it is" if "." in text else ""


def _header_po_and_release_number(doc: X12Document) -> OrderNumber:
    """Return BIG04 and BIG05, else REF*PO in the header; blanks if the header names no order."""
    big = doc.first_segment("BIG")
    if blank_if_placeholder(big[4]):
        return blank_if_placeholder(big[4]), blank_if_placeholder(big[5])
    heading = (s[2] for s in doc.header_segments("IT1") if s.tag == "REF" and s[1] == "PO")
    return blank_if_placeholder(next(heading, "")), ""


def _po_number_of_invoice_line(loop: Sequence[Segment]) -> OrderNumber:
    """Return the PO of the pairs of IT1, else of REF*PO; blanks if the line names no order."""
    references = (s[2] for s in loop if s.tag == "REF" and s[1] == "PO")
    po = number_with_qualifier(loop[0], 6, "PO") or next(references, "")
    return blank_if_placeholder(po), ""


def _order_references_by_number(doc: X12Document) -> dict[OrderNumber, ObjectReference]:
    """Return the orders by PO and release: the one in the header, then those in the lines."""
    seller = next((s[2] for s in doc.header_segments("IT1") if s.tag == "REF" and s[1] == "VN"), "")
    heading = _header_po_and_release_number(doc)
    refs: dict[OrderNumber, ObjectReference] = {}
    for number in (
        heading,
        *(_po_number_of_invoice_line(loop) for loop in doc.loops_starting_with_tag("IT1")),
    ):
        po, release = number
        # A line of the order in the header does not repeat its release.
        if not po or (po == heading[0] and refs):
            continue
        is_header_po = doc.settings.seller_order is not None and po == heading[0]
        sellers = seller_order_identifiers(doc, seller) if is_header_po else ()
        ref = order_reference(doc, po, *sellers, release=release)
        if ref is not None:
            refs.setdefault(number, ref)
    return refs


def _invoice_lines(
    doc: X12Document, orders: Sequence[OrderNumber], *, is_credit: bool
) -> tuple[EventLine, ...]:
    heading = _header_po_and_release_number(doc)

    def read_line(loop: Sequence[Segment]) -> EventLine:
        it1 = loop[0]
        quantity = doc.parse_decimal_amount(it1[2], "IT102")
        sku = doc.preferred_sku(it1, 6)
        number = _po_number_of_invoice_line(loop)
        order = heading if not number[0] or number[0] == heading[0] else number
        # A negative quantity of an invoice is given back, such as a deposit on a container.
        is_given_back = is_credit or (quantity is not None and quantity < 0)
        measure = Measure.CREDITED if is_given_back else Measure.INVOICED
        return EventLine(
            line_id=strip_line_number_zeros(it1[1]) or sku,
            sku=sku,
            description=item_description(loop),
            unit=it1[3] or "EA",
            price=doc.parse_decimal_amount(it1[4], "IT104"),
            quantities={} if quantity is None else {measure: abs(quantity)},
            order_index=orders.index(order) if order in orders else -1,
            pieces_per_unit=pieces_per_unit(doc, loop, it1[3]),
        )

    return merge_lines(
        read_line_loops_and_errors(
            doc, doc.loops_starting_with_tag("IT1", ("TDS", "CTT")), read_line
        )
    )
