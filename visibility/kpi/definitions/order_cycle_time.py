"""Order cycle time from receipt to last delivery, gross."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit
from visibility.timeline import MilestoneCode, Status, Timeline
from visibility.timeline.kpi_inputs import last_delivery_if_complete


class OrderCycleTime(FlowKpi):
    """The time from the receipt of an order to its last delivery."""

    code = "order_cycle_time"
    title = "Order cycle time"
    unit = KpiUnit.DURATION
    version = 1
    definition = (
        "Time from the receipt of an order to the delivery of its last line (SCOR, gross: calendar "
        "time including waiting time). The order counts on the day of that delivery, in the "
        "organization's time zone. Shown as the median and the 90th percentile (P90) of the "
        "orders, accurate to half a percent. Cancelled and rejected orders are excluded. Orders "
        "without a receipt time, or delivered before they were received, are excluded; their "
        "number is shown. Open orders are not included: their age is shown separately, so that a "
        "growing backlog cannot improve the value."
    )
    counted = "orders"
    target = Decimal(3 * 24 * 3600)
    higher_is_better = False
    no_value_reason = "no orders were completely delivered"
    reasons = {
        "cancelled": "cancelled or rejected",
        "no_received_time": "delivered, but no receipt time",
        "reversed_times": "delivered before it was received",
    }

    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """Seconds from receipt to full delivery."""
        time_zone = ZoneInfo(zone)
        if timeline.status in {Status.CANCELLED, Status.REJECTED}:
            since = timeline.status_since or timeline.as_of
            return KpiMeasurement(since.astimezone(time_zone).date(), None, None, "cancelled")
        delivered = last_delivery_if_complete(timeline)
        if delivered is None:
            return None
        day = delivered.astimezone(time_zone).date()
        received = timeline.milestone_reached_at(MilestoneCode.RECEIVED)
        if received is None:
            return KpiMeasurement(day, None, None, "no_received_time")
        if delivered < received:
            return KpiMeasurement(day, None, None, "reversed_times")
        seconds = Decimal((delivered - received) // timedelta(seconds=1))
        return KpiMeasurement(day, seconds, Decimal(1))
