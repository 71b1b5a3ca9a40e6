"""Documents of the Extensiv API: names in camel or Pascal case, and lists that HAL embeds."""

from typing import Any

from connectors.sdk.payload import Node

# The end of the relation that names a list, after the last slash, in lower case.
ORDERS, ITEMS = frozenset({"order", "item"}), frozenset({"item"})


def with_camel_case_names(document: Node) -> Node:
    """Return the document with every name beginning in lower case.

    The API answers `application/hal+json` with orderItems and `application/json` with OrderItems.
    """
    return Node(_lower_first(document.value), "", [document.was_sanitized])


def _lower_first(value: Any) -> Any:
    if isinstance(value, list):
        return [_lower_first(item) for item in value]
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lower_first(item) for name, item in value.items()}
    return value


def embedded_list(document: Node, relations: frozenset[str], *names: str) -> list[Node] | None:
    """Return the list that is embedded by one of these relations, or is a member of a name.

    A relation is a URL such as http://api.3plCentral.com/rels/orders/item. None: there is no list.
    """
    embedded = document.get("_embedded")
    if isinstance(embedded.value, dict):
        for relation in embedded.keys():  # noqa: SIM118  # a Node, which cannot be iterated
            if relation.rpartition("/")[2].lower() in relations:
                return embedded.list_at(relation)
    for name in names:
        if isinstance(document.value, dict) and isinstance(document.value.get(name), list):
            return document.list_at(name)
    return None


def is_page_of_orders(document: Node) -> bool:
    """Whether a document is a page of orders and not an order, which embeds its items."""
    return isinstance(document.value, dict) and not document.has_value("readOnly")
