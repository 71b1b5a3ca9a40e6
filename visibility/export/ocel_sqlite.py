"""OCEL 2.0 as an SQLite file, in the tables the standard names.

The first row of an object says what never changes; each later change is a row of its own that names
its column in `ocel_changed_field`.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

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
from visibility.export.ocel_json import BEGINNING
from visibility.export.reader import event_types
from visibility.export.redaction import Sight

COLUMNS = {"float": "REAL", "time": "TIMESTAMP", "string": "TEXT"}
COMMON = """
CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE event (
    ocel_id TEXT PRIMARY KEY,
    ocel_type TEXT REFERENCES event_map_type (ocel_type)
);
CREATE TABLE object (
    ocel_id TEXT PRIMARY KEY,
    ocel_type TEXT REFERENCES object_map_type (ocel_type)
);
CREATE TABLE event_object (
    ocel_event_id TEXT REFERENCES event (ocel_id),
    ocel_object_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier)
);
CREATE TABLE object_object (
    ocel_source_id TEXT REFERENCES object (ocel_id),
    ocel_target_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier)
);
"""


def write(path: Path, sight: Sight) -> None:
    """The picture as a new database at `path`."""
    with closing(sqlite3.connect(path)) as database, database:
        # A file that is made once and thrown away if that fails needs no journal.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(COMMON)
        for kind in object_kinds():
            _object_table(database, kind, object_attributes(kind, sight))
        for word in event_types():
            _event_table(database, word, event_attributes(sight))
        for thing in things(sight):
            _thing(database, thing)
        for act in acts(sight):
            _act(database, act)


def table_of(word: str) -> str:
    """Our word as a part of a table's name: `OrderReceived`."""
    return "".join(part.capitalize() for part in word.replace(".", "_").split("_"))


def _object_table(database: sqlite3.Connection, kind: str, attributes: Mapping[str, str]) -> None:
    database.execute("INSERT INTO object_map_type VALUES (?, ?)", (kind, table_of(kind)))
    columns = ["ocel_id TEXT REFERENCES object (ocel_id)", "ocel_time TIMESTAMP"]
    columns += ["ocel_changed_field TEXT", *_columns(attributes)]
    database.execute(f'CREATE TABLE "object_{table_of(kind)}" ({", ".join(columns)})')


def _event_table(database: sqlite3.Connection, word: str, attributes: Mapping[str, str]) -> None:
    database.execute("INSERT INTO event_map_type VALUES (?, ?)", (word, table_of(word)))
    columns = ["ocel_id TEXT PRIMARY KEY REFERENCES event (ocel_id)", "ocel_time TIMESTAMP"]
    columns += _columns(attributes)
    database.execute(f'CREATE TABLE "event_{table_of(word)}" ({", ".join(columns)})')


def _columns(attributes: Mapping[str, str]) -> list[str]:
    return [f'"{name}" {COLUMNS[kind]}' for name, kind in attributes.items()]


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    # Names of tables and columns are our own words; what sources said is a parameter.
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    database.execute(
        f'INSERT INTO "{table}" ({names}) VALUES ({marks})',  # noqa: S608
        tuple(row.values()),
    )


def _thing(database: sqlite3.Connection, thing: Thing) -> None:
    table = f"object_{table_of(thing.kind)}"
    database.execute("INSERT INTO object VALUES (?, ?)", (thing.id, thing.kind))
    fixed = {v.name: v.value for v in thing.values if v.at is None}
    _insert(database, table, {"ocel_id": thing.id, "ocel_time": BEGINNING, **fixed})
    for value in thing.values:
        if value.at is not None:
            named = {"ocel_changed_field": value.name, value.name: value.value}
            _insert(database, table, {"ocel_id": thing.id, "ocel_time": iso(value.at), **named})
    rows = [(thing.id, other, qualifier) for other, qualifier in thing.related]
    database.executemany("INSERT INTO object_object VALUES (?, ?, ?)", rows)


def _act(database: sqlite3.Connection, act: Act) -> None:
    database.execute("INSERT INTO event VALUES (?, ?)", (act.id, act.type))
    row = {"ocel_id": act.id, "ocel_time": iso(act.at), **act.values}
    _insert(database, f"event_{table_of(act.type)}", row)
    rows = [(act.id, other, qualifier) for other, qualifier in act.related]
    database.executemany("INSERT INTO event_object VALUES (?, ?, ?)", rows)
