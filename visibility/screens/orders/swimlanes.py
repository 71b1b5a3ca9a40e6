"""The swimlanes: one lane per source, time from left to right, quiet stretches drawn short."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from visibility.formatting import span
from visibility.screens.orders.event_labels import tone, words
from visibility.timeline import Entry, Timeline
from visibility.timeline.days import said
from visibility.timeline.model import MilestoneCode

# Half a date, or the word "promised", has room to the right of the last point.
LEFT, WIDTH, RIGHT = 168, 1120, 48
TOP, LANE, FOOT = 46, 52, 26
# Words need so much room: a date, "promised", the length of a quiet stretch.
DATE, WORD, LENGTH = 88, 64, 104
# Marks closer than this are drawn as one with a count: each stays large enough to hit.
APART = 27
QUIET = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Mark:
    """One event, or several of the same minute."""

    x: float
    y: float
    event_id: int
    label: str
    tone: str
    count: int
    superseded: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One source."""

    title: str
    role: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the time axis; `anchor` is the side of it that the word stands on."""

    x: float
    label: str
    kind: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Quiet:
    """A stretch of time without a word; `x` is its middle."""

    left: float
    width: float
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Lanes:
    """Everything the drawing needs."""

    width: int
    height: int
    # Where the lanes end; what stands below belongs to "now" and "promised".
    foot: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    quiet: tuple[Quiet, ...]
    summary: str


class Axis:
    """Time to x: a gap takes room by its logarithm, so that nothing crowds and nothing is lost."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        self.points = sorted(set(moments))
        weights = [0.0]
        for before, after in zip(self.points, self.points[1:], strict=False):
            hours = (after - before).total_seconds() / 3600
            weights.append(weights[-1] + 0.35 + math.log1p(hours))
        total = weights[-1] or 1.0
        self.places = [LEFT + 24 + w / total * (WIDTH - LEFT - RIGHT - 24) for w in weights]

    def x(self, moment: datetime) -> float:
        """Where a moment lies, between its neighbours in proportion."""
        if moment <= self.points[0]:
            return self.places[0]
        for i in range(1, len(self.points)):
            if moment <= self.points[i]:
                span = (self.points[i] - self.points[i - 1]).total_seconds()
                part = (moment - self.points[i - 1]).total_seconds() / span
                return self.places[i - 1] + part * (self.places[i] - self.places[i - 1])
        return self.places[-1]


def lanes(
    timeline: Timeline, *, titles: Mapping[str, tuple[str, datetime]], now: datetime, zone: str
) -> Lanes | None:
    """The drawing of a timeline; None where nothing happened."""
    if not timeline.entries:
        return None
    promised = timeline.milestones.get(MilestoneCode.DELIVERED)
    plan = promised.planned_at if promised else None
    moments = [e.spoken.occurred_at for e in timeline.entries]
    axis = Axis([*moments, *([now] if timeline.is_open else []), *([plan] if plan else [])])
    made = tuple(
        Lane(
            titles.get(claim.source, (claim.source, now))[0],
            claim.role.value,
            TOP + LANE * row + LANE / 2,
            _marks([e for e in timeline.entries if e.spoken.source == claim.source], row, axis),
        )
        for row, claim in enumerate(
            sorted(timeline.claims, key=lambda c: _first(timeline, c.source))
        )
    )
    foot = TOP + LANE * len(made)
    ends = [*([(now, "now", "now")] if timeline.is_open else [])]
    ends += [(plan, "promised", "promise")] if plan else []
    return Lanes(
        WIDTH,
        foot + FOOT,
        foot,
        made,
        (*_days(axis, ZoneInfo(zone)), *_words(axis, ends)),
        tuple(_quiet(axis, sorted({*moments, *([now] if timeline.is_open else [])}))),
        f"{len(timeline.entries)} events from {len(made)} systems, "
        f"{min(moments):%d %b %Y} to {max(moments):%d %b %Y}. The list tells the same.",
    )


def _first(timeline: Timeline, source: str) -> tuple[datetime, str]:
    return (
        min(e.spoken.occurred_at for e in timeline.entries if e.spoken.source == source),
        source,
    )


def _marks(entries: Sequence[Entry], row: int, axis: Axis) -> tuple[Mark, ...]:
    groups: list[list[Entry]] = []
    places: list[float] = []
    for entry in entries:
        x = axis.x(entry.spoken.occurred_at)
        if groups and x - places[-1] < APART:
            groups[-1].append(entry)
        else:
            groups.append([entry])
            places.append(x)
    y = TOP + LANE * row + LANE / 2
    return tuple(
        Mark(
            round(x, 1),
            y,
            group[0].spoken.event_id,
            "; ".join(dict.fromkeys(words(e.spoken, again=e.again).title for e in group)),
            tone(group[-1].spoken.event.type),
            len(group),
            all(e.superseded for e in group),
        )
        for x, group in zip(places, groups, strict=True)
    )


def _days(axis: Axis, zone: ZoneInfo) -> list[Tick]:
    """The first day, then midnights, as many as have room."""
    first, last = axis.points[0].astimezone(zone), axis.points[-1].astimezone(zone)
    ticks = [_day(axis.places[0], first)]
    day = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day <= last:
        x = axis.x(day)
        if x - ticks[-1].x > DATE:
            ticks.append(_day(x, day))
        day += timedelta(days=1)
    return ticks


def _day(x: float, day: datetime) -> Tick:
    return Tick(round(x, 1), said(day), "day")


def _words(axis: Axis, ends: Sequence[tuple[datetime, str, str]]) -> list[Tick]:
    """Now and the promise, each on its own side where they are close together."""
    ticks = sorted((Tick(round(axis.x(at), 1), label, kind) for at, label, kind in ends), key=_x)
    if len(ticks) == 2 and ticks[1].x - ticks[0].x < WORD:
        return [replace(ticks[0], anchor="end"), replace(ticks[1], anchor="start")]
    return ticks


def _x(tick: Tick) -> float:
    return tick.x


def _quiet(axis: Axis, moments: Sequence[datetime]) -> list[Quiet]:
    """Long stretches without a word; what is still to come is not one."""
    found = []
    for before, after in pairwise(moments):
        left, right = axis.x(before) + APART / 2, axis.x(after) - APART / 2
        if after - before > QUIET and right - left > LENGTH:
            label = f"{span(after - before)} quiet"
            found.append(
                Quiet(round(left, 1), round(right - left, 1), round((left + right) / 2, 1), label)
            )
    return found
