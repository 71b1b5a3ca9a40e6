"""X12 envelope reader: delimiters, segments, interchanges, and checks of counts and numbers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from connectors.sdk.payload import MAX_STRING, ParkReason, PayloadError

MAX_SEGMENTS = 200_000
MAX_HEADER = 400
# Whitespace between segments. Not `str.isspace`: some X12 files use 1C-1E or U+0085 as terminator.
WHITESPACE = " \t\r\n\ufeff"
PADDING = WHITESPACE + "\xa0"  # text copied from web pages has no-break spaces
TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}")


class Delimiters(NamedTuple):
    """The element separator and the segment terminator."""

    element: str
    segment: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. `segment[3]` is element 03 in X12 numbering, empty if it is absent."""

    tag: str
    elements: tuple[str, ...]

    def __getitem__(self, position: int) -> str:
        return self.elements[position - 1] if position <= len(self.elements) else ""


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """A transaction set with its envelopes. `findings` describe mismatches in the envelope."""

    code: str
    control_number: str
    segments: tuple[Segment, ...]
    group: Segment | None
    header: Segment | None
    findings: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The transaction set as people find it in the file: `ST 850 0001`."""
        return f"ST {self.code} {self.control_number}"


@dataclass(frozen=True, slots=True)
class Interchange:
    """The content between ISA and IEA, or a file that begins with GS or ST."""

    header: Segment | None
    sets: tuple[TransactionSet, ...]
    errors: tuple[PayloadError, ...]

    @property
    def is_test(self) -> bool:
        """Whether ISA15 marks test traffic."""
        return self.header is not None and self.header[15] == "T"


def _envelope_error(detail: str, path: str = "ISA") -> PayloadError:
    return PayloadError(ParkReason.EDI_ENVELOPE, path, detail)


def decode_text(body: bytes, charset: str = "utf-8") -> str:
    """Decode a file without byte order mark. NUL becomes U+FFFD; PostgreSQL cannot store it."""
    try:
        text = body.decode(charset)
    except UnicodeDecodeError as error:
        raise PayloadError(
            ParkReason.ENCODING,
            "",
            f"not valid {charset} at byte {error.start}; see the setting charset",
        ) from None
    except LookupError:
        raise PayloadError(ParkReason.ENCODING, "", f"unknown charset {charset!r}") from None
    text = text.lstrip(WHITESPACE).replace("\0", "\ufffd")
    if not text:
        raise PayloadError(ParkReason.EMPTY, "", "the file is empty")
    return text


def read_interchanges(text: str) -> list[Interchange]:
    """Read all interchanges of a file. Raises PayloadError if the first one is unreadable."""
    interchanges: list[Interchange] = []
    at = 0
    while (at := _skip_whitespace(text, at)) < len(text):
        try:
            interchange, at = _read_interchange(text, at)
        except PayloadError as error:
            if not interchanges:
                raise
            last = interchanges[-1]
            interchanges[-1] = Interchange(last.header, last.sets, (*last.errors, error))
            break
        interchanges.append(interchange)
    return interchanges


def read_isa(text: str) -> Segment | None:
    """Return the ISA segment at the start of a file, or None."""
    if not text.startswith("ISA"):
        return None
    return next(_read_segments(text, 0, _delimiters_from_isa(text, 0)))[0]


def _skip_whitespace(text: str, at: int) -> int:
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at


def _detect_delimiters(text: str, at: int) -> Delimiters:
    if text.startswith("ISA", at):
        return _delimiters_from_isa(text, at)
    for pattern in (
        r"GS(?P<e>[^\w\s])(?:(?:(?!(?P=e))[^\r\n]){0,40}(?P=e)){7}\w{1,12}(?P<s>[^\w])",
        r"ST(?P<e>[^\w\s])\d{3}(?P=e)\w{1,9}(?:(?P=e)\w*)?(?P<s>[^\w])",
    ):
        match = re.compile(pattern).match(text, at)
        if match and match["s"] != match["e"]:
            return Delimiters(match["e"], "\n" if match["s"] == "\r" else match["s"])
    raise _envelope_error("the file does not begin with ISA, GS or ST", text[at : at + 3])


def _delimiters_from_isa(text: str, at: int) -> Delimiters:
    """Walk 16 elements: senders do not always pad the ISA to its standard 106 bytes."""
    element = text[at + 3 : at + 4]
    if not element or element.isalnum() or element in WHITESPACE:
        raise _envelope_error("no element separator after ISA")
    end = at + 3
    for position in range(2, 17):
        end = text.find(element, end + 1, at + MAX_HEADER)
        if end < 0:
            raise _envelope_error(f"the ISA has no element {position:02}")
    if re.search(rf"\WGS{re.escape(element)}", text[at:end]):
        raise _envelope_error("the ISA has fewer than 16 elements")
    component, terminator = text[end + 1 : end + 2], text[end + 2 : end + 3]
    if not terminator:
        raise _envelope_error("the file ends within the ISA")
    if component in "\r\n" or text[end + 2 : end + 4] in {"GS", "TA"}:
        terminator = component  # ISA16 is missing
    elif terminator in "\r\n" and component != " ":
        # One character and a line end: it is the terminator if it also ends other segments.
        closes = re.compile(rf"{re.escape(component)}\s*(?:ST|TA1|GE|IEA){re.escape(element)}")
        terminator = component if closes.search(text, end + 1) else terminator
    if terminator.isalnum() or terminator == element:
        raise _envelope_error(f"{terminator!r} is not a valid segment terminator")
    return Delimiters(element, "\n" if terminator == "\r" and "\n" in text else terminator)


def _read_segments(text: str, at: int, delimiters: Delimiters) -> Iterator[tuple[Segment, int]]:
    """Yield the segments from offset `at`, each with the offset of its end."""
    count = 0
    while (at := _skip_whitespace(text, at)) < len(text):
        end = text.find(delimiters.segment, at)
        end = len(text) if end < 0 else end
        # A line end within a segment is a wrapped line, not part of a value.
        raw = text[at:end].replace("\r", "").replace("\n", "")
        tag, *elements = (piece.strip(PADDING) for piece in raw.split(delimiters.element))
        count += 1
        if count > MAX_SEGMENTS:
            raise PayloadError(ParkReason.SIZE, "", f"more than {MAX_SEGMENTS} segments")
        if any(len(element) > MAX_STRING for element in elements):
            raise PayloadError(ParkReason.SIZE, tag, f"text longer than {MAX_STRING} characters")
        yield Segment(tag, tuple(elements)), min(end + 1, len(text))
        at = end + 1


def _read_interchange(text: str, start: int) -> tuple[Interchange, int]:
    reader, end = _InterchangeReader(), start
    for segment, after in _read_segments(text, start, _detect_delimiters(text, start)):
        if segment.tag == "ISA" and end > start:
            break
        end = after
        reader.process_segment(segment)
        if segment.tag == "IEA":
            break
    return reader.finish(), end


def _numbers_match(left: str, right: str) -> bool:
    """Whether two counts or control numbers are equal; `00001` equals `1`."""
    if left.isascii() and right.isascii() and left.isdigit() and right.isdigit():
        return int(left[:18]) == int(right[:18])
    return left == right


@dataclass(slots=True)
class _InterchangeReader:
    """State machine over the segments of one interchange."""

    header: Segment | None = None
    group: Segment | None = None
    open_set: Segment | None = None  # the ST of the open set
    open_segments: list[Segment] = field(default_factory=list)
    sets: list[TransactionSet] = field(default_factory=list)
    errors: list[PayloadError] = field(default_factory=list)
    first_set_index: int = 0  # the index of the open group's first set
    set_count: int = 0  # the sets begun in the open group
    group_count: int = 0
    is_closed: bool = False

    def process_segment(self, segment: Segment) -> None:
        """Process one segment."""
        if segment.tag == "ISA":
            self.header = segment
        elif segment.tag == "IEA":
            self._reject_open_set("IEA")
            self._close_open_group("IEA")
            self.is_closed = True
            self._add_finding_if_different(0, "IEA01", segment[1], str(self.group_count))
            self._add_finding_if_different(
                0, "IEA02", segment[2], self.header[13] if self.header else segment[2]
            )
        elif segment.tag == "GS":
            self._reject_open_set("GS")
            self._close_open_group("GS")
            self.group, self.first_set_index, self.set_count = segment, len(self.sets), 0
            self.group_count += 1
        elif segment.tag == "GE":
            self._reject_open_set("GE")
            self._add_finding_if_different(
                self.first_set_index, "GE01", segment[1], str(self.set_count)
            )
            self._add_finding_if_different(
                self.first_set_index,
                "GE02",
                segment[2],
                self.group[6] if self.group else segment[2],
            )
            self.group = None
        elif segment.tag == "ST":
            self._reject_open_set("ST")
            self.open_set, self.open_segments = segment, []
            self.set_count += 1
        elif segment.tag == "SE":
            self._close_set(segment)
        elif self.open_set is not None:
            self.open_segments.append(segment)
        elif segment.tag != "TA1":
            self.errors.append(
                _envelope_error("the segment is outside a transaction set", segment.tag[:20])
            )

    def _close_set(self, end: Segment) -> None:
        start, self.open_set = self.open_set, None
        if start is None:
            self.errors.append(_envelope_error("SE without ST", f"SE {end[2]}"))
            return
        transaction_set = TransactionSet(
            start[1], start[2], tuple(self.open_segments), self.group, self.header
        )
        invalid_tag = next((s.tag for s in self.open_segments if not TAG.fullmatch(s.tag)), None)
        if invalid_tag is not None:
            self.errors.append(
                _envelope_error(f"{invalid_tag[:20]!r} is not a segment", transaction_set.path)
            )
            return
        self.sets.append(transaction_set)
        self._add_finding_if_different(
            len(self.sets) - 1, "SE01", end[1], str(len(self.open_segments) + 2)
        )
        self._add_finding_if_different(len(self.sets) - 1, "SE02", end[2], start[2])

    def _reject_open_set(self, next_tag: str) -> None:
        """Reject an unterminated set: it may lack lines."""
        if self.open_set is not None:
            path = f"ST {self.open_set[1]} {self.open_set[2]}"
            self.errors.append(
                _envelope_error(f"the transaction set has no SE before {next_tag}", path)
            )
            self.open_set = None

    def _close_open_group(self, next_tag: str) -> None:
        """Close an unterminated group. Its number of sets cannot be checked."""
        if self.group is not None:
            self._add_finding_to_sets(
                self.first_set_index, f"the group has no GE before {next_tag}"
            )
            self.group = None

    def _add_finding_if_different(
        self, first: int, name: str, reported: str, expected: str
    ) -> None:
        """Add a finding to the sets from index `first` on if a count or control number differs."""
        if not _numbers_match(reported, expected):
            self._add_finding_to_sets(
                first, f"{name} is {reported[:20]!r}, expected {expected[:20]!r}"
            )

    def _add_finding_to_sets(self, first: int, finding: str) -> None:
        for index in range(first, len(self.sets)):
            old_set = self.sets[index]
            self.sets[index] = replace(old_set, findings=(*old_set.findings, finding))

    def finish(self) -> Interchange:
        """Return the interchange. An ISA without IEA means that the file is truncated."""
        self._reject_open_set("the end")
        if self.header is not None and not self.is_closed:
            self.errors.append(
                _envelope_error("the interchange has no IEA; the file may be truncated")
            )
        if not self.sets and not self.errors and self.group_count:
            self.errors.append(_envelope_error("the interchange has no transaction set"))
        return Interchange(self.header, tuple(self.sets), tuple(self.errors))
