"""Parts that the JSON Schemas of a manifest share."""

from collections.abc import Mapping
from typing import Any

TEXT = {"type": "string", "minLength": 1}
YES_NO = {"enum": ["yes", "no"]}
DURATION = {"type": "string", "pattern": r"^\d+(\.\d+)? ?[a-z]+$"}
INTEGER = {"type": "string", "pattern": r"^\d{1,9}$"}
TEXTS = {"type": ["string", "array"], "items": {"type": "string"}}


def closed_object_schema(
    properties: Mapping[str, Any], *required: str, kind: Any = "object"
) -> dict[str, Any]:
    """An object without other members; `kind` may also allow a plain text."""
    return {
        "type": kind,
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }
