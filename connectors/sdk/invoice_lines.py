"""Lines of invoices and credit memos whose line ids are not those of the order."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.events import EventLine, Measure

# A line with a negative quantity takes back what the document otherwise states.
OPPOSITE = {Measure.INVOICED: Measure.CREDITED, Measure.CREDITED: Measure.INVOICED}


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """A line as sent. Without an item number (`sku`) it is no goods, such as freight."""

    sku: str
    line_id: str
    quantity: Decimal
    description: str = ""
    price: Decimal | None = None


def add_up_rows_by_item(rows: Iterable[InvoiceRow], measure: Measure) -> tuple[EventLine, ...]:
    """Return one line per item: the item identifies the line of the order."""
    lines: dict[str, EventLine] = {}
    for row in rows:
        line_id = f"item {row.sku}" if row.sku else row.line_id or f"line {len(lines) + 1}"
        reported = measure if row.quantity >= 0 else OPPOSITE[measure]
        quantities = dict(lines[line_id].quantities) if line_id in lines else {}
        quantities[reported] = quantities.get(reported, Decimal(0)) + abs(row.quantity)
        lines[line_id] = EventLine(
            line_id=line_id,
            sku=row.sku,
            description=row.description,
            price=row.price,
            quantities=quantities,
            is_goods=bool(row.sku),
        )
    return tuple(lines.values())
