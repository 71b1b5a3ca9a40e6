"""On-time delivery with a proxy for orders whose delivery nobody reports."""

from datetime import datetime
from decimal import Decimal

from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit
from visibility.kpi.promise_measurement import measure_against_promise
from visibility.timeline import MilestoneCode, Timeline
from visibility.timeline.kpi_inputs import last_delivery_if_complete


class OnTimeEstimated(FlowKpi):
    """The fraction of orders delivered by the promise date, estimated where nobody reports it."""

    code = "on_time_estimated"
    title = "On-time delivery, estimated"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "A proxy for on-time delivery where deliveries are not reported, for example with own "
        "trucks. It counts like on-time delivery, with one difference: if an order is completely "
        "shipped and no carrier reported a scan or a delivery of any of its packages, the latest "
        "estimated delivery date counts as its delivery, or else the time of its last shipment. "
        "As soon as a carrier reports about the order, only the reported delivery counts. Use "
        "on-time delivery where carriers report: a lost package without a scan is on time here. "
        "The order counts on its promise date, in the organization's time zone. Cancelled and "
        "rejected orders and orders without a promise date are excluded; their number is shown."
    )
    counted = "orders"
    target = Decimal("0.95")
    higher_is_better = True
    no_value_reason = "no orders were delivered, completely shipped or reached their promise date"
    reasons = {
        "cancelled": "cancelled or rejected",
        "no_promise": "delivered or shipped without a promise date",
    }

    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """Count 1 of 1 if the reported or estimated delivery is by the promise date, else 0."""
        delivered = last_delivery_if_complete(timeline) or _estimated_delivery(timeline)
        return measure_against_promise(timeline, delivered, zone)


def _estimated_delivery(timeline: Timeline) -> datetime | None:
    """The estimated arrival, or else the last shipment, of an order nobody reports about."""
    shipped = timeline.milestone_completed_at(MilestoneCode.SHIPPED)
    shipments = [s for s in timeline.shipments if not s.voided_at]
    if shipped is None or any(s.first_scan_at or s.delivered_at for s in shipments):
        return None
    estimated = max([s.eta for s in shipments if s.eta], default=shipped)
    return estimated if estimated <= timeline.as_of else None
