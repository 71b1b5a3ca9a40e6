"""Stream the first sheet of an XLSX file, with limits against zip bombs and XML bombs.

A sheet is XML in a ZIP archive. Expat parses it while it is inflated, so memory holds only the
shared strings and one chunk of the sheet. Document types, and with them all entities, are rejected.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from posixpath import join, normpath
from typing import IO
from xml.parsers import expat

CHUNK_SIZE = 65_536
MAX_INFLATED = 1_073_741_824
MAX_DIRECTORY = 1_048_576
MAX_SHARED_TEXT = 24_000_000  # characters
MAX_ROWS = 1_048_576
MAX_COLUMNS = 100
MAX_CELL_LENGTH = 32_768
CELL_REFERENCE = re.compile(r"([A-Z]{1,3})\d+", re.ASCII)
Attributes = dict[str, str]


class InvalidFile(ValueError):
    """The file cannot be read; the message says why."""


@dataclass
class SheetHandler:
    """Expat handlers that collect the rows of a sheet."""

    shared: list[str]
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    _row: dict[int, str] = field(default_factory=dict)
    _number: int = 0
    _column: int = -1
    _kind: str = ""
    _text: list[str] | None = None
    _length: int = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """Handle a start tag."""
        name = name.rpartition(":")[2]
        if name == "row":
            self._row = {}
            self._number = int(attributes.get("r") or self._number + 1)
            self._column = -1
            if self._number > MAX_ROWS:
                raise InvalidFile(f"The sheet has more than {MAX_ROWS:,} rows.")
        elif name == "c":
            ref = CELL_REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = _column_index(ref[1]) if ref else self._column + 1
            self._kind = attributes.get("t", "n")
        elif name in {"v", "t"}:
            self._text, self._length = [], 0

    def text(self, data: str) -> None:
        """Handle character data."""
        if self._text is not None:
            self._length += len(data)
            if self._length > MAX_CELL_LENGTH:
                raise InvalidFile(
                    f"Row {self._number} has a cell with more than {MAX_CELL_LENGTH:,} characters."
                )
            self._text.append(data)

    def end(self, name: str) -> None:
        """Handle an end tag."""
        name = name.rpartition(":")[2]
        if name in {"v", "t"} and self._text is not None:
            text = "".join(self._text)
            self._text = None
            if 0 <= self._column < MAX_COLUMNS:
                before = self._row.get(self._column, "") if name == "t" else ""
                self._row[self._column] = before + self._decode_cell_value(text)
        elif name == "row" and self._row:
            width = max(self._row) + 1
            self.rows.append((self._number, [self._row.get(n, "") for n in range(width)]))

    def _decode_cell_value(self, text: str) -> str:
        if self._kind == "s":
            number = int(text) if text.isdecimal() else len(self.shared)
            if number >= len(self.shared):
                raise InvalidFile(
                    f"Row {self._number} refers to a shared string that is not in the file."
                )
            return self.shared[number]
        if self._kind == "n":
            return _normalize_number(text)
        return text


@dataclass
class SharedStringsHandler:
    """Expat handlers that collect the shared strings."""

    strings: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _in_text: bool = False
    _in_phonetic: bool = False
    _length: int = 0

    def start(self, name: str, _: Attributes) -> None:
        """Handle a start tag."""
        name = name.rpartition(":")[2]
        if name == "si":
            self._text = []
        # <rPh> holds the phonetic reading of Japanese text, which is not part of the value.
        self._in_phonetic = self._in_phonetic or name == "rPh"
        self._in_text = name == "t" and not self._in_phonetic

    def text(self, data: str) -> None:
        """Handle character data."""
        if self._in_text:
            self._length += len(data)
            if self._length > MAX_SHARED_TEXT:
                raise InvalidFile("The file has too much text. Save it as CSV.")
            self._text.append(data)

    def end(self, name: str) -> None:
        """Handle an end tag."""
        name = name.rpartition(":")[2]
        self._in_text = False
        if name == "rPh":
            self._in_phonetic = False
        if name == "si":
            self.strings.append("".join(self._text))


def read_first_sheet(file: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet with their numbers. Raises InvalidFile."""
    try:
        _reject_huge_zip_directory(file)
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            path = _first_sheet_path(archive)
            shared_strings = SharedStringsHandler()
            if "xl/sharedStrings.xml" in names:
                for _ in _parse_member(archive, "xl/sharedStrings.xml", shared_strings):
                    pass
            sheet = SheetHandler(shared_strings.strings)
            for _ in _parse_member(archive, path, sheet):
                yield from sheet.rows
                sheet.rows.clear()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidFile(f"This is not a readable XLSX file: {error}.") from None
    except KeyError:
        raise InvalidFile("This is not an XLSX file: a required part is missing.") from None
    except (expat.ExpatError, ValueError) as error:
        if isinstance(error, InvalidFile):
            raise
        raise InvalidFile(f"The sheet cannot be read: {error}.") from None


def _parse_member(
    archive: zipfile.ZipFile,
    path: str,
    handler: "SheetHandler | SharedStringsHandler | ElementAttributesHandler",
) -> Iterator[None]:
    """Parse a file of the archive in chunks; yields after each."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _reject_doctype
    total = 0
    with archive.open(path) as member:
        while chunk := member.read(CHUNK_SIZE):
            total += len(chunk)
            if total > MAX_INFLATED:
                raise InvalidFile("The file is too large when unpacked. Save it as CSV.")
            parser.Parse(chunk, False)
            yield
    parser.Parse(b"", True)
    yield


def _reject_doctype(*_: object) -> None:
    raise InvalidFile("The file declares a document type, which is not allowed.")


@dataclass
class ElementAttributesHandler:
    """Expat handlers that collect the attributes of elements with one name."""

    element_name: str
    elements: list[Attributes] = field(default_factory=list)
    text: Callable[[str], None] = lambda _: None
    end: Callable[[str], None] = lambda _: None

    def start(self, name: str, attributes: Attributes) -> None:
        """Handle a start tag."""
        if name.rpartition(":")[2] == self.element_name and len(self.elements) < MAX_ROWS:
            self.elements.append(attributes)


def _first_sheet_path(archive: zipfile.ZipFile) -> str:
    sheets, links = ElementAttributesHandler("sheet"), ElementAttributesHandler("Relationship")
    for _ in _parse_member(archive, "xl/workbook.xml", sheets):
        pass
    for _ in _parse_member(archive, "xl/_rels/workbook.xml.rels", links):
        pass
    if not sheets.elements:
        raise InvalidFile("The workbook has no sheet.")
    relationship_id = next(
        (v for k, v in sheets.elements[0].items() if k.rpartition(":")[2] == "id"), ""
    )
    target = next(
        (link.get("Target", "") for link in links.elements if link.get("Id") == relationship_id), ""
    )
    return target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))


def _reject_huge_zip_directory(file: IO[bytes]) -> None:
    """Reject a huge ZIP directory: zipfile loads it completely into memory. Raises InvalidFile."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - CHUNK_SIZE))
    tail = file.read()
    offset = tail.rfind(b"PK\x05\x06")
    if offset < 0 or len(tail) - offset < 22:
        raise InvalidFile("This is not an XLSX file.")
    (length,) = struct.unpack_from("<I", tail, offset + 12)
    if length > MAX_DIRECTORY:
        raise InvalidFile("This is not an XLSX file: it has too many parts.")
    file.seek(0)


def _column_index(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _normalize_number(text: str) -> str:
    """Normalize a number: `1E3` becomes `1000`, `5.0` becomes `5`."""
    if text.isdecimal():
        return text
    try:
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 30:
            return text
    except InvalidOperation:
        return text
    is_integer = number == number.to_integral_value()
    return f"{number.quantize(Decimal(1)):f}" if is_integer else f"{number.normalize():f}"
