"""Values of Odoo: an empty field is `false`, a reference `[id, name]` or an id, a time UTC."""

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime, parse_timestamp

# Names of units in English databases; others stay as they are.
UNITS = {"Units": "EA", "Unit(s)": "EA"}


def text_or_blank(node: Node, key: str) -> str:
    """Return the text of a field; "" for `false`."""
    return "" if node.get(key).value is False else node.text_at(key)


def related_id(node: Node) -> str:
    """Return the id of the record that a field refers to; "" for none."""
    value = node.value
    if value is None or value is False:
        return ""
    if isinstance(value, list):
        return node.as_list()[0].as_text() if value else ""
    return node.as_text()


def related_name(node: Node) -> str:
    """Return the name of the record that a field refers to; "" if only its id was sent."""
    members = node.as_list() if isinstance(node.value, list) else []
    return members[1].as_text() if len(members) > 1 else ""


def time_at(node: Node, key: str) -> ParsedTime | None:
    """Return a time, which is UTC without an offset; None for `false`."""
    return parse_timestamp(text_or_blank(node, key), node.get(key).path, "UTC")


def rfc3339_at(node: Node, key: str) -> str:
    """Return a time as text with its offset; "" for `false`."""
    moment = time_at(node, key)
    return format_rfc3339(moment.time) if moment else ""


def amount_at(node: Node, key: str) -> str:
    """Return an amount as text; "" for none."""
    amount = None if node.get(key).value is False else node.decimal_at(key)
    return "" if amount is None else format_decimal(amount)


def unit_of(line: Node) -> str:
    """Return the unit of a line. The name of its field depends on the version."""
    names = (related_name(line.get(key)) for key in ("product_uom", "product_uom_id"))
    unit = next(filter(None, names), "EA")
    return UNITS.get(unit, unit)


def revision_of(document: Node) -> str:
    """Return the time of change; polled documents win over webhooks of the same second.

    They have more fields, and the webhook has only those that a person chose.
    """
    revision = text_or_blank(document, "write_date")
    return f"{revision} polled" if document.has_value("lines") else revision


def source_id_reference(kind: ObjectKind, number: str, issuer: str) -> ObjectReference:
    """Return a reference by the id of a record."""
    return ObjectReference(kind, (EventIdentifier(IdentifierScheme.SOURCE_ID, number, issuer),))


def order_references(
    lines: list[Node], origin: str, order: Node, issuer: str
) -> tuple[ObjectReference, ...]:
    """Return the orders of a document: those of its lines, else its order, else its origin.

    `origin` is free text, usually with the numbers of the orders between commas.
    """
    named: dict[str, str] = {}
    for line in lines:
        for sale_line in line.list_at("sale_lines"):
            ref = sale_line.get("order_id")
            named.setdefault(related_id(ref), related_name(ref))
    if not named and related_id(order):
        named = {related_id(order): related_name(order)}
    refs = [_order_reference(number, name, issuer) for number, name in named.items() if number]
    if refs:
        return tuple(refs)
    numbers = dict.fromkeys(blank_if_placeholder(text) for text in origin.split(","))
    return tuple(_order_reference("", name, issuer) for name in numbers if name)


def _order_reference(number: str, name: str, issuer: str) -> ObjectReference:
    ids = []
    if name:
        ids.append(EventIdentifier(IdentifierScheme.SALES_ORDER, name, issuer))
    if number:
        ids.append(EventIdentifier(IdentifierScheme.SOURCE_ID, number, issuer))
    return ObjectReference(ObjectKind.ORDER, tuple(ids))


def order_index_of(line: Node, orders: tuple[ObjectReference, ...]) -> int:
    """Return the index of the order that a line belongs to, -1 if there is only one order."""
    if len(orders) < 2:
        return -1
    for sale_line in line.list_at("sale_lines"):
        number = related_id(sale_line.get("order_id"))
        for index, ref in enumerate(orders):
            if any(
                i.scheme is IdentifierScheme.SOURCE_ID and i.value == number
                for i in ref.identifiers
            ):
                return index
    return -1
