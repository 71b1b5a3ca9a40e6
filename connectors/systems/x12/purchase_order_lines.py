"""The lines and attributes that purchase orders (850) and their acknowledgments (855) share."""

from collections.abc import Sequence
from decimal import Decimal

from connectors.sdk.events import Attribute, EventLine, Measure
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import item_description, strip_line_number_zeros
from connectors.systems.x12.line_dates import DATE_ATTRIBUTES, latest_dates_of_line
from connectors.systems.x12.pack_sizes import pieces_per_unit
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
)


def order_attributes_of_header_segments(
    doc: X12Document, head: Sequence[Segment]
) -> dict[Attribute, str]:
    """Return the attributes of an order from the segments before its first line."""
    return {
        Attribute.CHANNEL: "edi",
        Attribute.CUSTOMER_NO: doc.partner_customer_number_in_settings,
        Attribute.CUSTOMER_NAME: doc.party_name(head, "BY", "BT", "ST"),
        Attribute.CURRENCY: doc.first_segment("CUR")[2],
        **doc.date_attributes(head, DATE_ATTRIBUTES),
    }


def read_po1_lines(
    doc: X12Document, loops: Sequence[Loop], *, is_acknowledgment: bool = False
) -> list[tuple[EventLine, Loop]]:
    """Return each PO1 loop with its line; in an acknowledgment, the line has no quantity.

    If line numbers are missing or repeated, positions replace them.
    """
    ids = [strip_line_number_zeros(loop[0][1]) for loop in loops]
    if "" in ids or len(set(ids)) != len(ids):
        ids = [str(position) for position in range(1, len(ids) + 1)]
    ids_by_loop = {id(loop): line_id for loop, line_id in zip(loops, ids, strict=True)}

    def read_line(loop: Loop) -> tuple[EventLine, Loop]:
        line_id, quantity = ids_by_loop[id(loop)], ordered_quantity_of_po1_or_sdq(doc, loop)
        dates = latest_dates_of_line(doc, loop, is_acknowledgment=is_acknowledgment)
        line = EventLine(
            line_id=line_id,
            sku=doc.preferred_sku(loop[0], 6),
            description=item_description(loop),
            unit=loop[0][3] or "EA",
            price=doc.parse_decimal_amount(
                loop[0][4] or _ctp_unit_price(loop), f"PO1 {line_id} price"
            ),
            quantities={} if is_acknowledgment or quantity is None else {Measure.ORDERED: quantity},
            ship_by=dates.get(Attribute.SHIP_BY, ""),
            requested_at=dates.get(Attribute.REQUESTED_AT, ""),
            promised_at=dates.get(Attribute.PROMISED_AT, ""),
            pieces_per_unit=pieces_per_unit(doc, loop, loop[0][3]),
        )
        return line, loop

    return read_line_loops_and_errors(doc, loops, read_line)


def _ctp_unit_price(loop: Loop) -> str:
    """Return CTP03, which some senders use instead of PO104."""
    return next((s[3] for s in loop if s.tag == "CTP" and s[3]), "")


def ordered_quantity_of_po1_or_sdq(doc: X12Document, loop: Loop) -> Decimal | None:
    """Return PO102, else the sum of the store quantities in SDQ. Raises PayloadError."""
    total = doc.parse_nonnegative_quantity(loop[0][2], "PO102")
    shares = [
        share
        for segment in loop
        if segment.tag == "SDQ"
        for at in range(4, len(segment.elements) + 1, 2)
        if (share := doc.parse_nonnegative_quantity(segment[at], "SDQ")) is not None
    ]
    return sum(shares, Decimal(0)) if total is None and shares else total
