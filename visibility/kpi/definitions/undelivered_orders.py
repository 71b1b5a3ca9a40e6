"""The undelivered orders and their age."""

from visibility.kpi.kpi import OpenInterval, StockKpi
from visibility.timeline import MilestoneCode, Timeline
from visibility.timeline.kpi_inputs import last_delivery_if_complete


class UndeliveredOrders(StockKpi):
    """The orders that are open and not fully delivered at the end of a date range."""

    code = "undelivered_orders"
    title = "Undelivered orders"
    version = 1
    definition = (
        "Orders that were received and are not fully delivered at an instant, and their age: the "
        "time since they were received. The instant is now, or the end of the last day of the date "
        "range, in the organization's time zone. An order counts until its last line is delivered, "
        "or until it is cancelled, rejected or closed in another way. Shown as the median and the "
        "90th percentile (P90) of the ages. By day and in breakdowns, ages are accurate to half a "
        "day. Orders without a receipt time are not included. Orders that ended before they were "
        "received are excluded; their number is shown."
    )
    counted = "orders"
    higher_is_better = False
    no_value_reason = "no orders are undelivered"
    reasons = {"reversed_times": "ended before it was received"}

    def open_interval(self, timeline: Timeline) -> OpenInterval | None:
        """From the receipt to the last delivery, or to the end of the order without one."""
        received = timeline.milestone_reached_at(MilestoneCode.RECEIVED)
        if received is None:
            return None
        ended = last_delivery_if_complete(timeline)
        if ended is None and not timeline.is_open:
            # Never the time of the fold: a rebuild must not change the fact.
            ended = timeline.status_since or timeline.entries[-1].recorded.occurred_at
        if ended is not None and ended < received:
            return OpenInterval(received, excluded="reversed_times")
        return OpenInterval(received, ended)
