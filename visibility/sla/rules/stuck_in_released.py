"""Alert on orders that were released to the warehouse and not shipped in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType
from visibility.formatting import AGE_PLACEHOLDER
from visibility.sla.calendar import Calendar
from visibility.sla.parameters import parameter
from visibility.sla.rule import Clock, Consequence, OrderRule, RuleSubject
from visibility.timeline.model import MilestoneCode, Timeline


@dataclass(frozen=True)
class Params:
    """`within`: working time from the release to the first ship confirmation."""

    within: timedelta = parameter(
        timedelta(hours=4),
        label="Time limit",
        help="Working time from the release to the first ship confirmation.",
        unit="working",
        minimum=timedelta(minutes=1),
        maximum=timedelta(days=365),
    )


class StuckInReleased(OrderRule):
    """An order released to the warehouse must be shipped, at least partially, within a time limit.

    The clock starts at the first release and stops at the first ship confirmation, the delivery or
    the cancellation. Other updates do not change it.
    """

    code: ClassVar[str] = "stuck_in_released"
    title: ClassVar[str] = "Stuck in released"
    subject: ClassVar[RuleSubject] = RuleSubject.ORDER
    params_type: ClassVar[type[Any]] = Params
    sentence_template: ClassVar[str] = (
        "Alert when an order stays in released for more than {within}."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "The warehouse has the order and has not confirmed any shipment of it in time."
    )
    response: ClassVar[str] = (
        "Call the shift lead: is it in a wave? If stock is short, promise a new date."
    )
    team: ClassVar[str] = "Warehouse"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.REVENUE_LEAKAGE,
    )
    awaited_step: ClassVar[str] = "ship confirmation"
    starting_events: ClassVar[tuple[EventType, ...]] = (EventType.ORDER_RELEASED,)

    def clocks(self, timeline: Timeline, params: Params, calendar: Calendar) -> Iterable[Clock]:
        """Return one clock per released order."""
        released = timeline.milestone_reached_at(MilestoneCode.RELEASED)
        if released is None:
            return
        stops = [
            moment
            for code in (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED, MilestoneCode.CANCELLED)
            if (moment := timeline.milestone_reached_at(code))
        ]
        yield Clock(
            started_at=released,
            due_at=calendar.add_working_time(released, params.within),
            stopped_at=max(min(stops), released) if stops else None,
            expected_from=(SourceRole.WMS, SourceRole.THIRD_PARTY_LOGISTICS),
        )

    def alert_title(self, params: Params, subject: str) -> str:
        """Return the title of the alert."""
        return f"No ship confirmation {AGE_PLACEHOLDER} after the release"
