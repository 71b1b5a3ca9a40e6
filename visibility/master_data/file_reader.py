"""Read the rows of CSV and XLSX files one by one."""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import IO

from visibility.master_data import xlsx_reader
from visibility.master_data.tables import MasterTable
from visibility.master_data.xlsx_reader import InvalidFile

FILE_FORMATS = ("csv", "xlsx")
MAX_FILE_SIZES = {"csv": 268_435_456, "xlsx": 52_428_800}
MAX_CELL_LENGTH = 32_768
# Spreadsheets treat text with these prefixes as a formula; a leading "'" prevents that.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
# Day 0 of spreadsheet serial dates.
SPREADSHEET_EPOCH = date(1899, 12, 30)
DATE_COLUMNS = frozenset({"valid_from", "valid_to"})
SERIAL_DATE = re.compile(r"[2-9]\d{4}(\.0+)?", re.ASCII)
# The row number as shown by a spreadsheet, and either its cells by column or an error message.
ParsedRow = tuple[int, Mapping[str, str] | str]


class ChunkReader(io.RawIOBase):
    """A readable file over an iterable of byte chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._remainder = b""

    def readable(self) -> bool:
        """Always True."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # wider
        """Fill the buffer with the next bytes; 0 at the end."""
        while not self._remainder:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._remainder = bytes(chunk)
        count = min(len(buffer), len(self._remainder))
        buffer[:count] = self._remainder[:count]
        self._remainder = self._remainder[count:]
        return count


def read_rows(table: MasterTable, format: str, chunks: Iterable[bytes]) -> Iterator[ParsedRow]:
    """The non-empty rows below the header. Raises InvalidFile."""
    records = _csv_rows(chunks) if format == "csv" else _xlsx_rows(chunks)
    names: Sequence[str] | None = None
    for number, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if names is None:
            names = parse_header(table, cells)
            continue
        extra = [cell for cell in cells[len(names) :] if cell.strip()]
        if extra:
            yield number, f"has more cells than the header: {extra[0][:40]!r}"
            continue
        if format == "xlsx":
            yield number, _convert_serial_dates(dict(zip(names, cells, strict=False)))
        else:
            yield number, dict(zip(names, map(unescape_formula, cells), strict=False))
    if names is None:
        raise InvalidFile("The file is empty. The first row must contain the column names.")


def parse_header(table: MasterTable, cells: Sequence[str]) -> list[str]:
    """The column names of the header row, from names or titles. Raises InvalidFile."""
    known = {c.name: c.name for c in table.columns}
    known |= {c.title.lower(): c.name for c in table.columns}
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    names = []
    for cell in cells:
        title = cell.strip().lower()
        if title not in known:
            column_names = ", ".join(c.name for c in table.columns)
            raise InvalidFile(
                f"Unknown column {cell.strip()[:60]!r}. The columns are: {column_names}."
            )
        names.append(known[title])
    missing = [c.name for c in table.columns if c.required and c.name not in names]
    if missing:
        raise InvalidFile(f"The required column {missing[0]} is missing from the first row.")
    if len(set(names)) < len(names):
        raise InvalidFile("The first row contains a column twice.")
    return names


def escape_formula(cell: str) -> str:
    """Prefix text that a spreadsheet would treat as a formula."""
    return (
        f"'{cell}" if cell.startswith(FORMULA_PREFIXES) or cell.startswith(("'=", "''")) else cell
    )


def unescape_formula(cell: str) -> str:
    """Remove the prefix that `escape_formula` added."""
    is_escaped = cell.startswith("'") and cell[1:].startswith((*FORMULA_PREFIXES, "'=", "''"))
    return cell[1:] if is_escaped else cell


def _csv_rows(chunks: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    lines = io.TextIOWrapper(
        io.BufferedReader(ChunkReader(chunks)), encoding="utf-8-sig", newline="", errors="strict"
    )
    number = 0
    try:
        first = lines.readline(MAX_CELL_LENGTH)
        delimiter = max(",;\t", key=first.count)
        csv.field_size_limit(MAX_CELL_LENGTH)
        for number, cells in enumerate(
            csv.reader(chain([first], lines), delimiter=delimiter, strict=True), 1
        ):
            yield number, cells
    except UnicodeDecodeError:
        raise InvalidFile(f"The file is not valid UTF-8 after row {number}.") from None
    except csv.Error as error:
        raise InvalidFile(f"The file cannot be read after row {number}: {error}.") from None


def _xlsx_rows(chunks: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            file.write(chunk)
        yield from xlsx_reader.read_first_sheet(_rewound(file))


def _rewound(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


def _convert_serial_dates(row: Mapping[str, str]) -> Mapping[str, str]:
    """Convert spreadsheet serial numbers in the date columns to ISO dates."""
    return {
        name: (SPREADSHEET_EPOCH + timedelta(days=int(cell.partition(".")[0]))).isoformat()
        if name in DATE_COLUMNS and SERIAL_DATE.fullmatch(cell)
        else cell
        for name, cell in row.items()
    }
