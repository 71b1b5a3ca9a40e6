"""How much of an order has reached a measure, summed over its lines."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

# (done, due)
Progress = tuple[Decimal, Decimal] | tuple[Fraction, Fraction]
ZERO = Decimal(0)
NOTHING: Progress = (ZERO, Decimal(1))
# Some of it, but how much is unknown.
PARTIAL_PROGRESS: Progress = (Decimal(1), Decimal(2))


class LineProgress(NamedTuple):
    """How much of a line has reached a measure, in 1/`scale` of its unit; None if unknown."""

    reached: Decimal | None
    demand: Decimal | None
    scale: int


def total_progress(lines: Iterable[LineProgress]) -> Progress | None:
    """(done, due) of all lines, None if nothing is known or due.

    Of each line no more than its demand counts. If the demand of a line is unknown, so is the
    total: it is then nothing or `PARTIAL_PROGRESS`.
    """
    rows = list(lines)
    if all(row.reached is None for row in rows):
        return None
    if any(row.demand is None for row in rows):
        return PARTIAL_PROGRESS if any((row.reached or 0) > 0 for row in rows) else NOTHING
    done = [min(max(row.reached or ZERO, ZERO), row.demand or ZERO) for row in rows]
    due = [row.demand or ZERO for row in rows]
    if not any(due):
        return None
    if all(row.scale == 1 for row in rows):
        return sum(done, ZERO), sum(due, ZERO)
    scales = [row.scale for row in rows]
    pairs = (zip(figures, scales, strict=True) for figures in (done, due))
    first, second = (sum((Fraction(q) / n for q, n in p), Fraction(0)) for p in pairs)
    return first, second
