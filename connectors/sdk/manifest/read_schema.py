"""The JSON Schema of `read`."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.manifest.schema_elements import INTEGER, TEXT, YES_NO, closed_object_schema

FORMATS = ("json", "xml", "csv", "tsv", "fixed_width")
# Positions and widths count from 1.
POSITION = {"type": "string", "pattern": r"^[1-9]\d{0,4}$"}
FIXED_WIDTH_COLUMN = {
    "name": TEXT,
    "from": POSITION,
    "width": POSITION,
    "decimals": {"type": "string", "pattern": "^[1-9]$"},
}
ROW_TYPE = closed_object_schema(
    {
        "begins": {"type": "string", "minLength": 1},
        "columns": {
            "type": "array",
            "minItems": 1,
            "items": closed_object_schema(FIXED_WIDTH_COLUMN, "name", "from", "width"),
        },
        "list": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,39}$"},
        "skip": YES_NO,
    },
    "begins",
)


def read_schema(condition: Mapping[str, Any]) -> dict[str, Any]:
    """The schema; `condition` is the schema of a condition."""
    return closed_object_schema(
        {
            "format": {"enum": list(FORMATS)},
            "records": TEXT,
            "answers": {"type": "array", "items": TEXT, "minItems": 1},
            "envelope": closed_object_schema({"record": TEXT, "if": condition}, "record"),
            "blank": {"type": "array", "items": {"type": "string"}},
            "delimiter": {"type": "string", "minLength": 1, "maxLength": 1},
            "quote": {"type": "string", "minLength": 1, "maxLength": 1},
            "charset": TEXT,
            "header": YES_NO,
            "columns": {
                "type": "array",
                "items": closed_object_schema(
                    FIXED_WIDTH_COLUMN, "name", "from", "width", kind=["string", "object"]
                ),
            },
            "row_types": {"type": "array", "items": ROW_TYPE, "minItems": 1, "maxItems": 50},
            "skip_rows": INTEGER,
            "skip_begins": {"type": "array", "items": TEXT, "minItems": 1},
            "decimal": {"enum": [".", ","]},
            "thousands": {"enum": [".", ",", " ", "'"]},
            "group": {"type": "array", "items": TEXT, "minItems": 1},
        },
        "format",
    )
