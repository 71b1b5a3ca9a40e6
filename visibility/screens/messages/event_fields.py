"""The fields of an event by the names that people read, each with its value as text."""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.event_term_descriptions import OBJECT_KINDS, SCHEMES
from connectors.sdk.events import CanonicalEvent, IdentifierScheme, ObjectKind

EVENT_TYPE = "Event type"
# What lines refer to by index, and how their quantities add up.
HIDDEN_LINE_MEMBERS = frozenset(
    {"order", "package", "shipment", "order_line", "quantity_mode", "goods"}
)


def event_fields(event: CanonicalEvent) -> dict[str, str]:
    """{name: value} without blanks. Keys and scopes are left out: they repeat the numbers."""
    data = event_to_dict(event)
    fields = {
        EVENT_TYPE: data["type"],
        "Event occurred": data["occurred_at"] or "",
        "Status text": data["raw_type"],
        "Event version": data["revision"],
    }
    fields |= dict(_numbers(data["objects"]))
    fields |= {_spaced(name).capitalize(): text for name, text in data["attributes"].items()}
    for number, line in enumerate(data["lines"], start=1):
        fields |= {f"Line {number}: {name}": text for name, text in _line_fields(line)}
    return {name: text for name, text in fields.items() if text}


def _numbers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}
    for reference in objects:
        kind = OBJECT_KINDS[ObjectKind(reference["kind"])].label
        for identifier in reference["identifiers"]:
            scheme = SCHEMES[IdentifierScheme(identifier["scheme"])].label
            name = f"{kind}: {scheme}".capitalize()
            seen[name] = seen.get(name, 0) + 1
            yield f"{name} {seen[name]}" if seen[name] > 1 else name, identifier["value"]


def _line_fields(line: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in line.items():
        if name == "quantities":
            yield from ((f"{_spaced(measure)} quantity", text) for measure, text in value.items())
        elif isinstance(value, list):
            yield _spaced(name), ", ".join(value)
        elif name not in HIDDEN_LINE_MEMBERS and value is not None:
            yield _spaced(name), str(value)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
