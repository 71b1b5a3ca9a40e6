"""Items of documents: a configurable or bundle product is listed as parent and as children."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from connectors.sdk.events import EventLine, Measure
from connectors.sdk.payload import Node, ParkReason, PayloadError

NOT_SHIPPED = frozenset({"virtual", "downloadable", "giftcard"})


def counted_items(items: Sequence[Node], *, ships_bundles_separately: bool) -> list[Node]:
    """Return the items of an order that are counted: of a parent and its children only one level.

    The parent of a configurable product has the SKU and the quantity of the variant. A bundle is
    counted as one item, or by its children if the shop ships them separately.
    """
    types = {item.text_at("item_id"): item.text_at("product_type") for item in items}
    counted = []
    for item in items:
        if parent := parent_id(item):
            is_counted = types.get(parent) == "bundle" and ships_bundles_separately
        else:
            is_counted = item.text_at("product_type") != "bundle" or not ships_bundles_separately
        if is_counted:
            counted.append(item)
    return counted


def parent_id(item: Node) -> str:
    """Return the id of the parent item, or ""."""
    text = item.text_at("parent_item_id")
    return "" if text == "0" else text


def order_lines(items: Sequence[Node], field: str, measure: Measure) -> Iterator[EventLine]:
    """Yield a line per counted item, with the quantity at `field`."""
    for item in items:
        yield _line(item, item.required_text("item_id"), item, field, measure)


def document_lines(
    items: Sequence[Node],
    measure: Measure,
    order_items: Sequence[Node] | None,
    *,
    ships_bundles_separately: bool,
) -> Iterator[EventLine]:
    """Yield the lines of a shipment, an invoice or a credit memo, by the id of the order item.

    These documents do not name parents. With the items of the order, only counted items are lines;
    a variant that is listed without its configurable parent counts for the parent. Without them, an
    item without a price that repeats a SKU is the variant of the configurable product before it.
    """
    if order_items is None:
        yield from _lines_without_order(items, measure)
        return
    known = {item.text_at("item_id"): item for item in order_items}
    counted = {
        item.text_at("item_id")
        for item in counted_items(order_items, ships_bundles_separately=ships_bundles_separately)
    }
    listed = {item.text_at("order_item_id") for item in items}
    for item in items:
        line_id = item.required_text("order_item_id")
        order_item = known.get(line_id)
        if order_item is None or line_id in counted:
            yield _line(item, line_id, order_item or item, "qty", measure)
            continue
        parent = parent_id(order_item)
        if parent in counted and parent not in listed and _is_configurable(known[parent]):
            yield _line(item, parent, known[parent], "qty", measure)


def _is_configurable(item: Node) -> bool:
    return item.text_at("product_type") == "configurable"


def _lines_without_order(items: Sequence[Node], measure: Measure) -> Iterator[EventLine]:
    skus: set[str] = set()
    for item in items:
        sku = item.text_at("sku")
        if sku and sku in skus and not item.decimal_at("price"):
            continue
        skus.add(sku)
        yield _line(item, item.required_text("order_item_id"), item, "qty", measure)


def _line(item: Node, line_id: str, goods: Node, field: str, measure: Measure) -> EventLine:
    amount = item.decimal_at(field)
    if amount is None:
        if measure is not Measure.CANCELLED:
            raise PayloadError(ParkReason.SCHEMA, f"{item.path}.{field}", "expected a number")
        amount = Decimal()
    if amount < 0:
        raise PayloadError(ParkReason.QUANTITY, f"{item.path}.{field}", f"{amount} is negative")
    is_virtual = goods.boolean_at("is_virtual") or goods.text_at("product_type") in NOT_SHIPPED
    return EventLine(
        line_id=line_id,
        sku=item.text_at("sku"),
        description=item.text_at("name"),
        price=item.decimal_at("price"),
        quantities={measure: amount},
        is_goods=not is_virtual,
    )
