"""EDIFACT interchanges: their groups and messages, and checks of counts and references."""

from dataclasses import dataclass, field, replace

from connectors.sdk.payload import PayloadError
from connectors.systems.edifact.segments import (
    WHITESPACE,
    EdifactSegment,
    Separators,
    detect_separators,
    envelope_error,
    read_segments,
)


@dataclass(frozen=True, slots=True)
class EdifactMessage:
    """A message between UNH and UNT, with its envelopes. `findings`: mismatches in these."""

    type: str
    reference: str
    segments: tuple[EdifactSegment, ...]
    header: EdifactSegment | None
    group: EdifactSegment | None
    decimal_sign: str
    findings: tuple[str, ...] = ()

    @property
    def type_and_reference(self) -> str:
        """The message as people find it in the file: `UNH ORDERS 1`."""
        return f"UNH {self.type} {self.reference}"


@dataclass(frozen=True, slots=True)
class EdifactInterchange:
    """The content from UNB to UNZ, or a file that begins with UNG or UNH."""

    header: EdifactSegment | None
    messages: tuple[EdifactMessage, ...]
    errors: tuple[PayloadError, ...]

    @property
    def is_test(self) -> bool:
        """Whether the test indicator (0035) is set."""
        return self.header is not None and self.header.text(11) == "1"


def read_interchanges(text: str) -> list[EdifactInterchange]:
    """Read all interchanges of a file. Raises PayloadError if the first one is unreadable."""
    interchanges: list[EdifactInterchange] = []
    at = _skip_whitespace(text, 0)
    separators = Separators()
    while at < len(text):
        try:
            if not interchanges or text.startswith("UNA", at):
                separators = detect_separators(text, at)
            start = at
            interchange, at = _read_interchange(text, start, separators)
            if at == start:
                break  # only blank segments are left, such as after a doubled terminator
        except PayloadError as error:
            if not interchanges:
                raise
            last = interchanges[-1]
            interchanges[-1] = replace(last, errors=(*last.errors, error))
            break
        interchanges.append(interchange)
        at = _skip_whitespace(text, at)
    return interchanges


def _skip_whitespace(text: str, at: int) -> int:
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at


def _read_interchange(
    text: str, start: int, separators: Separators
) -> tuple[EdifactInterchange, int]:
    reader, end = _Reader(separators.decimal), start
    for segment, after in read_segments(text, start, separators):
        # An interchange without UNZ ends at the next UNA or UNB.
        if segment.tag in {"UNB", "UNA"} and end > start:
            break
        end = after
        reader.process(segment)
        if segment.tag == "UNZ":
            break
    return reader.finish(), end


@dataclass(slots=True)
class _Reader:
    """State machine over the segments of one interchange."""

    decimal_sign: str
    header: EdifactSegment | None = None
    group: EdifactSegment | None = None
    open_header: EdifactSegment | None = None  # the UNH of the open message
    open_segments: list[EdifactSegment] = field(default_factory=list)
    messages: list[EdifactMessage] = field(default_factory=list)
    errors: list[PayloadError] = field(default_factory=list)
    first_in_group: int = 0
    group_count: int = 0
    is_closed: bool = False

    def process(self, segment: EdifactSegment) -> None:
        """Process one segment."""
        if segment.tag in {"UNB", "UNG", "UNE", "UNH", "UNZ"}:
            self._reject_open_message(segment.tag)
        if segment.tag == "UNB":
            self.header = segment
        elif segment.tag == "UNG":
            self.group, self.first_in_group = segment, len(self.messages)
            self.group_count += 1
        elif segment.tag == "UNE":
            count = len(self.messages) - self.first_in_group
            self._check(self.first_in_group, "UNE 0060", segment.text(1), str(count))
            if self.group is not None:
                expected = self.group.text(5)
                self._check(self.first_in_group, "UNE 0048", segment.text(2), expected)
            self.group = None
        elif segment.tag == "UNH":
            self.open_header, self.open_segments = segment, []
        elif segment.tag == "UNT":
            self._close_message(segment)
        elif segment.tag == "UNZ":
            self.is_closed = True
            count = self.group_count or len(self.messages)
            self._check(0, "UNZ 0036", segment.text(1), str(count))
            if self.header is not None:
                self._check(0, "UNZ 0020", segment.text(2), self.header.text(5))
        elif self.open_header is not None:
            self.open_segments.append(segment)
        elif segment.tag != "UNA":
            detail = "the segment is outside a message"
            self.errors.append(envelope_error(detail, segment.tag[:20]))

    def _close_message(self, end: EdifactSegment) -> None:
        start, self.open_header = self.open_header, None
        if start is None:
            self.errors.append(envelope_error("UNT without UNH", f"UNT {end.text(2)[:20]}"))
            return
        message = EdifactMessage(
            start.text(2)[:6],
            start.text(1)[:20],
            tuple(self.open_segments),
            self.header,
            self.group,
            self.decimal_sign,
        )
        self.messages.append(message)
        index = len(self.messages) - 1
        self._check(index, "UNT 0074", end.text(1), str(len(message.segments) + 2))
        self._check(index, "UNT 0062", end.text(2), start.text(1))

    def _reject_open_message(self, next_tag: str) -> None:
        """Reject an unterminated message: it may lack lines."""
        if self.open_header is not None:
            path = f"UNH {self.open_header.text(2)[:6]} {self.open_header.text(1)[:20]}"
            self.errors.append(envelope_error(f"the message has no UNT before {next_tag}", path))
            self.open_header = None

    def _check(self, first: int, name: str, reported: str, expected: str) -> None:
        """Add a finding to the messages from `first` on if a count or reference differs."""
        if reported == expected or (
            reported.isdecimal()
            and expected.isdecimal()
            and reported.lstrip("0") == expected.lstrip("0")
        ):
            return
        self._add_finding(first, f"{name} is {reported[:20]!r}, expected {expected[:20]!r}")

    def _add_finding(self, first: int, finding: str) -> None:
        for index in range(first, len(self.messages)):
            old = self.messages[index]
            self.messages[index] = replace(old, findings=(*old.findings, finding))

    def finish(self) -> EdifactInterchange:
        """Return the interchange. Each message has its UNT, so a missing UNZ loses none."""
        self._reject_open_message("the end")
        if self.header is not None and not self.is_closed:
            self._add_finding(0, "the interchange has no UNZ")
        if not self.messages and not self.errors:
            self.errors.append(envelope_error("the interchange has no message"))
        return EdifactInterchange(self.header, tuple(self.messages), tuple(self.errors))
