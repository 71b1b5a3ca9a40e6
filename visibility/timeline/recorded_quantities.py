"""The quantities that each source reports, by line and measure, event by event."""

from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import EventType, Measure, QuantityMode
from visibility.timeline.interpret_event_lines import Interpretation
from visibility.timeline.lines_without_counterpart import (
    LinesWithoutCounterpart,
    concerns_shipping_of_entire_order,
)
from visibility.timeline.model import RecordedEvent
from visibility.timeline.progress_totals import Progress
from visibility.timeline.quantities_of_event_lines import sum_line_quantities_in_counting_unit
from visibility.timeline.quantity_claims import (
    NEVER,
    Arrivals,
    QuantityClaims,
    record_seller_cancellation,
)
from visibility.timeline.voided_and_omitted_quantities import (
    claims_by_measure_and_line,
    event_keys_of_voided_increments,
    reset_omitted_quantities,
    scopes_of_void,
    void_claims,
)


class RecordedQuantities:
    """The claims of each source by line and measure, in the counting unit of each line."""

    def __init__(
        self, reading: Interpretation, delivered: Arrivals = NEVER, returned: Arrivals = NEVER
    ) -> None:
        self.interpretation = reading
        # By measure: when shipments arrived at the customer or back at the sender, and the first.
        both = ((Measure.DELIVERED, delivered), (Measure.RETURNED, returned))
        self.arrivals = {m: (times, min(times.values())) for m, times in both if times}
        self.columns: dict[Measure, dict[str, QuantityClaims]] = {m: {} for m in Measure}
        # Claims in units that cannot be converted.
        self.unconvertible: dict[str, dict[Measure, QuantityClaims]] = {}
        self.keys: set[str] = set()
        self.scope_objects: dict[tuple[str, str], tuple[str, ...]] = {}
        # (source, event key) of increments without a scope -> the objects that they name
        self.increment_objects: dict[tuple[str, str], set[str]] = {}
        self.seller_cancelled: dict[str, QuantityClaims] = {}  # by line
        # (source, event key) of cancellations that cancelled what was not shipped.
        self.balance_cancellations: set[tuple[str, str]] = set()
        # Sources that report that the order itself was shipped, without quantities.
        self.sources_reporting_order_shipped: set[str] = set()
        # Caches, valid until a claim changes.
        self._main: frozenset[str] | None = None
        self._due: dict[str, Decimal | None] = {}
        self._reached: dict[tuple[Measure, datetime], Progress | None] = {}
        self._without_counterpart: dict[tuple[Measure, ...], LinesWithoutCounterpart] = {}

    def apply(
        self, recorded: RecordedEvent, *, cancelled_by_seller: bool = False
    ) -> set[tuple[str, Measure]]:
        """Apply the lines of an event. Return the (line, measure) pairs that changed.

        `cancelled_by_seller`: the seller cancels the quantities that the event cancels.
        """
        event = recorded.event
        if concerns_shipping_of_entire_order(recorded):
            self._record_shipping_of_entire_order(recorded)
        if event.type in {EventType.SHIPMENT_VOID, EventType.INVOICE_VOID}:
            scopes = scopes_of_void(recorded, self.scope_objects)
            increments = event_keys_of_voided_increments(recorded, self.increment_objects)
            self.clear_caches()
            return set(void_claims(self.columns, recorded.source, scopes, increments))
        changed, lines = set(), self.interpretation.lines_of_event(recorded)
        for line, measure, quantity in sum_line_quantities_in_counting_unit(recorded, lines):
            if line.unit_factor is None:
                cells = self.unconvertible.setdefault(line.key, {})
                cells.setdefault(measure, QuantityClaims()).record(recorded, line, quantity)
                self._main = None
                continue
            column = self.columns[measure]
            cell = column[line.key] = column.get(line.key) or QuantityClaims()
            is_first = recorded.source not in cell.figures
            if cell.record(recorded, line, quantity):
                changed.add((line.key, measure))
                self._due.pop(line.key, None)
                if is_first and measure is Measure.ORDERED:
                    self._main = None
            if measure is Measure.CANCELLED:
                record_seller_cancellation(
                    self.seller_cancelled, recorded, line, quantity if cancelled_by_seller else None
                )
        self.keys.update(line.key for line in lines)
        if event.complete_measures:
            others = (
                {Measure.CANCELLED: self.seller_cancelled},
                claims_by_measure_and_line(self.unconvertible),
            )
            changed |= set(reset_omitted_quantities((self.columns, *others), recorded, lines))
            self.clear_caches()
        if event.scope:
            self.scope_objects[(recorded.source, event.scope)] = recorded.object_keys
        elif any(line.line.quantity_mode is QuantityMode.DELTA for line in lines):
            self.increment_objects[(recorded.source, event.key)] = recorded.owned_object_keys()
        if lines:
            self._reached.clear()
            self._without_counterpart.clear()
        return changed

    def clear_caches(self) -> None:
        """Forget what was computed from the claims before one of them changed."""
        self._due.clear()
        self._reached.clear()
        self._without_counterpart.clear()

    def source_quantity(self, source: str, key: str, measure: Measure) -> Decimal | None:
        """The figure of one source for a line, None if it reported none."""
        cell = self.columns[measure].get(key)
        return cell.figures.get(source) if cell else None

    def _record_shipping_of_entire_order(self, recorded: RecordedEvent) -> None:
        """Record whether a source reports that the order itself was shipped."""
        if recorded.event.type is EventType.SHIPMENT_CONFIRMED:
            self.sources_reporting_order_shipped.add(recorded.source)
        else:
            self.sources_reporting_order_shipped.discard(recorded.source)
        self.clear_caches()
