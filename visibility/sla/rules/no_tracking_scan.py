"""Alert on shipments that no carrier has scanned in time."""

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
from visibility.timeline.model import Timeline


@dataclass(frozen=True)
class Params:
    """`within`: working time from the ship confirmation to the first carrier scan."""

    within: timedelta = parameter(
        timedelta(hours=24),
        label="Time limit",
        help="Working time from the ship confirmation to the first carrier scan.",
        unit="working",
        minimum=timedelta(minutes=1),
        maximum=timedelta(days=365),
    )


class NoTrackingScan(OrderRule):
    """The carrier must scan a confirmed shipment within a time limit.

    Creating a label is not a scan, and each package needs one. There is one clock per shipment,
    also for a shipment without a tracking number. A voided shipment has none.
    """

    code: ClassVar[str] = "no_tracking_scan"
    title: ClassVar[str] = "Shipment without tracking scan"
    subject: ClassVar[RuleSubject] = RuleSubject.SHIPMENT
    params_type: ClassVar[type[Any]] = Params
    sentence_template: ClassVar[str] = (
        "Alert when a shipment has no carrier scan within {within} of its ship confirmation."
    )
    meaning: ClassVar[str] = (
        "The warehouse confirmed the shipment, but the carrier may not have it."
    )
    response: ClassVar[str] = "Ask the carrier to trace the package, and check the dock for it."
    team: ClassVar[str] = "Carrier desk"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.REVENUE_LEAKAGE,
    )
    awaited_step: ClassVar[str] = "carrier scan"
    starting_events: ClassVar[tuple[EventType, ...]] = (EventType.SHIPMENT_CONFIRMED,)

    def clocks(self, timeline: Timeline, params: Params, calendar: Calendar) -> Iterable[Clock]:
        """Return one clock per confirmed shipment."""
        for shipment in timeline.shipments:
            if shipment.shipped_at is None or shipment.voided_at:
                continue
            scanned = shipment.scanned_at
            numbers = [p.tracking for p in shipment.packages if p.tracking]
            yield Clock(
                started_at=shipment.shipped_at,
                due_at=calendar.add_working_time(shipment.shipped_at, params.within),
                stopped_at=max(scanned, shipment.shipped_at) if scanned else None,
                subject_key=shipment.key,
                subject=", ".join(numbers[:3]) or f"shipment {shipment.number}",
                expected_from=(SourceRole.CARRIER,),
            )

    def alert_title(self, params: Params, subject: str) -> str:
        """Return the title of the alert."""
        return f"No carrier scan {AGE_PLACEHOLDER} after shipping: {subject}"
