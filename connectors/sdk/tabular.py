"""Read CSV and TSV files: dialect, character set, header, and groups of rows."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from connectors.sdk.payload import (
    MAX_STRING,
    UNSTORABLE_CHARACTERS,
    ParkReason,
    PayloadError,
)

MAX_ROWS = 100_000
MAX_COLUMNS = 500


@dataclass(frozen=True, slots=True)
class TableDialect:
    """How a table is written as text. Rows that begin with a field of `skip_begins` are no rows."""

    delimiter: str = ","
    quote: str = '"'
    charset: str = "utf-8"
    has_header: bool = True
    columns: tuple[str, ...] = ()
    skip_rows: int = 0
    skip_begins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: the line where it ends, and the text of each column.

    Of files with several types of rows, also the lists of the record.
    """

    line: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows. Rows with another number of fields than the header are errors."""

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    errors: tuple[PayloadError, ...]
    was_sanitized: bool


def read_table(body: bytes, dialect: TableDialect) -> Table:
    """Read a table. Raises PayloadError if nothing of it can be read."""
    text, was_sanitized = decode_table_text(body, dialect.charset)
    reader = csv.reader(
        StringIO(text, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote
    )
    columns = dialect.columns
    rows: list[TableRow] = []
    errors: list[PayloadError] = []
    is_header_next, skipped = dialect.has_header, 0
    try:
        for fields in reader:
            if skipped < dialect.skip_rows:
                skipped += 1
            elif not any(field.strip() for field in fields) or fields[0] in dialect.skip_begins:
                continue
            elif is_header_next:
                is_header_next = False
                columns = columns or _header_columns(fields)
            elif len(fields) != len(columns):
                detail = f"{len(fields)} fields, expected {len(columns)}"
                errors.append(PayloadError(ParkReason.SCHEMA, f"line {reader.line_num}", detail))
            else:
                rows.append(TableRow(reader.line_num, dict(zip(columns, fields, strict=True))))
            if len(rows) + len(errors) > MAX_ROWS:
                raise PayloadError(ParkReason.SIZE, "", f"more than {MAX_ROWS} rows")
    except csv.Error as error:
        raise PayloadError(ParkReason.SYNTAX, f"line {reader.line_num}", str(error)) from None
    if not rows and not errors:
        raise PayloadError(ParkReason.EMPTY, "", "the file has no rows")
    return Table(tuple(columns), tuple(rows), tuple(errors), was_sanitized)


def decode_table_text(body: bytes, charset: str) -> tuple[str, bool]:
    """Decode a file. Return its text, and whether characters were replaced."""
    if not body.strip():
        raise PayloadError(ParkReason.EMPTY, "", "the file is empty")
    try:
        text = body.decode("utf-8-sig" if charset.lower() in {"utf-8", "utf8"} else charset)
    except UnicodeDecodeError as error:
        detail = f"not valid {charset} at byte {error.start}"
        raise PayloadError(ParkReason.ENCODING, "", detail) from None
    except LookupError:
        raise PayloadError(ParkReason.ENCODING, "", f"unknown charset {charset!r}") from None
    cleaned, count = UNSTORABLE_CHARACTERS.subn("\ufffd", text)
    return cleaned, bool(count)


def group_rows(
    rows: Sequence[TableRow], columns: Sequence[str]
) -> list[tuple[int, dict[str, Any]]]:
    """Group rows that agree in these columns, wherever they are in the file.

    A group has the fields of its first row, and all its rows as `rows`.
    """
    groups: dict[tuple[str, ...], tuple[int, dict[str, Any]]] = {}
    for row in rows:
        key = tuple(row.fields[name].strip() for name in columns)
        _, group = groups.setdefault(key, (row.line, {**row.fields, "rows": []}))
        group["rows"].append(row.fields)
    return list(groups.values())


def _header_columns(fields: Sequence[str]) -> tuple[str, ...]:
    names = tuple(field.strip() for field in fields)
    if len(names) > MAX_COLUMNS or any(len(name) > MAX_STRING for name in names):
        raise PayloadError(ParkReason.SIZE, "line 1", f"more than {MAX_COLUMNS} columns")
    duplicates = {name for name in names if names.count(name) > 1}
    if duplicates:
        detail = f"the column {sorted(duplicates)[0][:40]!r} appears twice"
        raise PayloadError(ParkReason.SCHEMA, "line 1", detail)
    return names
