"""The shapes of messages that are no JSON: XML, tables, files of fixed width, and X12.

A path is that of an element or attribute, a column, or an element of a segment with its qualifier,
such as `850.REF VN.02`. Only tables have types: a value of XML or EDI is text. No shape has values.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from connectors.sdk.fixed_width import FixedWidthLayout, RowType
from connectors.sdk.message_shape import MAX_FIELDS, MessageShape, shape_of
from connectors.sdk.x12_segments import Segment, decode_text, detect_delimiters, read_segments
from connectors.sdk.xml_documents import ROOT_MEMBER, TEXT_MEMBER, XmlElement, load_xml

# So many rows of a table are read.
MAX_ROWS = 100
TEXT, NUMBER, DATE = "text", "number", "date"
# Leading zeros and many digits are those of an identifier.
NUMBER_TEXT = re.compile(r"[+-]?(?:0|[1-9]\d{0,11})(?:[.,]\d{1,6})?")
DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\d.{0,30}|\d{1,2}/\d{1,2}/\d{2,4}")
QUALIFIER = re.compile(r"[A-Z0-9]{1,3}")
# Segment: the element that says what the segment is about.
X12_QUALIFIERS: Mapping[str, int] = {
    **dict.fromkeys(("REF", "N1", "DTM", "DTP", "G62", "PER", "QTY", "AMT", "N9", "MAN", "G61"), 1),
    **dict.fromkeys(("L11", "SAC", "MEA"), 2),
}
# Segment: the element from which on pairs of a qualifier and an item number follow.
X12_ITEM_PAIRS: Mapping[str, int] = {"PO1": 6, "IT1": 6, "LIN": 2}


class ShapeBuilder:
    """Collects the fields of one message."""

    def __init__(self) -> None:
        self._fields: set[tuple[str, str]] = set()
        self._empty: set[str] = set()
        self._is_complete = True

    def add(self, path: str, text: str, kind: str = TEXT) -> None:
        """Add a field; without text it is empty."""
        if len(self._fields) + len(self._empty) >= MAX_FIELDS:
            self._is_complete = False
        elif text:
            self._fields.add((path[:200], kind))
        else:
            self._empty.add(path[:200])

    def build(self) -> MessageShape:
        """The shape. A field that is empty in one record and not in another is not empty."""
        paths = {path for path, _ in self._fields}
        return MessageShape(
            frozenset(self._fields), frozenset(self._empty - paths), self._is_complete
        )


def xml_shape(body: bytes) -> MessageShape:
    """The shape of an XML document. Raises PayloadError."""
    return shape_of(_plain(load_xml(body).value))


def _plain(value: Any) -> Any:
    """An element with nothing but text is its text, as in the paths of manifests."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, XmlElement):
        return value
    members = {name: _plain(each) for name, each in value.items() if name != ROOT_MEMBER}
    return members[TEXT_MEMBER] if members.keys() == {TEXT_MEMBER} else members


def table_shape(rows: Iterable[Mapping[str, Any]]) -> MessageShape:
    """The shape of a table: its columns, in any order, and the types of their values."""
    builder = ShapeBuilder()
    for row in islice(rows, MAX_ROWS):
        _add_row(builder, row, "")
    return builder.build()


def _add_row(builder: ShapeBuilder, row: Mapping[str, Any], prefix: str) -> None:
    for column, value in row.items():
        path = f"{prefix}{column.replace(chr(0), '')[:60]}"
        if isinstance(value, list):
            for inner in value:
                _add_row(builder, inner, f"{path}[].")
        else:
            builder.add(path, value.strip(), kind_of_text(value.strip()))


def kind_of_text(text: str) -> str:
    """Whether a text of a table is a number, a date or any other text."""
    if NUMBER_TEXT.fullmatch(text):
        return NUMBER
    return DATE if DATE_TEXT.fullmatch(text) else TEXT


def fixed_width_shape(
    text: str, rows: Iterable[Mapping[str, Any]], layout: FixedWidthLayout
) -> MessageShape:
    """The shape of a file of fixed width: its columns, types of rows, and text after the last."""
    builder = ShapeBuilder()
    for row in islice(rows, MAX_ROWS):
        _add_row(builder, row, "")
    kinds = sorted(layout.row_types, key=lambda kind: -len(kind.beginning))
    kinds = kinds or [RowType("", layout.columns)]
    longest = max(len(kind.beginning) for kind in kinds)
    for line in islice(text.splitlines(), layout.skip_rows, layout.skip_rows + MAX_ROWS):
        kind = next((kind for kind in kinds if line.startswith(kind.beginning)), None)
        if kind is None:
            if line.strip():
                builder.add(f"rows that begin with {line[:longest].strip()}", "x")
            continue
        end = max((c.start - 1 + c.width for c in kind.columns), default=0)
        if kind.columns and line[end:].strip():
            name = f"{kind.beginning.strip()}: " if kind.beginning.strip() else ""
            builder.add(f"{name}after position {end}", "x")
    return builder.build()


def x12_shape(body: bytes, charset: str) -> MessageShape:
    """The shape of an X12 file: the elements of the segments of each transaction set.

    Raises PayloadError.
    """
    builder = ShapeBuilder()
    text = decode_text(body, charset)
    transaction_set, at = "", 0
    for segment, _ in read_segments(text, at, detect_delimiters(text, at)):
        if segment.tag == "ST":
            transaction_set = segment[1]
        elif segment.tag == "SE":
            transaction_set = ""
        elif transaction_set:
            _add_x12_segment(builder, transaction_set, segment)
    return builder.build()


def _add_x12_segment(builder: ShapeBuilder, transaction_set: str, segment: Segment) -> None:
    at = X12_QUALIFIERS.get(segment.tag, 0)
    qualifier = segment[at] if at and QUALIFIER.fullmatch(segment[at]) else ""
    prefix = f"{transaction_set}.{segment.tag}{f' {qualifier}' if qualifier else ''}"
    pairs_from = X12_ITEM_PAIRS.get(segment.tag, len(segment.elements) + 1)
    for position, value in enumerate(segment.elements[: pairs_from - 1], start=1):
        if position != at or not qualifier:
            builder.add(f"{prefix}.{position:02}", value)
    pairs = segment.elements[pairs_from - 1 :]
    for name, value in zip(pairs[::2], pairs[1::2], strict=False):
        if QUALIFIER.fullmatch(name):
            builder.add(f"{prefix}.{name}", value)
