"""The shape of an EDIFACT file: which components of which segments its messages have."""

import re

from connectors.sdk.message_shape import MessageShape
from connectors.sdk.text_shapes import ShapeBuilder
from connectors.systems.edifact.interchanges import read_interchanges
from connectors.systems.edifact.segments import EdifactSegment, decode_file

QUALIFIER = re.compile(r"[A-Z0-9]{1,3}")
# The first component of these is data, such as the number of a line.
WITHOUT_QUALIFIER = frozenset(
    {"BGM", "CPS", "ERC", "FTX", "LIN", "PAC", "SEQ", "UCI", "UCM", "UNS"}
)


def edifact_shape(body: bytes, charset: str) -> MessageShape:
    """Return the shape; a path is such as `ORDERS.DTM 137.01.2`. Raises PayloadError."""
    builder = ShapeBuilder()
    for interchange in read_interchanges(decode_file(body, charset)):
        for message in interchange.messages:
            for segment in message.segments:
                _add_segment(builder, message.type, segment)
    return builder.build()


def _add_segment(builder: ShapeBuilder, message_type: str, segment: EdifactSegment) -> None:
    first = segment.text(1)
    has_qualifier = segment.tag not in WITHOUT_QUALIFIER and bool(QUALIFIER.fullmatch(first))
    prefix = f"{message_type}.{segment.tag}{f' {first}' if has_qualifier else ''}"
    for number, components in enumerate(segment.elements, start=1):
        for position, value in enumerate(components, start=1):
            if not (has_qualifier and number == position == 1):
                builder.add(f"{prefix}.{number:02}.{position}", value)
