"""Changes of a schema: which of them break senders."""

from typing import Any

import pytest

from connectors.sdk.schema_compatibility import compare_schemas

BASE: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "maxLength": 200},
        "mode": {"enum": ["total", "delta"]},
        "price": {"type": ["string", "number"], "x-use": "used"},
        "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
        "order": {"anyOf": [{"type": "string"}, {"properties": {"po": {"type": "string"}}}]},
    },
    "anyOf": [{"required": ["order"]}, {"required": ["lines"]}],
}


def changed(**members: Any) -> dict[str, Any]:
    return {**BASE, "properties": {**BASE["properties"], **members}}


def without(name: str) -> dict[str, Any]:
    return {**BASE, "properties": {k: v for k, v in BASE["properties"].items() if k != name}}


BREAKING = {
    "mode: removed": without("mode"),
    "mode: now required": {**BASE, "required": ["id", "mode"]},
    "price: types no longer accepted: number": changed(price={"type": "string", "x-use": "used"}),
    "mode: values no longer accepted: delta": changed(mode={"enum": ["total"]}),
    "id: maxLength 200 is now 50": changed(id={"type": "string", "maxLength": 50}),
    "id: minLength None is now 1": changed(id={"type": "string", "maxLength": 200, "minLength": 1}),
    "id: pattern changed": changed(id={"type": "string", "maxLength": 200, "pattern": "^A"}),
    "price: used, now ignored": changed(price={"type": ["string", "number"], "x-use": "ignored"}),
    "lines[].sku: removed": changed(lines={"type": "array", "items": {"properties": {}}}),
    "no longer sufficient: lines": {**BASE, "anyOf": [{"required": ["order"]}]},
    "order: an alternative was removed": changed(order={"anyOf": [{"type": "string"}]}),
    "order.po: removed": changed(order={"anyOf": [{"type": "string"}, {"properties": {}}]}),
}
COMPATIBLE = {
    "sku: added": changed(sku={"type": "string"}),
    "id: no longer required": {**BASE, "required": []},
    "mode: values newly accepted: net": changed(mode={"enum": ["total", "delta", "net"]}),
    "id: maxLength 200 is now 300": changed(id={"type": "string", "maxLength": 300}),
    "id: types newly accepted: number": changed(
        id={"type": ["string", "number"], "maxLength": 200}
    ),
    "newly sufficient: id": {**BASE, "anyOf": [*BASE["anyOf"], {"required": ["id"]}]},
}


@pytest.mark.parametrize("text", BREAKING)
def test_breaking_change(text: str) -> None:
    [change] = compare_schemas(BASE, BREAKING[text])
    assert (str(change), change.is_breaking) == (text, True)


@pytest.mark.parametrize("text", COMPATIBLE)
def test_compatible_change(text: str) -> None:
    [change] = compare_schemas(BASE, COMPATIBLE[text])
    assert (str(change), change.is_breaking) == (text, False)


def test_a_type_where_there_was_none_is_breaking() -> None:
    assert [str(c) for c in compare_schemas({}, {"type": "string"})] == [
        "types no longer accepted: any"
    ]


def test_descriptions_are_no_changes() -> None:
    assert not compare_schemas(BASE, {**BASE, "description": "new", "examples": [1]})
