"""Lines of EDIFACT messages: item numbers, quantities, prices and dates of LIN groups."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from connectors.sdk.events import Attribute, EventLine, Measure
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.edifact.document import EdifactDocument, Group, first_segment

# DTM qualifiers (2005) of orders and lines, the first of a kind counts. Earliest dates are no
# deadlines and are not read: 64 delivery earliest.
ORDER_DATES = {
    "2": Attribute.REQUESTED_AT,  # delivery requested
    "63": Attribute.REQUESTED_AT,  # delivery latest
    "61": Attribute.REQUESTED_AT,  # cancel if not delivered by this date
    "69": Attribute.PROMISED_AT,  # delivery promised for
    "67": Attribute.PROMISED_AT,  # delivery, current schedule
    "76": Attribute.PROMISED_AT,  # delivery scheduled for
    "10": Attribute.SHIP_BY,  # shipment requested
    "38": Attribute.SHIP_BY,  # ship not later than
    "79": Attribute.SHIP_BY,  # shipment promised for
}
Read = TypeVar("Read")


def read_groups(
    doc: EdifactDocument, groups: Sequence[Group], read: Callable[[Group], Read]
) -> list[Read]:
    """Return what `read` returns for each group that it can read; the errors of others are added.

    If no group can be read, PayloadError is raised.
    """
    results = []
    for position, group in enumerate(groups, 1):
        try:
            results.append(read(group))
        except PayloadError as error:
            detail = f"line {position}: {error.detail}"
            doc.line_errors.append(PayloadError(error.reason, error.path, detail))
    if groups and not results:
        raise doc.line_errors.pop()
    return results


def item_number(doc: EdifactDocument, group: Group) -> str:
    """Return the preferred item number of LIN and PIA; of LIN without a type if none is known."""
    numbers: dict[str, str] = {}
    if group[0].text(3):
        numbers[group[0].text(3, 2)] = group[0].text(3)
    for pia in (s for s in group if s.tag == "PIA"):
        for at in range(2, len(pia.elements) + 1):
            if pia.text(at):
                numbers.setdefault(pia.text(at, 2), pia.text(at))
    preferred = (numbers[q] for q in doc.settings.sku_qualifiers if numbers.get(q))
    return next(preferred, next(iter(numbers.values()), ""))


def quantity_of(doc: EdifactDocument, group: Group, *qualifiers: str) -> Decimal | None:
    """Return the first of these quantities (QTY 6063) that is sent, or None."""
    for qualifier in qualifiers:
        qty = first_segment(group, "QTY", qualifier)
        if qty.text(1, 2):
            return doc.quantity(qty.text(1, 2), f"QTY+{qualifier}")
    return None


def base_line(
    doc: EdifactDocument, group: Group, position: int, *, with_dates: bool = True
) -> EventLine:
    """Return a line without quantities: number, item, text, unit, net price and dates."""
    lin, sku = group[0], item_number(doc, group)
    number = lin.text(1).lstrip("0") or (sku and str(position))
    if not number:
        raise PayloadError(
            ParkReason.REFERENCE, doc.path("LIN"), "the line has no number and no item"
        )
    imds = [s for s in group if s.tag == "IMD" and s.text(3, 4)]
    unit = next((s.text(1, 3) for s in group if s.tag == "QTY" and s.text(1, 3)), "EA")
    prices = [first_segment(group, "PRI", q).text(1, 2) for q in ("AAA", "AAB", "INV", "CAL")]
    dates = doc.dates(group, ORDER_DATES) if with_dates else {}
    return EventLine(
        line_id=number,
        sku=sku,
        description=" ".join(filter(None, (imds[0].text(3, 4), imds[0].text(3, 5))))
        if imds
        else "",
        unit=unit,
        price=doc.decimal(next(filter(None, prices), ""), "PRI"),
        ship_by=dates.get(Attribute.SHIP_BY, ""),
        requested_at=dates.get(Attribute.REQUESTED_AT, ""),
        promised_at=dates.get(Attribute.PROMISED_AT, ""),
    )


def with_quantity(line: EventLine, measure: Measure, quantity: Decimal | None) -> EventLine:
    """Return the line with one quantity, or without if it is None."""
    return replace(line, quantities={} if quantity is None else {measure: quantity})


def merged_lines(lines: Sequence[EventLine]) -> tuple[EventLine, ...]:
    """Sum lines of the same order, number, item and package: an item in five pallets."""
    merged: dict[tuple[object, ...], EventLine] = {}
    for line in lines:
        key = (line.order_index, line.line_id, line.sku, line.unit, line.package_index)
        first = merged.setdefault(key, line)
        if first is not line:
            totals = dict(first.quantities)
            for measure, quantity in line.quantities.items():
                totals[measure] = totals.get(measure, Decimal(0)) + quantity
            merged[key] = replace(first, quantities=totals)
    return tuple(merged.values())


def positions_by_group(groups: Sequence[Group]) -> dict[int, int]:
    """Return the position from 1 of each group, by its identity."""
    return {id(group): position for position, group in enumerate(groups, 1)}
