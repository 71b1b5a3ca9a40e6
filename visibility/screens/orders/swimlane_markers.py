"""The markers of the swimlanes: events, expected steps, and what the team did."""

from collections.abc import Iterator

from visibility.formatting import format_timestamp
from visibility.screens.orders.event_labels import (
    LANE_LABELS,
    EventTitleAndDetail,
    event_title_and_detail,
    event_tone,
    inferred_time_note,
)
from visibility.screens.orders.expected_steps import ExpectedStep
from visibility.screens.orders.people_on_order import TeamEntry
from visibility.screens.orders.swimlane_axis import LogScaledGapTimeAxis
from visibility.screens.orders.swimlane_labels import Marker, label_width
from visibility.timeline import TimelineEntry

PROBLEM_TONES = frozenset({"late", "waiting", "risk"})


def event_marker(
    entry: TimelineEntry, axis: LogScaledGapTimeAxis, *, zone: str, source: str
) -> Marker:
    """A filled marker at the time of the event. `source`: the title of its source, for the card."""
    label = event_title_and_detail(entry.recorded, is_update=entry.is_update)
    note = inferred_time_note(entry.recorded)
    tone = event_tone(entry.recorded.event.type)
    return Marker(
        x=axis.x_position(entry.recorded.occurred_at),
        label="Update"
        if entry.is_update
        else LANE_LABELS.get(entry.recorded.event.type, label.title),
        name=f"{label.title} ({note})" if note else label.title,
        tone=tone,
        event_id=entry.recorded.event_id,
        is_superseded=entry.superseded,
        is_inferred=bool(note),
        is_problem=tone in PROBLEM_TONES and not entry.superseded,
        card=tuple(_card_lines(entry, label, note, zone=zone, source=source)),
    )


def _card_lines(
    entry: TimelineEntry, label: EventTitleAndDetail, note: str, *, zone: str, source: str
) -> Iterator[str]:
    """The title, what the source says, and the times of an event."""
    recorded = entry.recorded
    yield f"{label.title}, {source}" + (" (event replaced)" if entry.superseded else "")
    if label.source_status:
        yield f"Status text from the source: {label.source_status}"
    occurred = format_timestamp(recorded.occurred_at, zone)
    yield f"Occurred {occurred}" + (f" ({note})" if note else "")
    yield f"Received {format_timestamp(recorded.received_at, zone)}"


def expected_marker(step: ExpectedStep, axis: LogScaledGapTimeAxis) -> Marker:
    """An outline for a step that is overdue, a hollow marker for one that is planned."""
    title = step.title[:1].upper() + step.title[1:]
    due = step.due_text
    x = axis.x_position(step.due_at)
    if not step.is_overdue:
        name = f"{title} due {due}"
        return Marker(x, f"{title} due", name, "running", "planned")
    text = f"due {due}, not received"
    width = max(label_width(text), label_width(title)) + 30
    return Marker(
        x,
        title,
        f"{title} {text}. {step.silence}".rstrip(". "),
        "unknown" if step.silence else "late",
        "expected",
        is_problem=True,
        width=width,
        detail=text,
    )


def team_marker(entry: TeamEntry, axis: LogScaledGapTimeAxis) -> Marker:
    """A diamond for what a person or an alert rule did."""
    who = f"{entry.person}: " if entry.person else ""
    text = entry.text if entry.is_note or entry.tone == "late" else entry.title
    return Marker(
        axis.x_position(entry.at),
        f"{who}{text or entry.title}",
        f"{who}{entry.title}: {entry.text}" if entry.text else f"{who}{entry.title}",
        entry.tone,
        "team",
        url=entry.url,
        is_problem=entry.tone == "late",
    )
