"""The order, quotation, package and document that a transaction of QuickBooks names."""

from collections.abc import Iterator

from connectors.sdk.events import (
    EventIdentifier,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings

# What a transaction was made from, by TxnType of LinkedTxn. Payments are no such thing.
LINKED_KINDS = {"Estimate": ObjectKind.QUOTATION, "SalesOrder": ObjectKind.ORDER}
CREDITS = frozenset({"CreditMemo", "RefundReceipt"})


def order_and_other_references(
    name: str, entity: Node, settings: ParsedSettings, source: str
) -> Iterator[ObjectReference]:
    """Yield the order, the document itself, what it was made from, and its package.

    Ids of QuickBooks are numbers of one sequence per kind, so the kind is part of each.
    """
    order = _order_identifiers(entity, settings)
    linked = [
        (
            LINKED_KINDS[kind],
            EventIdentifier(IdentifierScheme.SOURCE_ID, f"{kind} {number}", source),
        )
        for link in entity.list_at("LinkedTxn")
        if (kind := link.text_at("TxnType")) in LINKED_KINDS and (number := link.text_at("TxnId"))
    ]
    order += [identifier for kind, identifier in linked if kind is ObjectKind.ORDER]
    if order:
        yield ObjectReference(ObjectKind.ORDER, tuple(dict.fromkeys(order)))
    yield ObjectReference(ObjectKind.INVOICE, tuple(_own_identifiers(name, entity, source)))
    for kind, identifier in dict.fromkeys(linked):
        if kind is not ObjectKind.ORDER:
            yield ObjectReference(kind, (identifier,))
    tracking = blank_if_placeholder(entity.text_at("TrackingNum"))
    if tracking:
        package = EventIdentifier(IdentifierScheme.TRACKING, tracking)
        yield ObjectReference(ObjectKind.PACKAGE, (package,))


def _own_identifiers(name: str, entity: Node, source: str) -> Iterator[EventIdentifier]:
    number = blank_if_placeholder(entity.text_at("DocNumber"))
    if number:
        scheme = IdentifierScheme.CREDIT_MEMO if name in CREDITS else IdentifierScheme.INVOICE
        yield EventIdentifier(scheme, number, source)
    document_id = f"{name} {entity.required_text('Id')}"
    yield EventIdentifier(IdentifierScheme.SOURCE_ID, document_id, source)


def _order_identifiers(entity: Node, settings: ParsedSettings) -> list[EventIdentifier]:
    """Return the order number and the customer's PO in the custom fields of these names."""
    customer = entity.get("CustomerRef")
    customer_no = customer.text_at("value") if isinstance(customer.value, dict) else ""
    scheme, issuer = settings.identifier_scheme_and_issuer(
        "reference", (IdentifierScheme.REFERENCE, "")
    )
    identifiers = []
    for field in entity.list_at("CustomField"):
        name = field.text_at("Name").casefold()
        value = blank_if_placeholder(field.text_at("StringValue"))
        if not value or not name:
            continue
        if name == settings.text("order_field").casefold() and issuer:
            identifiers.append(EventIdentifier(scheme, value, issuer))
        if name == settings.text("po_field").casefold():
            identifiers.append(
                EventIdentifier(
                    IdentifierScheme.CUSTOMER_PO, value, customer_no, strong=bool(customer_no)
                )
            )
    return identifiers
