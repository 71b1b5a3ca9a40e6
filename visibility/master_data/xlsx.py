"""The first sheet of an XLSX, read in a stream, with limits against bombs.

A sheet is XML in a ZIP. Expat reads it as it is inflated, so memory holds the shared texts and one
piece of the sheet; document types (and with them every entity) are refused.
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

PIECE = 65_536
INFLATED = 1_073_741_824
DIRECTORY = 1_048_576
SHARED = 24_000_000  # characters
ROWS = 1_048_576
COLUMNS = 100
LONGEST = 32_768
REF = re.compile(r"([A-Z]{1,3})\d+", re.ASCII)
Attributes = dict[str, str]


class BadFile(ValueError):
    """The file as a whole can't be read; the text says why."""


@dataclass
class Sheet:
    """Collects the rows of a sheet while it is parsed."""

    shared: list[str]
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    _row: dict[int, str] = field(default_factory=dict)
    _number: int = 0
    _column: int = -1
    _kind: str = ""
    _text: list[str] | None = None
    _length: int = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins."""
        name = name.rpartition(":")[2]
        if name == "row":
            self._row = {}
            self._number = int(attributes.get("r") or self._number + 1)
            self._column = -1
            if self._number > ROWS:
                raise BadFile(f"The sheet has more than {ROWS} rows.")
        elif name == "c":
            ref = REF.fullmatch(attributes.get("r", ""))
            self._column = _index(ref[1]) if ref else self._column + 1
            self._kind = attributes.get("t", "n")
        elif name in {"v", "t"}:
            self._text, self._length = [], 0

    def text(self, data: str) -> None:
        """A piece of text."""
        if self._text is not None:
            self._length += len(data)
            if self._length > LONGEST:
                raise BadFile(f"Row {self._number} has a cell of more than {LONGEST} characters.")
            self._text.append(data)

    def end(self, name: str) -> None:
        """An element ends."""
        name = name.rpartition(":")[2]
        if name in {"v", "t"} and self._text is not None:
            found = "".join(self._text)
            self._text = None
            if 0 <= self._column < COLUMNS:
                before = self._row.get(self._column, "") if name == "t" else ""
                self._row[self._column] = before + self._value(found)
        elif name == "row" and self._row:
            width = max(self._row) + 1
            self.rows.append((self._number, [self._row.get(n, "") for n in range(width)]))

    def _value(self, text: str) -> str:
        if self._kind == "s":
            number = int(text) if text.isdecimal() else len(self.shared)
            if number >= len(self.shared):
                raise BadFile(f"Row {self._number} refers to a text that is not in the file.")
            return self.shared[number]
        if self._kind == "n":
            return _number(text)
        return text


@dataclass
class Texts:
    """Collects the shared texts."""

    found: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _inside: bool = False
    _reading: bool = False
    _length: int = 0

    def start(self, name: str, _: Attributes) -> None:
        """An element begins."""
        name = name.rpartition(":")[2]
        if name == "si":
            self._text = []
        # Readings of Japanese words stand beside the text.
        self._reading = self._reading or name == "rPh"
        self._inside = name == "t" and not self._reading

    def text(self, data: str) -> None:
        """A piece of text."""
        if self._inside:
            self._length += len(data)
            if self._length > SHARED:
                raise BadFile("The file has too many different texts: save it as CSV.")
            self._text.append(data)

    def end(self, name: str) -> None:
        """An element ends."""
        name = name.rpartition(":")[2]
        self._inside = False
        if name == "rPh":
            self._reading = False
        if name == "si":
            self.found.append("".join(self._text))


def rows(file: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet and their numbers. Raises BadFile."""
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            path = _first_sheet(archive)
            texts = Texts()
            if "xl/sharedStrings.xml" in names:
                for _ in _parse(archive, "xl/sharedStrings.xml", texts):
                    pass
            sheet = Sheet(texts.found)
            for _ in _parse(archive, path, sheet):
                yield from sheet.rows
                sheet.rows.clear()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadFile(f"This is not a readable XLSX file: {error}.") from None
    except KeyError:
        raise BadFile("This is not an XLSX file: a part of it is missing.") from None
    except (expat.ExpatError, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"The sheet can't be read: {error}.") from None


def _parse(archive: zipfile.ZipFile, path: str, into: "Sheet | Texts | Names") -> Iterator[None]:
    """Parse a part piece by piece."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = into.start
    parser.EndElementHandler = into.end
    parser.CharacterDataHandler = into.text
    parser.StartDoctypeDeclHandler = _refuse
    total = 0
    with archive.open(path) as part:
        while piece := part.read(PIECE):
            total += len(piece)
            if total > INFLATED:
                raise BadFile("The file is too large when unpacked: save it as CSV.")
            parser.Parse(piece, False)
            yield
    parser.Parse(b"", True)
    yield


def _refuse(*_: object) -> None:
    raise BadFile("The file declares a document type, which a spreadsheet does not.")


@dataclass
class Names:
    """Collects the elements of a small part by name."""

    wanted: str
    found: list[Attributes] = field(default_factory=list)
    text: Callable[[str], None] = lambda _: None
    end: Callable[[str], None] = lambda _: None

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins."""
        if name.rpartition(":")[2] == self.wanted and len(self.found) < ROWS:
            self.found.append(attributes)


def _first_sheet(archive: zipfile.ZipFile) -> str:
    sheets, links = Names("sheet"), Names("Relationship")
    for _ in _parse(archive, "xl/workbook.xml", sheets):
        pass
    for _ in _parse(archive, "xl/_rels/workbook.xml.rels", links):
        pass
    if not sheets.found:
        raise BadFile("The workbook has no sheet.")
    wanted = next((v for k, v in sheets.found[0].items() if k.rpartition(":")[2] == "id"), "")
    target = next((link.get("Target", "") for link in links.found if link.get("Id") == wanted), "")
    return target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))


def _check_directory(file: IO[bytes]) -> None:
    """A directory of a million names would fill the memory before a byte is inflated."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - PIECE))
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        raise BadFile("This is not an XLSX file.")
    (length,) = struct.unpack_from("<I", tail, place + 12)
    if length > DIRECTORY:
        raise BadFile("This is not an XLSX file: it has too many parts.")
    file.seek(0)


def _index(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _number(text: str) -> str:
    """A number as people write it: `1E3` is 1000, `5.0` is 5."""
    if text.isdecimal():
        return text
    try:
        found = Decimal(text)
        if not found.is_finite() or abs(found.adjusted()) > 30:
            return text
    except InvalidOperation:
        return text
    whole = found == found.to_integral_value()
    return f"{found.quantize(Decimal(1)):f}" if whole else f"{found.normalize():f}"
