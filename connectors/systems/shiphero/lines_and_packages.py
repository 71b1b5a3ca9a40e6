"""Lines, packages and names in ShipHero messages."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from connectors.sdk.events import (
    EventIdentifier,
    EventLine,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder


def sum_lines(
    items: Iterable[Node], measure: Measure, key: str = "quantity"
) -> tuple[EventLine, ...]:
    """Sum quantities by line. A line picked from two bins or packed twice appears twice."""
    totals: dict[tuple[str, str], Decimal] = {}
    for item in items:
        quantity, path = item.decimal_at(key), f"{item.path}.{key}"
        if quantity is None:
            raise PayloadError(ParkReason.SCHEMA, path, "expected a number, got nothing")
        if quantity < 0:
            raise PayloadError(ParkReason.QUANTITY, path, f"{quantity} is negative")
        names = (
            item.text_at(name) for name in ("partner_line_item_id", "line_item_id", "id", "sku")
        )
        line_id = next((name for name in names if name), "") or item.required_text("sku")
        line = (line_id, item.text_at("sku"))
        totals[line] = totals.get(line, Decimal(0)) + quantity
    return tuple(EventLine(name, sku, quantities={measure: q}) for (name, sku), q in totals.items())


def order_id_or_number_for_event_key(body: Node) -> str:
    """Return the order id or number to use in event keys."""
    names = (body.text_at(key) for key in ("order_id", "order_number", "partner_order_id"))
    return next((name for name in names if blank_if_placeholder(name)), "")


def required_identifier_text(body: Node, key: str) -> str:
    """Return a number. Raises PayloadError if it is missing or a placeholder."""
    number = blank_if_placeholder(body.required_text(key))
    if not number:
        path = f"{body.path}.{key}".strip(".")
        raise PayloadError(
            ParkReason.REFERENCE, path, f"{body.required_text(key)!r} is not a number"
        )
    return number


def tote_scope(node: Node) -> str:
    """Return the first id or name of the tote, or ""."""
    names = (node.text_at(key) for key in ("tote_id", "tote_uuid", "tote_name"))
    name = next((name for name in names if blank_if_placeholder(name)), "")
    return f"tote {name}" if name else ""


def active_tracking_and_carrier(boxes: Iterable[Node]) -> tuple[list[str], str]:
    """Return tracking numbers and carrier of the labels, without voided labels."""
    numbers, carrier = [], ""
    for box in boxes:
        label = box.required_object("shipping_label") if box.has_value("shipping_label") else box
        if label.text_at("status").lower() not in {"void", "voided"}:
            numbers.append(label.text_at("tracking_number") or box.text_at("tracking_number"))
            carrier = carrier or label.text_at("carrier") or box.text_at("shipping_carrier")
    return [number for number in numbers if blank_if_placeholder(number)], carrier


def package_references(numbers: Iterable[str]) -> Iterator[ObjectReference]:
    """Yield one package per tracking number, without placeholders such as "Pickup"."""
    for number in dict.fromkeys(blank_if_placeholder(number) for number in numbers):
        if number:
            yield ObjectReference(
                ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),)
            )
