"""Tables as files: rows of a CSV or an XLSX, read one by one."""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import IO

from visibility.master_data import xlsx
from visibility.master_data.tables import Table
from visibility.master_data.xlsx import BadFile

FORMATS = ("csv", "xlsx")
LARGEST = {"csv": 268_435_456, "xlsx": 52_428_800}
LONGEST_CELL = 32_768
# A text that begins so would be a formula where the file is opened; "'" makes it text again.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Days of a spreadsheet count from here.
EPOCH = date(1899, 12, 30)
DATES = frozenset({"valid_from", "valid_to"})
SERIAL = re.compile(r"[2-9]\d{4}(\.0+)?", re.ASCII)
# A row's number in the file, as a spreadsheet shows it, and its cells by column; a text: why not.
Read = tuple[int, Mapping[str, str] | str]


class Pieces(io.RawIOBase):
    """A file made of pieces that come one after the other."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # wider
        """Fill the buffer with what comes next."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = bytes(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def read(table: Table, format: str, pieces: Iterable[bytes]) -> Iterator[Read]:
    """The rows below the header. Raises BadFile."""
    records = _csv(pieces) if format == "csv" else _xlsx(pieces)
    names: Sequence[str] | None = None
    for number, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if names is None:
            names = header(table, cells)
            continue
        extra = [cell for cell in cells[len(names) :] if cell.strip()]
        if extra:
            yield number, f"has more cells than the header: {extra[0][:40]!r}"
            continue
        if format == "xlsx":
            yield number, _dated(dict(zip(names, cells, strict=False)))
        else:
            yield number, dict(zip(names, map(plain, cells), strict=False))
    if names is None:
        raise BadFile("The file is empty: its first row names the columns.")


def header(table: Table, cells: Sequence[str]) -> list[str]:
    """The columns that the first row names. Raises BadFile."""
    known = {c.name: c.name for c in table.columns}
    known |= {c.title.lower(): c.name for c in table.columns}
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    names = []
    for cell in cells:
        word = cell.strip().lower()
        if word not in known:
            listed = ", ".join(c.name for c in table.columns)
            raise BadFile(f"There is no column {cell.strip()[:60]!r}. There are: {listed}.")
        names.append(known[word])
    missing = [c.name for c in table.columns if c.required and c.name not in names]
    if missing:
        raise BadFile(f"The column {missing[0]} is missing from the first row.")
    if len(set(names)) < len(names):
        raise BadFile("The first row names a column twice.")
    return names


def neutral(cell: str) -> str:
    """Text that stays text where the file is opened."""
    return f"'{cell}" if cell.startswith(FORMULA) or cell.startswith(("'=", "''")) else cell


def plain(cell: str) -> str:
    """The text that was meant: what `neutral` put before it is taken away."""
    marked = cell.startswith("'") and cell[1:].startswith((*FORMULA, "'=", "''"))
    return cell[1:] if marked else cell


def _csv(pieces: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    lines = io.TextIOWrapper(
        io.BufferedReader(Pieces(pieces)), encoding="utf-8-sig", newline="", errors="strict"
    )
    number = 0
    try:
        first = lines.readline(LONGEST_CELL)
        delimiter = max(",;\t", key=first.count)
        csv.field_size_limit(LONGEST_CELL)
        for number, cells in enumerate(
            csv.reader(chain([first], lines), delimiter=delimiter, strict=True), 1
        ):
            yield number, cells
    except UnicodeDecodeError:
        raise BadFile(f"After row {number} the file is not UTF-8.") from None
    except csv.Error as error:
        raise BadFile(f"After row {number} the file can't be read: {error}.") from None


def _xlsx(pieces: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        yield from xlsx.rows(_binary(file))


def _binary(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


def _dated(row: Mapping[str, str]) -> Mapping[str, str]:
    """A spreadsheet's day is a number."""
    return {
        name: (EPOCH + timedelta(days=int(cell.partition(".")[0]))).isoformat()
        if name in DATES and SERIAL.fullmatch(cell)
        else cell
        for name, cell in row.items()
    }
