"""EDIFACT segments: the character set, the separators, and the components between them.

Rules: ISO 9735 (UNA, UNB S001). Public files lack UNA and UNZ, begin with a byte order mark, or
end segments with a newline; all of these are read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from connectors.sdk.payload import MAX_STRING, ParkReason, PayloadError

MAX_SEGMENTS = 200_000
WHITESPACE = " \t\r\n\ufeff"
# Syntax identifiers (UNB S001). UNOA and UNOB are ASCII; senders put Latin-1 in them all the same.
CHARSETS = {
    "UNOA": "latin-1",
    "UNOB": "latin-1",
    "UNOC": "latin-1",
    "UNOD": "iso8859-2",
    "UNOE": "iso8859-5",
    "UNOF": "iso8859-7",
    "UNOG": "iso8859-3",
    "UNOH": "iso8859-4",
    "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9",
    "UNOW": "utf-8",
    "UNOX": "iso2022_jp",
    "UNOY": "utf-8",
}
BOM = b"\xef\xbb\xbf"


class Separators(NamedTuple):
    """The characters of UNA. `release` is "" if there is no release character."""

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    segment: str = "'"


@dataclass(frozen=True, slots=True)
class EdifactSegment:
    """A segment. `segment.text(2, 1)` is the first component of its second data element."""

    tag: str
    elements: tuple[tuple[str, ...], ...]

    def text(self, element: int, component: int = 1) -> str:
        """Return a component, both counted from 1; empty if it is absent."""
        if element > len(self.elements):
            return ""
        components = self.elements[element - 1]
        return components[component - 1] if component <= len(components) else ""


def envelope_error(detail: str, path: str = "UNB") -> PayloadError:
    """Return an error that parks what cannot be read because of its envelope."""
    return PayloadError(ParkReason.EDI_ENVELOPE, path, detail)


def decode_file(body: bytes, charset: str = "") -> str:
    """Decode a file by `charset`, else by its byte order mark, else by UNB S001, else as UTF-8.

    What is valid UTF-8 is no Latin-1, whatever UNB says: many senders write UNOC and mean UTF-8.
    NUL becomes U+FFFD; PostgreSQL cannot store it. Raises PayloadError.
    """
    name = charset or _charset_of_syntax_identifier(body)
    if not charset and (body.startswith(BOM) or _is_utf_8_in_fact(body, name)):
        name = "utf-8"
    try:
        text = body.decode("utf-8-sig" if name.lower() in {"utf-8", "utf8"} else name)
    except UnicodeDecodeError as error:
        raise PayloadError(
            ParkReason.ENCODING,
            "",
            f"not valid {name} at byte {error.start}; see the setting charset",
        ) from None
    except LookupError:
        raise PayloadError(ParkReason.ENCODING, "", f"unknown charset {name!r}") from None
    text = text.lstrip(WHITESPACE).replace("\0", "\ufffd")
    if not text:
        raise PayloadError(ParkReason.EMPTY, "", "the file is empty")
    return text


def _is_utf_8_in_fact(body: bytes, name: str) -> bool:
    if name != "latin-1":
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _charset_of_syntax_identifier(body: bytes) -> str:
    match = re.search(rb"UNB[^A-Za-z0-9\s](UNO[A-Z])", body[:400])
    return CHARSETS.get(match[1].decode("ascii"), "utf-8") if match else "utf-8"


def detect_separators(text: str, at: int = 0) -> Separators:
    """Return the separators of the interchange or message that begins at `at`.

    Without UNA they are `:+.?'`, or newline as the end of segments. Raises PayloadError.
    """
    if text.startswith("UNA", at):
        una = text[at + 3 : at + 9]
        if len(una) < 6 or una[0].isalnum() or una[1].isalnum() or una[0] == una[1]:
            raise envelope_error("UNA has no six service characters", "UNA")
        component, element, decimal, release, _, segment = tuple(una)
        if segment.isalnum() or segment in {component, element}:
            raise envelope_error(f"{segment!r} is no segment terminator", "UNA")
        return Separators(
            component,
            element,
            decimal if decimal in ".," else ".",
            "" if release == " " else release,
            "\n" if segment == "\r" else segment,
        )
    if not re.compile(r"UN[BGH]\+").match(text, at):
        raise envelope_error("the file does not begin with UNA, UNB, UNG or UNH", text[at : at + 3])
    is_quoted = re.compile(r"(?:\?.|[^?'])*'\s*[A-Z]{3}\+", re.DOTALL).match(text, at)
    return Separators() if is_quoted else Separators(segment="\n")


def read_segments(
    text: str, at: int, separators: Separators
) -> Iterator[tuple[EdifactSegment, int]]:
    """Yield each segment with the offset after its terminator. Raises PayloadError."""
    end, release = re.escape(separators.segment), re.escape(separators.release)
    pattern = (
        rf"((?:[^{end}{release}]+|{release}.?)*)({end}|\Z)"
        if release
        else rf"([^{end}]*)({end}|\Z)"
    )
    segment_pattern = re.compile(pattern, re.DOTALL)
    if text.startswith("UNA", at):
        at += 9
    count = 0
    while at < len(text):
        match = segment_pattern.match(text, at)
        if match is None:
            raise envelope_error("the segments cannot be read", "UNA")
        at = match.end()
        content = match[1].strip(WHITESPACE)
        if not content:
            continue
        count += 1
        if count > MAX_SEGMENTS:
            raise PayloadError(ParkReason.SIZE, "", f"more than {MAX_SEGMENTS} segments")
        if len(content) > MAX_STRING:
            raise PayloadError(ParkReason.SIZE, content[:3], "the segment is too long")
        yield _split_segment(content, separators), at


def _split_segment(content: str, separators: Separators) -> EdifactSegment:
    # Line ends within a segment are wrapped lines.
    flat = content.replace("\r", "").replace("\n", "")
    tag, *elements = _split_unless_released(flat, separators.element, separators.release)
    return EdifactSegment(
        tag.partition(separators.component)[0],
        tuple(
            tuple(
                _without_release(component, separators.release).strip()
                for component in _split_unless_released(
                    element, separators.component, separators.release
                )
            )
            for element in elements
        ),
    )


def _split_unless_released(text: str, separator: str, release: str) -> list[str]:
    if not release or release not in text:
        return text.split(separator)
    pieces = re.findall(
        rf"((?:[^{re.escape(separator)}{re.escape(release)}]|{re.escape(release)}.?)*)"
        rf"(?:{re.escape(separator)}|\Z)",
        text,
    )
    # The pattern also matches the empty end of the text.
    return pieces if text.endswith(separator) and not _ends_released(text, release) else pieces[:-1]


def _ends_released(text: str, release: str) -> bool:
    """Whether the last character of the text follows an uneven number of release characters."""
    body = text[:-1]
    return (len(body) - len(body.rstrip(release))) % 2 == 1


def _without_release(text: str, release: str) -> str:
    return (
        re.sub(rf"{re.escape(release)}(.?)", r"\1", text) if release and release in text else text
    )
