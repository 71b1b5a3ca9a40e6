"""Rows, packages and attributes of ERPNext documents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import (
    Attribute,
    EventIdentifier,
    EventLine,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder

UNITS = {"Nos": "EA"}


def line_of_row(item: Node, measure: Measure, number: str, index: int = -1) -> EventLine:
    """Return the line of a row of items. Quantities of returns are negative."""
    unit, quantity = item.text_at("uom") or "EA", item.decimal_at("qty")
    return EventLine(
        line_id=number,
        sku=item.text_at("item_code"),
        description=item.text_at("item_name"),
        unit=UNITS.get(unit, unit),
        price=item.decimal_at("rate"),
        quantities={} if quantity is None else {measure: abs(quantity)},
        order_index=index,
    )


def lines_of_orders(
    items: Sequence[Node], orders: Sequence[ObjectReference], measure: Measure, order_field: str
) -> list[EventLine]:
    """Add up the rows of each line of an order: `so_detail` is the name of its row."""
    names = [ref.identifiers[0].value for ref in orders]
    lines: dict[tuple[str, str], EventLine] = {}
    for item in items:
        order = item.text_at(order_field)
        if order not in names:
            continue
        number = item.text_at("so_detail") or f"item {item.text_at('item_code')}"
        index = names.index(order) if len(names) > 1 else -1
        line = line_of_row(item, measure, number, index)
        if known := lines.get((order, number)):
            total = known.quantities.get(measure, Decimal()) + line.quantities.get(
                measure, Decimal()
            )
            line = replace(line, quantities={measure: total})
        lines[order, number] = line
    return list(lines.values())


def document_attributes(document: Node) -> Mapping[Attribute, str]:
    """Return the attributes that all documents have."""
    total = document.decimal_at("grand_total")
    return {
        Attribute.STATUS: document.text_at("status"),
        Attribute.CUSTOMER_NO: document.text_at("customer"),
        Attribute.CUSTOMER_NAME: document.text_at("customer_name"),
        Attribute.CURRENCY: document.text_at("currency"),
        Attribute.TOTAL: "" if total is None else format_decimal(abs(total)),
        Attribute.WAREHOUSE: document.text_at("set_warehouse"),
        Attribute.REQUESTED_AT: document.text_at("delivery_date"),
        Attribute.CARRIER: document.text_at("transporter_name") or document.text_at("transporter"),
    }


def undelivered_lines(order: Node) -> list[EventLine]:
    """What a closed order no longer delivers: of each line, what was ordered and not delivered."""
    lines = []
    for item in order.list_at("items"):
        ordered, delivered = item.decimal_at("qty"), item.decimal_at("delivered_qty")
        if item.has_value("name") and ordered is not None and delivered is not None:
            quantities = {Measure.CANCELLED: max(ordered - delivered, Decimal())}
            lines.append(
                EventLine(
                    line_id=item.required_text("name"),
                    sku=item.text_at("item_code"),
                    unit=UNITS.get(item.text_at("uom"), item.text_at("uom") or "EA"),
                    quantities=quantities,
                )
            )
    return lines


def package_references(note: Node) -> list[ObjectReference]:
    """The transport receipt is the only tracking number of a Delivery Note."""
    texts = note.text_at("lr_no").replace(";", ",").split(",")
    numbers = dict.fromkeys(blank_if_placeholder(text) for text in texts)
    return [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),))
        for number in numbers
        if number
    ]
