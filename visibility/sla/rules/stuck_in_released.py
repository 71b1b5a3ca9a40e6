"""Released to the warehouse, and no ship confirmation came in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from connectors.sdk.connector import Role
from visibility.sla.calendar import Calendar
from visibility.sla.rule import Clock, Rule, in_words
from visibility.timeline.model import MilestoneCode, Timeline


@dataclass(frozen=True)
class Params:
    """`within`: working time from the release to the first ship confirmation."""

    within: timedelta = timedelta(hours=4)


class StuckInReleased(Rule):
    """An order released to the warehouse must be shipped, at least in part, within the time.

    The clock starts with the first release and stops with the first ship confirmation or the
    cancellation; nothing in between moves it, however many updates arrive.
    """

    code: ClassVar[str] = "stuck_in_released"
    title: ClassVar[str] = "Stuck in released"
    params_type: ClassVar[type[Any]] = Params

    def clocks(self, timeline: Timeline, params: Params, calendar: Calendar) -> Iterable[Clock]:
        """One clock per released order."""
        released = timeline.when(MilestoneCode.RELEASED)
        if released is None:
            return
        stops = [
            moment
            for code in (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED, MilestoneCode.CANCELLED)
            if (moment := timeline.when(code))
        ]
        yield Clock(
            started_at=released,
            due_at=calendar.add(released, params.within),
            stopped_at=max(min(stops), released) if stops else None,
            waits_for=(Role.WMS, Role.THIRD_PARTY_LOGISTICS),
        )

    def sentence(self, params: Params, subject: str) -> str:
        """The alert's title."""
        return f"Released {in_words(params.within)} ago and no ship confirmation"
