"""The JSON Schema of a manifest. YAML scalars are read as text, so numbers are texts too."""

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.sdk.batch_settings import BATCH_SETTINGS, EXPECT_NAMES
from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute, EventType, IdentifierScheme, Measure
from connectors.sdk.manifest.poll_schema import POLL
from connectors.sdk.manifest.read_schema import read_schema
from connectors.sdk.manifest.schema_elements import (
    DURATION,
    INTEGER,
    TEXT,
    TEXTS,
    YES_NO,
    closed_object_schema,
)
from connectors.sdk.manifest.sql_parser import SQL
from connectors.sdk.manifest.telemetry_rule import MEMBERS
from connectors.sdk.settings import SettingType
from connectors.sdk.telemetry import TelemetryKind


def _object_schema_with_allowed_names(names: Any, value: Any) -> dict[str, Any]:
    return {"type": "object", "propertyNames": {"enum": list(names)}, "additionalProperties": value}


def _array_schema_of_names(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(names)}, "minItems": 1}


TEST = {
    "type": ["string", "array", "object"],
    "items": {"type": "string"},
    "properties": {"present": YES_NO, "not": TEXTS, "begins": TEXTS, "not_begins": TEXTS},
    "additionalProperties": False,
}
CONDITION = {
    "type": ["object", "array"],
    "items": {"type": "object", "additionalProperties": TEST},
    "additionalProperties": TEST,
}
SENTENCES = {"type": "array", "items": TEXT, "minItems": 1}
VALUE = {"$ref": "#/$defs/value"}
VALUE_MEMBERS = {
    "value": TEXT,
    "const": {"type": "string"},
    "template": TEXT,
    "first": {"type": "array", "items": VALUE, "minItems": 1},
    "join": {"type": "array", "items": VALUE, "minItems": 1},
    "separator": {"type": "string"},
    "except": TEXTS,
    "strip": TEXT,
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
    "else": {"type": "string"},
    "if": CONDITION,
}
TIME_MEMBERS = {
    "zone": TEXT,
    "offset": {"enum": ["included"]},
    "format": TEXT,
    "of": {"enum": ["report"]},
    "midnight": {"enum": ["date"]},
}
TIME = closed_object_schema(
    {
        "value": {"type": ["string", "array", "object"], "items": VALUE},
        **TIME_MEMBERS,
    },
    "value",
)
VALUE_OR_TIME = closed_object_schema({**VALUE_MEMBERS, **TIME_MEMBERS}, kind=["string", "object"])
NUMBERS = {
    "type": "array",
    "minItems": 1,
    "items": closed_object_schema(
        {
            **VALUE_MEMBERS,
            "scheme": {"enum": [scheme.value for scheme in IdentifierScheme]},
            "range": TEXT,
            "issuer": {"type": "string"},
            "weak": YES_NO,
            "required": TEXT,
        },
    ),
}
OBJECT = closed_object_schema({"numbers": NUMBERS}, "numbers")
OBJECT_LIST = closed_object_schema({"each": TEXT, "numbers": NUMBERS}, "numbers")
ATTRIBUTES = _object_schema_with_allowed_names([name.value for name in Attribute], VALUE_OR_TIME)
LINES = closed_object_schema(
    dict.fromkeys(("line_id", "sku", "description", "unit", "price"), VALUE)
    | {"each": TEXT, "if": CONDITION, "goods": CONDITION},
    "each",
    "line_id",
)
EVENT = closed_object_schema(
    {
        "type": {**VALUE, "examples": [kind.value for kind in EventType]},
        "raw_type": VALUE,
        "if": CONDITION,
        "for": TEXT,
        "key": TEXT,
        "at": TIME,
        "revision": VALUE_OR_TIME,
        "scope": TEXT,
        "lines": _object_schema_with_allowed_names([measure.value for measure in Measure], VALUE),
        "sum": YES_NO,
        "attributes": ATTRIBUTES,
        "corrects": {"type": "array", "items": TEXT},
        "complete_measures": _array_schema_of_names(measure.value for measure in Measure),
        "takes_back": _array_schema_of_names(kind.value for kind in EventType),
    },
    "type",
    "key",
)
TELEMETRY = closed_object_schema(
    {
        "type": {"enum": [kind.value for kind in TelemetryKind]},
        "if": CONDITION,
        "for": TEXT,
        "key": TEXT,
        "at": TIME,
        "values": _object_schema_with_allowed_names(MEMBERS, VALUE_OR_TIME),
    },
    "type",
    "key",
    "values",
)
HMAC = {
    "hmac": {"enum": ["sha1", "sha256", "sha512"]},
    "encoding": {"enum": ["base64", "hex"]},
    "header": TEXT,
    "prefix": TEXT,
    "fields": closed_object_schema({"signature": TEXT, "timestamp": TEXT}, "signature"),
    "signed": {"enum": ["body", "timestamp.body", "id.timestamp.body"]},
    "timestamp_header": TEXT,
    "id_header": TEXT,
    "tolerance": DURATION,
    "secret": {"enum": ["text", "base64", "nfkd"]},
}
VERIFY = closed_object_schema(
    {
        **HMAC,
        "rsa": {"enum": ["sha256"]},
        "public_keys": TEXT,
        "key_id_header": TEXT,
        "or_query_token": TEXT,
        "token_header": TEXT,
        "query_token": TEXT,
        "basic": YES_NO,
        "bearer": YES_NO,
        "standard_webhooks": YES_NO,
    }
)
HANDSHAKE = closed_object_schema(
    {
        "method": {"enum": ["GET", "POST", "OPTIONS", "HEAD"]},
        "query": TEXT,
        "header": TEXT,
        "body_begins": TEXT,
        "status": {"type": "string", "pattern": "^2[0-9][0-9]$"},
        "echo": {"enum": ["body", "header"]},
        "body": {"type": "string"},
        "content_type": TEXT,
    },
    "status",
)
WEBHOOK = closed_object_schema(
    {
        "verify": VERIFY,
        "handshakes": {"type": "array", "items": HANDSHAKE},
        "delivery_id": closed_object_schema({"header": TEXT, "field": TEXT, "if": CONDITION}),
        "store_headers": {"type": "array", "items": TEXT},
        "notice": closed_object_schema({"if": CONDITION, "reason": TEXT}, "if", "reason"),
        "answer": closed_object_schema(
            {
                "status": {"type": "string", "pattern": "^2[0-9][0-9]$"},
                "body": {"type": "string"},
                "content_type": TEXT,
            },
            "status",
        ),
    },
    "verify",
)
# Settings of every source, and names that templates of polls fill in.
RESERVED_SETTING_NAMES = [
    *("secret", "source", "number", "role", "drop", "governed"),
    *("silent_after", "reports_in_batches", "warehouses", "number_issuers", "replaces"),
    *("since", "page_cursor", "page", "offset"),
    *("quiet_hours", "request_limits", "secret_ends"),
    *(setting.name for setting in BATCH_SETTINGS),
]
SETTING = closed_object_schema(
    {
        "help": TEXT,
        "label": {"type": "string", "minLength": 1, "maxLength": 60},
        "type": {"enum": [kind.value for kind in SettingType]},
        "default": {"type": "string"},
        "required": YES_NO,
        "choices": {"type": "array", "items": TEXT},
        "minimum": TEXT,
        "maximum": TEXT,
    },
    "help",
    kind=["string", "object"],
)
VERSION = closed_object_schema(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
        "header": TEXT,
        "member": {"type": "string", "pattern": "^[\\w.:-]{1,60}$"},
        "supported": {"type": "array", "items": TEXT},
        "deprecated": {"type": "object", "additionalProperties": {"type": "string"}},
        "parked": {"type": "array", "items": TEXT},
    },
    "name",
)
EXAMPLE = closed_object_schema(
    {
        "file": TEXT,
        "text": {"type": "string"},
        "settings": {"type": "object", "additionalProperties": {"type": "string"}},
        "gives": {"type": "array", "items": TEXT},
        "ignored": TEXT,
        "parked": TEXT,
    }
)
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Throughline connector manifest",
    **closed_object_schema(
        {
            "connector": {"type": "string", "pattern": "^[a-z][a-z0-9_]{1,39}$"},
            "version": INTEGER,
            "title": TEXT,
            "role": {"enum": [role.value for role in SourceRole]},
            "description": TEXT,
            "setup": TEXT,
            "topics": SENTENCES,
            "permissions": SENTENCES,
            "not_covered": SENTENCES,
            "versions": {"type": "array", "items": VERSION},
            "settings": {
                "type": "object",
                "propertyNames": {
                    "pattern": "^[a-z][a-z0-9_]{0,39}$",
                    "not": {"enum": RESERVED_SETTING_NAMES},
                },
                "additionalProperties": SETTING,
            },
            "receive": closed_object_schema(
                {
                    "webhook": WEBHOOK,
                    "poll": POLL,
                    "sql": SQL,
                    "file": closed_object_schema({"pattern": TEXT}),
                }
            ),
            "expect": closed_object_schema(dict.fromkeys(EXPECT_NAMES, TEXT)),
            "read": read_schema(CONDITION),
            "ignore": {
                "type": "array",
                "items": closed_object_schema(
                    {"if": CONDITION, "unless": TEXT, "reason": TEXT}, "if", "reason"
                ),
            },
            "order": OBJECT,
            "shipment": OBJECT,
            "invoice": OBJECT,
            "return": OBJECT,
            "packages": OBJECT_LIST,
            "attributes": ATTRIBUTES,
            "lines": LINES,
            "events": {"type": "array", "items": EVENT, "minItems": 1},
            "telemetry": {"type": "array", "items": TELEMETRY, "minItems": 1},
            "codes": {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}},
            "examples": {"type": "array", "items": EXAMPLE, "minItems": 1, "maxItems": 200},
        },
        "connector",
        "version",
        "title",
        "role",
        "description",
        "receive",
        "read",
        "examples",
    ),
    "$defs": {"value": closed_object_schema(VALUE_MEMBERS, kind=["string", "object"])},
}
