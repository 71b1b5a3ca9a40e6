"""X12 interchanges: delimiters by the ISA, segments, envelopes, and what of them disagrees."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from connectors.sdk.payload import MAX_STRING, PayloadError, Reason

MAX_SEGMENTS = 200_000
MAX_HEADER = 400
# Blanks between segments. `str.isspace` is wider: X12 files use 1C-1E and U+0085 as terminators.
BLANKS = " \t\r\n\ufeff"
PADDING = BLANKS + "\xa0"  # no-break spaces come with text that went through a web page
TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}")


class Delimiters(NamedTuple):
    """What ends an element and a segment."""

    element: str
    segment: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `segment[3]` is its third element as X12 counts, empty where it is absent."""

    tag: str
    elements: tuple[str, ...]

    def __getitem__(self, position: int) -> str:
        return self.elements[position - 1] if position <= len(self.elements) else ""


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """One document with its envelopes. `findings`: sentences on what of the envelope disagrees."""

    code: str
    control: str
    segments: tuple[Segment, ...]
    group: Segment | None
    header: Segment | None
    findings: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """How a person finds it in the file."""
        return f"ST {self.code} {self.control}"


@dataclass(frozen=True, slots=True)
class Interchange:
    """What stood between one ISA and its IEA, or a file that begins at GS or ST."""

    header: Segment | None
    sets: tuple[TransactionSet, ...]
    problems: tuple[PayloadError, ...]

    @property
    def test(self) -> bool:
        """Whether ISA15 says that this is test traffic."""
        return self.header is not None and self.header[15] == "T"


def _unreadable(detail: str, path: str = "ISA") -> PayloadError:
    return PayloadError(Reason.EDI_ENVELOPE, path, detail)


def decode(body: bytes, charset: str = "utf-8") -> str:
    """The text of a file, without byte order mark; NUL becomes U+FFFD (PostgreSQL keeps none)."""
    try:
        text = body.decode(charset)
    except UnicodeDecodeError as error:
        raise PayloadError(
            Reason.ENCODING, "", f"not {charset} at byte {error.start}; see the setting charset"
        ) from None
    except LookupError:
        raise PayloadError(Reason.ENCODING, "", f"there is no charset {charset!r}") from None
    text = text.lstrip(BLANKS).replace("\0", "\ufffd")
    if not text:
        raise PayloadError(Reason.EMPTY, "", "the file is empty")
    return text


def read(text: str) -> list[Interchange]:
    """Every interchange of a file. Raises PayloadError where not even the first can be read."""
    found: list[Interchange] = []
    at = 0
    while (at := _next(text, at)) < len(text):
        try:
            interchange, at = _interchange(text, at)
        except PayloadError as error:
            if not found:
                raise
            found[-1] = replace(found[-1], problems=(*found[-1].problems, error))
            break
        found.append(interchange)
    return found


def header(text: str) -> Segment | None:
    """The ISA that a file begins with, if it begins with one."""
    if not text.startswith("ISA"):
        return None
    return next(_segments(text, 0, _from_isa(text, 0)))[0]


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def _delimiters(text: str, at: int) -> Delimiters:
    if text.startswith("ISA", at):
        return _from_isa(text, at)
    for pattern in (
        r"GS(?P<e>[^\w\s])(?:(?:(?!(?P=e))[^\r\n]){0,40}(?P=e)){7}\w{1,12}(?P<s>[^\w])",
        r"ST(?P<e>[^\w\s])\d{3}(?P=e)\w{1,9}(?:(?P=e)\w*)?(?P<s>[^\w])",
    ):
        match = re.compile(pattern).match(text, at)
        if match and match["s"] != match["e"]:
            return Delimiters(match["e"], "\n" if match["s"] == "\r" else match["s"])
    raise _unreadable("the file begins with none of ISA, GS, ST", text[at : at + 3])


def _from_isa(text: str, at: int) -> Delimiters:
    """Walk 16 elements: the fields need not be padded, so the 106 byte width can't be trusted."""
    element = text[at + 3 : at + 4]
    if not element or element.isalnum() or element in BLANKS:
        raise _unreadable("no element separator after ISA")
    end = at + 3
    for position in range(2, 17):
        end = text.find(element, end + 1, at + MAX_HEADER)
        if end < 0:
            raise _unreadable(f"the ISA has no element {position:02}")
    if re.search(rf"\WGS{re.escape(element)}", text[at:end]):
        raise _unreadable("the ISA has fewer than 16 elements")
    component, terminator = text[end + 1 : end + 2], text[end + 2 : end + 3]
    if not terminator:
        raise _unreadable("the file ends within the ISA")
    if component in "\r\n" or text[end + 2 : end + 4] in {"GS", "TA"}:
        terminator = component  # ISA16 was left out
    elif terminator in "\r\n" and component != " ":
        # One character and a line end: the character closes the segment if it closes others too.
        closes = re.compile(rf"{re.escape(component)}\s*(?:ST|TA1|GE|IEA){re.escape(element)}")
        terminator = component if closes.search(text, end + 1) else terminator
    if terminator.isalnum() or terminator == element:
        raise _unreadable(f"{terminator!r} ends no segment")
    return Delimiters(element, "\n" if terminator == "\r" and "\n" in text else terminator)


def _segments(text: str, at: int, delimiters: Delimiters) -> Iterator[tuple[Segment, int]]:
    """The segments from `at` on, each with the offset behind it."""
    count = 0
    while (at := _next(text, at)) < len(text):
        end = text.find(delimiters.segment, at)
        end = len(text) if end < 0 else end
        # A line end within a segment is a wrapped line, not part of a value.
        raw = text[at:end].replace("\r", "").replace("\n", "")
        tag, *elements = (part.strip(PADDING) for part in raw.split(delimiters.element))
        count += 1
        if count > MAX_SEGMENTS:
            raise PayloadError(Reason.SIZE, "", f"more than {MAX_SEGMENTS} segments")
        if any(len(element) > MAX_STRING for element in elements):
            raise PayloadError(Reason.SIZE, tag, f"text longer than {MAX_STRING} characters")
        yield Segment(tag, tuple(elements)), min(end + 1, len(text))
        at = end + 1


def _interchange(text: str, start: int) -> tuple[Interchange, int]:
    reader, end = _Reader(), start
    for segment, after in _segments(text, start, _delimiters(text, start)):
        if segment.tag == "ISA" and end > start:
            break
        end = after
        reader.take(segment)
        if segment.tag == "IEA":
            break
    return reader.finish(), end


def _same(left: str, right: str) -> bool:
    """Whether two counts or control numbers agree; `00001` is 1."""
    if left.isascii() and right.isascii() and left.isdigit() and right.isdigit():
        return int(left[:18]) == int(right[:18])
    return left == right


@dataclass(slots=True)
class _Reader:
    """Where the reader stands in the envelopes."""

    header: Segment | None = None
    group: Segment | None = None
    start: Segment | None = None  # the ST of the open set
    body: list[Segment] = field(default_factory=list)
    sets: list[TransactionSet] = field(default_factory=list)
    problems: list[PayloadError] = field(default_factory=list)
    first: int = 0  # the index of the open group's first set
    opened: int = 0  # the sets begun in the open group
    groups: int = 0
    closed: bool = False

    def take(self, segment: Segment) -> None:
        """Follow one segment."""
        if segment.tag == "ISA":
            self.header = segment
        elif segment.tag == "IEA":
            self._cut("IEA")
            self._leave("IEA")
            self.closed = True
            self._agree(0, "IEA01", segment[1], str(self.groups))
            self._agree(0, "IEA02", segment[2], self.header[13] if self.header else segment[2])
        elif segment.tag == "GS":
            self._cut("GS")
            self._leave("GS")
            self.group, self.first, self.opened = segment, len(self.sets), 0
            self.groups += 1
        elif segment.tag == "GE":
            self._cut("GE")
            self._agree(self.first, "GE01", segment[1], str(self.opened))
            self._agree(self.first, "GE02", segment[2], self.group[6] if self.group else segment[2])
            self.group = None
        elif segment.tag == "ST":
            self._cut("ST")
            self.start, self.body = segment, []
            self.opened += 1
        elif segment.tag == "SE":
            self._close(segment)
        elif self.start is not None:
            self.body.append(segment)
        elif segment.tag != "TA1":
            self.problems.append(_unreadable("it stands outside a set", segment.tag[:20]))

    def _close(self, end: Segment) -> None:
        start, self.start = self.start, None
        if start is None:
            self.problems.append(_unreadable("an SE without its ST", f"SE {end[2]}"))
            return
        made = TransactionSet(start[1], start[2], tuple(self.body), self.group, self.header)
        odd = next((s.tag for s in self.body if not TAG.fullmatch(s.tag)), None)
        if odd is not None:
            self.problems.append(_unreadable(f"{odd[:20]!r} is no segment", made.path))
            return
        self.sets.append(made)
        self._agree(len(self.sets) - 1, "SE01", end[1], str(len(self.body) + 2))
        self._agree(len(self.sets) - 1, "SE02", end[2], start[2])

    def _cut(self, by: str) -> None:
        """A set that never ended may lack lines: it must not apply."""
        if self.start is not None:
            path = f"ST {self.start[1]} {self.start[2]}"
            self.problems.append(_unreadable(f"the set has no SE before {by}", path))
            self.start = None

    def _leave(self, by: str) -> None:
        """A group that never ended says nothing about how many sets it had."""
        if self.group is not None:
            self._note(self.first, f"the group has no GE before {by}")
            self.group = None

    def _agree(self, first: int, name: str, said: str, found: str) -> None:
        """Note on the sets from `first` on that a count or control number differs."""
        if not _same(said, found):
            self._note(first, f"{name} says {said[:20]!r}, found {found[:20]!r}")

    def _note(self, first: int, finding: str) -> None:
        for index in range(first, len(self.sets)):
            was = self.sets[index]
            self.sets[index] = replace(was, findings=(*was.findings, finding))

    def finish(self) -> Interchange:
        """The interchange; an ISA without its IEA is a file that was cut."""
        self._cut("the end")
        if self.header is not None and not self.closed:
            self.problems.append(_unreadable("the interchange has no IEA: the file may be cut"))
        if not self.sets and not self.problems and self.groups:
            self.problems.append(_unreadable("the interchange holds no transaction set"))
        return Interchange(self.header, tuple(self.sets), tuple(self.problems))
