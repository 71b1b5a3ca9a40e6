"""Pack sizes of lines (PO4): how many pieces one ordered unit, such as a case, contains."""

from collections.abc import Iterable
from decimal import Decimal

from connectors.sdk.payload import PayloadError
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import X12Document

# Element 355, units of single pieces.
PIECES = frozenset({"EA", "EACH", "PC", "PCE", "UN"})


def pieces_per_unit(doc: X12Document, loop: Iterable[Segment], unit: str) -> Decimal | None:
    """Return how many pieces one `unit` of the line contains, or None if PO4 does not say.

    PO401 counts the inner packs of an outer one, or its pieces; PO414 counts the pieces of an inner
    pack. PO402 and PO403 are the size of the innermost: it counts pieces too if its unit is pieces
    (`PO4*12*1*EA`), and is a content otherwise (`PO4*12*16*OZ`).
    """
    po4 = next((s for s in loop if s.tag == "PO4" and s[1]), None)
    if po4 is None or unit.upper() in PIECES:
        return None
    size = po4[2] if po4[3].upper() in PIECES else ""
    try:
        factors = [
            doc.parse_nonnegative_quantity(text, element)
            for text, element in ((po4[1], "PO401"), (size, "PO402"), (po4[14], "PO414"))
        ]
    except PayloadError as error:
        doc.not_understood.append(f"{error.path.rpartition(' ')[2]}: {error.detail}")
        return None
    pieces = Decimal(1)
    for factor in factors:
        pieces *= 1 if factor is None else factor
    return pieces if pieces > 0 else None
