"""X12 segments: detection of the delimiters, and the elements between them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from connectors.sdk.payload import MAX_STRING, ParkReason, PayloadError

MAX_SEGMENTS = 200_000
MAX_HEADER = 400
# Whitespace between segments. Not `str.isspace`: some X12 files use 1C-1E or U+0085 as terminator.
WHITESPACE = " \t\r\n\ufeff"
PADDING = WHITESPACE + "\xa0"  # text copied from web pages has no-break spaces


class Delimiters(NamedTuple):
    """The element separator and the segment terminator."""

    element: str
    segment: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. `segment[3]` is element 03 in X12 numbering, empty if it is absent.

    `split_at_line_ends` is empty, or the segments that it is if a line end before what looks like
    a segment is a missing terminator, and not a wrapped line.
    """

    tag: str
    elements: tuple[str, ...]
    split_at_line_ends: tuple["Segment", ...] = ()

    def __getitem__(self, position: int) -> str:
        return self.elements[position - 1] if position <= len(self.elements) else ""


def envelope_error(detail: str, path: str = "ISA") -> PayloadError:
    """Return an error that parks what cannot be read because of its envelope."""
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


def read_isa(text: str) -> Segment | None:
    """Return the ISA segment at the start of a file, or None."""
    if not text.startswith("ISA"):
        return None
    return next(read_segments(text, 0, _delimiters_from_isa(text, 0)))[0]


def skip_whitespace(text: str, at: int) -> int:
    """Return the offset of the first character from `at` on that is not whitespace."""
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at


def detect_delimiters(text: str, at: int) -> Delimiters:
    """Return the delimiters of the interchange, group or set that begins at `at`."""
    if text.startswith("ISA", at):
        return _delimiters_from_isa(text, at)
    for pattern in (
        r"GS(?P<e>[^\w\s])(?:(?:(?!(?P=e))[^\r\n]){0,40}(?P=e)){7}\w{1,12}(?P<s>[^\w])",
        r"ST(?P<e>[^\w\s])\d{3}(?P=e)\w{1,9}(?:(?P=e)\w*)?(?P<s>[^\w])",
    ):
        match = re.compile(pattern).match(text, at)
        if match and match["s"] != match["e"]:
            return Delimiters(match["e"], "\n" if match["s"] == "\r" else match["s"])
    raise envelope_error("the file does not begin with ISA, GS or ST", text[at : at + 3])


def _delimiters_from_isa(text: str, at: int) -> Delimiters:
    """Walk 16 elements: senders do not always pad the ISA to its standard 106 bytes."""
    element = text[at + 3 : at + 4]
    if not element or element.isalnum() or element in WHITESPACE:
        raise envelope_error("no element separator after ISA")
    end = at + 3
    for position in range(2, 17):
        end = text.find(element, end + 1, at + MAX_HEADER)
        if end < 0:
            raise envelope_error(f"the ISA has no element {position:02}")
    if re.search(rf"\WGS{re.escape(element)}", text[at:end]):
        raise envelope_error("the ISA has fewer than 16 elements")
    component, terminator = text[end + 1 : end + 2], text[end + 2 : end + 3]
    if not terminator:
        raise envelope_error("the file ends within the ISA")
    if component in "\r\n" or text[end + 2 : end + 4] in {"GS", "TA"}:
        terminator = component  # ISA16 is missing
    elif terminator in "\r\n" and component != " ":
        # One character and a line end: it is the terminator if it also ends other segments.
        closes = re.compile(rf"{re.escape(component)}\s*(?:ST|TA1|GE|IEA){re.escape(element)}")
        terminator = component if closes.search(text, end + 2) else terminator
    if terminator in "\r\n":
        _check_that_lines_have_no_other_terminator(text, end + 2, element)
    if terminator.isalnum() or terminator == element:
        raise envelope_error(f"{terminator!r} is not a valid segment terminator")
    return Delimiters(element, "\n" if terminator == "\r" and "\n" in text else terminator)


def _check_that_lines_have_no_other_terminator(text: str, at: int, element: str) -> None:
    """Raise PayloadError if the lines after the ISA end with a terminator that the ISA lacks.

    Otherwise the terminator would become a part of the last element of each segment.
    """
    lines = text[at : at + MAX_HEADER * 4].split("\n")[:-1]
    ends = {line.strip()[-1] for line in lines if line.strip()}
    if len(ends) == 1 and len(lines) > 2:
        (end,) = ends
        if not end.isalnum() and end != element:
            raise envelope_error(
                f"the ISA does not end with {end!r}, which ends the other segments"
            )


def _split_before_segment_like_lines(raw: str, element: str) -> tuple[Segment, ...]:
    """Split a segment before each line that looks like a segment; empty if there is none.

    A line that ends with an element separator is wrapped: the next line begins with an element.
    """
    begins = re.compile(rf"[A-Z][A-Z0-9]{{1,2}}{re.escape(element)}")
    pieces: list[list[str]] = []
    for line in re.split(r"[\r\n]+", raw):
        text = line.strip(WHITESPACE)
        if pieces and (not begins.match(text) or pieces[-1][-1].rstrip(PADDING).endswith(element)):
            pieces[-1].append(line)
        else:
            pieces.append([line])
    joined = ["".join(lines).strip(WHITESPACE) for lines in pieces]
    return tuple(_parse_segment(piece, element) for piece in joined) if len(joined) > 1 else ()


def _parse_segment(raw: str, element: str, split: tuple[Segment, ...] = ()) -> Segment:
    """Parse a segment without its terminator. Raises PayloadError if an element is too long."""
    # A line end within a segment is a wrapped line, not part of a value.
    text = raw.replace("\r", "").replace("\n", "")
    tag, *elements = (piece.strip(PADDING) for piece in text.split(element))
    if any(len(value) > MAX_STRING for value in elements):
        raise PayloadError(ParkReason.SIZE, tag, f"text longer than {MAX_STRING} characters")
    return Segment(tag, tuple(elements), split)


def read_segments(text: str, at: int, delimiters: Delimiters) -> Iterator[tuple[Segment, int]]:
    """Yield the segments from offset `at`, each with the offset of its end."""
    count = 0
    while (at := skip_whitespace(text, at)) < len(text):
        end = text.find(delimiters.segment, at)
        end = len(text) if end < 0 else end
        raw = text[at:end]
        count += 1
        if count > MAX_SEGMENTS:
            raise PayloadError(ParkReason.SIZE, "", f"more than {MAX_SEGMENTS} segments")
        has_line_end = "\n" in raw or "\r" in raw
        split = _split_before_segment_like_lines(raw, delimiters.element) if has_line_end else ()
        yield _parse_segment(raw, delimiters.element, split), min(end + 1, len(text))
        at = end + 1
