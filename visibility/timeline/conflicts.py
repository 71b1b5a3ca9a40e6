"""Track conflicts between sources: since when, how much money is at risk, and who owns them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Attribute, Measure
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.authority import (
    CARRIERS,
    GRACE_PERIODS,
    OWNING_TEAMS,
    RANKS,
    WAREHOUSES,
)
from visibility.timeline.claim_line_conflict_types import (
    ConflictClaim,
    TimelineConflict,
    TimelineLine,
)
from visibility.timeline.line_quantities_and_flags import round_to_six_decimals
from visibility.timeline.model import RecordedEvent
from visibility.timeline.order_state_by_source import SourceStates
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.state_and_flag_enums import ComparedField

COMPARED = {
    Measure.ORDERED: ComparedField.ORDERED,
    Measure.CANCELLED: ComparedField.CANCELLED,
    Measure.SHIPPED: ComparedField.SHIPPED,
    Measure.INVOICED: ComparedField.INVOICED,
}
DEMAND_FIELDS = {ComparedField.ORDERED: Measure.ORDERED, ComparedField.CANCELLED: Measure.CANCELLED}
# Warehouses and carriers know only their part of an order, and no prices.
PARTIAL_VIEW = WAREHOUSES | CARRIERS
# Unit prices that differ by less are equal: systems round at different steps.
TOLERANCE = Decimal("0.005")
ConflictKey = tuple[ComparedField, str]


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """A source's claim as text, and whether it is authoritative."""

    source: str
    at: datetime
    text: str
    amount: Decimal = ZERO
    authoritative: bool = False


@dataclass(frozen=True, slots=True)
class DifferingSides:
    """The sides of a contradiction; `gap` is their largest difference if it can be measured."""

    sides: tuple[ConflictSide, ...]
    gap: Decimal | None = None


@dataclass(slots=True)
class ConflictTracker:
    """Remembers since when sources differ, event by event."""

    ledger: QuantityLedger
    source_states: SourceStates = field(default_factory=SourceStates)
    since: dict[ConflictKey, datetime] = field(default_factory=dict)
    sides: dict[ConflictKey, dict[str, ConflictSide]] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)

    def apply(self, recorded: RecordedEvent, changed: Iterable[tuple[str, Measure]]) -> None:
        """Compare the fields that an event may have changed."""
        touched = {(COMPARED[m], key) for key, m in changed if m in COMPARED}
        touched |= {
            (n, key) for name, key in touched if name in DEMAND_FIELDS for n in DEMAND_FIELDS
        }
        touched.update(self._record_prices_yield_changed_keys(recorded))
        touched.update(self._record_promise_yield_changed_key(recorded))
        if self.source_states.apply(recorded, self.ledger):
            touched.add((ComparedField.STATUS, ""))
        for conflict_key in touched:
            if self._find_differing_sides(conflict_key, recorded.occurred_at):
                self.since.setdefault(conflict_key, recorded.occurred_at)
            else:
                self.since.pop(conflict_key, None)

    def conflicts(
        self, lines: Mapping[str, TimelineLine], *, as_of: datetime, currency: str, over: bool
    ) -> Iterator[TimelineConflict]:
        """The conflicts at `as_of`. Promise dates do not conflict once the order is `over`."""
        for (name, key), since in sorted(self.since.items()):
            dispute = self._find_differing_sides((name, key), as_of)
            is_moot = name is ComparedField.PROMISED_AT and over
            if dispute is None or is_moot or (key and self.ledger.is_uncountable(key)):
                continue
            yield TimelineConflict(
                field=name,
                line_key=key,
                claims=tuple(self._build_conflict_claim(side) for side in dispute.sides),
                since=since,
                opened_at=since + GRACE_PERIODS[name],
                money=_money_at_stake(name, key, dispute.gap, lines),
                currency=currency,
                owner=OWNING_TEAMS[name],
            )

    def _build_conflict_claim(self, side: ConflictSide) -> ConflictClaim:
        role = self.ledger.interpretation.roles[side.source]
        return ConflictClaim(side.source, role, side.text, side.at, side.authoritative)

    def _record_prices_yield_changed_keys(self, recorded: RecordedEvent) -> Iterator[ConflictKey]:
        currency = recorded.event.attributes.get(Attribute.CURRENCY, "").strip().upper()
        if currency and currency != self.currencies.get(recorded.source):
            self.currencies[recorded.source] = currency
            yield from [spot for spot in self.sides if spot[0] is ComparedField.PRICE]
        if recorded.role in PARTIAL_VIEW:
            return
        for line in self.ledger.interpretation.lines_of_event(recorded):
            if line.price is None or line.unit_factor is None:
                continue
            price = line.price if line.unit_factor == 1 else round_to_six_decimals(line.price)
            sides = self.sides.setdefault((ComparedField.PRICE, line.key), {})
            old = sides.get(recorded.source)
            sides[recorded.source] = ConflictSide(
                recorded.source, recorded.occurred_at, format_decimal(price), price
            )
            if old is None or old.amount != price:
                yield ComparedField.PRICE, line.key

    def _record_promise_yield_changed_key(self, recorded: RecordedEvent) -> Iterator[ConflictKey]:
        """Compare the dates as written, without their times."""
        text = recorded.event.attributes.get(Attribute.PROMISED_AT, "")
        if text and recorded.role not in CARRIERS:
            side = ConflictSide(recorded.source, recorded.occurred_at, text[:10])
            self.sides.setdefault((ComparedField.PROMISED_AT, ""), {})[recorded.source] = side
            yield ComparedField.PROMISED_AT, ""

    def _find_differing_sides(
        self, conflict_key: ConflictKey, at: datetime
    ) -> DifferingSides | None:
        name, key = conflict_key
        if name is ComparedField.STATUS:
            return self._build_ranked_difference(
                name,
                [
                    ConflictSide(s, at_, w)
                    for s, w, at_ in self.source_states.contradicting_states()
                ],
            )
        if name is ComparedField.PROMISED_AT:
            sides = self.sides[conflict_key].values()
            return (
                self._build_ranked_difference(name, sides)
                if len({side.text for side in sides}) > 1
                else None
            )
        if name is ComparedField.PRICE:
            return self._find_differing_price_sides(key)
        if name in DEMAND_FIELDS:
            return self._find_net_ordered_difference(key, name)
        return self._find_difference_from_total(key, Measure(name.value), at)

    def _build_ranked_difference(
        self, name: ComparedField, sides: Iterable[ConflictSide], gap: Decimal | None = None
    ) -> DifferingSides | None:
        """The sides by authority; the first one counts."""
        ranks, roles = RANKS[name], self.ledger.interpretation.roles
        ranked = sorted(sides, key=lambda side: (ranks[roles[side.source]], side.source))
        if len(ranked) < 2:
            return None
        first = ranked[0]
        top = ConflictSide(first.source, first.at, first.text, first.amount, authoritative=True)
        return DifferingSides((top, *ranked[1:]), gap)

    def _find_differing_price_sides(self, key: str) -> DifferingSides | None:
        ranked = self._build_ranked_difference(
            ComparedField.PRICE, self.sides[(ComparedField.PRICE, key)].values()
        )
        if ranked is None:
            return None
        top, *others = ranked.sides
        currency = self.currencies.get(top.source, "")
        comparable = [
            s for s in others if self.currencies.get(s.source, currency) in ("", currency)
        ]
        different = [s for s in comparable if abs(s.amount - top.amount) >= TOLERANCE]
        if not different:
            return None
        return DifferingSides((top, *different), max(abs(s.amount - top.amount) for s in different))

    def _find_net_ordered_difference(self, key: str, name: ComparedField) -> DifferingSides | None:
        """Compare ordered less cancelled: 5 ordered with 2 cancelled equals 3 ordered."""
        ledger, roles = self.ledger, self.ledger.interpretation.roles
        cell = ledger.columns[Measure.ORDERED].get(key)
        sources = [s for s in cell.figures if roles[s] not in PARTIAL_VIEW] if cell else []
        if cell is None or len(sources) < 2:
            return None
        cancelled = {s: ledger.source_quantity(s, key, Measure.CANCELLED) or ZERO for s in sources}
        nets = {max(cell.figures[s] - cancelled[s], ZERO) for s in sources}
        differ_in_ordered = len({cell.figures[s] for s in sources}) > 1
        if len(nets) < 2 or differ_in_ordered is not (name is ComparedField.ORDERED):
            return None
        sides = [
            self._build_conflict_side(
                key,
                s,
                cell.reported_at[s],
                cell.figures[s] if name is ComparedField.ORDERED else cancelled[s],
            )
            for s in sources
        ]
        return self._build_ranked_difference(
            name, sides, self._convert_to_line_unit(key, max(nets) - min(nets))
        )

    def _find_difference_from_total(
        self, key: str, measure: Measure, at: datetime
    ) -> DifferingSides | None:
        """Compare the sum of the authoritative sources with each other source."""
        ledger = self.ledger
        cell = ledger.columns[measure].get(key)
        if cell is None or len(cell.figures) < 2:
            return None
        counting = ledger.authoritative_sources(key, measure)
        total = ledger.reached_with_substitutes(key, measure, at) or ZERO
        others = sorted(s for s, q in cell.figures.items() if s not in counting and q != total)
        if not others:
            return None
        authoritative = [
            self._build_conflict_side(key, s, cell.reported_at[s], cell.figures[s], counts=True)
            for s in counting
        ]
        sides = [
            self._build_conflict_side(key, s, cell.reported_at[s], cell.figures[s]) for s in others
        ]
        gap = max(abs(cell.figures[s] - total) for s in others)
        return DifferingSides((*authoritative, *sides), self._convert_to_line_unit(key, gap))

    def _convert_to_line_unit(self, key: str, amount: Decimal) -> Decimal:
        scale = self.ledger.interpretation.items[key].scale
        return amount if scale == 1 else round_to_six_decimals(amount / scale)

    def _build_conflict_side(
        self, key: str, source: str, at: datetime, amount: Decimal, *, counts: bool = False
    ) -> ConflictSide:
        shown = self._convert_to_line_unit(key, amount)
        return ConflictSide(source, at, format_decimal(shown), shown, counts)


def _money_at_stake(
    name: ComparedField, key: str, gap: Decimal | None, lines: Mapping[str, TimelineLine]
) -> Decimal | None:
    """The difference times the price; for a status, the value of the open order."""
    if name is ComparedField.STATUS:
        priced = [line for line in lines.values() if line.is_counted and line.price is not None]
        return (
            sum((line.net_ordered_quantity * (line.price or ZERO) for line in priced), ZERO)
            if priced
            else None
        )
    line = lines.get(key)
    if line is None or gap is None:
        return None
    if name is ComparedField.PRICE:
        return gap * line.net_ordered_quantity
    return gap * line.price if line.price is not None else None
