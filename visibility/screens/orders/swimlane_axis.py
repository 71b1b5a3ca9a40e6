"""The time axis of the swimlanes: long gaps are compressed, idle time is folded, days are named."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from visibility.formatting import format_date, format_duration

# Of the track at the scale 1, in CSS pixels; the page never draws it narrower.
TRACK_WIDTH = 940
EDGE = 26
# Minimum widths of labels: a date, `Now 14:50`, "No activity for 46 d".
DATE_LABEL_WIDTH, CAP_WIDTH, IDLE_LABEL_WIDTH = 88, 76, 132
# Events closer than this share one marker with a count, so that each can be clicked.
MIN_DISTANCE = 27
MIN_IDLE_TIME = timedelta(hours=20)
FUTURE_SHARE = 0.45


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across all lanes with a label; `kind`: day, now or promise.

    `x` is in percent of the track. `anchor`: the side of the line on which the label ends.
    """

    x: float
    label: str
    kind: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class IdleSpan:
    """A time span without events: left edge and width in percent."""

    left: float
    width: float
    label: str


class LogScaledGapTimeAxis:
    """Map times to x in pixels. The width of a gap grows with the logarithm of its hours.

    The time after `now` is drawn smaller: little is known about it.
    """

    def __init__(
        self, moments: Sequence[datetime], *, now: datetime, width: float = TRACK_WIDTH
    ) -> None:
        self.points = sorted(set(moments))
        self.width = width
        weights = [0.0]
        for before, after in pairwise(self.points):
            hours = (after - before).total_seconds() / 3600
            share = FUTURE_SHARE if before >= now else 1.0
            weights.append(weights[-1] + (0.35 + math.log1p(hours)) * share)
        total = weights[-1] or 1.0
        self.positions = [EDGE + w / total * (width - 2 * EDGE) for w in weights]

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

    def percent(self, x: float) -> float:
        """An x in percent of the track."""
        return round(x / self.width * 100, 2)


def now_and_promise_ticks(
    axis: LogScaledGapTimeAxis, labels: Sequence[tuple[datetime, str, str]]
) -> list[Tick]:
    """Ticks for now and the promises; where labels would overlap, they are on opposite sides.

    A label that has no space is left out: the one before it is enough.
    """
    ticks: list[Tick] = []
    ends_at = -math.inf
    pairs = sorted((axis.x_position(at), label, kind) for at, label, kind in labels)
    for index, (x, label, kind) in enumerate(pairs):
        following = pairs[index + 1][0] if index + 1 < len(pairs) else math.inf
        half = CAP_WIDTH / 2
        fits_middle = x - half >= max(ends_at, 0) and x + half <= axis.width
        if fits_middle and following - x >= CAP_WIDTH:
            anchor, ends_at = "middle", x + half
        elif x - CAP_WIDTH >= max(ends_at, 0) and (following - x < CAP_WIDTH or not fits_middle):
            anchor, ends_at = "end", x
        elif x >= ends_at and x + CAP_WIDTH <= axis.width:
            anchor, ends_at = "start", x + CAP_WIDTH
        else:
            anchor = "none"
        ticks.append(Tick(axis.percent(x), label, kind, anchor))
    return ticks


def day_ticks(axis: LogScaledGapTimeAxis, zone: ZoneInfo, caps: Sequence[Tick]) -> list[Tick]:
    """Ticks for the first day and for as many midnights as there is room for beside the caps."""
    first, last = axis.points[0].astimezone(zone), axis.points[-1].astimezone(zone)
    taken = [_cap_interval(axis, cap) for cap in caps if cap.anchor != "none"]
    candidates = [(axis.positions[0] - EDGE + 4, first)]
    day = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day <= last:
        candidates.append((axis.x_position(day), day))
        day += timedelta(days=1)
    ticks: list[Tick] = []
    free_from = -math.inf
    for x, moment in candidates:
        ends_at = x + DATE_LABEL_WIDTH
        if x < free_from or ends_at > axis.width:
            continue
        if any(x < right and left < ends_at for left, right in taken):
            continue
        ticks.append(Tick(axis.percent(x), format_date(moment.date()), "day", "start"))
        free_from = ends_at
    return ticks


def _cap_interval(axis: LogScaledGapTimeAxis, cap: Tick) -> tuple[float, float]:
    x = cap.x * axis.width / 100
    left = {"middle": x - CAP_WIDTH / 2, "end": x - CAP_WIDTH, "start": x}[cap.anchor]
    return left, left + CAP_WIDTH


def idle_spans(axis: LogScaledGapTimeAxis, moments: Sequence[datetime]) -> list[IdleSpan]:
    """Long time spans without events. Time in the future does not count."""
    spans = []
    for before, after in pairwise(sorted(set(moments))):
        left = axis.x_position(before) + MIN_DISTANCE / 2
        right = axis.x_position(after) - MIN_DISTANCE / 2
        if after - before > MIN_IDLE_TIME and right - left > IDLE_LABEL_WIDTH:
            label = _idle_label(after - before)
            spans.append(IdleSpan(axis.percent(left), axis.percent(right - left), label))
    return spans


def _idle_label(length: timedelta) -> str:
    """`No activity for 46 d`; hours only if it is less than a day."""
    return f"No activity for {f'{length.days} d' if length.days else format_duration(length)}"
