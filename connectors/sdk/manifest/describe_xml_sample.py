"""Find the records of an XML sample, and name their fields by paths."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.xml_documents import (
    ROOT_MEMBER,
    TEXT_MEMBER,
    XmlElement,
    load_xml,
    write_element,
)

# An envelope around records has few values of its own.
MAX_VALUES_OF_ENVELOPE = 2
MAX_EXCERPT = 2_000
WRAPPER_SUFFIXES = re.compile(r"(s|es|list|_list|-list)?", re.I)


def describe_xml_sample(
    body: bytes, max_records: int
) -> tuple[dict[str, str], Sequence[Mapping[str, Any]], str]:
    """Return the options of `read`, the records by the paths of their fields, and an excerpt.

    Raises PayloadError.
    """
    root = load_xml(body).value
    steps, elements = _find_records(root)
    records = [dict(_fields(element, "")) for element in elements[:max_records]]
    if not records or not records[0]:
        raise PayloadError(ParkReason.SCHEMA, "", "the sample has no elements with values")
    excerpt = write_element(root[ROOT_MEMBER], root)
    if len(excerpt) > MAX_EXCERPT:
        shortened: Any = elements[0]
        for name in reversed(steps):
            shortened = XmlElement({name: shortened})
        excerpt = write_element(root[ROOT_MEMBER], shortened)
    return ({"records": ".".join(steps)} if steps else {}), records, excerpt


def _find_records(root: XmlElement) -> tuple[list[str], list[XmlElement]]:
    """Return the path to the records from the root, and the records."""
    steps: list[str] = []
    element = root
    while True:
        members = {n: v for n, v in element.items() if n not in {ROOT_MEMBER, TEXT_MEMBER}}
        repeated = {n: _elements(v) for n, v in members.items() if isinstance(v, list)}
        repeated = {n: items for n, items in repeated.items() if items}
        single = {n: v for n, v in members.items() if isinstance(v, XmlElement) and v.has_elements}
        values = len(members) - len(repeated) - len(single)
        if len(repeated) == 1 and not single and values <= MAX_VALUES_OF_ENVELOPE:
            ((name, items),) = repeated.items()
            return [*steps, name], items
        if len(single) == 1 and not repeated and not values:
            ((name, element),) = single.items()
            steps.append(name)
            continue
        return steps, [element]


def _elements(value: list[Any]) -> list[XmlElement]:
    """The elements of a list that have more than a text."""
    return [v for v in value if isinstance(v, XmlElement) and set(v) - {TEXT_MEMBER}]


def _fields(element: XmlElement, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield values and lists of an element by their paths."""
    for name, value in element.items():
        path = f"{prefix}{name}"
        if name in {ROOT_MEMBER, TEXT_MEMBER}:
            continue
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, list):
            if items := _elements(value):
                yield path, [dict(_fields(item, "")) for item in items]
        elif isinstance(value, XmlElement):
            if value.has_elements and (inner := _only_element_of_list(name, value)):
                yield f"{path}.{inner[0]}", [dict(_fields(inner[1], ""))]
                continue
            if not value.has_elements:
                yield path, value.get(TEXT_MEMBER, "")
            yield from _fields(value, f"{path}.")


def _only_element_of_list(name: str, element: XmlElement) -> tuple[str, XmlElement] | None:
    """The element in one whose name is its plural: Line in Lines, Item in ItemList."""
    if len(element) != 1:
        return None
    ((inner_name, inner),) = element.items()
    if not isinstance(inner, XmlElement) or not name.lower().startswith(inner_name.lower()):
        return None
    return (inner_name, inner) if WRAPPER_SUFFIXES.fullmatch(name[len(inner_name) :]) else None
