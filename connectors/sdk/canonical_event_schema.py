"""JSON Schemas of a CloudEvent that is sent, and of a canonical event as it is stored and read."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.event_term_descriptions import ATTRIBUTES, MEASURES, OBJECT_KINDS
from connectors.sdk.events import (
    LINE_DATES,
    Attribute,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    QuantityMode,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string"}
_INDEX = {"type": "integer", "minimum": -1, "description": "an index of `objects`; -1: none"}
_SENT_TYPES = [kind.value for kind in EventType if kind is not EventType.UNMAPPED]

CLOUD_EVENT: Mapping[str, Any] = {
    "$schema": DIALECT,
    "title": "CloudEvent",
    "description": "A CloudEvent 1.0 with Throughline event data.",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "examples": ["order.released"]},
        "time": {"type": "string", "format": "date-time"},
        "dataschema": {
            "type": "string",
            "description": "the URL of the published schema of `data`; without it, version 1",
        },
        "data": {"type": "object", "description": "see event-data and the schema of the type"},
    },
}
_LINE: Mapping[str, Any] = {
    "type": "object",
    "required": ["line_id", "sku", "description", "unit", "price", "quantities", "order"],
    "properties": {
        **dict.fromkeys(("line_id", "sku", "description", "unit", "seller"), _TEXT),
        "price": {"type": ["string", "null"], "description": "exact decimal of one unit"},
        "quantities": {
            "type": "object",
            "properties": {
                measure.value: {**_TEXT, "description": MEASURES[measure].meaning}
                for measure in Measure
            },
        },
        **dict.fromkeys(("order", "package", "shipment", "order_line"), _INDEX),
        "quantity_mode": {"enum": [mode.value for mode in QuantityMode], "default": "total"},
        **{name.value: _TEXT for name in LINE_DATES},
        "serials": {"type": "array", "items": _TEXT},
        "pieces_per_unit": _TEXT,
        "goods": {"type": "boolean", "default": True},
    },
}
_OBJECT: Mapping[str, Any] = {
    "type": "object",
    "required": ["kind", "identifiers"],
    "properties": {
        "kind": {
            "enum": [kind.value for kind in ObjectKind],
            "description": "; ".join(
                f"{kind.value}: {OBJECT_KINDS[kind].meaning}" for kind in ObjectKind
            ),
        },
        "identifiers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["scheme", "issuer", "value", "strong"],
                "properties": {
                    "scheme": {"enum": [scheme.value for scheme in IdentifierScheme]},
                    "issuer": _TEXT,
                    "value": _TEXT,
                    "strong": {"type": "boolean"},
                },
            },
        },
    },
}
CANONICAL_EVENT: Mapping[str, Any] = {
    "$schema": DIALECT,
    "title": "Canonical event",
    "description": "An event of any source as it is stored, and as the check of an event shows it.",
    "type": "object",
    "required": [
        *("type", "key", "occurred_at", "objects", "lines", "part", "attributes"),
        *("revision", "raw_type", "flags", "corrects"),
    ],
    "properties": {
        "type": {"enum": [kind.value for kind in EventType]},
        "key": _TEXT,
        "occurred_at": {"type": ["string", "null"], "format": "date-time"},
        "objects": {"type": "array", "items": _OBJECT},
        "lines": {"type": "array", "items": _LINE},
        "part": {**_TEXT, "description": "what the quantities are totals of"},
        "attributes": {
            "type": "object",
            "properties": {
                name.value: {**_TEXT, "description": ATTRIBUTES[name].meaning} for name in Attribute
            },
        },
        "revision": _TEXT,
        "raw_type": {**_TEXT, "description": "the sender's type, of an unmapped event"},
        "flags": {"type": "array", "items": {"enum": [flag.value for flag in Flag]}},
        "corrects": {"type": "array", "items": _TEXT},
        "complete_measures": {
            "type": "array",
            "items": {"enum": [measure.value for measure in Measure]},
        },
        "takes_back": {"type": "array", "items": {"enum": _SENT_TYPES}},
        "other_attributes": {"type": "object"},
    },
}
