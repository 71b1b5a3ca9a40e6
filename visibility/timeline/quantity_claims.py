"""The claims of all sources about one measure of one line, by scope."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from visibility.timeline.interpretation import InterpretedLine
from visibility.timeline.model import RecordedEvent

ZERO = Decimal(0)


class QuantityClaims:
    """Quantities by source and scope.

    A scope is a part of the order, such as a shipment; the empty scope is the whole order. Parts
    are added up. If a source reports both a total and parts, the larger counts.
    """

    __slots__ = (
        "arrivals",
        "authoritative_sources",
        "figures",
        "reported_at",
        "scopes",
        "total",
        "units",
    )

    def __init__(self) -> None:
        # source -> the source's line id -> scope -> quantity
        self.scopes: dict[str, dict[str, dict[str, Decimal]]] = {}
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
        source = recorded.source
        self.reported_at[source] = recorded.occurred_at
        self.units[source] = (line.unit, line.unit_factor or Decimal(1))
        scopes = self.scopes.setdefault(source, {}).setdefault(line.line.line_id, {})
        old = scopes.get(recorded.event.scope)
        if old == quantity:
            return False
        scopes[recorded.event.scope] = quantity
        if "" in scopes:
            self.recompute_total(source)
        else:
            self._set_figure(source, self.figures.get(source, ZERO) + quantity - (old or ZERO))
        return True

    def void_scopes(self, source: str, scopes: Collection[str]) -> bool:
        """Set these parts of a source to zero. Return whether that changed anything."""
        has_changed = False
        for quantities in self.scopes.get(source, {}).values():
            for scope in scopes:
                if quantities.get(scope):
                    quantities[scope] = ZERO
                    has_changed = True
        if has_changed:
            self.recompute_total(source)
        return has_changed

    def recompute_total(self, source: str) -> None:
        """Recompute the total of a source."""
        self._set_figure(
            source, sum(map(_larger_of_total_and_sum, self.scopes[source].values()), ZERO)
        )

    def _set_figure(self, source: str, figure: Decimal) -> None:
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
