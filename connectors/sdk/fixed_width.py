"""Read files whose rows have columns of a fixed width, and rows of several types."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.tabular import MAX_ROWS, Table, TableRow, decode_table_text

SIGNED_DIGITS = re.compile(r"([+-]?)(\d+)", re.ASCII)
END_OF_FILE = "\x1a"


@dataclass(frozen=True, slots=True)
class FixedWidthColumn:
    """A column. `start` counts characters from 1.

    `decimals`: the last digits of a number without a decimal sign that are behind it.
    """

    name: str
    start: int
    width: int
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class RowType:
    """The rows that begin with a text.

    Without `list_name` such a row begins a record; with it, the row is in this list of the record
    before it. A skipped row is not read.
    """

    beginning: str
    columns: tuple[FixedWidthColumn, ...] = ()
    list_name: str = ""
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class FixedWidthLayout:
    """The columns of a file; with several types of rows, `row_types` has them instead."""

    columns: tuple[FixedWidthColumn, ...] = ()
    row_types: tuple[RowType, ...] = ()
    charset: str = "utf-8"
    skip_rows: int = 0
    decimal_sign: str = "."

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, or of those of rows that begin a record."""
        columns = self.columns or tuple(
            column for kind in self.row_types if not kind.list_name for column in kind.columns
        )
        return tuple(dict.fromkeys(column.name for column in columns))


def read_fixed_width(body: bytes, layout: FixedWidthLayout) -> Table:
    """Read a file. A row that ends early has blanks. Raises PayloadError if nothing can be read.

    With types of rows, each row of the table is a record with its lists. A record with a row that
    cannot be read is an error, and so is a row before the first record.
    """
    text, was_sanitized = decode_table_text(body, layout.charset)
    rows: list[TableRow] = []
    errors: list[PayloadError] = []
    for result in _records(text, layout) if layout.row_types else _single_rows(text, layout):
        if isinstance(result, PayloadError):
            errors.append(result)
        else:
            rows.append(result)
    if not rows and not errors:
        raise PayloadError(ParkReason.EMPTY, "", "the file has no rows")
    return Table(layout.column_names, tuple(rows), tuple(errors), was_sanitized)


def _single_rows(text: str, layout: FixedWidthLayout) -> Iterator[TableRow | PayloadError]:
    for number, row in _numbered_rows(text, layout):
        try:
            yield TableRow(number, _fields(row, layout.columns, number, layout.decimal_sign))
        except PayloadError as error:
            yield error


def _records(text: str, layout: FixedWidthLayout) -> Iterator[TableRow | PayloadError]:
    """Yield each record with its lists, or the first error of its rows."""
    lists = [kind.list_name for kind in layout.row_types if kind.list_name]
    # The longest beginning decides.
    kinds = sorted(layout.row_types, key=lambda kind: -len(kind.beginning))
    record: TableRow | None = None
    error: PayloadError | None = None
    for number, row in _numbered_rows(text, layout):
        kind = next((kind for kind in kinds if row.startswith(kind.beginning)), None)
        if kind and kind.is_skipped:
            continue
        try:
            if kind is None:
                detail = f"a row that begins with {row[:10]!r} is of no declared type"
                raise PayloadError(ParkReason.SCHEMA, f"line {number}", detail)
            fields = _fields(row, kind.columns, number, layout.decimal_sign)
            if kind.list_name and record is None and error is None:
                detail = f"a row of {kind.list_name} before the first record"
                raise PayloadError(ParkReason.SCHEMA, f"line {number}", detail)
        except PayloadError as raised:
            if kind and not kind.list_name:
                yield from _finished(record, error)
                record, error = None, None
            error = error or raised
            continue
        if kind.list_name:
            if record:
                record.fields[kind.list_name].append(fields)
            continue
        yield from _finished(record, error)
        members: dict[str, Any] = {**fields, **{name: [] for name in lists}}
        record, error = TableRow(number, members), None
    yield from _finished(record, error)


def _finished(
    record: TableRow | None, error: PayloadError | None
) -> Iterator[TableRow | PayloadError]:
    if error:
        yield error
    elif record:
        yield record


def _numbered_rows(text: str, layout: FixedWidthLayout) -> Iterator[tuple[int, str]]:
    """Yield rows that are not blank with their number from 1."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_ROWS:
        raise PayloadError(ParkReason.SIZE, "", f"more than {MAX_ROWS} rows")
    for number, row in enumerate(lines, 1):
        # Files from mainframes and old terminals may end with the sign for the end of a file.
        if number > layout.skip_rows and row.strip(f" \t{END_OF_FILE}"):
            yield number, row


def _fields(
    row: str, columns: tuple[FixedWidthColumn, ...], number: int, decimal_sign: str
) -> dict[str, str]:
    fields = {}
    for column in columns:
        text = row[column.start - 1 : column.start - 1 + column.width].strip()
        if text and column.decimals:
            match = SIGNED_DIGITS.fullmatch(text)
            if match is None:
                detail = f"the column {column.name!r} has {text[:40]!r}, not digits"
                raise PayloadError(ParkReason.NUMBER, f"line {number}", detail)
            digits = match[2].lstrip("0").rjust(column.decimals + 1, "0")
            text = (
                f"{match[1]}{digits[: -column.decimals]}{decimal_sign}{digits[-column.decimals :]}"
            )
        fields[column.name] = text
    return fields
