"""The claims of all sources about one measure of one line, by scope."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from connectors.sdk.events import EventIdentifier, QuantityMode
from visibility.timeline.interpret_event_lines import InterpretedLine
from visibility.timeline.model import RecordedEvent

ZERO = Decimal(0)
# (source, scope) -> when the shipment of that scope arrived completely;
# (PACKAGE, package key) -> when that package did
Arrivals = Mapping[tuple[str, str], datetime]
NEVER: Arrivals = {}

PACKAGE = "\0package"
# The line id of a balance that a cancellation of the whole order cancels.
BALANCE_LINE_ID = "\0balance"


def scope_name_of_increment(event_key: str) -> str:
    """The scope by which `Arrivals` knows an increment that belongs to the whole order."""
    return f"\0{event_key}"


class QuantityClaims:
    """Quantities by source and scope, recorded in the order in which they were reported.

    A scope is a part of the order, such as a shipment; the empty scope is the whole order. Parts
    are added up. If a source reports both a total and parts, its newest report counts: a total
    replaces what the parts gave, a part that grows raises the total to the sum of the parts, and
    a part that shrinks is subtracted from a total that still includes it. An increment is added
    to what its scope has; a later total of the scope includes it.
    """

    __slots__ = (
        "arrivals",
        "authoritative_sources",
        "documents",
        "figures",
        "increments",
        "packages",
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
        # (source, its line id, scope) -> package key -> quantity, if reported by package
        self.packages: dict[tuple[str, str, str], Mapping[str, Decimal]] = {}
        # (source, its line id, scope) -> the numbers of the order in the last report
        self.documents: dict[tuple[str, str, str], tuple[EventIdentifier, ...]] = {}
        # source -> the total that it claims
        self.figures: dict[str, Decimal] = {}
        self.reported_at: dict[str, datetime] = {}
        self.units: dict[str, tuple[str, Decimal]] = {}
        # Cache, valid until a figure changes: the authoritative total and its sources.
        self.total: Decimal | None = None
        self.authoritative_sources: tuple[str, ...] = ()
        # Cache by the identity of `Arrivals`: when parts arrived, and the running totals.
        self.arrivals: dict[int, tuple[list[datetime], list[Decimal]]] = {}

    def record(self, recorded: RecordedEvent, line: InterpretedLine, quantity: Decimal) -> bool:
        """Record a claim. Return whether it changed the figure of the source."""
        source, scope, line_id = recorded.source, recorded.event.scope, line.line.line_id
        self.reported_at[source] = recorded.occurred_at
        self.units[source] = (line.unit, line.unit_factor or Decimal(1))
        old = self.scopes.get(source, {}).get(line_id, {}).get(scope)
        scope_key = (source, line_id, scope)
        if line.quantity_by_package or self.packages:
            self.packages[scope_key] = line.quantity_by_package
            self.arrivals.clear()
        if recorded.event.complete_measures:
            self.documents[scope_key] = recorded.identifiers_of_this_order
        if line.line.quantity_mode is QuantityMode.DELTA:
            increments = self.increments.setdefault(scope_key, {})
            previous = increments.get(recorded.event.key, ZERO)
            increments[recorded.event.key] = quantity
            quantity += (old or ZERO) - previous
        elif self.increments:
            self.increments.pop(scope_key, None)
        if not scope:
            self.scopes.get(source, {}).pop(BALANCE_LINE_ID, None)
        return self._set_scope_quantity_and_source_total(source, line_id, scope, quantity)

    def current_quantity_in_scope_of_event(
        self, recorded: RecordedEvent, line: InterpretedLine
    ) -> Decimal:
        """The current quantity of the scope in which an event reported a line."""
        scopes = self.scopes.get(recorded.source, {}).get(line.line.line_id, {})
        return scopes.get(recorded.event.scope, ZERO)

    def set_source_total_until_reported(
        self, recorded: RecordedEvent, quantity: Decimal, *, unit: str, scale: int
    ) -> None:
        """Set the total of the source, in 1/`scale` of `unit`, until it reports one itself."""
        lines = self.scopes.setdefault(recorded.source, {})
        lines.pop(BALANCE_LINE_ID, None)
        self.reported_at[recorded.source] = recorded.occurred_at
        self.units[recorded.source] = (unit, Decimal(scale))
        others = sum((q[""] for q in lines.values() if "" in q), ZERO)
        self._set_scope_quantity_and_source_total(
            recorded.source, BALANCE_LINE_ID, "", quantity - others
        )

    def reset_lines_not_named(
        self, recorded: RecordedEvent, named_line_ids: Collection[str]
    ) -> bool:
        """Set the lines of the event's scope that it does not name to zero.

        A line of another order of the source, which was found to be the same order, is not set.
        Return whether that changed the figure of the source.
        """
        source, scope, has_changed = recorded.source, recorded.event.scope, False
        own_numbers = recorded.identifiers_of_this_order
        for line_id, quantities in self.scopes.get(source, {}).items():
            scope_key = (source, line_id, scope)
            if line_id in named_line_ids or scope not in quantities:
                continue
            if do_identifiers_name_different_orders(self.documents.get(scope_key, ()), own_numbers):
                continue
            self.increments.pop(scope_key, None)
            self.reported_at[source] = recorded.occurred_at
            has_changed |= self._set_scope_quantity_and_source_total(source, line_id, scope, ZERO)
        return has_changed

    def void_scopes(self, source: str, scopes: Collection[str]) -> bool:
        """Set these parts of a source to zero. Return whether that changed its figure."""
        has_changed = False
        for line_id, quantities in self.scopes.get(source, {}).items():
            for scope in scopes:
                self.increments.pop((source, line_id, scope), None)
                if quantities.get(scope):
                    has_changed |= self._set_scope_quantity_and_source_total(
                        source, line_id, scope, ZERO
                    )
        return has_changed

    def void_increments(self, source: str, event_keys: Collection[str]) -> bool:
        """Take back the increments of these events. Return whether that changed the figure."""
        has_changed = False
        for (owner, line_id, scope), increments in self.increments.items():
            for key in event_keys if owner == source else ():
                if increment := increments.pop(key, None):
                    reduced = self.scopes[source][line_id][scope] - increment
                    has_changed |= self._set_scope_quantity_and_source_total(
                        source, line_id, scope, reduced
                    )
        return has_changed

    def _set_scope_quantity_and_source_total(
        self, source: str, line_id: str, scope: str, quantity: Decimal
    ) -> bool:
        """Set the quantity of one scope. Return whether the figure of the source changed."""
        lines = self.scopes.setdefault(source, {})
        scopes = lines.setdefault(line_id, {})
        old, figure = scopes.get(scope), self.figures.get(source)
        if figure is not None and old == quantity and scope:
            return False
        has_totals = any("" in quantities for quantities in lines.values())
        scopes_before = _sum_of_named_scope_quantities(lines) if has_totals else ZERO
        scopes[scope] = quantity
        if not scope:
            new = sum((q[""] for q in lines.values() if "" in q), ZERO)
        elif not has_totals:
            new = (figure or ZERO) + quantity - (old or ZERO)
        else:
            new = _total_after_scope_changed(
                figure or ZERO, scopes_before, quantity - (old or ZERO)
            )
        self.arrivals.clear()
        if new == figure:
            return False
        self.figures[source] = new
        self.total, self.authoritative_sources = None, ()
        return True

    def quantity_in_arrived_shipments(
        self, sources: Collection[str], arrivals: Arrivals, at: datetime
    ) -> Decimal:
        """The quantity in the parts of these sources that arrived by `at`."""
        cached = self.arrivals.get(id(arrivals))
        if cached is None:
            cached = self._arrival_times_and_running_totals(sources, arrivals)
            self.arrivals[id(arrivals)] = cached
        times, totals = cached
        return totals[bisect_right(times, at)]

    def _arrival_times_and_running_totals(
        self, sources: Collection[str], arrivals: Arrivals
    ) -> tuple[list[datetime], list[Decimal]]:
        """The sorted arrival times, and the quantity that arrived before each."""
        arrived = sorted(
            entry
            for source in sources
            for line_id, quantities in self.scopes[source].items()
            for scope, quantity in quantities.items()
            for entry in self._arrivals_of_scope((source, line_id, scope), quantity, arrivals)
        )
        if self.increments:
            arrived = sorted([*arrived, *self._arrival_times_and_increments(sources, arrivals)])
        return [at for at, _ in arrived], list(accumulate((q for _, q in arrived), initial=ZERO))

    def _arrivals_of_scope(
        self, scope_key: tuple[str, str, str], quantity: Decimal, arrivals: Arrivals
    ) -> Iterator[tuple[datetime, Decimal]]:
        """When a scope arrived, or else each of its packages, with the quantity."""
        source, _, scope = scope_key
        if arrived_at := arrivals.get((source, scope)):
            yield arrived_at, quantity
        elif quantity:
            for key, packed in self.packages.get(scope_key, {}).items():
                if arrived_at := arrivals.get((PACKAGE, key)):
                    yield arrived_at, packed

    def _arrival_times_and_increments(
        self, sources: Collection[str], arrivals: Arrivals
    ) -> Iterator[tuple[datetime, Decimal]]:
        """When the increments without a scope arrived, by the shipments that their events name."""
        for (source, _, scope), increments in self.increments.items():
            for key, quantity in increments.items() if source in sources and not scope else ():
                if arrived_at := arrivals.get((source, scope_name_of_increment(key))):
                    yield arrived_at, quantity


def do_identifiers_name_different_orders(
    known: Collection[EventIdentifier], other: Collection[EventIdentifier]
) -> bool:
    """Whether two sets of numbers have no number, but the same kind of number, in common."""
    kinds = {(i.scheme, i.issuer) for i in known if i.strong}
    return not set(known) & set(other) and any(
        (i.scheme, i.issuer) in kinds for i in other if i.strong
    )


def _sum_of_named_scope_quantities(lines: Mapping[str, Mapping[str, Decimal]]) -> Decimal:
    return sum((q for scopes in lines.values() for s, q in scopes.items() if s), ZERO)


def _total_after_scope_changed(total: Decimal, scopes_before: Decimal, change: Decimal) -> Decimal:
    """The total of a source after one of its parts changed by `change`.

    A total below the parts was reported later than they were, and is already without what they
    lose.
    """
    if change > 0:
        return max(total, scopes_before + change)
    return total + change if total >= scopes_before else total


def record_seller_cancellation(
    claims_by_line: dict[str, QuantityClaims],
    recorded: RecordedEvent,
    line: InterpretedLine,
    quantity: Decimal | None,
) -> None:
    """Record what the seller cancelled of a line; `quantity` is None if it was not the seller.

    A report by another cause only replaces what the seller cancelled in the same scope.
    """
    claims = claims_by_line.get(line.key) or QuantityClaims()
    if quantity is not None or claims.current_quantity_in_scope_of_event(recorded, line):
        claims.record(recorded, line, quantity or ZERO)
        claims_by_line[line.key] = claims


def shipped_after_closing_short(
    closed: Mapping[str, Decimal],
    shipped: Mapping[str, Decimal],
    ordered: Decimal,
    sources: Collection[str],
) -> Decimal:
    """How much of the quantities that the sources closed short they shipped all the same.

    What a source ships counts more than its own word that nothing more comes. A cancellation by
    another source stays in force, and the shipment contradicts it. `closed` and `shipped`: the
    figures by source.
    """
    total = ZERO
    for source in sources:
        figure = max(closed.get(source, ZERO), ZERO)
        total += min(max(shipped.get(source, ZERO) + figure - ordered, ZERO), figure)
    return total
