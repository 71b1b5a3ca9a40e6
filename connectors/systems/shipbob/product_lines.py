"""Lines of ShipBob shipments and returns."""

from decimal import Decimal

from connectors.sdk.events import EventLine, Measure
from connectors.sdk.payload import Node, ParkReason, PayloadError


def product_lines(shipment: Node, measure: Measure) -> tuple[EventLine, ...]:
    """Return the products of a shipment. A bundle is sent as the inventory items in it."""
    lines: dict[tuple[str, str], EventLine] = {}
    for product in shipment.list_at("products"):
        sku = product.text_at("sku") or product.text_at("reference_id")
        items = product.list_at("inventory_items")
        if product.has_value("quantity") or len(items) <= 1:
            quantity = product.decimal_at("quantity")
            if quantity is None and items:
                quantity = items[0].decimal_at("quantity")
            names = (product.text_at("external_line_id"), product.text_at("id"), sku)
            line_id = next((name for name in names if name), "")
            _add(lines, line_id, sku, product.text_at("name"), quantity, product, measure)
            continue
        for item in items:
            number = item.required_text("id")
            name, quantity = item.text_at("name"), item.decimal_at("quantity")
            number_or_name = item.text_at("sku") or name
            _add(lines, f"inventory {number}", number_or_name, name, quantity, item, measure)
    return tuple(lines.values())


def return_lines(document: Node) -> tuple[EventLine, ...]:
    """Return the inventory of a return, with what was processed of it."""
    lines: dict[tuple[str, str], EventLine] = {}
    for item in document.list_at("inventory"):
        number = item.required_text("id")
        taken = [action.decimal_at("quantity_processed") for action in item.list_at("action_taken")]
        known = [quantity for quantity in taken if quantity is not None]
        quantity = sum(known, Decimal(0)) if known else item.decimal_at("quantity")
        name = item.text_at("name")
        sku = item.text_at("sku") or name
        _add(lines, f"inventory {number}", sku, name, quantity, item, Measure.RETURNED)
    return tuple(lines.values())


def _add(
    lines: dict[tuple[str, str], EventLine],
    line_id: str,
    sku: str,
    description: str,
    quantity: Decimal | None,
    node: Node,
    measure: Measure,
) -> None:
    """Add a line, or the quantity to the line of the same id and item."""
    if quantity is None:
        return
    if quantity < 0:
        path = f"{node.path}.quantity"
        raise PayloadError(ParkReason.QUANTITY, path, f"{quantity} is negative")
    if not line_id:
        raise PayloadError(ParkReason.SCHEMA, node.path, "a product has neither an id nor a SKU")
    earlier = lines.get((line_id, sku))
    total = quantity + (earlier.quantities[measure] if earlier else Decimal(0))
    lines[line_id, sku] = EventLine(
        line_id=line_id, sku=sku, description=description, quantities={measure: total}
    )
