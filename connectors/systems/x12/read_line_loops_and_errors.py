"""Reading of line loops one by one: an invalid line does not stop the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document

Loop = Sequence[Segment]
Line = TypeVar("Line")


def read_line_loops_and_errors(
    doc: X12Document, loops: Sequence[Loop], read_line: Callable[[Loop], Line]
) -> list[Line]:
    """Return what `read_line` returns for each loop that it can read.

    The errors of other loops are added to the document with their position, from 1. If no loop can
    be read, PayloadError is raised: a document without any of its lines is parked as a whole.
    """
    lines = []
    for position, loop in enumerate(loops, 1):
        try:
            lines.append(read_line(loop))
        except PayloadError as error:
            detail = f"line {position}: {error.detail}"
            doc.line_errors.append(PayloadError(error.reason, error.path, detail))
    if loops and not lines:
        raise doc.line_errors.pop()
    return lines


def required_loops(doc: X12Document, loops: Sequence[Line], tag: str) -> Sequence[Line]:
    """Return the loops. Raises PayloadError if there is none, as the set then says nothing."""
    if not loops:
        raise PayloadError(
            ParkReason.SCHEMA, doc.element_path(tag), f"the set has no {tag} segment"
        )
    return loops
