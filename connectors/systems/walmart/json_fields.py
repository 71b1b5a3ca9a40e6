"""Fields of Walmart's JSON, which is written like XML."""

import math

from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, from_unix_seconds


def object_or_empty(node: Node, name: str) -> Node:
    """Return the object at `name`; an empty one if there is none."""
    child = node.get(name)
    return child if isinstance(child.value, dict) else Node({}, child.path, [False])


def list_in(node: Node, holder: str, name: str) -> list[Node]:
    """Return the list in an object: XML arrays are objects with one member."""
    return object_or_empty(node, holder).list_at(name)


def parse_milliseconds(node: Node, field: str) -> ParsedTime | None:
    """Parse Unix milliseconds. Raises PayloadError."""
    value = node.decimal_at(field)
    return from_unix_seconds(math.floor(value / 1000), node.get(field).path) if value else None
