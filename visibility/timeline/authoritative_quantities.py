"""Quantities of an order: the claims of each source by line, and which of them count."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import EventType, Measure, QuantityMode
from visibility.timeline.authority import MEASURE_RANKS, all_warehouses_or_largest_figure_source
from visibility.timeline.interpret_event_lines import Interpretation
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantities_of_event_lines import sum_line_quantities_in_counting_unit
from visibility.timeline.quantity_claims import (
    NEVER,
    ZERO,
    Arrivals,
    QuantityClaims,
    record_seller_cancellation,
    shipped_after_closing_short,
)
from visibility.timeline.substitutes_and_kits import FILLABLE_MEASURES
from visibility.timeline.units import fraction_of_progress
from visibility.timeline.voided_and_omitted_quantities import (
    claims_by_measure_and_line,
    event_keys_of_voided_increments,
    reset_omitted_quantities,
    scopes_of_void,
    void_claims,
)

# (done, due)
Progress = tuple[Decimal, Decimal] | tuple[Fraction, Fraction]


class QuantityLedger:
    """Claims by line and measure, in the counting unit of each line."""

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
        # Caches, valid until a claim changes.
        self._main: frozenset[str] | None = None
        self._due: dict[str, Decimal | None] = {}
        self._reached: dict[tuple[Measure, datetime], Progress | None] = {}
        self._is_exact = all(goods.scale == 1 for goods in reading.items.values())

    def apply(
        self, recorded: RecordedEvent, *, cancelled_by_seller: bool = False
    ) -> set[tuple[str, Measure]]:
        """Apply the lines of an event. Return the (line, measure) pairs that changed.

        `cancelled_by_seller`: the seller cancels the quantities that the event cancels.
        """
        event = recorded.event
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
                self._reached.clear()
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
        if changed:
            self._reached.clear()
        return changed

    def clear_caches(self) -> None:
        """Forget what was computed from the claims before one of them changed."""
        self._due.clear()
        self._reached.clear()

    def source_quantity(self, source: str, key: str, measure: Measure) -> Decimal | None:
        """The figure of one source for a line, None if it reported none."""
        cell = self.columns[measure].get(key)
        return cell.figures.get(source) if cell else None

    def authoritative_sources(self, key: str, measure: Measure) -> tuple[str, ...]:
        """The sources whose figures count for a line."""
        cell = self.columns[measure].get(key)
        if cell is None:
            return ()
        if not cell.authoritative_sources:
            cell.authoritative_sources = all_warehouses_or_largest_figure_source(
                cell.figures, self.interpretation.roles, MEASURE_RANKS[measure]
            )
        return cell.authoritative_sources

    def authoritative_quantity(self, key: str, measure: Measure) -> Decimal | None:
        """The authoritative figure of a line, without substitutes and kit components."""
        cell = self.columns[measure].get(key)
        if cell is None:
            return None
        if cell.total is None:
            sources = self.authoritative_sources(key, measure)
            cell.total = sum((cell.figures[s] for s in sources), ZERO)
        return cell.total

    def quantity_claimed_or_in_arrived_shipments(
        self, key: str, measure: Measure, at: datetime
    ) -> Decimal | None:
        """The delivered or returned quantity: as claimed, or in shipments that arrived by `at`."""
        claimed = self.authoritative_quantity(key, measure)
        arrivals, first = self.arrivals[measure]
        if claimed is not None or first > at:
            return claimed
        cell = self.columns[Measure.SHIPPED].get(key)
        if cell is None:
            return ZERO
        sources = self.authoritative_sources(key, Measure.SHIPPED)
        return cell.quantity_in_arrived_shipments(sources, arrivals, at)

    def net_ordered_quantity(self, key: str) -> Decimal | None:
        """The quantity ordered and not cancelled."""
        if key not in self._due:
            ordered, cancelled = (
                self.authoritative_quantity(key, Measure.ORDERED),
                self.cancelled_not_already_in_ordered(key),
            )
            self._due[key] = None if ordered is None else max(ordered - (cancelled or ZERO), ZERO)
        return self._due[key]

    def cancelled_not_already_in_ordered(self, key: str) -> Decimal | None:
        """The cancelled part of the authoritative ordered quantity.

        If the authoritative ordered figure is smaller than the one of the source that cancels, the
        cancellation is already in it and is not subtracted twice.
        """
        cancelled, ordered = (
            self.authoritative_quantity(key, Measure.CANCELLED),
            self.authoritative_quantity(key, Measure.ORDERED),
        )
        if not cancelled or ordered is None:
            return cancelled
        cancelled -= self.shipped_after_closing_short(key)
        sources = self.authoritative_sources(key, Measure.CANCELLED)
        source_ordered = max(self.source_quantity(s, key, Measure.ORDERED) or ZERO for s in sources)
        return max(cancelled - max(source_ordered - ordered, ZERO), ZERO)

    def shipped_after_closing_short(self, key: str) -> Decimal:
        """How much of what a source closed short it shipped all the same."""
        ordered = self.authoritative_quantity(key, Measure.ORDERED)
        closed, shipped = self.seller_cancelled.get(key), self.columns[Measure.SHIPPED].get(key)
        if closed is None or shipped is None or ordered is None:
            return ZERO
        sources = self.authoritative_sources(key, Measure.CANCELLED)
        return shipped_after_closing_short(closed.figures, shipped.figures, ordered, sources)

    def reached_with_substitutes(self, key: str, measure: Measure, at: datetime) -> Decimal | None:
        """How much of a line has reached a measure, with substitutes and kit components."""
        own = self._quantity_reached_in_own_item(key, measure, at)
        if (
            not self.interpretation.substitutions
            or measure not in FILLABLE_MEASURES
            or key not in self.interpretation.substitutions
        ):
            return own
        substitution = self.interpretation.substitutions[key]
        scale = self.interpretation.items[key].scale
        surpluses = {
            child: self._surplus_base_units(child, measure, at) for child in substitution.children
        }
        return substitution.filled_quantity(own, surpluses, scale)

    def _quantity_reached_in_own_item(
        self, key: str, measure: Measure, at: datetime
    ) -> Decimal | None:
        """How much of a line has reached a measure in its own item."""
        if measure is Measure.CANCELLED:
            return self.cancelled_not_already_in_ordered(key)
        if measure in self.arrivals:
            return self.quantity_claimed_or_in_arrived_shipments(key, measure, at)
        return self.authoritative_quantity(key, measure)

    def _surplus_base_units(self, key: str, measure: Measure, at: datetime) -> Fraction | None:
        """Base units of a line beyond its own demand, None if unknown."""
        if key not in self.keys:
            return None
        quantity = self._quantity_reached_in_own_item(key, measure, at)
        if quantity is None or key in self.unconvertible:
            return None
        demand = (
            (self.net_ordered_quantity(key) or ZERO)
            if key in self.authoritative_line_keys()
            else ZERO
        )
        return max(Fraction(quantity - demand), Fraction(0)) / self.interpretation.items[key].scale

    def is_uncountable(self, key: str) -> bool:
        """Whether a line cannot be counted: a unit or its item is unknown."""
        return key in self.unconvertible or not self.interpretation.items[key].known

    def has_uncountable_figures(self, measure: Measure) -> bool:
        """Whether some figures of a measure cannot be counted, so that progress is unknown."""
        return any(measure in cells for cells in self.unconvertible.values()) or any(
            not self.interpretation.items[key].known for key in self.columns[measure]
        )

    def keys_of_countable_goods_lines(self) -> list[str]:
        """The order lines of the authoritative source that are goods and can be counted."""
        items = self.interpretation.items
        return [
            key
            for key in self.authoritative_line_keys()
            if items[key].is_goods and not self.is_uncountable(key)
        ]

    def authoritative_line_keys(self) -> frozenset[str]:
        """The order lines of the authoritative source."""
        if self._main is None:
            ranks = MEASURE_RANKS[Measure.ORDERED]
            keys_by_source: dict[str, set[str]] = {}
            for key, cell in self.columns[Measure.ORDERED].items():
                for source in cell.figures:
                    keys_by_source.setdefault(source, set()).add(key)
            for key, cells in self.unconvertible.items():
                for source in cells[Measure.ORDERED].figures if Measure.ORDERED in cells else ():
                    keys_by_source.setdefault(source, set()).add(key)
            if not keys_by_source:
                return frozenset(self.keys)
            roles = self.interpretation.roles
            best = min(keys_by_source, key=lambda s: (ranks[roles[s]], s))
            self._main = frozenset(keys_by_source[best])
        return self._main

    def done_and_due_totals(self, measure: Measure, at: datetime) -> Progress | None:
        """(done, due) summed over the counted lines, None if nothing is known or due."""
        key = (measure, at)
        if key not in self._reached:
            self._reached[key] = self._compute_done_and_due_totals(measure, at)
        return self._reached[key]

    def _compute_done_and_due_totals(self, measure: Measure, at: datetime) -> Progress | None:
        done: list[Decimal] = []
        due: list[Decimal] = []
        scales: list[int] = []
        is_known = False
        for key in self.keys_of_countable_goods_lines():
            demand = self.net_ordered_quantity(key)
            if demand is None:
                continue
            quantity = self.reached_with_substitutes(key, measure, at)
            is_known = is_known or quantity is not None
            done.append(ZERO if quantity is None or quantity < 0 else min(quantity, demand))
            due.append(demand)
            scales.append(self.interpretation.items[key].scale)
        if not is_known or not any(due):
            return None
        if self._is_exact:
            return sum(done, ZERO), sum(due, ZERO)
        pairs = (zip(figures, scales, strict=True) for figures in (done, due))
        first, second = (sum((Fraction(q) / n for q, n in p), Fraction(0)) for p in pairs)
        return first, second

    def order_fraction_reached(self, measure: Measure, at: datetime) -> Decimal | None:
        """The fraction (0..1) of the due quantity that reached `measure`, None if unknown."""
        progress = self.done_and_due_totals(measure, at)
        return None if progress is None else fraction_of_progress(*progress)
