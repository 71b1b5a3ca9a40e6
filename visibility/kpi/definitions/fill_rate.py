"""Line fill rate on the first shipment (first-pass)."""

from decimal import Decimal

from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit
from visibility.timeline import Timeline
from visibility.timeline.kpi_inputs import demand_and_first_shipped_at_cut_off


class FillRate(FlowKpi):
    """The fraction of order lines that shipped complete with the first shipment."""

    code = "fill_rate"
    title = "Line fill rate"
    unit = KpiUnit.PERCENT
    version = 3
    definition = (
        "Order lines that shipped complete with the order's first shipment, divided by all order "
        "lines whose cut-off has passed. The cut-off is the promise date or the first shipment, "
        "whichever is earlier; the order counts on that day, in the organization's time zone. A "
        "line is complete if the first shipment contained at least the ordered quantity. Excess "
        "quantity is ignored. A kit counts as one line. A substitute item does not fill a line. A "
        "line that the seller cancelled for lack of stock counts as missed. Quantities that the "
        "customer cancelled before the cut-off are excluded; a cancellation without a stock reason "
        "counts as the customer's. Lines without a quantity, lines in units without a "
        "conversion and lines that were shipped under other items, such as a kit without master "
        "data, are excluded. Returns do not reduce the rate."
    )
    counted = "lines"
    target = Decimal("0.96")
    higher_is_better = True
    no_value_reason = "no orders reached their cut-off"
    reasons = {
        "no_lines": "no order lines received",
        "no_cut_off": "no promise date and not shipped",
        "no_shipped_quantity": "shipped without quantities",
        "cancelled_before_cut_off": "cancelled by the customer before the cut-off",
        "rejected": "rejected",
        "unit": "units without a conversion",
        "unknown_sku": "shipped as an unmapped item",
        "no_counterpart": "shipped as items that match no ordered line",
    }

    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """Count lines complete in the first shipment, and lines in demand."""
        demand = demand_and_first_shipped_at_cut_off(timeline, zone)
        if demand is None:
            return None
        if demand.excluded:
            return KpiMeasurement(demand.day, None, None, demand.excluded)
        full = sum(shipped >= wanted for wanted, shipped in demand.lines)
        return KpiMeasurement(
            demand.day, Decimal(full), Decimal(len(demand.lines)), uncountable=demand.uncountable
        )
