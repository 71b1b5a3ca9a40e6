"""JSON Schemas of Throughline event data: the `data` of CloudEvents and Standard Webhooks."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from connectors.sdk.event_examples import EXAMPLES
from connectors.sdk.event_term_descriptions import ATTRIBUTES, MEASURES, OBJECT_KINDS
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import (
    DATES,
    Attribute,
    EventType,
    IdentifierScheme,
    Measure,
    QuantityMode,
)
from connectors.sdk.parse_event_references import SINGLE_OBJECTS
from connectors.sdk.required_and_ignored_event_members import (
    REFERENCE_MEMBERS,
    MemberUse,
    member_use,
    members_any_of_which_is_required,
)

_NUMBER = {"type": ["string", "number"], "description": "exact decimal, as text or as a number"}
_TEXT = {"type": ["string", "number"], "maxLength": 200}
_DATE = {"type": "string", "description": "an ISO 8601 date or time"}
_NUMBERS = {
    "type": "array",
    "description": "further numbers of the object, also those of other systems",
    "items": {
        "type": "object",
        "required": ["scheme", "value"],
        "properties": {
            "scheme": {"enum": [scheme.value for scheme in IdentifierScheme]},
            "issuer": {
                **_TEXT,
                "description": "who issued the number: a source, or the customer number of a PO; "
                "absent for the sender itself, or for numbers that are unique worldwide",
            },
            "value": _TEXT,
            "weak": {
                "type": "boolean",
                "default": False,
                "description": "it finds the object, and merges no objects with other numbers",
            },
        },
    },
}
_QUANTITY_MODE = {
    "enum": [mode.value for mode in QuantityMode],
    "default": QuantityMode.TOTAL.value,
    "description": "total: the quantities replace the earlier ones of the part; "
    "delta: they are added to them",
}


def _object_or_text_schema(description: str, **properties: Any) -> dict[str, Any]:
    """A schema of an object with numbers, or of text that is just its number."""
    return {
        "description": description,
        "anyOf": [_TEXT, {"type": "object", "properties": {**properties, "numbers": _NUMBERS}}],
    }


_ORDER = _object_or_text_schema(
    "the order; plain text is its number",
    number={**_TEXT, "description": "the sender's order number, see the setting order_number"},
    po={**_TEXT, "description": "the customer's purchase order number"},
    customer={**_TEXT, "description": "the customer number; it makes the PO unique"},
    customer_name=_TEXT,
    id={**_TEXT, "description": "the sender's technical id"},
    channel=_TEXT,
)
_DELIVERY_PROPERTIES = {"number": _TEXT, "id": _TEXT, "bol": _TEXT, "pro": _TEXT}
_SINGLE_DESCRIPTIONS = {
    "delivery": "the delivery document; plain text is its number",
    "invoice": "the invoice; for credit.issued, the credit memo",
    "return": "the return; plain text is the RMA number",
}


def _single_object_schemas() -> dict[str, Any]:
    schemas = {}
    for member, (kind, _) in SINGLE_OBJECTS.items():
        text = f"the {OBJECT_KINDS[kind].label}; plain text is its number"
        is_delivery = member in {"shipment", "delivery"}
        properties = _DELIVERY_PROPERTIES if is_delivery else {"number": _TEXT, "id": _TEXT}
        schemas[member] = _object_or_text_schema(
            _SINGLE_DESCRIPTIONS.get(member, text), **properties
        )
    return schemas


_LINE: Mapping[str, Any] = {
    "type": "object",
    "anyOf": [{"required": ["line_id"]}, {"required": ["sku"]}],
    "properties": {
        "line_id": {**_TEXT, "description": "the sender's id of the line"},
        "sku": {**_TEXT, "description": "the item number"},
        "order": {
            **_TEXT,
            "description": "which of `orders`: an index from 0, or a number given there as text; "
            "required if there are several",
        },
        "package": {
            **_TEXT,
            "description": "which of `packages`: an index from 0, or a number given there as text; "
            "a line in several packages is repeated, and its quantities add up",
        },
        "description": {"type": "string"},
        "unit": {"type": "string", "default": "EA"},
        "price": {**_NUMBER, "description": "the price of one unit"},
        "seller": {**_TEXT, "description": "who sells the line, on a marketplace"},
        "requested_at": {**_DATE, "description": "the delivery that was requested for the line"},
        "promised_at": {**_DATE, "description": "the delivery that was promised for the line"},
        "ship_by": {**_DATE, "description": "when the line must be shipped, ISO 8601"},
        "pieces_per_unit": {
            **_NUMBER,
            "description": "how many pieces one `unit` contains, such as 12 for cases of 12",
        },
        "serials": {
            "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
            "description": "the serial numbers of the pieces",
        },
        "quantity_mode": _QUANTITY_MODE,
        "goods": {
            "type": "boolean",
            "default": True,
            "description": "false for what is never shipped: a service, a tip, a digital gift card",
        },
        **{m.value: {**_NUMBER, "description": MEASURES[m].meaning} for m in Measure},
    },
}
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Throughline event data",
    "type": "object",
    "anyOf": [{"required": [name]} for name in REFERENCE_MEMBERS],
    "not": {"required": ["order", "orders"]},
    "properties": {
        "key": {**_TEXT, "description": "identifies the fact; a repeated report has the same key"},
        "order": _ORDER,
        "orders": {
            "type": "array",
            "minItems": 1,
            "items": _ORDER,
            "description": "several orders, in place of `order`; each line names one of them",
        },
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
        **_single_object_schemas(),
        "lines": {"type": "array", "items": _LINE},
        "quantity_mode": _QUANTITY_MODE,
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
        "complete_measures": {
            "type": "array",
            "items": {"enum": [measure.value for measure in Measure]},
            "description": "measures that the event reports for its whole part: a line, or a "
            "quantity of a line, that it does not name is 0 from then on",
        },
        "takes_back": {
            "type": "array",
            "items": {"enum": [t.value for t in EventType if t is not EventType.UNMAPPED]},
            "description": "types of earlier events of the sender that no longer hold, such as "
            "order.released when an order is reopened",
        },
        "attributes": {
            "type": "object",
            "properties": {
                name.value: {
                    "type": ["string", "number"],
                    "description": ATTRIBUTES[name].meaning
                    + (", an ISO 8601 date or time" if name in DATES else ""),
                }
                for name in Attribute
            },
        },
    },
}


def event_type_differences(event_type: EventType) -> dict[str, Any]:
    """What the schema of an event type has that the schema of all event data has not."""
    description = EVENT_TYPES[event_type]
    uses = {
        member: use.value
        for member in sorted(_members(SCHEMA["properties"]))
        if (use := member_use(event_type, member)) is not MemberUse.USED
    }
    return {
        "description": f"{description.meaning} Effect: {description.effect}",
        "any_of": list(members_any_of_which_is_required(event_type)),
        "uses": uses,
        "example": deepcopy(EXAMPLES[event_type]),
    }


def schema_with_differences(
    base: Mapping[str, Any], name: str, differences: Mapping[str, Any]
) -> dict[str, Any]:
    """The schema of one event type: what it requires, and `x-use` for each member."""
    schema: dict[str, Any] = deepcopy(dict(base))
    schema["title"] = f"{base['title']}: {name}"
    schema["description"] = differences["description"]
    schema["anyOf"] = [{"required": [member]} for member in differences["any_of"]]
    schema["examples"] = [deepcopy(differences["example"])]
    for path, member in _members(schema["properties"]).items():
        member["x-use"] = differences["uses"].get(path, MemberUse.USED.value)
    return schema


def _members(properties: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The schema of each member of event data, of its lines and of its attributes, by path."""
    groups = {
        "": properties,
        "lines.": properties["lines"]["items"]["properties"],
        "attributes.": properties["attributes"]["properties"],
    }
    return {
        f"{prefix}{name}": member
        for prefix, members in groups.items()
        for name, member in members.items()
    }


def event_type_schema(event_type: EventType) -> dict[str, Any]:
    """The schema of one event type, as this version of the code reads it."""
    return schema_with_differences(SCHEMA, event_type.value, event_type_differences(event_type))
