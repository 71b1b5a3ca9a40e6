"""Fields that sales documents share: identifiers, status, times, customer, total and item lines."""

from collections.abc import Mapping, Sequence

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Attribute, EventIdentifier, EventLine, IdentifierScheme, Measure
from connectors.sdk.external_order_numbers import web_order_or_customer_po
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp


def identifiers_or_empty(
    scheme: IdentifierScheme, text: str, issuer: str, *, strong: bool = True
) -> list[EventIdentifier]:
    """Return one identifier, or none if the text is a placeholder or the zero GUID."""
    value = blank_if_placeholder(text)
    if not value or value == "00000000-0000-0000-0000-000000000000":
        return []
    return [EventIdentifier(scheme, value, issuer, strong=strong)]


def status_text(document: Node) -> str:
    """Return the status. API enum names have _x0020_ in place of a space."""
    return document.text_at("status").replace("_x0020_", " ").strip()


def parse_modified_time(entity: Node) -> ParsedTime | None:
    """Return when the entity was last modified; 0001-01-01 means blank."""
    text = entity.text_at("lastModifiedDateTime")
    blank = text.startswith("0001-01-01")
    return None if blank else parse_timestamp(text, entity.get("lastModifiedDateTime").path)


def date_or_empty(document: Node, key: str) -> str:
    """Return a date; 0001-01-01 means blank."""
    text = document.text_at(key)
    moment = (
        None if text.startswith("0001-01-01") else parse_timestamp(text, document.get(key).path)
    )
    return text if moment else ""


def customer_and_total_attributes(document: Node) -> dict[Attribute, str]:
    """Return the attributes that all documents have."""
    total = document.decimal_at("totalAmountIncludingTax")
    return {
        Attribute.CUSTOMER_NO: document.text_at("customerNumber"),
        Attribute.CUSTOMER_NAME: document.text_at("customerName"),
        Attribute.CURRENCY: document.text_at("currencyCode"),
        Attribute.TOTAL: "" if total is None else format_decimal(total),
        Attribute.STATUS: status_text(document),
    }


def parse_item_lines(nodes: Sequence[Node], measures: Mapping[str, Measure]) -> list[EventLine]:
    """Return the item lines. Orders and posted documents share line numbers (`sequence`)."""
    lines = []
    for node in nodes:
        if node.text_at("lineType", "Item") != "Item":
            continue
        quantities = {measure: node.decimal_at(key) for key, measure in measures.items()}
        lines.append(
            EventLine(
                line_id=node.text_at("sequence") or node.required_text("id"),
                sku=node.text_at("lineObjectNumber"),
                description=node.text_at("description"),
                unit=node.text_at("unitOfMeasureCode") or "EA",
                price=node.decimal_at("unitPrice"),
                quantities={m: q for m, q in quantities.items() if q is not None},
            )
        )
    return lines


def measures_of_lines_if_lines_sent(
    document: Node, key: str, lines: Sequence[EventLine]
) -> list[Measure]:
    """Return the measures that a document reports completely: none if it was sent without lines."""
    if not isinstance(document.get(key).value, list):
        return []
    return list(dict.fromkeys(measure for line in lines for measure in line.quantities))


def is_order_line_not_posted_line(entity: Node) -> bool:
    """Whether an entity is a line of an order: lines of posted documents lack its quantities."""
    fields = ("shippedQuantity", "shipQuantity", "invoicedQuantity", "invoiceQuantity")
    return entity.has_value("sequence") and any(entity.has_value(key) for key in fields)


def external_document_identifiers(
    document: Node, settings: ParsedSettings
) -> list[EventIdentifier]:
    """Return the external document number: a web order name, the customer PO, or both."""
    return web_order_or_customer_po(
        document.text_at("externalDocumentNumber"),
        customer=document.text_at("customerNumber"),
        shop=settings.text("web_orders"),
        prefix=settings.text("web_order_prefix"),
    )
