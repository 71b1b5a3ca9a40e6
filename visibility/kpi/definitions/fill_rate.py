"""Fill rate, lines, first pass."""

from decimal import Decimal

from visibility.kpi.kpi import Kpi, Measured, Unit
from visibility.timeline import Timeline
from visibility.timeline.fulfillment import first_pass


class FillRate(Kpi):
    """The share of order lines that left in full with the first shipment."""

    code = "fill_rate"
    title = "Line fill rate"
    unit = Unit.PERCENT
    version = 2
    definition = (
        "Order lines that left in full with the order's first shipment, of all order lines whose "
        "cut-off has passed. The cut-off is the promised date or the first shipment, whichever "
        "comes first; the order counts on that day, in the organisation's time zone. A line is "
        "full when the first shipment carried at least the ordered quantity; more than ordered "
        "counts as ordered; a kit counts as one line, and what is sent in place of a line does not "
        "fill it at first. A line we cancelled for want of stock stays in as a miss; what the "
        "customer cancelled before the cut-off is left out, and a cancellation that names no "
        "shortage is taken as the customer's. Lines without a quantity, and lines in units that "
        "nobody has related to each other, are left out. Returns do not reduce it."
    )
    counted = "lines"
    target = Decimal("0.96")
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
        """Lines full at the first shipment, of lines wanted."""
        demand = first_pass(timeline, zone)
        if demand is None:
            return None
        if demand.excluded:
            return Measured(demand.day, None, None, demand.excluded)
        full = sum(shipped >= wanted for wanted, shipped in demand.lines)
        return Measured(demand.day, Decimal(full), Decimal(len(demand.lines)), aside=demand.aside)
