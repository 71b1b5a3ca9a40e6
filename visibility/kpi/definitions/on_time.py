"""On time, orders, against the current promise."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import Kpi, Measured, Unit
from visibility.timeline import Status, Timeline
from visibility.timeline.fulfillment import last_delivery, promise


class OnTime(Kpi):
    """The share of orders delivered whole by the promised day."""

    code = "on_time"
    title = "On-time delivery"
    unit = Unit.PERCENT
    version = 1
    definition = (
        "Orders whose last line was delivered on or before the promised day, of all orders whose "
        "promise has passed or which were delivered. The promise is the current one; the day is "
        "the promised day, in the organisation's time zone; early is on time. An order not "
        "delivered when its promise passes counts as late at once. Cancelled and rejected orders "
        "and orders without a promise are left out and counted."
    )
    counted = "orders"
    target = Decimal("0.95")
    higher_is_better = True
    reasons = {
        "cancelled": "cancelled or rejected",
        "no_promise": "delivered without a promised date",
    }

    def measure(self, timeline: Timeline, zone: str) -> Measured | None:
        """1 of 1 when the last delivery fell on or before the promised day."""
        info = ZoneInfo(zone)
        if timeline.status in {Status.CANCELLED, Status.REJECTED}:
            since = timeline.status_since or timeline.as_of
            return Measured(since.astimezone(info).date(), None, None, "cancelled")
        delivered = last_delivery(timeline)
        promised = promise(timeline, zone)
        if promised is None:
            if delivered is None:
                return None
            return Measured(delivered.astimezone(info).date(), None, None, "no_promise")
        moment, day = promised
        if delivered is None and timeline.as_of < moment:
            return None
        kept = delivered is not None and delivered.astimezone(info).date() <= day
        return Measured(day, Decimal(int(kept)), Decimal(1))
