"""Events of SAP as CloudEvents: they name the document that changed, and nothing else."""

from collections.abc import Mapping
from urllib.parse import unquote

from connectors.sdk.connector import ParseResult
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.systems.sap_s4hana.field_values import without_leading_zeros

# The object in a type such as sap.s4.beh.salesorder.v1.SalesOrder.Created.v1, and its key.
POLLED_OBJECTS = {
    "salesorder": "SalesOrder",
    "outbounddelivery": "OutboundDelivery",
    "billingdocument": "BillingDocument",
}
# S/4HANA on premise has sap.s4.beh too; older releases have a name of the installation before it.
BEHAVIOR = "beh"
NOTICE = "an event of SAP names the document only; changes are polled"


def event_attributes(root: Node, headers: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return id, source and type of an event: from the headers (binary mode) or the body."""
    names = ("specversion", "id", "source", "type")
    if headers.get("ce-type"):
        return {name: unquote(headers.get(f"ce-{name}", "")) for name in names}
    if isinstance(root.value, dict) and root.has_value("specversion"):
        return {name: root.required_text(name) for name in names}
    return None


def parse_notice(root: Node, attributes: Mapping[str, str]) -> ParseResult:
    """Return that the poll is due, if the object is polled. Raises PayloadError without an object.

    https://api.sap.com: the data of these events has the key, and for some the organization.
    """
    pieces = attributes["type"].split(".")
    at = pieces.index(BEHAVIOR) + 1 if BEHAVIOR in pieces else len(pieces)
    if at >= len(pieces):
        detail = f"{attributes['type'][:80]!r} is not a type of SAP such as sap.s4.beh.salesorder"
        raise PayloadError(ParkReason.MAPPING, "type", detail)
    name = pieces[at].casefold()
    if name not in POLLED_OBJECTS:
        return ParseResult(ignored=f"{name[:60]}: records of this kind are not read")
    data = root.get("data") if root.has_value("data") else root
    number = data.text_at(POLLED_OBJECTS[name]) if isinstance(data.value, dict) else ""
    about = f" ({POLLED_OBJECTS[name]} {without_leading_zeros(number)})" if number else ""
    return ParseResult(ignored=NOTICE + about, poll_due=True)
