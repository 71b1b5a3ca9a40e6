"""Lines, parcels and names as ShipHero's messages write them."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from connectors.sdk.events import Identifier, Line, Measure, ObjectKind, Ref, Scheme, identifying
from connectors.sdk.payload import Node, PayloadError, Reason


def lines_of(items: Iterable[Node], measure: Measure, key: str = "quantity") -> tuple[Line, ...]:
    """One figure a line: a line taken from two shelves or put into two parcels comes twice."""
    found: dict[tuple[str, str], Decimal] = {}
    for item in items:
        quantity, path = item.decimal(key), f"{item.path}.{key}"
        if quantity is None:
            raise PayloadError(Reason.SCHEMA, path, "expected a number, got nothing")
        if quantity < 0:
            raise PayloadError(Reason.QUANTITY, path, f"{quantity} is negative")
        names = (item.text(name) for name in ("partner_line_item_id", "line_item_id", "id", "sku"))
        line_id = next((name for name in names if name), "") or item.need("sku")
        line = (line_id, item.text("sku"))
        found[line] = found.get(line, Decimal(0)) + quantity
    return tuple(Line(name, sku, quantities={measure: q}) for (name, sku), q in found.items())


def name_of(body: Node) -> str:
    """What an order is called inside a key: the vendor's id, or its number."""
    names = (body.text(key) for key in ("order_id", "order_number", "partner_order_id"))
    return next((name for name in names if identifying(name)), "")


def need(body: Node, key: str) -> str:
    """A number that must be there."""
    number = identifying(body.need(key))
    if not number:
        path = f"{body.path}.{key}".strip(".")
        raise PayloadError(Reason.REFERENCE, path, f"{body.need(key)!r} is no number")
    return number


def tote_of(node: Node) -> str:
    """The tote by the first of its names that is there."""
    names = (node.text(key) for key in ("tote_id", "tote_uuid", "tote_name"))
    name = next((name for name in names if identifying(name)), "")
    return f"tote {name}" if name else ""


def labels(boxes: Iterable[Node]) -> tuple[list[str], str]:
    """The tracking numbers and the carrier on the labels of these parcels; void ones left out."""
    numbers, carrier = [], ""
    for box in boxes:
        label = box.child("shipping_label") if box.has("shipping_label") else box
        if label.text("status").lower() not in {"void", "voided"}:
            numbers.append(label.text("tracking_number") or box.text("tracking_number"))
            carrier = carrier or label.text("carrier") or box.text("shipping_carrier")
    return [number for number in numbers if identifying(number)], carrier


def packages(numbers: Iterable[str]) -> Iterator[Ref]:
    """One package a tracking number; text such as "Pickup" is none."""
    for number in dict.fromkeys(identifying(number) for number in numbers):
        if number:
            yield Ref(ObjectKind.PACKAGE, (Identifier(Scheme.TRACKING, number),))
