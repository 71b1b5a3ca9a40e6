"""The ledger: who claims what of each line, and whose figure counts."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

from connectors.sdk.connector import Role
from connectors.sdk.events import EventType, Measure, ObjectKind
from visibility.timeline.authority import TIERS, WAREHOUSES
from visibility.timeline.interpretation import Reading
from visibility.timeline.model import Spoken
from visibility.timeline.quantity_claims import ZERO, Cell
from visibility.timeline.substitutions import PROGRESS

# (done, due)
Reached = tuple[Decimal, Decimal] | tuple[Fraction, Fraction]
# (source, part) -> when the shipment of that part arrived whole
Arrivals = Mapping[tuple[str, str], datetime]
FILLED = frozenset({*PROGRESS, Measure.INVOICED, Measure.RETURNED, Measure.CREDITED})


class Ledger:
    """Claims by line and measure, in each line's counting unit."""

    def __init__(self, reading: Reading, arrivals: Arrivals | None = None) -> None:
        self.reading = reading
        self.arrivals = arrivals or {}
        self._first_arrival = min(self.arrivals.values(), default=None)
        self.columns: dict[Measure, dict[str, Cell]] = {measure: {} for measure in Measure}
        # The claims in units that nobody can convert.
        self.apart: dict[str, dict[Measure, Cell]] = {}
        self.keys: set[str] = set()
        self.parts: dict[tuple[str, str], tuple[str, ...]] = {}
        # Cancelled quantities that are the seller's, in a ledger cell of their own.
        self.short: dict[str, Cell] = {}
        # What follows from the claims, until they change.
        self._main: frozenset[str] | None = None
        self._due: dict[str, Decimal | None] = {}
        self._reached: dict[tuple[Measure, datetime], Reached | None] = {}
        self._exact = all(goods.scale == 1 for goods in reading.goods.values())

    def hear(self, spoken: Spoken, *, ours: bool = False) -> set[tuple[str, Measure]]:
        """Take the lines of an event; the (line, measure) that changed.

        `ours`: what it cancels is cancelled by the seller.
        """
        event = spoken.event
        if event.type in {EventType.SHIPMENT_VOID, EventType.INVOICE_VOID}:
            return self._void(spoken)
        changed = set()
        for told in self.reading.lines(spoken):
            self.keys.add(told.key)
            for measure, quantity in told.quantities.items():
                if told.times is None:
                    cell = self.apart.setdefault(told.key, {}).setdefault(measure, Cell())
                    cell.put(spoken, told, quantity)
                    self._main = None
                    self._reached.clear()
                    continue
                column = self.columns[measure]
                known = column.get(told.key)
                cell = column[told.key] = known or Cell()
                first = spoken.source not in cell.figures
                if cell.put(spoken, told, quantity * told.times):
                    changed.add((told.key, measure))
                    self._due.pop(told.key, None)
                    if first and measure is Measure.ORDERED:
                        self._main = None
                if measure is Measure.CANCELLED:
                    mine = quantity * told.times if ours else ZERO
                    self.short.setdefault(told.key, Cell()).put(spoken, told, mine)
        if event.part:
            self.parts[(spoken.source, event.part)] = spoken.objects
        if changed:
            self._reached.clear()
        return changed

    def _void(self, spoken: Spoken) -> set[tuple[str, Measure]]:
        """A part that did not happen, by its name or by the parcels and invoices it is about."""
        named = {
            key
            for ref, key in zip(spoken.event.objects, spoken.objects, strict=True)
            if key and ref.kind is not ObjectKind.ORDER
        }
        parts = {
            part
            for (source, part), objects in self.parts.items()
            if source == spoken.source
            and (part == spoken.event.part or (not spoken.event.part and named & set(objects)))
        }
        changed = set()
        for measure, column in self.columns.items():
            for key, cell in column.items():
                if cell.void(spoken.source, parts):
                    changed.add((key, measure))
        self._due.clear()
        self._reached.clear()
        return changed

    def of_source(self, source: str, key: str, measure: Measure) -> Decimal | None:
        """One source's own figure for a line, None where it said nothing."""
        cell = self.columns[measure].get(key)
        return cell.figures.get(source) if cell else None

    def counting(self, key: str, measure: Measure) -> tuple[str, ...]:
        """The sources whose figure counts for a line."""
        cell = self.columns[measure].get(key)
        if cell is None:
            return ()
        if not cell.counting:
            cell.counting = self._counting(cell.figures, TIERS[measure])
        return cell.counting

    def _counting(
        self, figures: Mapping[str, Decimal], ranks: Mapping[Role, int]
    ) -> tuple[str, ...]:
        if len(figures) == 1:
            return tuple(figures)
        roles = self.reading.roles
        best = min(ranks[roles[source]] for source in figures)
        found = sorted(s for s in figures if ranks[roles[s]] == best)
        if roles[found[0]] in WAREHOUSES:
            return tuple(found)
        return (max(found, key=lambda s: (figures[s], s)),)

    def value(self, key: str, measure: Measure) -> Decimal | None:
        """The figure that counts for a line, by what was said of it alone."""
        cell = self.columns[measure].get(key)
        if cell is None:
            return None
        if cell.cached is None:
            sources = self.counting(key, measure)
            cell.cached = sum((cell.figures[s] for s in sources), ZERO)
        return cell.cached

    def delivered(self, key: str, at: datetime) -> Decimal | None:
        """Delivered quantity of a line: claimed, or shipped in parts that had arrived by `at`."""
        claimed = self.value(key, Measure.DELIVERED)
        if claimed is not None or self._first_arrival is None or self._first_arrival > at:
            return claimed
        cell = self.columns[Measure.SHIPPED].get(key)
        if cell is None:
            return ZERO
        if cell.arrived is None:
            cell.arrived = self._arrived(cell, self.counting(key, Measure.SHIPPED))
        times, totals = cell.arrived
        return totals[bisect_right(times, at)]

    def _arrived(self, cell: Cell, sources: Iterable[str]) -> tuple[list[datetime], list[Decimal]]:
        """When parts of a line arrived; how much had before the first, before the second ..."""
        found = sorted(
            (arrived, quantity)
            for source in sources
            for parts in cell.parts[source].values()
            for part, quantity in parts.items()
            if (arrived := self.arrivals.get((source, part)))
        )
        return [at for at, _ in found], list(accumulate((q for _, q in found), initial=ZERO))

    def due(self, key: str) -> Decimal | None:
        """Ordered and not cancelled."""
        if key not in self._due:
            ordered, gone = self.value(key, Measure.ORDERED), self.taken_back(key)
            self._due[key] = None if ordered is None else max(ordered - (gone or ZERO), ZERO)
        return self._due[key]

    def taken_back(self, key: str) -> Decimal | None:
        """Cancelled of the ordered figure that counts.

        Who cancels had an ordered figure of its own; by as much as the one that counts is smaller,
        it was reduced already.
        """
        told, ordered = self.value(key, Measure.CANCELLED), self.value(key, Measure.ORDERED)
        if not told or ordered is None:
            return told
        sources = self.counting(key, Measure.CANCELLED)
        own = max(self.of_source(s, key, Measure.ORDERED) or ZERO for s in sources)
        return max(told - max(own - ordered, ZERO), ZERO)

    def got(self, key: str, measure: Measure, at: datetime) -> Decimal | None:
        """How much of a line has reached a measure, in its own article, as others, as a kit."""
        own = self._own(key, measure, at)
        if not self.reading.instead or measure not in FILLED or key not in self.reading.instead:
            return own
        instead = self.reading.instead[key]
        scale = self.reading.goods[key].scale
        filled = [(c, n, self._spare(c, measure, at)) for c, n in instead.children.items()]
        if instead.kit:
            if any(spare is None for _, _, spare in filled):
                return own
            whole = min((spare or 0) // need for _, need, spare in filled)
            return max(own or ZERO, Decimal(whole * scale))
        added = sum((spare or Fraction(0) for _, _, spare in filled), Fraction(0)) * scale
        if own is None and all(spare is None for _, _, spare in filled):
            return None
        return (own or ZERO) + Decimal(added.numerator) / Decimal(added.denominator)

    def _own(self, key: str, measure: Measure, at: datetime) -> Decimal | None:
        """How much of a line has reached a measure in its own article."""
        if measure is Measure.CANCELLED:
            return self.taken_back(key)
        return self.delivered(key, at) if measure is Measure.DELIVERED else self.value(key, measure)

    def _spare(self, key: str, measure: Measure, at: datetime) -> Fraction | None:
        """Base units of a line beyond what is wanted of it for its own sake."""
        if key not in self.keys:
            return None
        got = self._own(key, measure, at)
        if got is None or key in self.apart:
            return None
        want = (self.due(key) or ZERO) if key in self.main_lines() else ZERO
        return max(Fraction(got - want), Fraction(0)) / self.reading.goods[key].scale

    def aside(self, key: str) -> bool:
        """Whether a line can't be counted: its units or its article are not known."""
        return key in self.apart or not self.reading.goods[key].known

    def uncounted(self, measure: Measure) -> bool:
        """Whether there are figures that can't be counted: nobody knows how much of it is done."""
        return any(measure in cells for cells in self.apart.values()) or any(
            not self.reading.goods[key].known for key in self.columns[measure]
        )

    def main_lines(self) -> frozenset[str]:
        """The lines of the order as its authoritative source has them."""
        if self._main is None:
            ranks = TIERS[Measure.ORDERED]
            told: dict[str, set[str]] = {}
            for key, cell in self.columns[Measure.ORDERED].items():
                for source in cell.figures:
                    told.setdefault(source, set()).add(key)
            for key, cells in self.apart.items():
                for source in cells[Measure.ORDERED].figures if Measure.ORDERED in cells else ():
                    told.setdefault(source, set()).add(key)
            if not told:
                return frozenset(self.keys)
            roles: Mapping[str, Role] = self.reading.roles
            self._main = frozenset(told[min(told, key=lambda s: (ranks[roles[s]], s))])
        return self._main

    def reached(self, measure: Measure, at: datetime) -> Reached | None:
        """(done, due) of the counted lines; None where nothing is known or due."""
        spot = (measure, at)
        if spot not in self._reached:
            self._reached[spot] = self._sum(measure, at)
        return self._reached[spot]

    def _sum(self, measure: Measure, at: datetime) -> Reached | None:
        done: list[Decimal] = []
        due: list[Decimal] = []
        scales: list[int] = []
        told = False
        for key in self.main_lines():
            want = self.due(key)
            if want is None or self.aside(key):
                continue
            got = self.got(key, measure, at)
            told = told or got is not None
            done.append(ZERO if got is None or got < 0 else min(got, want))
            due.append(want)
            scales.append(self.reading.goods[key].scale)
        if not told or not any(due):
            return None
        if self._exact:
            return sum(done, ZERO), sum(due, ZERO)
        pairs = (zip(figures, scales, strict=True) for figures in (done, due))
        first, second = (sum((Fraction(q) / n for q, n in p), Fraction(0)) for p in pairs)
        return first, second

    def share(self, measure: Measure, at: datetime) -> Decimal | None:
        """Which share (0..1) of what is due has reached `measure`; None where nothing is known."""
        found = self.reached(measure, at)
        if found is None:
            return None
        done, due = found
        if isinstance(done, Decimal) and isinstance(due, Decimal):
            return done / due
        share = Fraction(found[0]) / Fraction(found[1])
        return Decimal(share.numerator) / Decimal(share.denominator)
