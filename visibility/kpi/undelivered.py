"""Orders that wait for their delivery, counted by the day they came in."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import Kpi, Measured, Unit
from visibility.timeline import MilestoneCode, Timeline


class Undelivered(Kpi):
    """A stock, not a flow: it is on no page of its own, and stands beside the cycle time."""

    code = "undelivered"
    title = "Orders not yet delivered"
    unit = Unit.PERCENT
    version = 1
    definition = (
        "Open orders of which not everything is delivered, by the day they were received, in the "
        "organisation's time zone. Orders without a time of receipt are left out."
    )
    counted = "orders"
    higher_is_better = False

    def measure(self, timeline: Timeline, zone: str) -> Measured | None:
        """One, for as long as the order waits."""
        received = timeline.when(MilestoneCode.RECEIVED)
        if (
            received is None
            or not timeline.is_open
            or timeline.completed(MilestoneCode.DELIVERED) is not None
        ):
            return None
        return Measured(received.astimezone(ZoneInfo(zone)).date(), Decimal(1), Decimal(1))
