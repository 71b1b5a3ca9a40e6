"""Encode the values of payloads as JSON, with exact decimals."""

from typing import Any

import orjson


def encode_json(value: Any) -> bytes:
    """Encode a value as JSON; decimals keep all their digits, half surrogate pairs are replaced."""
    try:
        return orjson.dumps(value, default=_encode_decimal)
    except TypeError:
        return orjson.dumps(_replace_surrogates_in_json_value(value), default=_encode_decimal)


def _encode_decimal(number: Any) -> orjson.Fragment:
    return orjson.Fragment(format(number, "f"))


def _replace_surrogates_in_json_value(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_replace_surrogates_in_json_value(item) for item in value]
    if isinstance(value, dict):
        return {
            _replace_surrogates_in_json_value(k): _replace_surrogates_in_json_value(v)
            for k, v in value.items()
        }
    return value
