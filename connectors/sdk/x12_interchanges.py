"""X12 interchanges: their groups and transaction sets, and checks of counts and numbers."""

import re
from dataclasses import dataclass, field, replace

from connectors.sdk.payload import PayloadError
from connectors.sdk.x12_segments import (
    Segment,
    detect_delimiters,
    envelope_error,
    read_segments,
    skip_whitespace,
)

TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}")
ENVELOPE_TAGS = frozenset({"GS", "ST", "SE", "GE", "IEA"})


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
    def code_and_control_number_text(self) -> str:
        """The transaction set as people find it in the file: `ST 850 0001`."""
        return f"ST {self.code} {self.control_number}"


@dataclass(frozen=True, slots=True)
class Interchange:
    """The content between ISA and IEA, or a file that begins with GS or ST.

    `acknowledgments` are its TA1 segments, which answer interchanges of the other direction.
    """

    header: Segment | None
    sets: tuple[TransactionSet, ...]
    errors: tuple[PayloadError, ...]
    acknowledgments: tuple[Segment, ...] = ()

    @property
    def is_test(self) -> bool:
        """Whether ISA15 marks test traffic."""
        return self.header is not None and self.header[15] == "T"


def read_interchanges(text: str) -> list[Interchange]:
    """Read all interchanges of a file. Raises PayloadError if the first one is unreadable."""
    interchanges: list[Interchange] = []
    at = 0
    while (at := skip_whitespace(text, at)) < len(text):
        try:
            interchange, at = _read_interchange(text, at)
        except PayloadError as error:
            if not interchanges:
                raise
            last = interchanges[-1]
            interchanges[-1] = replace(last, errors=(*last.errors, error))
            break
        interchanges.append(interchange)
    return interchanges


def _read_interchange(text: str, start: int) -> tuple[Interchange, int]:
    reader, end = _InterchangeReader(), start
    for segment, after in read_segments(text, start, detect_delimiters(text, start)):
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


def _split_segments_to_match_se01_count(
    transaction_set: TransactionSet, count: str
) -> TransactionSet:
    """Split segments that lack a terminator, if SE01, the count with ST and SE, then agrees.

    If it agrees without that, the line ends are wrapped lines. Raises PayloadError if it agrees
    with neither: segments would be lost within the one before.
    """
    segments = transaction_set.segments
    joined = [s for s in segments if s.split_at_line_ends]
    if not joined or _numbers_match(count, str(len(segments) + 2)):
        return transaction_set
    complete = tuple(x for s in segments for x in s.split_at_line_ends or (s,))
    tags = ", ".join(dict.fromkeys(_tag_and_first_element(s) for s in joined))
    detail = f"a segment terminator is missing after {tags[:200]}"
    if not _numbers_match(count, str(len(complete) + 2)):
        raise envelope_error(
            f"{detail}, and SE01 is {count[:20]!r}", transaction_set.code_and_control_number_text
        )
    return replace(transaction_set, segments=complete, findings=(*transaction_set.findings, detail))


def _tag_and_first_element(segment: Segment) -> str:
    """Return the tag and the first element, such as `PO1 1`, of a segment."""
    return f"{segment.tag} {segment[1]}".strip()[:20]


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
    acknowledgments: list[Segment] = field(default_factory=list)

    def process_segment(self, segment: Segment) -> None:
        """Process one segment, or its parts if it contains a segment of an envelope."""
        if ENVELOPE_TAGS & {s.tag for s in segment.split_at_line_ends}:
            for contained in segment.split_at_line_ends:
                self._process_single_segment(contained)
        else:
            self._process_single_segment(segment)

    def _process_single_segment(self, segment: Segment) -> None:
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
        elif segment.tag == "TA1":
            self.acknowledgments.append(segment)
        else:
            self.errors.append(
                envelope_error("the segment is outside a transaction set", segment.tag[:20])
            )

    def _close_set(self, end: Segment) -> None:
        start, self.open_set = self.open_set, None
        if start is None:
            self.errors.append(envelope_error("SE without ST", f"SE {end[2]}"))
            return
        transaction_set = TransactionSet(
            start[1], start[2], tuple(self.open_segments), self.group, self.header
        )
        try:
            transaction_set = _split_segments_to_match_se01_count(transaction_set, end[1])
        except PayloadError as error:
            self.errors.append(error)
            return
        invalid_tag = next((s.tag for s in self.open_segments if not TAG.fullmatch(s.tag)), None)
        if invalid_tag is not None:
            self.errors.append(
                envelope_error(
                    f"{invalid_tag[:20]!r} is not a segment",
                    transaction_set.code_and_control_number_text,
                )
            )
            return
        self.sets.append(transaction_set)
        self._add_finding_if_different(
            len(self.sets) - 1, "SE01", end[1], str(len(transaction_set.segments) + 2)
        )
        self._add_finding_if_different(len(self.sets) - 1, "SE02", end[2], start[2])

    def _reject_open_set(self, next_tag: str) -> None:
        """Reject an unterminated set: it may lack lines."""
        if self.open_set is not None:
            path = f"ST {self.open_set[1]} {self.open_set[2]}"
            self.errors.append(
                envelope_error(f"the transaction set has no SE before {next_tag}", path)
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
                envelope_error("the interchange has no IEA; the file may be truncated")
            )
        if not self.sets and not self.errors and self.group_count:
            self.errors.append(envelope_error("the interchange has no transaction set"))
        return Interchange(
            self.header, tuple(self.sets), tuple(self.errors), tuple(self.acknowledgments)
        )
