"""Lay out the swimlane chart: one lane per source, time along x, idle time compressed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from visibility.formatting import format_date, format_duration
from visibility.screens.orders.event_labels import (
    event_title_and_detail,
    event_tone,
    inferred_time_note,
)
from visibility.timeline import Timeline, TimelineEntry
from visibility.timeline.model import MilestoneCode

# All sizes are SVG user units. RIGHT leaves room for half a date label after the last point.
LEFT_MARGIN, CHART_WIDTH, RIGHT_MARGIN = 168, 1120, 48
TOP_MARGIN, LANE_HEIGHT, FOOTER_HEIGHT = 46, 52, 26
# Minimum widths of labels: a date, "promised", "No activity for 46 d".
DATE_LABEL_WIDTH, LABEL_WIDTH, IDLE_LABEL_WIDTH = 88, 64, 132
# Events closer than this share one marker with a count, so that each can be clicked.
MIN_DISTANCE = 27
MIN_IDLE_TIME = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class EventMarker:
    """One event, or several that are too close together to be drawn apart."""

    x: float
    y: float
    event_id: int
    label: str
    tone: str
    count: int
    superseded: bool
    # All its times are inferred: no source reported them.
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Swimlane:
    """The events of one source."""

    title: str
    role: str
    y: float
    markers: tuple[EventMarker, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across all lanes with a label; `anchor` is the SVG text-anchor of the label."""

    x: float
    label: str
    kind: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class IdleSpan:
    """A time span without events; `x` is its middle."""

    left: float
    width: float
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class SwimlaneChart:
    """The chart as the template draws it."""

    width: int
    height: int
    # The y of the end of the lanes; the labels "now" and "promised" are below it.
    lanes_bottom: int
    lanes: tuple[Swimlane, ...]
    ticks: tuple[Tick, ...]
    idle_spans: tuple[IdleSpan, ...]
    summary: str


class LogScaledGapTimeAxis:
    """Map times to x. The width of a gap grows with the logarithm of its hours."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        self.points = sorted(set(moments))
        weights = [0.0]
        for before, after in zip(self.points, self.points[1:], strict=False):
            hours = (after - before).total_seconds() / 3600
            weights.append(weights[-1] + 0.35 + math.log1p(hours))
        total = weights[-1] or 1.0
        self.positions = [
            LEFT_MARGIN + 24 + w / total * (CHART_WIDTH - LEFT_MARGIN - RIGHT_MARGIN - 24)
            for w in weights
        ]

    def x_position(self, moment: datetime) -> float:
        """The x of a moment, interpolated between the neighboring points."""
        if moment <= self.points[0]:
            return self.positions[0]
        for i in range(1, len(self.points)):
            if moment <= self.points[i]:
                seconds = (self.points[i] - self.points[i - 1]).total_seconds()
                fraction = (moment - self.points[i - 1]).total_seconds() / seconds
                return self.positions[i - 1] + fraction * (
                    self.positions[i] - self.positions[i - 1]
                )
        return self.positions[-1]


def layout_swimlanes(
    timeline: Timeline, *, titles: Mapping[str, tuple[str, datetime]], now: datetime, zone: str
) -> SwimlaneChart | None:
    """Lay out the chart of a timeline; None if it has no events."""
    if not timeline.entries:
        return None
    promised = timeline.milestones.get(MilestoneCode.DELIVERED)
    promised_at = promised.planned_at if promised else None
    moments = [e.recorded.occurred_at for e in timeline.entries]
    axis = LogScaledGapTimeAxis(
        [*moments, *([now] if timeline.is_open else []), *([promised_at] if promised_at else [])]
    )
    drawn_lanes = tuple(
        Swimlane(
            titles.get(claim.source, (claim.source, now))[0],
            claim.role.value,
            TOP_MARGIN + LANE_HEIGHT * row + LANE_HEIGHT / 2,
            _layout_event_markers(
                [e for e in timeline.entries if e.recorded.source == claim.source], row, axis
            ),
        )
        for row, claim in enumerate(
            sorted(timeline.claims, key=lambda c: _first_event_sort_key(timeline, c.source))
        )
    )
    lanes_bottom = TOP_MARGIN + LANE_HEIGHT * len(drawn_lanes)
    labels = [*([(now, "now", "now")] if timeline.is_open else [])]
    labels += [(promised_at, "promised", "promise")] if promised_at else []
    return SwimlaneChart(
        CHART_WIDTH,
        lanes_bottom + FOOTER_HEIGHT,
        lanes_bottom,
        drawn_lanes,
        (*_day_ticks(axis, ZoneInfo(zone)), *_now_and_promise_ticks(axis, labels)),
        tuple(_idle_spans(axis, sorted({*moments, *([now] if timeline.is_open else [])}))),
        f"{len(timeline.entries)} events from {len(drawn_lanes)} systems, "
        f"{_format_date(min(moments))} to {_format_date(max(moments))}. "
        "The list shows the same events.",
    )


def _format_date(moment: datetime) -> str:
    return format_date(moment.date(), weekday=False, year=True)


def _first_event_sort_key(timeline: Timeline, source: str) -> tuple[datetime, str]:
    return (
        min(e.recorded.occurred_at for e in timeline.entries if e.recorded.source == source),
        source,
    )


def _layout_event_markers(
    entries: Sequence[TimelineEntry], row: int, axis: LogScaledGapTimeAxis
) -> tuple[EventMarker, ...]:
    groups: list[list[TimelineEntry]] = []
    positions: list[float] = []
    for entry in entries:
        x = axis.x_position(entry.recorded.occurred_at)
        if groups and x - positions[-1] < MIN_DISTANCE:
            groups[-1].append(entry)
        else:
            groups.append([entry])
            positions.append(x)
    y = TOP_MARGIN + LANE_HEIGHT * row + LANE_HEIGHT / 2
    return tuple(
        EventMarker(
            round(x, 1),
            y,
            group[0].recorded.event_id,
            "; ".join(dict.fromkeys(_marker_title(e) for e in group)),
            event_tone(group[-1].recorded.event.type),
            len(group),
            all(e.superseded for e in group),
            all(inferred_time_note(e.recorded) for e in group),
        )
        for x, group in zip(positions, groups, strict=True)
    )


def _marker_title(entry: TimelineEntry) -> str:
    title = event_title_and_detail(entry.recorded, is_update=entry.is_update).title
    note = inferred_time_note(entry.recorded)
    return f"{title} ({note})" if note else title


def _day_ticks(axis: LogScaledGapTimeAxis, zone: ZoneInfo) -> list[Tick]:
    """Ticks for the first day and for as many midnights as there is room for."""
    first, last = axis.points[0].astimezone(zone), axis.points[-1].astimezone(zone)
    ticks = [_day_tick(axis.positions[0], first)]
    day = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day <= last:
        x = axis.x_position(day)
        if x - ticks[-1].x > DATE_LABEL_WIDTH:
            ticks.append(_day_tick(x, day))
        day += timedelta(days=1)
    return ticks


def _day_tick(x: float, day: datetime) -> Tick:
    return Tick(round(x, 1), format_date(day.date()), "day")


def _now_and_promise_ticks(
    axis: LogScaledGapTimeAxis, labels: Sequence[tuple[datetime, str, str]]
) -> list[Tick]:
    """Ticks for now and the promise date, with labels on opposite sides if they are close."""
    ticks = sorted(
        (Tick(round(axis.x_position(at), 1), label, kind) for at, label, kind in labels),
        key=_x_of_tick,
    )
    if len(ticks) == 2 and ticks[1].x - ticks[0].x < LABEL_WIDTH:
        return [replace(ticks[0], anchor="end"), replace(ticks[1], anchor="start")]
    return ticks


def _x_of_tick(tick: Tick) -> float:
    return tick.x


def _idle_label(length: timedelta) -> str:
    """`No activity for 46 d`; hours only if it is less than a day."""
    return f"No activity for {f'{length.days} d' if length.days else format_duration(length)}"


def _idle_spans(axis: LogScaledGapTimeAxis, moments: Sequence[datetime]) -> list[IdleSpan]:
    """Long time spans without events. Time in the future does not count."""
    spans = []
    for before, after in pairwise(moments):
        left, right = (
            axis.x_position(before) + MIN_DISTANCE / 2,
            axis.x_position(after) - MIN_DISTANCE / 2,
        )
        if after - before > MIN_IDLE_TIME and right - left > IDLE_LABEL_WIDTH:
            label = _idle_label(after - before)
            spans.append(
                IdleSpan(
                    round(left, 1), round(right - left, 1), round((left + right) / 2, 1), label
                )
            )
    return spans
