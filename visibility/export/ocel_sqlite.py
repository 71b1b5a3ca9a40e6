"""Write OCEL 2.0 as an SQLite file with the tables of the standard.

The first row of an object holds its fixed attributes. Each change of an attribute is a further row
that names the column in `ocel_changed_field`.
"""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

from connectors.sdk.event_codec import format_rfc3339
from visibility.export.ocel_attributes import (
    ocel_types_by_attribute_of_object_kind,
    ocel_types_by_event_attribute,
)
from visibility.export.ocel_events import OcelEvent, ocel_events
from visibility.export.ocel_json import EPOCH_TIME
from visibility.export.ocel_objects import OcelObject, ocel_objects, snapshot_object_kinds_and_item
from visibility.export.read_snapshot_in_chunks import other_attributes_by_event_type
from visibility.export.redaction import Redaction

# A table of SQLite has at most 2,000 columns.
MAX_OTHER_ATTRIBUTES = 1_500
COLUMN_TYPES = {"float": "REAL", "time": "TIMESTAMP", "string": "TEXT"}
CREATE_TABLES = """
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


def write_ocel_sqlite(path: Path, redaction: Redaction) -> None:
    """Write the snapshot to a new database at `path`."""
    with closing(sqlite3.connect(path)) as database, database:
        # No journal needed: the file is discarded if writing fails.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(CREATE_TABLES)
        for kind in snapshot_object_kinds_and_item():
            _create_object_table(
                database, kind, ocel_types_by_attribute_of_object_kind(kind, redaction)
            )
        columns: dict[str, frozenset[str]] = {}
        for event_type, other_names in other_attributes_by_event_type().items():
            types = ocel_types_by_event_attribute(redaction, other_names[:MAX_OTHER_ATTRIBUTES])
            _create_event_table(database, event_type, types)
            columns[event_type] = frozenset(name.lower() for name in types)
        for obj in ocel_objects(redaction):
            _insert_object(database, obj)
        for event in ocel_events(redaction):
            _insert_event(database, event, columns[event.type])


def table_suffix(type_name: str) -> str:
    """A type as a table name suffix: `order.received` becomes `OrderReceived`."""
    return "".join(segment.capitalize() for segment in type_name.replace(".", "_").split("_"))


def _create_object_table(
    database: sqlite3.Connection, kind: str, attributes: Mapping[str, str]
) -> None:
    database.execute("INSERT INTO object_map_type VALUES (?, ?)", (kind, table_suffix(kind)))
    columns = ["ocel_id TEXT REFERENCES object (ocel_id)", "ocel_time TIMESTAMP"]
    columns += ["ocel_changed_field TEXT", *_column_definitions(attributes)]
    database.execute(f'CREATE TABLE "object_{table_suffix(kind)}" ({", ".join(columns)})')


def _create_event_table(
    database: sqlite3.Connection, event_type: str, attributes: Mapping[str, str]
) -> None:
    database.execute(
        "INSERT INTO event_map_type VALUES (?, ?)", (event_type, table_suffix(event_type))
    )
    columns = ["ocel_id TEXT PRIMARY KEY REFERENCES event (ocel_id)", "ocel_time TIMESTAMP"]
    columns += _column_definitions(attributes)
    database.execute(f'CREATE TABLE "event_{table_suffix(event_type)}" ({", ".join(columns)})')


def _column_definitions(attributes: Mapping[str, str]) -> list[str]:
    return [f"{_quoted(name)} {COLUMN_TYPES[kind]}" for name, kind in attributes.items()]


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _insert_row(database: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    # Tables are constants of ours, names of columns are quoted, and values are parameters.
    names = ", ".join(_quoted(name) for name in row)
    placeholders = ", ".join("?" * len(row))
    database.execute(
        f'INSERT INTO "{table}" ({names}) VALUES ({placeholders})',  # noqa: S608
        tuple(row.values()),
    )


def _insert_object(database: sqlite3.Connection, obj: OcelObject) -> None:
    table = f"object_{table_suffix(obj.kind)}"
    database.execute("INSERT INTO object VALUES (?, ?)", (obj.id, obj.kind))
    fixed = {v.name: v.value for v in obj.values if v.at is None}
    _insert_row(database, table, {"ocel_id": obj.id, "ocel_time": EPOCH_TIME, **fixed})
    for value in obj.values:
        if value.at is not None:
            changed_values = {"ocel_changed_field": value.name, value.name: value.value}
            _insert_row(
                database,
                table,
                {"ocel_id": obj.id, "ocel_time": format_rfc3339(value.at), **changed_values},
            )
    rows = [(obj.id, other, qualifier) for other, qualifier in obj.related]
    database.executemany("INSERT INTO object_object VALUES (?, ?, ?)", rows)


def _insert_event(database: sqlite3.Connection, event: OcelEvent, columns: Collection[str]) -> None:
    database.execute("INSERT INTO event VALUES (?, ?)", (event.id, event.type))
    values = {name: value for name, value in event.values.items() if name.lower() in columns}
    row = {"ocel_id": event.id, "ocel_time": format_rfc3339(event.at), **values}
    _insert_row(database, f"event_{table_suffix(event.type)}", row)
    rows = [(event.id, other, qualifier) for other, qualifier in event.related]
    database.executemany("INSERT INTO event_object VALUES (?, ?, ?)", rows)
