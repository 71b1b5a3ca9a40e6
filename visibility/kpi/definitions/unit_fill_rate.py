"""Fill rate, units, first pass."""

from decimal import Decimal

from visibility.kpi.kpi import Kpi, Measured, Unit
from visibility.timeline import Timeline
from visibility.timeline.fulfillment import first_pass


class UnitFillRate(Kpi):
    """The share of ordered units that left with the first shipment."""

    code = "unit_fill_rate"
    title = "Unit fill rate"
    unit = Unit.PERCENT
    version = 2
    definition = (
        "Units that left with the order's first shipment, of all units ordered on orders whose "
        "cut-off has passed. The cut-off is the promised date or the first shipment, whichever "
        "comes first; the order counts on that day, in the organisation's time zone. More than "
        "ordered counts as ordered. Units we cancelled for want of stock stay in as missed; what "
        "the customer cancelled before the cut-off is left out, as are lines in units that nobody "
        "has related to each other. Returns do not reduce it."
    )
    counted = "units"
    target = Decimal("0.97")
    higher_is_better = True
    reasons = {
        "no_lines": "no order lines are known",
        "no_cut_off": "neither promised nor shipped",
        "no_shipped_quantity": "shipped, but nobody said how much",
        "cancelled_before_cut_off": "cancelled by the customer in time",
        "rejected": "rejected",
        "unit": "told in units that nobody has related to each other",
        "unknown_sku": "shipped as an article that is not mapped yet",
    }

    def measure(self, timeline: Timeline, zone: str) -> Measured | None:
        """Units that left at first, of units wanted."""
        demand = first_pass(timeline, zone)
        if demand is None:
            return None
        if demand.excluded:
            return Measured(demand.day, None, None, demand.excluded)
        return Measured(
            demand.day,
            sum((shipped for _, shipped in demand.lines), Decimal(0)),
            sum((wanted for wanted, _ in demand.lines), Decimal(0)),
            aside=demand.aside,
        )
