"""Lay out the swimlanes of an order: one lane per system, and one for the team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from visibility.formatting import format_date, in_zone
from visibility.screens.orders.event_labels import (
    LANE_LABELS,
    event_title_and_detail,
    event_tone,
    inferred_time_note,
)
from visibility.screens.orders.expected_steps import ExpectedStep, slack_text
from visibility.screens.orders.people_on_order import TeamEntry
from visibility.screens.orders.source_reports import SourceReport
from visibility.screens.orders.swimlane_axis import (
    TRACK_WIDTH,
    IdleSpan,
    LogScaledGapTimeAxis,
    Tick,
    day_ticks,
    idle_spans,
    now_and_promise_ticks,
)
from visibility.screens.orders.swimlane_bars import DeviationBar, deviation_bars
from visibility.screens.orders.swimlane_labels import (
    Marker,
    label_width,
    position_labels,
    stack_close_markers,
)
from visibility.timeline import Timeline, TimelineEntry
from visibility.timeline.model import MilestoneCode

PROBLEM_TONES = frozenset({"late", "waiting", "risk"})
SCALES = (1, 2, 4)
TEAM, PROMISED = "Your team", "Promised"


class Zoom(StrEnum):
    """What the lanes show."""

    FIT = "fit"
    LAST_DAY = "day"
    EXCEPTIONS = "exceptions"


@dataclass(frozen=True, slots=True)
class Swimlane:
    """The markers and bars of one system. `silent`: left edge and width of the silent band."""

    title: str
    update: str
    is_silent: bool
    markers: tuple[Marker, ...]
    bars: tuple[DeviationBar, ...] = ()
    silent: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class SwimlaneChart:
    """The lanes as the template draws them; all positions in percent of the track."""

    lanes: tuple[Swimlane, ...]
    ticks: tuple[Tick, ...]
    idle_spans: tuple[IdleSpan, ...]
    summary: str
    zoom: Zoom
    scale: int
    has_problems: bool


@dataclass(frozen=True, slots=True)
class LaneContents:
    """What the lanes are made of. `team` and `steps` are known at `now`."""

    timeline: Timeline
    reports: Mapping[str, SourceReport]
    steps: Sequence[ExpectedStep]
    team: Sequence[TeamEntry]
    now: datetime
    zone: str


def layout_swimlanes(
    contents: LaneContents, *, zoom: Zoom = Zoom.FIT, scale: int = 1
) -> SwimlaneChart | None:
    """Lay out the lanes; None if there are no events."""
    timeline, now = contents.timeline, contents.now
    if not timeline.entries:
        return None
    since = now - timedelta(hours=24)
    if zoom is not Zoom.LAST_DAY:
        since = datetime.min.replace(tzinfo=UTC)
    is_current = timeline.is_open or zoom is Zoom.LAST_DAY
    events = [e for e in timeline.entries if e.recorded.occurred_at >= since]
    team = [entry for entry in contents.team if entry.at >= since]
    steps = [step for step in contents.steps if step.due_at >= since]
    promises = [(at, label) for at, label in _promises(timeline) if at >= since]
    bars = [bar for bar in deviation_bars(timeline, contents.zone) if bar.started_at >= since]
    moments = [e.recorded.occurred_at for e in events] + [entry.at for entry in team]
    moments += [bar.started_at for bar in bars]
    axis = LogScaledGapTimeAxis(
        [
            *moments,
            *([now] if is_current else []),
            *([since] if zoom is Zoom.LAST_DAY else []),
            *(step.due_at for step in steps),
            *(at for at, _ in promises),
        ],
        now=now,
        width=TRACK_WIDTH * scale,
    )
    shown = replace(contents, steps=steps, team=team)
    lanes = _lanes(shown, events, bars, axis, only_problems=zoom is Zoom.EXCEPTIONS)
    labels = [(at, label, _promise_kind(at, label, contents)) for at, label in promises]
    if is_current:
        labels.append((now, f"Now {in_zone(now, contents.zone):%H:%M}", "now"))
    caps = now_and_promise_ticks(axis, labels)
    idle = idle_spans(axis, [*moments, *([now] if is_current else [])])
    return SwimlaneChart(
        lanes,
        (*day_ticks(axis, ZoneInfo(contents.zone), caps), *caps),
        tuple(idle),
        _summary(timeline),
        zoom,
        scale,
        any(marker.is_problem for lane in lanes for marker in lane.markers),
    )


def _summary(timeline: Timeline) -> str:
    moments = [entry.recorded.occurred_at for entry in timeline.entries]
    first, last = (
        format_date(at.date(), weekday=False, year=True) for at in (min(moments), max(moments))
    )
    return (
        f"{len(moments)} events from {len(timeline.claims)} systems, {first} to {last}. "
        "The list shows the same events."
    )


def _promises(timeline: Timeline) -> list[tuple[datetime, str]]:
    """The current promise, and the first one if it was moved."""
    delivered = timeline.milestones.get(MilestoneCode.DELIVERED)
    current = delivered.planned_at if delivered else None
    first = timeline.first_promise_of_kind("first")
    dates = [(current, PROMISED)] if current else []
    if first and current and first.date.date() != current.date():
        dates.append((first.date, "First promise"))
    return dates


def _promise_kind(at: datetime, label: str, contents: LaneContents) -> str:
    """`passed` if the current promise has passed and the order is not delivered."""
    if label != PROMISED or contents.timeline.milestone_completed_at(MilestoneCode.DELIVERED):
        return "promise"
    _, is_overdue = slack_text(at, now=contents.now, zone=contents.zone)
    return "passed" if is_overdue and contents.timeline.is_open else "promise"


def _lanes(
    contents: LaneContents,
    events: Sequence[TimelineEntry],
    bars: Sequence[DeviationBar],
    axis: LogScaledGapTimeAxis,
    *,
    only_problems: bool,
) -> tuple[Swimlane, ...]:
    """The lanes in the order of their first event, then those that only owe a step, and yours."""
    timeline, reports = contents.timeline, contents.reports
    first_at: dict[str, datetime] = {}
    last_at: dict[str, datetime] = {}
    for entry in timeline.entries:
        slug, at = entry.recorded.source, entry.recorded.occurred_at
        first_at[slug] = min(first_at.get(slug, at), at)
        last_at[slug] = max(last_at.get(slug, at), at)
    owed_by = {step: _lane_that_owes(step, first_at) for step in contents.steps}
    slugs = [*sorted(first_at, key=lambda slug: (first_at[slug], slug))]
    slugs += [s for s in dict.fromkeys(owed_by.values()) if s and s not in first_at]
    lanes = []
    for slug in slugs:
        markers = [_event_marker(e, axis) for e in events if e.recorded.source == slug]
        markers += [
            _expected_marker(step, axis) for step, owner in owed_by.items() if owner == slug
        ]
        own_bars = [bar for bar in bars if bar.source == slug]
        if only_problems:
            markers = [marker for marker in markers if marker.is_problem]
        report = reports.get(slug)
        since = report.silent_since if report and timeline.is_open else None
        last = last_at.get(slug)
        update = f"last {_short_time(last, contents.zone)}" if last else "no update yet"
        silent = None
        if since:
            update = f"silent since {_short_time(since, contents.zone)}"
            left, right = axis.x_position(since), axis.x_position(contents.now)
            silent = (axis.percent(left), axis.percent(max(right - left, 6)))
        lanes.append(
            _lane(report.title if report else slug, update, markers, own_bars, axis, silent=silent)
        )
    team_markers = [_team_marker(entry, axis) for entry in contents.team]
    if only_problems:
        team_markers = [marker for marker in team_markers if marker.is_problem]
    if contents.team:
        count = sum(entry.is_note for entry in contents.team)
        update = f"{count} note{'' if count == 1 else 's'}" if count else "alerts"
        lanes.append(_lane(TEAM, update, team_markers, (), axis))
    return tuple(lanes)


def _lane(
    title: str,
    update: str,
    markers: Sequence[Marker],
    bars: Sequence[DeviationBar],
    axis: LogScaledGapTimeAxis,
    *,
    silent: tuple[float, float] | None = None,
) -> Swimlane:
    placed_bars = [bar.placed_on(axis) for bar in bars]
    intervals = [(bar.left * axis.width / 100, bar.right * axis.width / 100) for bar in placed_bars]
    placed = position_labels(stack_close_markers(markers), width=axis.width, taken=intervals)
    return Swimlane(
        title,
        update,
        silent is not None,
        tuple(replace(m, x=axis.percent(m.x), width=axis.percent(m.width)) for m in placed),
        tuple(placed_bars),
        silent,
    )


def _short_time(moment: datetime, zone: str) -> str:
    """`Nov 3, 14:03`."""
    local = in_zone(moment, zone)
    return f"{format_date(local.date(), weekday=False)}, {local:%H:%M}"


def _lane_that_owes(step: ExpectedStep, lanes: Mapping[str, datetime]) -> str:
    """Of the sources that would report the step, one that reported on the order, or the first."""
    return next((slug for slug in step.sources if slug in lanes), next(iter(step.sources), ""))


def _event_marker(entry: TimelineEntry, axis: LogScaledGapTimeAxis) -> Marker:
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
    )


def _expected_marker(step: ExpectedStep, axis: LogScaledGapTimeAxis) -> Marker:
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


def _team_marker(entry: TeamEntry, axis: LogScaledGapTimeAxis) -> Marker:
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
