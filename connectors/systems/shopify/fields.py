"""Fields shared by Shopify objects: ids, quantities, lines and times."""

from decimal import Decimal

from connectors.sdk.event_codec import format_rfc3339
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
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp


class ShopifyReader:
    """Base class of the Shopify readers: settings and source slug."""

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def object_reference(
        self, node: Node, key: str, kind: ObjectKind = ObjectKind.ORDER
    ) -> ObjectReference:
        """Reference an object by its Shopify id."""
        return ObjectReference(
            kind,
            (
                EventIdentifier(
                    IdentifierScheme.SOURCE_ID,
                    required_id_without_gid_prefix(node, key),
                    self.source,
                ),
            ),
        )

    def first_present_time(self, node: Node, *keys: str) -> ParsedTime | None:
        """Return the first of these times that is present. Shopify times have an offset."""
        zone = self.settings.text("zone") or None
        for key in keys:
            parsed = parse_timestamp(node.text_at(key), f"{node.path}.{key}".strip("."), zone)
            if parsed:
                return parsed
        return None

    def last_change_time(self, node: Node) -> ParsedTime | None:
        """Return when the object last changed, for facts without a time of their own."""
        return self.first_present_time(node, "updated_at", "created_at")

    def revision(self, node: Node) -> str:
        """Return `updated_at` in UTC as sortable revision."""
        return format_time(self.first_present_time(node, "updated_at"))


def build_line(item: Node, line_id: str, measure: Measure, amount: Decimal) -> EventLine:
    """Create a line with one quantity, its item and its price."""
    return EventLine(
        line_id=line_id,
        sku=item.text_at("sku"),
        description=item.text_at("title") or item.text_at("name"),
        price=item.decimal_at("price"),
        quantities={measure: amount},
        is_goods=item.boolean_at("requires_shipping") or not item.has_value("requires_shipping"),
    )


def build_item_lines(node: Node, measure: Measure) -> tuple[EventLine, ...]:
    """Create one line per item of an order or a fulfillment."""
    return tuple(
        build_line(
            item, required_id_without_gid_prefix(item, "id"), measure, required_quantity(item)
        )
        for item in node.list_at("line_items")
    )


def required_quantity(item: Node) -> Decimal:
    """Return the quantity of an item. Raises PayloadError if it is missing or negative."""
    path = f"{item.path}.quantity"
    value = item.decimal_at("quantity")
    if value is None:
        raise PayloadError(ParkReason.SCHEMA, path, "expected a number, got nothing")
    if value < 0:
        raise PayloadError(ParkReason.QUANTITY, path, f"{value} is negative")
    return value


def required_id_without_gid_prefix(node: Node, key: str) -> str:
    """Return an id. Newer webhooks write gid://shopify/Order/1, older ones 1."""
    text = node.required_text(key)
    value = blank_if_placeholder(text.rsplit("/", 1)[-1] if text.startswith("gid://") else text)
    if not value:
        path = f"{node.path}.{key}".strip(".")
        raise PayloadError(ParkReason.REFERENCE, path, f"{text[:40]!r} is not a number")
    return value


def format_time(time: ParsedTime | None) -> str:
    """Format a time for a key or revision; "" if there is none."""
    return format_rfc3339(time.time) if time else ""
