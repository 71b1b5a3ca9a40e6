"""Lay out the swimlanes of an order: one lane per system, and one for the team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from visibility.formatting import format_date, in_zone
from visibility.preferences.order_lanes import TEAM_LANE, LaneChoice
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
from visibility.screens.orders.swimlane_closed_time import (
    ClosedTime,
    OrderCalendar,
    closed_time,
)
from visibility.screens.orders.swimlane_labels import (
    Marker,
    position_labels,
    stack_close_markers,
)
from visibility.screens.orders.swimlane_links import LaneArrow, ObjectLink, lane_arrows
from visibility.screens.orders.swimlane_markers import (
    event_marker,
    expected_marker,
    team_marker,
)
from visibility.timeline import Timeline, TimelineEntry
from visibility.timeline.model import MilestoneCode

SCALES = (1, 2, 4)
TEAM, PROMISED = "Your team", "Promised"


class Zoom(StrEnum):
    """What the lanes show."""

    FIT = "fit"
    LAST_DAY = "day"
    EXCEPTIONS = "exceptions"


@dataclass(frozen=True, slots=True)
class Swimlane:
    """The markers and bars of one system. `silent`: left edge and width of the silent band.

    `key`: the slug of the source, or `@team`.
    """

    key: str
    title: str
    update: str
    is_silent: bool
    markers: tuple[Marker, ...]
    bars: tuple[DeviationBar, ...] = ()
    silent: tuple[float, float] | None = None

    @property
    def problem_count(self) -> int:
        """The number of exceptions on the lane."""
        return sum(marker.is_problem for marker in self.markers)


@dataclass(frozen=True, slots=True)
class SwimlaneChart:
    """The lanes as the template draws them; all positions in percent of the track.

    `hidden`: the lanes that the reader hides, which the page names.
    """

    lanes: tuple[Swimlane, ...]
    hidden: tuple[Swimlane, ...]
    ticks: tuple[Tick, ...]
    idle_spans: tuple[IdleSpan, ...]
    summary: str
    zoom: Zoom
    scale: int
    has_problems: bool
    closed: ClosedTime = field(default_factory=ClosedTime)
    arrows: Sequence[LaneArrow] = ()

    @property
    def all_lanes(self) -> tuple[tuple[Swimlane, bool], ...]:
        """Each lane, and whether it is shown."""
        shown = tuple((lane, True) for lane in self.lanes)
        return shown + tuple((lane, False) for lane in self.hidden)


@dataclass(frozen=True, slots=True)
class LaneContents:
    """What the lanes are made of. `team` and `steps` are known at `now`."""

    timeline: Timeline
    reports: Mapping[str, SourceReport]
    steps: Sequence[ExpectedStep]
    team: Sequence[TeamEntry]
    now: datetime
    zone: str
    choice: LaneChoice = field(default_factory=LaneChoice)
    calendar: OrderCalendar | None = None
    links: Sequence[ObjectLink] = ()


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
    by_key = {
        lane.key: lane
        for lane in _lanes(shown, events, bars, axis, only_problems=zoom is Zoom.EXCEPTIONS)
    }
    lanes = [by_key[key] for key in contents.choice.sorted([*by_key])]
    hidden = contents.choice.hidden
    labels = [(at, label, _promise_kind(at, label, contents)) for at, label in promises]
    if is_current:
        labels.append((now, f"Now {in_zone(now, contents.zone):%H:%M}", "now"))
    caps = now_and_promise_ticks(axis, labels)
    idle = idle_spans(axis, [*moments, *([now] if is_current else [])])
    visible = tuple(lane for lane in lanes if lane.key not in hidden)
    return SwimlaneChart(
        visible,
        tuple(lane for lane in lanes if lane.key in hidden),
        (*day_ticks(axis, ZoneInfo(contents.zone), caps), *caps),
        tuple(idle),
        _summary(timeline),
        zoom,
        scale,
        any(marker.is_problem for lane in lanes for marker in lane.markers),
        closed_time(axis, contents.calendar),
        lane_arrows(contents.links, axis, [lane.key for lane in visible], since=since)
        if zoom is not Zoom.EXCEPTIONS
        else (),
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
        report = reports.get(slug)
        title = report.title if report else slug
        markers = [
            event_marker(e, axis, zone=contents.zone, source=title)
            for e in events
            if e.recorded.source == slug
        ]
        markers += [expected_marker(step, axis) for step, owner in owed_by.items() if owner == slug]
        own_bars = [bar for bar in bars if bar.source == slug]
        if only_problems:
            markers = [marker for marker in markers if marker.is_problem]
        since = report.silent_since if report and timeline.is_open else None
        last = last_at.get(slug)
        update = f"last {_short_time(last, contents.zone)}" if last else "no update yet"
        silent = None
        if since:
            update = f"silent since {_short_time(since, contents.zone)}"
            if report and report.maintenance_until:
                update = (
                    f"in maintenance until {_short_time(report.maintenance_until, contents.zone)}"
                )
            left, right = axis.x_position(since), axis.x_position(contents.now)
            silent = (axis.percent(left), axis.percent(max(right - left, 6)))
        lanes.append(_lane(slug, title, update, markers, own_bars, axis, silent=silent))
    team_markers = [team_marker(entry, axis) for entry in contents.team]
    if only_problems:
        team_markers = [marker for marker in team_markers if marker.is_problem]
    if contents.team:
        count = sum(entry.is_note for entry in contents.team)
        update = f"{count} note{'' if count == 1 else 's'}" if count else "alerts"
        lanes.append(_lane(TEAM_LANE, TEAM, update, team_markers, (), axis))
    return tuple(lanes)


def _lane(
    key: str,
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
        key,
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
