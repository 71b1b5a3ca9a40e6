"""Quantities of an order: which claims about each line count, and how far the order is."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import Measure
from visibility.timeline.authority import MEASURE_RANKS, all_warehouses_or_largest_figure_source
from visibility.timeline.lines_without_counterpart import (
    BILLING_MEASURES,
    LinesWithoutCounterpart,
    find_lines_without_counterpart,
    known_demand,
)
from visibility.timeline.progress_totals import LineProgress, Progress, total_progress
from visibility.timeline.quantity_claims import ZERO, shipped_after_closing_short
from visibility.timeline.recorded_quantities import RecordedQuantities
from visibility.timeline.substitutes_and_kits import FILLABLE_MEASURES, PROGRESS_MEASURES
from visibility.timeline.units import fraction_of_progress


class QuantityLedger(RecordedQuantities):
    """The authoritative quantities by line and measure, in the counting unit of each line."""

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

    def keys_of_countable_goods_lines(self, measure: Measure = Measure.SHIPPED) -> list[str]:
        """The countable goods lines of the order; replacements for those without a counterpart."""
        unmatched = self.lines_without_counterpart(measure)
        keys = self._countable_goods(self.authoritative_line_keys() - unmatched.ordered)
        return [*keys, *unmatched.replacements]

    def _countable_goods(self, keys: Iterable[str]) -> list[str]:
        items = self.interpretation.items
        return [key for key in keys if items[key].is_goods and not self.is_uncountable(key)]

    def lines_without_counterpart(
        self, measure: Measure = Measure.SHIPPED
    ) -> LinesWithoutCounterpart:
        """The ordered lines that no line of the systems that do the work matches, and vice versa.

        Invoices are compared separately: they may have the items of the order.
        """
        measures = BILLING_MEASURES if measure in BILLING_MEASURES else PROGRESS_MEASURES
        if measures not in self._without_counterpart:
            ordered, matched = self.authoritative_line_keys(), self.lines_of_substitutions()
            others = self._countable_goods(self.keys - ordered - matched)
            wanted = [
                key
                for key in (self._countable_goods(ordered - matched) if others else ())
                if self.net_ordered_quantity(key)
            ]
            self._without_counterpart[measures] = find_lines_without_counterpart(
                self.columns, measures, open_lines=wanted, other_lines=others
            )
        return self._without_counterpart[measures]

    def lines_of_substitutions(self) -> set[str]:
        """Substitutes, kits, and the lines that they fill or that fill them."""
        substitutions = self.interpretation.substitutions
        return {c for s in substitutions.values() for c in s.children}.union(substitutions)

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
            self._reached[key] = total_progress(self._line_progress(measure, at))
        return self._reached[key]

    def _line_progress(self, measure: Measure, at: datetime) -> Iterator[LineProgress]:
        replacements = self.lines_without_counterpart(measure).replacements
        for key in self.keys_of_countable_goods_lines(measure):
            demand = self.net_ordered_quantity(key)
            reached = self.reached_with_substitutes(key, measure, at)
            if key in replacements:
                demand = known_demand(
                    measure,
                    ordered=demand,
                    shipped=self.authoritative_quantity(key, Measure.SHIPPED),
                    reached=reached,
                    is_everything_shipped=bool(
                        self.sources_reporting_order_shipped or self.balance_cancellations
                    ),
                )
            elif demand is None:
                continue
            yield LineProgress(reached, demand, self.interpretation.items[key].scale)

    def order_fraction_reached(self, measure: Measure, at: datetime) -> Decimal | None:
        """The fraction (0..1) of the due quantity that reached `measure`, None if unknown."""
        progress = self.done_and_due_totals(measure, at)
        return None if progress is None else fraction_of_progress(*progress)
