"""How much of an order was shipped or delivered, as text: in lines, or else in pieces."""

from collections.abc import Sequence
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Measure
from visibility.formatting import count_with_noun
from visibility.timeline.claim_line_conflict_types import TimelineLine
from visibility.timeline.model import Timeline
from visibility.timeline.units import canonical_unit

PIECE = canonical_unit("EA")


def progress_text(timeline: Timeline, measure: Measure) -> str:
    """`8 of 12 lines`, `1 of 2 lines and 1 in part`, `1 of 2 pieces`; "" if nothing was reported.

    Lines count where at least one is complete. Otherwise quantities count, or the number of lines
    begun if their units differ.
    """
    lines = [line for line in timeline.lines if line.is_counted and line.net_ordered_quantity]
    begun = [line for line in lines if line.quantity(measure) > 0]
    complete = sum(line.quantity(measure) >= line.net_ordered_quantity for line in begun)
    if not begun:
        return ""
    if complete:
        incomplete = len(begun) - complete
        text = f"{complete} of {count_with_noun(len(lines), 'line')}"
        return f"{text} and {incomplete:,} in part" if incomplete else text
    if len({canonical_unit(line.unit) for line in lines}) == 1:
        return _quantity_text(lines, measure)
    return f"{len(begun)} of {count_with_noun(len(lines), 'line')} in part"


def is_complete(timeline: Timeline, measure: Measure) -> bool:
    """Whether the measure reached the net ordered quantity of every line that counts."""
    lines = [line for line in timeline.lines if line.is_counted and line.net_ordered_quantity]
    return bool(lines) and all(
        line.quantity(measure) >= line.net_ordered_quantity for line in lines
    )


def _quantity_text(lines: Sequence[TimelineLine], measure: Measure) -> str:
    """`1 of 2 pieces`, `2.5 of 10 FT`."""
    done = sum((line.quantity(measure) for line in lines), Decimal(0))
    wanted = sum((line.net_ordered_quantity for line in lines), Decimal(0))
    unit = canonical_unit(lines[0].unit)
    if unit == PIECE:
        unit = "piece" if wanted == 1 else "pieces"
    return f"{format_decimal(done)} of {format_decimal(wanted)} {unit}"
