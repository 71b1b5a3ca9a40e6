"""The bars from the planned to the actual time of a milestone, in words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from visibility.formatting import count_with_noun, format_duration, in_zone, local_or_bare_utc_date
from visibility.screens.orders.expected_steps import is_date_only
from visibility.screens.orders.swimlane_axis import LogScaledGapTimeAxis
from visibility.screens.orders.swimlane_labels import label_width
from visibility.timeline import MilestoneCode, Timeline

# Milestones with a planned time, and the verb of their bars.
PLANNED_MILESTONES = {MilestoneCode.SHIPPED: "Ship", MilestoneCode.DELIVERED: "Deliver"}


@dataclass(frozen=True, slots=True)
class DeviationBar:
    """A bar on the lane of the source that reported the milestone; edges in percent."""

    source: str
    started_at: datetime
    ended_at: datetime
    text: str
    tone: str
    left: float = 0
    right: float = 0
    has_visible_text: bool = False

    def placed_on(self, axis: LogScaledGapTimeAxis) -> "DeviationBar":
        """The bar with its edges; its text is shown if it fits."""
        left, right = axis.x_position(self.started_at), axis.x_position(self.ended_at)
        return replace(
            self,
            left=axis.percent(left),
            right=axis.percent(right),
            has_visible_text=right - left > label_width(self.text) + 24,
        )

    @property
    def width(self) -> float:
        """The width in percent."""
        return round(self.right - self.left, 2)


def deviation_text(planned: datetime, actual: datetime, zone: str) -> tuple[str, str]:
    """`1 day late`, `3 h late`, `on time`, `2 days early`, and the tone.

    A date without a time lasts until the end of its day.
    """
    days = (in_zone(actual, zone).date() - local_or_bare_utc_date(planned, zone)).days
    is_bare_date = is_date_only(planned)
    if days > 0 and (is_bare_date or actual - planned >= timedelta(days=1)):
        return f"{count_with_noun(days, 'day')} late", "late"
    if not is_bare_date and actual > planned + timedelta(minutes=1):
        return f"{format_duration(actual - planned)} late", "late"
    return (f"{count_with_noun(-days, 'day')} early" if days < 0 else "on time"), "ok"


def deviation_bars(timeline: Timeline, zone: str) -> Iterator[DeviationBar]:
    """A bar for each milestone that was completed later than planned."""
    for code, verb in PLANNED_MILESTONES.items():
        milestone = timeline.milestones.get(code)
        if not (milestone and milestone.planned_at and milestone.completed_at):
            continue
        text, tone = deviation_text(milestone.planned_at, milestone.completed_at, zone)
        if tone == "late" and milestone.planned_at < milestone.completed_at:
            source = milestone.source or _source_of(timeline, milestone.completed_at)
            yield DeviationBar(
                source, milestone.planned_at, milestone.completed_at, f"{verb}: {text}", tone
            )


def _source_of(timeline: Timeline, at: datetime) -> str:
    return next(
        (e.recorded.source for e in timeline.entries if e.recorded.occurred_at == at),
        "",
    )
