"""The claims of all sources about one measure of one line, by scope."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from connectors.sdk.events import QuantityMode
from visibility.timeline.interpret_event_lines import InterpretedLine
from visibility.timeline.model import RecordedEvent

ZERO = Decimal(0)
# (source, scope) -> when the shipment of that scope arrived completely
Arrivals = Mapping[tuple[str, str], datetime]


def increment_scope(event_key: str) -> str:
    """The scope by which `Arrivals` knows an increment that belongs to the whole order."""
    return f"\0{event_key}"


class QuantityClaims:
    """Quantities by source and scope.

    A scope is a part of the order, such as a shipment; the empty scope is the whole order. Parts
    are added up. If a source reports both a total and parts, the larger counts. An increment is
    added to what its scope has; a later total of the scope includes it.
    """

    __slots__ = (
        "arrivals",
        "authoritative_sources",
        "figures",
        "increments",
        "reported_at",
        "scopes",
        "total",
        "units",
    )

    def __init__(self) -> None:
        # source -> the source's line id -> scope -> quantity
        self.scopes: dict[str, dict[str, dict[str, Decimal]]] = {}
        # (source, its line id, scope) -> event key -> increment since the last total
        self.increments: dict[tuple[str, str, str], dict[str, Decimal]] = {}
        # source -> the total that it claims
        self.figures: dict[str, Decimal] = {}
        self.reported_at: dict[str, datetime] = {}
        self.units: dict[str, tuple[str, Decimal]] = {}
        # Cache, valid until a figure changes: the authoritative total and its sources.
        self.total: Decimal | None = None
        self.authoritative_sources: tuple[str, ...] = ()
        # Cache: when parts arrived, and the running totals.
        self.arrivals: tuple[list[datetime], list[Decimal]] | None = None

    def record(self, recorded: RecordedEvent, line: InterpretedLine, quantity: Decimal) -> bool:
        """Record a claim. Return whether it changed the figure of the source."""
        source, scope = recorded.source, recorded.event.scope
        self.reported_at[source] = recorded.occurred_at
        self.units[source] = (line.unit, line.unit_factor or Decimal(1))
        scopes = self.scopes.setdefault(source, {}).setdefault(line.line.line_id, {})
        old, scope_key = scopes.get(scope), (source, line.line.line_id, scope)
        if line.line.quantity_mode is QuantityMode.DELTA:
            increments = self.increments.setdefault(scope_key, {})
            previous = increments.get(recorded.event.key, ZERO)
            increments[recorded.event.key] = quantity
            quantity += (old or ZERO) - previous
        elif self.increments:
            self.increments.pop(scope_key, None)
        if old == quantity:
            return False
        scopes[scope] = quantity
        if "" in scopes:
            self.recompute_total(source)
        else:
            self._set_figure_and_clear_caches(
                source, self.figures.get(source, ZERO) + quantity - (old or ZERO)
            )
        return True

    def void_scopes(self, source: str, scopes: Collection[str]) -> bool:
        """Set these parts of a source to zero. Return whether that changed anything."""
        has_changed = False
        for line_id, quantities in self.scopes.get(source, {}).items():
            for scope in scopes:
                self.increments.pop((source, line_id, scope), None)
                if quantities.get(scope):
                    quantities[scope] = ZERO
                    has_changed = True
        if has_changed:
            self.recompute_total(source)
        return has_changed

    def void_increments(self, source: str, event_keys: Collection[str]) -> bool:
        """Take back the increments of these events. Return whether that changed anything."""
        has_changed = False
        for (owner, line_id, scope), increments in self.increments.items():
            for key in event_keys if owner == source else ():
                if increment := increments.pop(key, None):
                    self.scopes[source][line_id][scope] -= increment
                    has_changed = True
        if has_changed:
            self.recompute_total(source)
        return has_changed

    def recompute_total(self, source: str) -> None:
        """Recompute the total of a source."""
        self._set_figure_and_clear_caches(
            source, sum(map(_larger_of_total_and_sum, self.scopes[source].values()), ZERO)
        )

    def quantity_in_arrived_shipments(
        self, sources: Collection[str], arrivals: Arrivals, at: datetime
    ) -> Decimal:
        """The quantity in the parts of these sources that arrived by `at`."""
        if self.arrivals is None:
            self.arrivals = self._arrival_times_and_running_totals(sources, arrivals)
        times, totals = self.arrivals
        return totals[bisect_right(times, at)]

    def _arrival_times_and_running_totals(
        self, sources: Collection[str], arrivals: Arrivals
    ) -> tuple[list[datetime], list[Decimal]]:
        """The sorted arrival times, and the quantity that arrived before each."""
        arrived = sorted(
            (arrived_at, quantity)
            for source in sources
            for quantities in self.scopes[source].values()
            for scope, quantity in quantities.items()
            if (arrived_at := arrivals.get((source, scope)))
        )
        if self.increments:
            arrived = sorted([*arrived, *self._arrival_times_and_increments(sources, arrivals)])
        return [at for at, _ in arrived], list(accumulate((q for _, q in arrived), initial=ZERO))

    def _arrival_times_and_increments(
        self, sources: Collection[str], arrivals: Arrivals
    ) -> Iterator[tuple[datetime, Decimal]]:
        """When the increments without a scope arrived, by the shipments that their events name."""
        for (source, _, scope), increments in self.increments.items():
            for key, quantity in increments.items() if source in sources and not scope else ():
                if arrived_at := arrivals.get((source, increment_scope(key))):
                    yield arrived_at, quantity

    def _set_figure_and_clear_caches(self, source: str, figure: Decimal) -> None:
        self.figures[source] = figure
        self.total, self.authoritative_sources, self.arrivals = None, (), None


def _larger_of_total_and_sum(scopes: Mapping[str, Decimal]) -> Decimal:
    if len(scopes) == 1:
        (only,) = scopes.values()
        return only
    total = scopes.get("")
    if total is None:
        return sum(scopes.values(), ZERO)
    return max(total, sum((q for scope, q in scopes.items() if scope), ZERO))
