"""Unit fill rate on the first shipment (first-pass)."""

from decimal import Decimal

from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit
from visibility.timeline import Timeline
from visibility.timeline.kpi_inputs import demand_and_first_shipped_at_cut_off


class UnitFillRate(FlowKpi):
    """The fraction of ordered units that shipped with the first shipment."""

    code = "unit_fill_rate"
    title = "Unit fill rate"
    unit = KpiUnit.PERCENT
    version = 3
    definition = (
        "Units that shipped with the order's first shipment, divided by all units ordered on "
        "orders whose cut-off has passed. The cut-off is the promise date or the first shipment, "
        "whichever is earlier; the order counts on that day, in the organization's time zone. "
        "Excess quantity is ignored. Units that the seller cancelled for lack of stock count as "
        "missed. Units that the customer cancelled before the cut-off are excluded, and so are "
        "lines in units without a conversion and lines that were shipped under other items, such "
        "as a kit without master data. Returns do not reduce the rate."
    )
    counted = "units"
    target = Decimal("0.97")
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
        """Count units in the first shipment, and units in demand."""
        demand = demand_and_first_shipped_at_cut_off(timeline, zone)
        if demand is None:
            return None
        if demand.excluded:
            return KpiMeasurement(demand.day, None, None, demand.excluded)
        return KpiMeasurement(
            demand.day,
            sum((shipped for _, shipped in demand.lines), Decimal(0)),
            sum((wanted for wanted, _ in demand.lines), Decimal(0)),
            uncountable=demand.uncountable,
        )
