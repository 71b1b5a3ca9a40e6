"""Lines of posted shipments and invoices whose numbers are not those of the order's lines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from connectors.systems.business_central.document_fields import (
    identifiers_or_empty,
    parse_item_lines,
)


def subtract_undo_shipment_lines(lines: Sequence[EventLine], path: str) -> list[EventLine]:
    """Return the shipped lines, less the negative lines that Undo Shipment adds.

    A corrective line has a number of its own and the item and unit of the line that it undoes: the
    nearest line before it with the same quantity, or else with more. Raises PayloadError if there
    is no such line.
    """
    result: list[EventLine] = []
    for line in lines:
        quantity = line.quantities.get(Measure.SHIPPED, Decimal(0))
        if quantity >= 0:
            result.append(line)
            continue
        candidates = [
            (known.quantities.get(Measure.SHIPPED, Decimal(0)) != -quantity, -index)
            for index, known in enumerate(result)
            if (known.sku, known.unit) == (line.sku, line.unit)
            and known.quantities.get(Measure.SHIPPED, Decimal(0)) >= -quantity
        ]
        if not candidates:
            detail = f"{quantity} shipped, and no line that it could undo"
            raise PayloadError(ParkReason.QUANTITY, path, detail)
        index = -min(candidates)[1]
        remaining = result[index].quantities[Measure.SHIPPED] + quantity
        result[index] = replace(result[index], quantities={Measure.SHIPPED: remaining})
    return result


@dataclass(frozen=True, slots=True)
class ShipmentsAndInvoiceLines:
    """The posted shipments that an invoice names, and its lines with the index of theirs."""

    shipments: tuple[ObjectReference, ...]
    lines: list[EventLine]


def group_invoice_lines_by_shipment(
    nodes: Sequence[Node], source: str, *, first_index: int
) -> ShipmentsAndInvoiceLines:
    """Return the lines of an invoice that collects several posted shipments (Get Shipment Lines).

    `first_index` is the index of the first shipment among the objects of the event. The line
    numbers are the invoice's own, so the item identifies a line of the order.
    """
    by_shipment: dict[EventIdentifier, list[Node]] = {}
    for node in nodes:
        for number in identifiers_or_empty(
            IdentifierScheme.SOURCE_ID, node.text_at("shipmentId"), source
        ):
            by_shipment.setdefault(number, []).append(node)
    lines = [
        replace(
            line,
            line_id=f"item {line.sku}" if line.sku else line.line_id,
            shipment_index=index,
        )
        for index, shipment_nodes in enumerate(by_shipment.values(), first_index)
        for line in parse_item_lines(shipment_nodes, {"quantity": Measure.INVOICED})
    ]
    refs = (ObjectReference(ObjectKind.SHIPMENT, (number,)) for number in by_shipment)
    return ShipmentsAndInvoiceLines(tuple(refs), lines)
