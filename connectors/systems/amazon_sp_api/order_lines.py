"""Lines of orders of Amazon, and what the forms of an order have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.sdk.build_references import Number
from connectors.sdk.events import Attribute, EventLine, IdentifierScheme, Measure
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.amazon_sp_api.fields import build_line, object_or_empty


@dataclass(slots=True)
class AmazonOrder:
    """What the three forms of an order have in common."""

    number: str
    status: str
    created: ParsedTime | None
    updated: ParsedTime | None
    ordered: Sequence[EventLine]
    shipped: Sequence[EventLine]
    cancelled: Sequence[EventLine] = ()
    numbers: Sequence[Number] = ()
    attributes: Mapping[Attribute, str] = field(default_factory=dict)
    # Why the buyer asks to cancel; None: the buyer does not.
    cancel_request: str | None = None
    packages: Sequence[Node] = ()


def lines_of_items(items: Sequence[Node], measure: Measure, name: str) -> list[EventLine]:
    """Return a line per item, with the quantity at `name`."""
    return [build_line(item, item.required_text("orderitemid"), {measure: name}) for item in items]


def line_2026(item: Node, measure: Measure) -> EventLine:
    """Return the line of an item of the API 2026-01-01."""
    product = object_or_empty(item, "product")
    names = {Measure.SHIPPED: "quantityfulfilled"}
    node = object_or_empty(item, "fulfillment") if measure is Measure.SHIPPED else item
    line = build_line(
        node,
        item.required_text("orderitemid"),
        {measure: names.get(measure, "quantityordered")},
        sku=product.text_at("sellersku"),
    )
    price = object_or_empty(object_or_empty(product, "price"), "unitprice").decimal_at("amount")
    return EventLine(
        line.line_id,
        line.sku,
        product.text_at("title"),
        price=price,
        quantities=line.quantities,
    )


def is_cancelled(item: Node) -> bool:
    """Whether an item was cancelled: nothing was shipped, and nothing will be."""
    executed = object_or_empty(object_or_empty(item, "cancellation"), "cancellationexecution")
    units = object_or_empty(item, "fulfillment")
    names = ("quantityfulfilled", "quantityunfulfilled")
    return executed.has_value("cancelledby") and not any(units.decimal_at(name) for name in names)


def customer_po(number: str) -> Number:
    """Return the customer's purchase order number, whose issuer is not known."""
    return IdentifierScheme.CUSTOMER_PO, number, ""
