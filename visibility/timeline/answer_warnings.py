"""Sentences of the status answer about facts that put the others in doubt."""

from visibility.formatting import count_with_noun, format_date_in_zone
from visibility.timeline.customer_answer import is_shipped_quantity_unknown
from visibility.timeline.model import MilestoneCode, Timeline
from visibility.timeline.state_and_flag_enums import LineFlag, OrderState


def conflict_warnings(timeline: Timeline, zone: str) -> list[str]:
    """Sentences about facts that put the others in doubt."""
    warnings = []
    if OrderState.CONTRADICTION in timeline.states:
        at = timeline.milestone_reached_at(MilestoneCode.CANCELLED)
        when = f" on {format_date_in_zone(at, zone)}" if at else ""
        warnings.append(f"Cancelled{when} but shipped anyway")
    uncountable = sum(
        line.uncountable and LineFlag.NO_COUNTERPART not in line.flags for line in timeline.lines
    )
    if uncountable:
        warnings.append(
            f"{count_with_noun(uncountable, 'line')} cannot be counted (unknown unit or item)"
        )
    warnings += _lines_without_counterpart_sentences(timeline)
    if timeline.conflicts:
        names = dict.fromkeys(c.field.value.replace("_at", " date") for c in timeline.conflicts)
        warnings.append(f"Systems disagree on: {', '.join(names)}")
    return warnings


def _lines_without_counterpart_sentences(timeline: Timeline) -> list[str]:
    """How the order is judged if its lines and those of the system that ships do not match."""
    flagged = [line for line in timeline.lines if LineFlag.NO_COUNTERPART in line.flags]
    ordered = sum(line.uncountable for line in flagged)
    if not ordered:
        return []
    names = f"{count_with_noun(ordered, 'ordered line')} {'match' if ordered > 1 else 'matches'}"
    if any(line.is_counted for line in flagged):
        effect = "its lines count instead"
    elif is_shipped_quantity_unknown(timeline):
        effect = "it is unknown whether everything was shipped"
    else:
        effect = "the reports about the whole order count instead"
    return [f"{names} no line of the system that ships, so {effect}"]
