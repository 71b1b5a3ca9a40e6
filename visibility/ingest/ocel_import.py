"""Import an OCEL 2.0 log: split it into messages that contain all objects of their events.

Format: https://www.ocel-standard.org
"""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from connectors.systems.ocel.object_and_activity_names import (
    ITEM_KINDS,
    object_kind_of_type_name,
    parse_custom_names,
)
from visibility.ingest.insert_messages import IncomingMessage, StoreResult, store_messages
from visibility.models.sources_and_messages import Source

# Events per message.
EVENTS_PER_MESSAGE = 100
# In SQLite logs, rows with this column record a later change of an attribute.
CHANGED_FIELD = "ocel_changed_field"
MAGIC = b"SQLite format 3\0"
Log = Mapping[str, Any]


class InvalidOcelLog(ValueError):
    """The file is not an OCEL 2.0 log; the message says why."""


def store_log_as_messages(path: Path, source: Source) -> list[StoreResult]:
    """Store the log as messages, in the caller's transaction. Raises InvalidOcelLog."""
    log, terms = read_log(path), parse_custom_names(source.config.get("objects", ""))
    kinds = {o["id"]: object_kind_of_type_name(o["type"], terms) for o in log.get("objects", ())}
    items = {object_id for object_id, kind in kinds.items() if kind in ITEM_KINDS}
    messages = []
    for content in split_log_into_messages(log, items):
        body = orjson.dumps(content)
        unkeyed = IncomingMessage(source.pk, "", {"content-type": "application/json"}, body)
        key = f"sha256 {unkeyed.content_hash}"
        messages.append(IncomingMessage(source.pk, key, unkeyed.headers, body))
    return store_messages(messages)


def read_log(path: Path) -> Log:
    """Read the log from a JSON or SQLite file. Raises InvalidOcelLog."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return _read_sqlite_log(path)
        document: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InvalidOcelLog(f"{path}: {error.strerror}") from error
    except (orjson.JSONDecodeError, sqlite3.Error) as error:
        raise InvalidOcelLog(f"{path}: {error}") from error
    if not _has_ocel_log_structure(document):
        raise InvalidOcelLog(
            f"{path}: the lists of objects and events with id, type and relationships are missing"
        )
    log: Log = document
    return log


def _has_ocel_log_structure(document: Any) -> bool:
    """Check what splitting needs; the connector validates everything else."""
    if not isinstance(document, dict):
        return False
    for name in ("objects", "events"):
        rows = document.get(name)
        if not isinstance(rows, list):
            return False
        for row in rows:
            if not isinstance(row, dict) or not {"id", "type"} <= row.keys():
                return False
            related = row.get("relationships") or ()
            if not all(isinstance(r, dict) and isinstance(r.get("objectId"), str) for r in related):
                return False
    return True


def split_log_into_messages(log: Log, items: Collection[str]) -> Iterator[Log]:
    """Split the log into messages: some events, the objects they name, and related objects.

    A relation between two objects is omitted if an event of the log names both, because the event
    already relates them. `items`: ids of item objects, which are order lines here; their relations
    are never omitted.
    """
    objects = {o["id"]: o for o in log.get("objects", ())}
    related = _related_ids_by_object(objects.values())
    shown = _related_pairs_in_same_event(log["events"], related, items)
    for start in range(0, len(log["events"]), EVENTS_PER_MESSAGE):
        events = log["events"][start : start + EVENTS_PER_MESSAGE]
        named_ids = {i for event in events for i in _object_ids_of_event(event)}
        included = named_ids.union(*(related[i] for i in named_ids)) & objects.keys()
        yield {
            "events": events,
            "objects": [
                _omit_unneeded_relations(objects[i], included, named_ids, shown)
                for i in sorted(included)
            ],
        }


def _object_ids_of_event(event: Log) -> set[str]:
    return {r["objectId"] for r in event.get("relationships") or ()}


def _related_pairs_in_same_event(
    events: Iterable[Log], related: Mapping[str, set[str]], items: Collection[str]
) -> set[tuple[str, str]]:
    """Return the related pairs of objects that an event names together."""
    pairs: set[tuple[str, str]] = set()
    for event in events:
        named = _object_ids_of_event(event).difference(items)
        pairs |= {(left, right) for left in named for right in related[left] & named}
    return pairs


def _related_ids_by_object(objects: Iterable[Log]) -> Mapping[str, set[str]]:
    """Return the related objects of each object, in both directions."""
    related: dict[str, set[str]] = defaultdict(set)
    for log_object in objects:
        for relation in log_object.get("relationships") or ():
            related[log_object["id"]].add(relation["objectId"])
            related[relation["objectId"]].add(log_object["id"])
    return related


def _omit_unneeded_relations(
    log_object: Log, inside: set[str], named: set[str], shown: set[tuple[str, str]]
) -> Log:
    """Return the object with the relations that one message needs."""
    relations = [
        r
        for r in log_object.get("relationships") or ()
        if (other := r["objectId"]) in inside
        and (log_object["id"] in named or other in named)
        and (log_object["id"], other) not in shown
    ]
    return {**log_object, "relationships": relations}


def _read_sqlite_log(path: Path) -> Log:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return {
            "events": _load_sqlite_entities(
                database, "event", "event_object", ("event_id", "object_id")
            ),
            "objects": _load_sqlite_entities(
                database, "object", "object_object", ("source_id", "target_id")
            ),
        }


def _load_sqlite_entities(
    database: sqlite3.Connection, entity: str, relations: str, ends: tuple[str, str]
) -> list[dict[str, Any]]:
    related: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in database.execute(f"SELECT * FROM {relations}"):  # noqa: S608  # constant names
        relationship = {
            "objectId": row[f"ocel_{ends[1]}"],
            "qualifier": row["ocel_qualifier"] or "",
        }
        related[row[f"ocel_{ends[0]}"]].append(relationship)
    result: list[dict[str, Any]] = []
    tables = f"SELECT ocel_type, ocel_type_map FROM {entity}_map_type"  # noqa: S608  # constant names
    for kind, table in database.execute(tables).fetchall():
        name = f"{entity}_{table}".replace('"', '""')
        rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608  # quoted
        first = [row for row in map(dict, rows) if not row.get(CHANGED_FIELD)]
        result += [_sqlite_row_to_json(row, kind, related.get(row["ocel_id"], [])) for row in first]
    return result


def _sqlite_row_to_json(
    row: Mapping[str, Any], kind: str, related: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Convert a SQLite row to an object or event of the JSON format."""
    return {
        "id": str(row["ocel_id"]),
        "type": kind,
        "time": row.get("ocel_time"),
        "attributes": [
            {"name": name, "value": value}
            for name, value in row.items()
            if not name.startswith("ocel_") and value is not None
        ],
        "relationships": related,
    }
