"""Order cycle time, gross."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import Kpi, Measured, Unit
from visibility.timeline import MilestoneCode, Status, Timeline
from visibility.timeline.fulfillment import last_delivery


class OrderCycleTime(Kpi):
    """How long it takes from the order to the last delivery."""

    code = "order_cycle_time"
    title = "Order cycle time"
    unit = Unit.DURATION
    version = 1
    definition = (
        "Time from the receipt of an order to the delivery of its last line (SCOR, gross: waiting "
        "included, calendar time). The order counts on the day of that delivery, in the "
        "organisation's time zone; told as the median and the ninetieth percentile of the orders: "
        "what half of them, and nine in ten, did not exceed, to within half a percent. "
        "Cancelled and rejected orders are left out. Orders without a time of receipt, or with a "
        "delivery before the receipt, are left out and counted. Open orders are not in it: their "
        "age stands beside it, so that a growing backlog can't improve the number."
    )
    counted = "orders"
    target = Decimal(3 * 24 * 3600)
    higher_is_better = False
    reasons = {
        "cancelled": "cancelled or rejected",
        "no_received_time": "delivered, but the time of receipt is unknown",
        "reversed_times": "delivered before it was received",
    }

    def measure(self, timeline: Timeline, zone: str) -> Measured | None:
        """Seconds from received to delivered whole."""
        info = ZoneInfo(zone)
        if timeline.status in {Status.CANCELLED, Status.REJECTED}:
            since = timeline.status_since or timeline.as_of
            return Measured(since.astimezone(info).date(), None, None, "cancelled")
        delivered = last_delivery(timeline)
        if delivered is None:
            return None
        day = delivered.astimezone(info).date()
        received = timeline.when(MilestoneCode.RECEIVED)
        if received is None:
            return Measured(day, None, None, "no_received_time")
        if delivered < received:
            return Measured(day, None, None, "reversed_times")
        seconds = Decimal((delivered - received) // timedelta(seconds=1))
        return Measured(day, seconds, Decimal(1))
