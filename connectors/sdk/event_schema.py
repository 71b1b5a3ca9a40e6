"""JSON schema of Throughline event data: the `data` of CloudEvents and Standard Webhooks."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.events import Attribute, IdentifierScheme, Measure

DATES = frozenset({Attribute.REQUESTED_AT, Attribute.PROMISED_AT, Attribute.SHIP_BY, Attribute.ETA})
_NUMBER = {"type": ["string", "number"], "description": "exact decimal, as text or as a number"}
_TEXT = {"type": ["string", "number"], "maxLength": 200}


_NUMBERS = {
    "type": "array",
    "description": "further numbers of the object, also those that other systems issued",
    "items": {
        "type": "object",
        "required": ["scheme", "value"],
        "properties": {
            "scheme": {"enum": [scheme.value for scheme in IdentifierScheme]},
            "issuer": {
                **_TEXT,
                "description": "the source or customer that issued it (default: this source)",
            },
            "value": _TEXT,
            "weak": {"type": "boolean", "description": "helps to find, never merges objects"},
        },
    },
}


def _object_or_text_schema(description: str, **properties: Any) -> dict[str, Any]:
    """A schema of an object, or of text that is just its number."""
    return {
        "description": description,
        "anyOf": [
            _TEXT,
            {"type": "object", "properties": {**properties, "numbers": _NUMBERS}},
        ],
    }


SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Throughline event data",
    "type": "object",
    "anyOf": [
        {"required": [name]}
        for name in ("order", "shipment", "packages", "tracking", "invoice", "return")
    ],
    "properties": {
        "key": {**_TEXT, "description": "identifies the fact; a repeated report has the same key"},
        "order": _object_or_text_schema(
            "the order; plain text is its number",
            number={
                **_TEXT,
                "description": "the sender's order number, see the setting order_number",
            },
            po={**_TEXT, "description": "the customer's purchase order number"},
            customer={**_TEXT, "description": "the customer number; it makes the PO unique"},
            customer_name=_TEXT,
            id={**_TEXT, "description": "the sender's technical id"},
            channel=_TEXT,
        ),
        "shipment": _object_or_text_schema(
            "the shipment; plain text is its number", number=_TEXT, id=_TEXT, bol=_TEXT, pro=_TEXT
        ),
        "packages": {
            "type": "array",
            "items": _object_or_text_schema(
                "a package; plain text is its tracking number", tracking=_TEXT, sscc=_TEXT
            ),
        },
        "tracking": {
            "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
            "description": "tracking numbers, one per package",
        },
        "invoice": _object_or_text_schema(
            "the invoice; for credit.issued, the credit memo", number=_TEXT, id=_TEXT
        ),
        "return": _object_or_text_schema(
            "the return; plain text is the RMA number", number=_TEXT, id=_TEXT
        ),
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "anyOf": [{"required": ["line_id"]}, {"required": ["sku"]}],
                "properties": {
                    "line_id": _TEXT,
                    "sku": _TEXT,
                    "description": {"type": "string"},
                    "unit": {"type": "string", "default": "EA"},
                    "price": _NUMBER,
                    **{measure.value: _NUMBER for measure in Measure},
                },
            },
        },
        "part": {
            **_TEXT,
            "description": "what the quantities are totals of: absent for the whole order, "
            "else for example `shipment 4711`; quantities of different parts add up",
        },
        "revision": {
            **_TEXT,
            "description": "sortable text; of two reports with one key, the higher wins",
        },
        "corrects": {
            "type": "array",
            "items": _TEXT,
            "description": "keys of earlier events that this event withdraws",
        },
        "attributes": {
            "type": "object",
            "properties": {
                name.value: {"type": ["string", "number"]}
                | ({"description": "an ISO 8601 date or time"} if name in DATES else {})
                for name in Attribute
            },
        },
    },
}
