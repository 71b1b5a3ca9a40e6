"""Return merchandise authorizations: 180."""

from collections.abc import Sequence

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
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import item_description, merge_lines
from connectors.systems.x12.order_and_package_references import order_reference
from connectors.systems.x12.read_line_loops_and_errors import Loop, read_line_loops_and_errors

# N901: the number of the authorization.
AUTHORIZATION_QUALIFIERS = frozenset({"RA", "RZ", "RM"})
# BGN01: 01 cancellation, 03 deletion, 13 request.
NOT_AUTHORIZED = frozenset({"01", "03", "13"})


def read_return_authorization(doc: X12Document) -> list[CanonicalEvent]:
    """Convert a 180: the seller authorizes a return, of the items in BLI.

    Its number is N9*RA, else BGN02. Orders are N9*PO, in the heading or of an item. A request or a
    cancellation (BGN01) is an unmapped event. A quantity says what may come back, so no line of the
    order changes before the goods arrive.
    """
    bgn, heading = doc.first_segment("BGN"), doc.header_segments("BLI")
    number = _reference_number(heading, AUTHORIZATION_QUALIFIERS) or blank_if_placeholder(bgn[2])
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("BGN02"), "the return has no number"
        )
    loops = doc.loops_starting_with_tag("BLI")
    pos = [_reference_number(segments, {"PO"}) for segments in (heading, *loops)]
    orders = {
        po: reference for po in dict.fromkeys(pos) if po and (reference := order_reference(doc, po))
    }
    is_authorized = bgn[1] not in NOT_AUTHORIZED
    issuer = doc.issuer_of_sender_numbers
    return [
        doc.build_event(
            EventType.RETURN_AUTHORIZED if is_authorized else EventType.UNMAPPED,
            f"{number} purpose {bgn[1]}".strip(),
            time=doc.event_time(bgn[3], "BGN03", bgn[4]),
            objects=(
                *orders.values(),
                ObjectReference(
                    ObjectKind.RETURN, (EventIdentifier(IdentifierScheme.RMA, number, issuer),)
                ),
            ),
            lines=_lines_without_quantities(doc, loops, list(orders), pos[0]),
            scope=f"return {number}",
            attributes={
                Attribute.CUSTOMER_NO: doc.partner_customer_number_in_settings,
                Attribute.DETAIL: "; ".join(_quantity_texts(loops)),
            },
            raw_type="" if is_authorized else f"180 purpose {bgn[1]}",
        )
    ]


def _reference_number(segments: Sequence[Segment], qualifiers: frozenset[str] | set[str]) -> str:
    numbers = (s[2] for s in segments if s.tag in {"N9", "REF"} and s[1] in qualifiers)
    return next(filter(None, map(blank_if_placeholder, numbers)), "")


def _quantity_texts(loops: Sequence[Loop]) -> list[str]:
    return [f"{bli[3]} {bli[4] or 'EA'} of {bli[2]}" for bli, *_ in loops if bli[3] and bli[2]]


def _lines_without_quantities(
    doc: X12Document, loops: Sequence[Loop], orders: Sequence[str], heading_po: str
) -> tuple[EventLine, ...]:
    def read_line(loop: Loop) -> EventLine:
        bli = loop[0]
        po = _reference_number(loop, {"PO"}) or heading_po
        sku = doc.preferred_sku(bli, 1, 3)
        if not sku:
            raise PayloadError(
                ParkReason.REFERENCE, doc.element_path("BLI02"), "the item has no number"
            )
        doc.parse_nonnegative_quantity(bli[3], "BLI03")
        return EventLine(
            line_id=sku,
            sku=sku,
            description=item_description(loop),
            unit=bli[4] or "EA",
            order_index=orders.index(po) if po in orders else -1,
        )

    return merge_lines(read_line_loops_and_errors(doc, loops, read_line))
