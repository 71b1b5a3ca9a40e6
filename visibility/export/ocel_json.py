"""OCEL 2.0 as JSON, written object by object and event by event."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import orjson

from connectors.sdk.events import iso
from visibility.export.ocel import (
    Act,
    Thing,
    acts,
    event_attributes,
    object_attributes,
    object_kinds,
    things,
)
from visibility.export.reader import event_types
from visibility.export.redaction import Sight

BEGINNING = "1970-01-01T00:00:00.000000Z"


def write(out: BinaryIO, sight: Sight) -> None:
    """The picture as one JSON document."""
    out.write(b'{"objectTypes":')
    out.write(orjson.dumps([_type(k, object_attributes(k, sight)) for k in object_kinds()]))
    out.write(b',"eventTypes":')
    out.write(orjson.dumps([_type(word, event_attributes(sight)) for word in event_types()]))
    _array(out, b'"objects"', things(sight), _thing)
    _array(out, b'"events"', acts(sight), _act)
    out.write(b"}\n")


def _array(
    out: BinaryIO, name: bytes, items: Iterable[Any], shape: Callable[[Any], dict[str, Any]]
) -> None:
    out.write(b",\n" + name + b":[")
    for place, item in enumerate(items):
        out.write((b",\n" if place else b"\n") + orjson.dumps(shape(item)))
    out.write(b"]")


def _type(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "attributes": [{"name": n, "type": t} for n, t in attributes.items()]}


def _thing(thing: Thing) -> dict[str, Any]:
    return {
        "id": thing.id,
        "type": thing.kind,
        "attributes": [
            {"name": v.name, "time": iso(v.at) if v.at else BEGINNING, "value": v.value}
            for v in thing.values
        ],
        "relationships": _relations(thing.related),
    }


def _act(act: Act) -> dict[str, Any]:
    return {
        "id": act.id,
        "type": act.type,
        "time": iso(act.at),
        "attributes": [{"name": name, "value": value} for name, value in act.values.items()],
        "relationships": _relations(act.related),
    }


def _relations(related: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"objectId": other, "qualifier": qualifier} for other, qualifier in related]
