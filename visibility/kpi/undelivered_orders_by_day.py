"""The backlog: undelivered orders by the day they were received."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import Kpi, KpiMeasurement, KpiUnit
from visibility.timeline import MilestoneCode, Timeline


class Undelivered(Kpi):
    """Undelivered orders. A stock, not a flow: shown next to the cycle time, not as a KPI."""

    code = "undelivered"
    title = "Undelivered orders"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Open orders that are not fully delivered, by the day they were received, in the "
        "organization's time zone. Orders without a receipt time are excluded."
    )
    counted = "orders"
    higher_is_better = False
    no_value_reason = "no orders are undelivered"

    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """Count 1 while the order is open and not fully delivered."""
        received = timeline.reached_at(MilestoneCode.RECEIVED)
        if (
            received is None
            or not timeline.is_open
            or timeline.completed_at(MilestoneCode.DELIVERED) is not None
        ):
            return None
        return KpiMeasurement(received.astimezone(ZoneInfo(zone)).date(), Decimal(1), Decimal(1))
