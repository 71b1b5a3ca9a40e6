"""Stream the first sheet of an XLSX file, with limits against zip bombs and XML bombs.

A sheet is XML in a ZIP archive. Expat parses it while it is inflated, so memory holds only the
shared strings and one chunk of the sheet. Document types, and with them all entities, are rejected.
docs/decisions/0017-xlsx-reader.md compares this with libraries.
"""

import re
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
MAX_INDEX = 16_777_216  # size of the lists of sheets and relationships
MAX_SHEETS = 10_000
MAX_TAG = 1_048_576
MAX_NAMES = 10_000
MAX_DEPTH = 1_000
MAX_SHARED_TEXT = 24_000_000  # characters
MAX_SHARED_STRINGS = 4_000_000
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
    depth: int = 0
    _row: dict[int, str] = field(default_factory=dict)
    _number: int = 0
    _row_count: int = 0
    _column: int = -1
    _kind: str = ""
    _text: list[str] | None = None
    _length: int = 0

    def open_element(self, name: str, attributes: Attributes) -> None:
        """Handle a start tag."""
        self.depth += 1
        name = name.rpartition(":")[2]
        if name == "row":
            self._row = {}
            self._number = int(attributes.get("r") or self._number + 1)
            self._column = -1
            self._row_count += 1
            if max(self._number, self._row_count) > MAX_ROWS:
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
            self._check_cell_length(self._length)
            self._text.append(data)

    def close_element(self, name: str) -> None:
        """Handle an end tag."""
        self.depth -= 1
        name = name.rpartition(":")[2]
        if name in {"v", "t"} and self._text is not None:
            text = "".join(self._text)
            self._text = None
            if 0 <= self._column < MAX_COLUMNS:
                before = self._row.get(self._column, "") if name == "t" else ""
                value = before + self._decode_cell_value(text)
                self._check_cell_length(len(value))
                self._row[self._column] = value
        elif name == "row" and self._row:
            width = max(self._row) + 1
            self.rows.append((self._number, [self._row.get(n, "") for n in range(width)]))

    def _check_cell_length(self, length: int) -> None:
        if length > MAX_CELL_LENGTH:
            raise InvalidFile(
                f"Row {self._number} has a cell with more than {MAX_CELL_LENGTH:,} characters."
            )

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
    depth: int = 0
    _text: list[str] = field(default_factory=list)
    _in_text: bool = False
    _in_phonetic: bool = False
    _length: int = 0

    def open_element(self, name: str, _: Attributes) -> None:
        """Handle a start tag."""
        self.depth += 1
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
            self._text.append(data)
            self._check_size()

    def close_element(self, name: str) -> None:
        """Handle an end tag."""
        self.depth -= 1
        name = name.rpartition(":")[2]
        self._in_text = False
        if name == "rPh":
            self._in_phonetic = False
        if name == "si":
            self.strings.append("".join(self._text))
            self._text = []
            self._check_size()

    def _check_size(self) -> None:
        count = len(self.strings) + len(self._text)
        if self._length > MAX_SHARED_TEXT or count > MAX_SHARED_STRINGS:
            raise InvalidFile("The file has too much text. Save it as CSV.")


class FileWithMaxReadSize:
    """A file without huge reads: zipfile reads the directory of an archive completely."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes. Raises InvalidFile if too many are requested."""
        if size > MAX_DIRECTORY:
            raise InvalidFile("This is not an XLSX file: it has too many parts.")
        return self._file.read(size)


def read_first_sheet(file: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet with their numbers. Raises InvalidFile."""
    try:
        bounded = FileWithMaxReadSize(file)
        if not zipfile.is_zipfile(bounded):
            raise InvalidFile("This is not an XLSX file.")
        with zipfile.ZipFile(bounded) as archive:
            names = set(archive.namelist())
            path = _first_sheet_path(archive)
            shared_strings = SharedStringsHandler()
            if "xl/sharedStrings.xml" in names:
                for _ in _parse_member(
                    archive, "xl/sharedStrings.xml", shared_strings, max_size=MAX_INFLATED
                ):
                    pass
            sheet = SheetHandler(shared_strings.strings)
            for _ in _parse_member(archive, path, sheet, max_size=MAX_INFLATED):
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
    handler: "SheetHandler | SharedStringsHandler | ElementAttributesCollector",
    *,
    max_size: int,
) -> Iterator[None]:
    """Parse a file of the archive in chunks; yields after each."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = handler.open_element
    parser.EndElementHandler = handler.close_element
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _reject_doctype
    total = 0
    # For other methods, zipfile inflates a chunk completely, whatever its size is then.
    if archive.getinfo(path).compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise InvalidFile("This is not a readable XLSX file: it must be compressed with deflate.")
    with archive.open(path) as member:
        while chunk := member.read(CHUNK_SIZE):
            total += len(chunk)
            if total > max_size:
                raise InvalidFile("The file is too large when unpacked. Save it as CSV.")
            parser.Parse(chunk, False)
            # Expat keeps unfinished tags (older versions scan them again for each chunk), the tags
            # that are still open, and all names.
            is_tag_too_long = total - parser.CurrentByteIndex > MAX_TAG
            if is_tag_too_long or handler.depth > MAX_DEPTH or len(parser.intern) > MAX_NAMES:
                raise InvalidFile("The XML in the file is too complex. Save it as CSV.")
            yield
    parser.Parse(b"", True)
    yield


def _reject_doctype(*_: object) -> None:
    raise InvalidFile("The file declares a document type, which is not allowed.")


@dataclass
class ElementAttributesCollector:
    """Expat handlers that collect the attributes of elements with one name."""

    element_name: str
    elements: list[Attributes] = field(default_factory=list)
    depth: int = 0
    text: Callable[[str], None] = lambda _: None

    def open_element(self, name: str, attributes: Attributes) -> None:
        """Handle a start tag."""
        self.depth += 1
        if name.rpartition(":")[2] == self.element_name and len(self.elements) < MAX_SHEETS:
            self.elements.append(attributes)

    def close_element(self, _: str) -> None:
        """Handle an end tag."""
        self.depth -= 1


def _first_sheet_path(archive: zipfile.ZipFile) -> str:
    sheets, links = ElementAttributesCollector("sheet"), ElementAttributesCollector("Relationship")
    for _ in _parse_member(archive, "xl/workbook.xml", sheets, max_size=MAX_INDEX):
        pass
    for _ in _parse_member(archive, "xl/_rels/workbook.xml.rels", links, max_size=MAX_INDEX):
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
