"""Fields that several messages of Amazon share. Names of members are in lower case.

Notifications spell them in PascalCase or in camelCase, so all messages are read without case.
"""

from collections.abc import Iterator
from typing import Any

from connectors.sdk.build_references import Number, build_reference
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import (
    Attribute,
    EventLine,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp


def with_lower_case_names(value: Any) -> Any:
    """Return a JSON value whose objects have names in lower case."""
    if isinstance(value, list):
        return [with_lower_case_names(item) for item in value]
    if isinstance(value, dict):
        return {name.lower(): with_lower_case_names(item) for name, item in value.items()}
    return value


def plain_status(text: str) -> str:
    """Return a status without case and separators: PARTIALLY_SHIPPED is partiallyshipped."""
    return "".join(char for char in text.casefold() if char.isalnum())


def object_or_empty(node: Node, name: str) -> Node:
    """Return the object at `name`; an empty one if there is none."""
    child = node.get(name)
    return child if isinstance(child.value, dict) else Node({}, child.path, [False])


class AmazonReader:
    """Base class of the readers: settings, source slug, times and order references."""

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def time(self, node: Node, *names: str) -> ParsedTime | None:
        """Return the first of these times that is present. All are in UTC."""
        for name in names:
            parsed = parse_timestamp(node.text_at(name), node.get(name).path)
            if parsed:
                return parsed
        return None

    def order_reference(self, number: str, *more: Number) -> ObjectReference:
        """Reference an order by its Amazon order id, such as 902-1845936-5435065."""
        return build_reference(
            ObjectKind.ORDER,
            "amazonorderid",
            (IdentifierScheme.WEB_ORDER, number, self.source),
            *more,
        )

    def seller_number(self, value: str) -> Iterator[Number]:
        """Yield the seller's own order number, if the source of such numbers is set."""
        scheme, issuer = self.settings.identifier_scheme_and_issuer(
            "seller_orders", (IdentifierScheme.ORDER_NUMBER, self.source)
        )
        if blank_if_placeholder(value):
            yield scheme, value, issuer


def build_line(
    node: Node, line_id: str, amounts: dict[Measure, str], *, sku: str = "", price: str = ""
) -> EventLine:
    """Create a line; `amounts` names the member of each quantity. Absent ones are left out."""
    quantities = {}
    for measure, name in amounts.items():
        amount = node.decimal_at(name)
        if amount is None:
            continue
        if amount < 0:
            raise PayloadError(ParkReason.QUANTITY, f"{node.path}.{name}", f"{amount} is negative")
        quantities[measure] = amount
    unit_price = object_or_empty(node, price).decimal_at("amount") if price else None
    return EventLine(
        line_id=line_id,
        sku=sku or node.text_at("sellersku"),
        description=node.text_at("title"),
        price=unit_price,
        quantities=quantities,
    )


def format_time(time: ParsedTime | None) -> str:
    """Format a time for a revision or an attribute; "" if there is none."""
    return format_rfc3339(time.time) if time else ""


def amount_attributes(money: Node, amount: str, currency: str) -> dict[Attribute, str]:
    """Return the total and its currency."""
    return {Attribute.TOTAL: money.text_at(amount), Attribute.CURRENCY: money.text_at(currency)}
