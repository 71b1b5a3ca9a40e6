"""A file with an OCEL 2.0 log, cut into messages that hold all that their events need."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from connectors.sdk.events import ObjectKind
from connectors.systems.ocel.terms import kind_of, own_words
from visibility.ingest.inbox import Arrival, Kept, keep
from visibility.models.intake import Source

# Events in a message.
PIECE = 100
# Names the attribute in the rows of later changes.
CHANGED = "ocel_changed_field"
MAGIC = b"SQLite format 3\0"
Log = Mapping[str, Any]


class BadLog(ValueError):
    """The file is not an OCEL 2.0 log; the text says why."""


def take(path: Path, source: Source) -> list[Kept]:
    """Keep the log's messages, in the caller's transaction. Raises BadLog."""
    log, own = read(path), own_words(source.config.get("objects", ""))
    kinds = {o["id"]: kind_of(o["type"], own) for o in log.get("objects", ())}
    items = {object_id for object_id, kind in kinds.items() if kind is ObjectKind.ITEM}
    arrivals = []
    for piece in pieces(log, items):
        body = orjson.dumps(piece)
        made = Arrival(source.pk, "", {"content-type": "application/json"}, body)
        key = f"sha256 {made.content_hash}"
        arrivals.append(Arrival(source.pk, key, made.headers, body))
    return keep(arrivals)


def read(path: Path) -> Log:
    """The log, from JSON or SQLite. Raises BadLog."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return _from_sqlite(path)
        found: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BadLog(f"{path}: {error.strerror}") from error
    except (orjson.JSONDecodeError, sqlite3.Error) as error:
        raise BadLog(f"{path}: {error}") from error
    if not _is_log(found):
        raise BadLog(f"{path}: no lists of objects and events with id, type and relationships")
    log: Log = found
    return log


def _is_log(found: Any) -> bool:
    """Whether what the cutting needs is there; the rest is the connector's to judge."""
    if not isinstance(found, dict):
        return False
    for name in ("objects", "events"):
        rows = found.get(name)
        if not isinstance(rows, list):
            return False
        for row in rows:
            if not isinstance(row, dict) or not {"id", "type"} <= row.keys():
                return False
            related = row.get("relationships") or ()
            if not all(isinstance(r, dict) and isinstance(r.get("objectId"), str) for r in related):
                return False
    return True


def pieces(log: Log, items: Collection[str]) -> Iterator[Log]:
    """Some events at a time, with the objects they name and what those belong to.

    Of the relations between objects only those that no event of the log shows anyway, so that a
    piece says of its objects what the whole log says. `items`: objects that are no more than lines
    of their orders; their relations are always told.
    """
    objects = {o["id"]: o for o in log.get("objects", ())}
    related = _related(objects.values())
    shown = _shown(log["events"], related, items)
    for start in range(0, len(log["events"]), PIECE):
        events = log["events"][start : start + PIECE]
        named = {i for event in events for i in _named(event)}
        inside = named.union(*(related[i] for i in named)) & objects.keys()
        yield {
            "events": events,
            "objects": [_cut(objects[i], inside, named, shown) for i in sorted(inside)],
        }


def _named(event: Log) -> set[str]:
    return {r["objectId"] for r in event.get("relationships") or ()}


def _shown(
    events: Iterable[Log], related: Mapping[str, set[str]], items: Collection[str]
) -> set[tuple[str, str]]:
    """The related pairs that an event names together."""
    found: set[tuple[str, str]] = set()
    for event in events:
        named = _named(event).difference(items)
        found |= {(one, other) for one in named for other in related[one] & named}
    return found


def _related(objects: Iterable[Log]) -> Mapping[str, set[str]]:
    """Each object's neighbours, whichever of the two says so."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in objects:
        for relation in one.get("relationships") or ():
            found[one["id"]].add(relation["objectId"])
            found[relation["objectId"]].add(one["id"])
    return found


def _cut(one: Log, inside: set[str], named: set[str], shown: set[tuple[str, str]]) -> Log:
    """The object with the relations that matter in a piece."""
    kept = [
        r
        for r in one.get("relationships") or ()
        if (other := r["objectId"]) in inside
        and (one["id"] in named or other in named)
        and (one["id"], other) not in shown
    ]
    return {**one, "relationships": kept}


def _from_sqlite(path: Path) -> Log:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return {
            "events": _rows_of(database, "event", "event_object", ("event_id", "object_id")),
            "objects": _rows_of(database, "object", "object_object", ("source_id", "target_id")),
        }


def _rows_of(
    database: sqlite3.Connection, what: str, relations: str, ends: tuple[str, str]
) -> list[dict[str, Any]]:
    related: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in database.execute(f"SELECT * FROM {relations}"):  # noqa: S608  # our own words
        said = {"objectId": row[f"ocel_{ends[1]}"], "qualifier": row["ocel_qualifier"] or ""}
        related[row[f"ocel_{ends[0]}"]].append(said)
    found: list[dict[str, Any]] = []
    tables = f"SELECT ocel_type, ocel_type_map FROM {what}_map_type"  # noqa: S608  # our own words
    for kind, table in database.execute(tables).fetchall():
        name = f"{what}_{table}".replace('"', '""')
        rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608  # quoted
        first = [row for row in map(dict, rows) if not row.get(CHANGED)]
        found += [_shaped(row, kind, related.get(row["ocel_id"], [])) for row in first]
    return found


def _shaped(
    row: Mapping[str, Any], kind: str, related: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """As the JSON form has it."""
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
