"""Dates of order lines: DTM, SCH and ACK by their qualifier (element 374)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.sdk.events import Attribute
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import to_iso_date_or_blank

# Of several dates of one kind in a heading, the first qualifier in this table counts. Earliest
# dates are no deadlines and are not read: 037 ship not before, 064 do not deliver before.
DATE_ATTRIBUTES = {
    "002": Attribute.REQUESTED_AT,  # delivery requested
    "074": Attribute.REQUESTED_AT,  # requested for delivery (prior to and including)
    "063": Attribute.REQUESTED_AT,  # do not deliver after
    "067": Attribute.PROMISED_AT,  # current schedule delivery
    "069": Attribute.PROMISED_AT,  # promised for delivery
    "075": Attribute.PROMISED_AT,  # promised for delivery (prior to and including)
    "017": Attribute.PROMISED_AT,  # estimated delivery
    "010": Attribute.SHIP_BY,  # requested ship
    "038": Attribute.SHIP_BY,  # ship no later
    "084": Attribute.SHIP_BY,  # requested for shipment (prior to and including)
    "068": Attribute.SHIP_BY,  # current schedule ship
    "079": Attribute.SHIP_BY,  # promised for shipment
    "085": Attribute.SHIP_BY,  # promised for shipment (prior to and including)
}
# ACK04: ship dates. All other dates of an acknowledged line are promised deliveries.
SHIP_DATE_QUALIFIERS = frozenset(
    {"010", "011", "037", "038", "068", "079", "080", "083", "084", "085", "118"}
)
# The elements of a qualifier; its date follows. Some senders use ACK06 and ACK07 for a date.
QUALIFIER_POSITIONS = {"DTM": (1,), "SCH": (5, 8), "ACK": (4, 6)}


def latest_dates_of_line(
    doc: X12Document, loop: Iterable[Segment], *, is_acknowledgment: bool = False
) -> dict[Attribute, str]:
    """Return the last date of each kind in one line loop, as `2026-03-20`.

    A line in several deliveries is complete with the last one. In an acknowledgment, every date
    that is no ship date is a promised delivery. Invalid dates are reported on the message.
    """
    dates: dict[Attribute, str] = {}
    for tag, qualifier, text in _dates_with_tag_and_qualifier(loop):
        name = DATE_ATTRIBUTES.get(qualifier)
        if is_acknowledgment:
            is_ship_date = qualifier in SHIP_DATE_QUALIFIERS
            name = Attribute.SHIP_BY if is_ship_date else Attribute.PROMISED_AT
        date = to_iso_date_or_blank(text)
        # Some partners send 99991231 or 00010101 for "no date".
        if name is not None and not "1900" < date < "2100":
            doc.not_understood.append(f"{tag}*{qualifier}*{text[:40]} is not a valid date")
        elif name is not None:
            dates[name] = max(dates.get(name, ""), date)
    return dates


def latest_dates_of_order(
    dates_of_lines: Sequence[Mapping[Attribute, str]],
) -> dict[Attribute, str]:
    """Return the last date of each kind in any line: the order is complete with it."""
    latest: dict[Attribute, str] = {}
    for dates in dates_of_lines:
        for name, date in dates.items():
            latest[name] = max(latest.get(name, ""), date)
    return latest


def _dates_with_tag_and_qualifier(loop: Iterable[Segment]) -> Iterator[tuple[str, str, str]]:
    """Yield (tag, qualifier, date as sent)."""
    for segment in loop:
        for position in QUALIFIER_POSITIONS.get(segment.tag, ()):
            if len(segment[position]) == 3 and segment[position + 1]:
                yield segment.tag, segment[position], segment[position + 1]
