"""Numbers of orders that another party issued: order names of a web shop, and customer POs."""

from connectors.sdk.events import EventIdentifier, IdentifierScheme
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder


def web_order_or_customer_po(
    text: str, *, customer: str, shop: str, prefix: str
) -> list[EventIdentifier]:
    """Return the identifiers of a reference: a web order name, the customer PO, or both.

    `shop`: the source that issues order names, "" for none. `prefix`: how they begin, "" if that is
    unknown. Without `#` the reference can be either. Only a name that the shop uses meets an order
    of the shop.
    """
    value = blank_if_placeholder(text)
    if not value:
        return []
    is_name = shop and value.startswith(prefix)
    names = [EventIdentifier(IdentifierScheme.WEB_ORDER, value, shop)] if is_name else []
    if names and value.startswith("#"):
        return names
    purchase_order = EventIdentifier(
        IdentifierScheme.CUSTOMER_PO, value, customer, strong=bool(customer)
    )
    return [*names, purchase_order]
