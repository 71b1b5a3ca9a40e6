"""The published JSON Schemas: one checked-in file for each version, and its compatibility check.

`published_schemas/v<number>.json` is what is served. The newest file must agree with the code;
`manage.py publish_schemas` writes it. A change that senders depend on is refused there: it needs
the next number, and the earlier version is served and accepted as before.

A file has the schemas of event data, of a CloudEvent and of a canonical event, the differences of
each event type, and in `changes` what each revision of the version changed.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from connectors.sdk.canonical_event_schema import CANONICAL_EVENT, CLOUD_EVENT, DIALECT
from connectors.sdk.event_schema import SCHEMA, event_type_differences, schema_with_differences
from connectors.sdk.events import EventType
from connectors.sdk.required_and_ignored_event_members import REFERENCE_MEMBERS
from connectors.sdk.schema_compatibility import SchemaChange, compare_schemas

# The version that the code implements. The number of the next one, if a change breaks senders.
VERSION = 1
FOLDER = Path(__file__).parent / "published_schemas"
FILE_NAME = re.compile(r"v([1-9]\d*)\.json")
# Addresses of schemas, in `dataschema` and in `$id`. The second one is the earlier address.
ADDRESSES = (
    re.compile(r"/schemas/v([1-9]\d{0,3})(?:/[\w./-]*)?$"),
    re.compile(r"/api/v1/event-schemas/[\w.]+/([1-9]\d{0,3})$"),
)
EVENT_DATA = "event-data"
Schema = dict[str, Any]


class IncompatibleSchema(ValueError):
    """The change breaks senders; the message lists what, and how to go on."""


def current_contents() -> dict[str, Any]:
    """What the file of the current version must contain, without its changes."""
    return {
        "schemas": {
            EVENT_DATA: dict(SCHEMA),
            "cloudevent": dict(CLOUD_EVENT),
            "canonical-event": dict(CANONICAL_EVENT),
        },
        "event_types": {
            event_type.value: event_type_differences(event_type)
            for event_type in EventType
            if event_type is not EventType.UNMAPPED
        },
    }


def published_versions() -> list[int]:
    """The numbers of the published versions, in order."""
    return sorted(
        int(match[1]) for file in FOLDER.glob("v*.json") if (match := FILE_NAME.match(file.name))
    )


@cache
def published_contents(version: int) -> Mapping[str, Any]:
    """The contents of the file of a version. Raises FileNotFoundError."""
    contents: Mapping[str, Any] = orjson.loads((FOLDER / f"v{version}.json").read_bytes())
    return contents


@cache
def published_documents(version: int) -> Mapping[str, Schema]:
    """The schemas of a version by name, such as `events/order.received`, without `$id`."""
    return build_documents(published_contents(version))


def build_documents(contents: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas by name: those of the file, those of objects, and those of event types."""
    base = contents["schemas"][EVENT_DATA]
    objects = {
        f"objects/{name}": {
            "$schema": DIALECT,
            "title": f"Object in event data: {name.replace('_', ' ')}",
            **deepcopy(schema),
        }
        for name, schema in _object_schemas(base["properties"]).items()
    }
    events = {
        f"events/{name}": schema_with_differences(base, name, differences)
        for name, differences in contents["event_types"].items()
    }
    return {**contents["schemas"], **objects, **events}


def _object_schemas(properties: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The schemas of what event data refers to, and of a line."""
    single = sorted(set(REFERENCE_MEMBERS) - {"orders", "packages", "tracking"})
    return {
        **{name: properties[name] for name in single if name in properties},
        "package": properties["packages"]["items"],
        "line": properties["lines"]["items"],
    }


def with_id(version: int, name: str, host: str) -> Schema:
    """A schema with the address where it is served. Raises KeyError or FileNotFoundError."""
    return {"$id": f"{host}{schema_path(version, name)}", **published_documents(version)[name]}


def schema_path(version: int, name: str) -> str:
    """The address of a schema on its host."""
    return f"/schemas/v{version}/{name}.json"


def bundle(version: int, host: str) -> Schema:
    """All schemas of a version in one document, each with its address, as JSON Schema bundles."""
    return {
        "$schema": DIALECT,
        "$id": f"{host}/schemas/v{version}/bundle.json",
        "title": f"Throughline schemas, version {version}",
        "$defs": {name: with_id(version, name, host) for name in published_documents(version)},
    }


def version_in_address(address: str) -> int | None:
    """The version that the address of a published schema names; None for any other address."""
    for pattern in ADDRESSES:
        if match := pattern.search(address):
            return int(match[1])
    return None


def changes_since_publication() -> list[SchemaChange]:
    """What the code changed in the newest published version, and has not published yet."""
    if VERSION not in published_versions():
        return [SchemaChange("", f"version {VERSION} is not published", False)]
    published = published_contents(VERSION)
    current = current_contents()
    changes = compare_schemas(
        {"$defs": build_documents(published)}, {"$defs": build_documents(current)}
    )
    is_equal = all(orjson.loads(orjson.dumps(current[key])) == published[key] for key in current)
    if not changes and not is_equal:
        return [SchemaChange("", "descriptions or examples changed", False)]
    return changes


def publish() -> list[str]:
    """Write the file of the current version; return what it changes.

    Raises:
        IncompatibleSchema: the change would break senders of this version.
    """
    changes = changes_since_publication()
    breaking = [str(change) for change in changes if change.is_breaking]
    if breaking:
        raise IncompatibleSchema(
            f"This breaks senders of version {VERSION}: {'; '.join(breaking)}. Set VERSION in "
            f"published_schemas.py to {VERSION + 1}."
        )
    texts = sorted({_without_document(str(change)) for change in changes})
    if changes:
        is_new = VERSION not in published_versions()
        earlier = [] if is_new else published_contents(VERSION)["changes"]
        texts = ["first publication"] if is_new else texts
        contents = {"version": VERSION, "changes": [*earlier, texts], **current_contents()}
        text = orjson.dumps(contents, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (FOLDER / f"v{VERSION}.json").write_bytes(text)
        published_contents.cache_clear()
        published_documents.cache_clear()
    return texts


def _without_document(text: str) -> str:
    """The change without the event type, if all event types have it."""
    return re.sub(r"^events/[a-z_]+\.[a-z_]+\.", f"{EVENT_DATA}.", text)
