"""On-time delivery of orders against the current promise date."""

from decimal import Decimal

from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit
from visibility.kpi.promise_measurement import measure_against_promise
from visibility.timeline import Timeline
from visibility.timeline.kpi_inputs import last_delivery_if_complete


class OnTime(FlowKpi):
    """The fraction of orders fully delivered by the promise date."""

    code = "on_time"
    title = "On-time delivery"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Orders whose last line was delivered on or before the promise date, divided by all orders "
        "that were delivered or whose promise date has passed. The current promise date applies, "
        "and the order counts on that day, in the organization's time zone. Early delivery is on "
        "time. An order that is not delivered when its promise date passes counts as late at once. "
        "Cancelled orders, rejected orders and orders without a promise date are excluded; their "
        "number is shown."
    )
    counted = "orders"
    target = Decimal("0.95")
    higher_is_better = True
    no_value_reason = "no orders were delivered or reached their promise date"
    reasons = {
        "cancelled": "cancelled or rejected",
        "no_promise": "delivered without a promise date",
    }

    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """Count 1 of 1 if the last delivery was on or before the promise date, else 0 of 1."""
        return measure_against_promise(timeline, last_delivery_if_complete(timeline), zone)
