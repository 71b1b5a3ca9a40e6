"""Write OCEL 2.0 as JSON, object by object and event by event."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import orjson

from connectors.sdk.event_codec import format_rfc3339
from visibility.export.ocel_attributes import (
    ocel_types_by_attribute_of_object_kind,
    ocel_types_by_event_attribute,
)
from visibility.export.ocel_events import OcelEvent, ocel_events
from visibility.export.ocel_objects import OcelObject, ocel_objects, snapshot_object_kinds_and_item
from visibility.export.read_snapshot_in_chunks import other_attributes_by_event_type
from visibility.export.redaction import Redaction

EPOCH_TIME = "1970-01-01T00:00:00.000000Z"


def write_ocel_json(out: BinaryIO, redaction: Redaction) -> None:
    """Stream the snapshot as one JSON document."""
    out.write(b'{"objectTypes":')
    out.write(
        orjson.dumps(
            [
                _type_json(k, ocel_types_by_attribute_of_object_kind(k, redaction))
                for k in snapshot_object_kinds_and_item()
            ]
        )
    )
    out.write(b',"eventTypes":')
    out.write(
        orjson.dumps(
            [
                _type_json(event_type, ocel_types_by_event_attribute(redaction, other_names))
                for event_type, other_names in other_attributes_by_event_type().items()
            ]
        )
    )
    _write_array(out, b'"objects"', ocel_objects(redaction), _object_json)
    _write_array(out, b'"events"', ocel_events(redaction), _event_json)
    out.write(b"}\n")


def _write_array(
    out: BinaryIO, name: bytes, items: Iterable[Any], to_json: Callable[[Any], dict[str, Any]]
) -> None:
    out.write(b",\n" + name + b":[")
    for index, item in enumerate(items):
        out.write((b",\n" if index else b"\n") + orjson.dumps(to_json(item)))
    out.write(b"]")


def _type_json(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "attributes": [{"name": n, "type": t} for n, t in attributes.items()]}


def _object_json(obj: OcelObject) -> dict[str, Any]:
    return {
        "id": obj.id,
        "type": obj.kind,
        "attributes": [
            {"name": v.name, "time": format_rfc3339(v.at) if v.at else EPOCH_TIME, "value": v.value}
            for v in obj.values
        ],
        "relationships": _relationships_json(obj.related),
    }


def _event_json(event: OcelEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "time": format_rfc3339(event.at),
        "attributes": [{"name": name, "value": value} for name, value in event.values.items()],
        "relationships": _relationships_json(event.related),
    }


def _relationships_json(related: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"objectId": other, "qualifier": qualifier} for other, qualifier in related]
