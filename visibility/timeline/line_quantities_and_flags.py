"""Build the lines of a timeline: quantities, claims, state and flags of each."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Context, Decimal

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Measure
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.authority import RANKS
from visibility.timeline.claim_line_conflict_types import QuantityClaim, TimelineLine
from visibility.timeline.interpret_event_lines import InterpretedLine
from visibility.timeline.line_terms import LineTermsByRole
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantity_claims import ZERO, QuantityClaims
from visibility.timeline.state_and_flag_enums import ComparedField, LineFlag, LineState

FIELDS = {measure: ComparedField(measure.value) for measure in Measure}
QUANTUM, WIDE_CONTEXT = Decimal("0.000001"), Context(prec=80)
PROGRESS = (
    (Measure.PACKED, LineState.PACKED),
    (Measure.PICKED, LineState.PICKED),
    (Measure.ALLOCATED, LineState.ALLOCATED),
)
# role -> (description, price) as last reported
Descriptions = dict[SourceRole, tuple[str, Decimal | None]]
Prices = dict[str, tuple[Decimal, InterpretedLine, datetime]]


class LineBuilder:
    """Collects descriptions and prices from the events, then builds the lines."""

    def __init__(self, ledger: QuantityLedger, at: datetime) -> None:
        self.ledger = ledger
        self.reading = ledger.interpretation
        self.at = at
        self.descriptions: dict[str, Descriptions] = {}
        self.prices: dict[str, Prices] = {}
        self.terms = LineTermsByRole(self.reading)
        self.serials: dict[str, dict[str, None]] = {}

    def record_line_descriptions_prices_and_terms(self, recorded: RecordedEvent) -> None:
        """Record the description and price that a source reports for each line."""
        for line in self.reading.lines_of_event(recorded):
            event_line, by_role = line.line, self.descriptions.setdefault(line.key, {})
            old = by_role.get(recorded.role)
            price = line.price if line.unit_factor is not None else None
            by_role[recorded.role] = (
                event_line.description or (old[0] if old else ""),
                price if price is not None or old is None else old[1],
            )
            if event_line.price is not None:
                prices = self.prices.setdefault(line.key, {})
                prices[recorded.source] = (event_line.price, line, recorded.occurred_at)
            if event_line.serials:
                self.serials.setdefault(line.key, {}).update(dict.fromkeys(event_line.serials))
        self.terms.record(recorded)

    def build(self, *, is_order_cancelled: bool) -> tuple[TimelineLine, ...]:
        """All lines, in the order of their first event.

        Of a cancelled order, which nothing was shipped of, every countable line is cancelled.
        """
        items, main_lines = self.reading.items, self.ledger.authoritative_line_keys()
        keys = sorted(self.ledger.keys, key=lambda key: items[key].position)
        lines = tuple(self._build_line(key, main_lines) for key in keys)
        if not is_order_cancelled:
            return lines
        return tuple(
            line if line.uncountable else replace(line, state=LineState.CANCELLED) for line in lines
        )

    def _build_line(self, key: str, main_lines: frozenset[str]) -> TimelineLine:
        ledger, goods = self.ledger, self.reading.items[key]
        figures = {
            m: q
            for m in Measure
            if (q := ledger.reached_with_substitutes(key, m, self.at)) is not None
        }
        _limit_backordered_to_open_quantity(figures)
        cancelled = ledger.authoritative_quantity(key, Measure.CANCELLED) or ZERO
        short_cancelled = max(
            min(self._largest_seller_cancelled_figure(key), cancelled)
            - ledger.shipped_after_closing_short(key),
            ZERO,
        )
        substituted_by = self._shipped_substitutes(key)
        description, price = self._most_authoritative_description_and_price(key)
        terms = self.terms.terms(key)
        unmatched = ledger.lines_without_counterpart()
        is_uncountable = ledger.is_uncountable(key) or key in unmatched.ordered
        is_replacement = key in unmatched.replacements and Measure.ORDERED in figures
        return TimelineLine(
            key=key,
            sku=goods.sku,
            description=description or (goods.item.title if goods.item else ""),
            unit=goods.unit.lstrip("?"),
            price=price,
            quantities={m: self._convert_to_line_unit(q, goods.scale) for m, q in figures.items()},
            claims=tuple(self._quantity_and_price_claims(key)),
            state=LineState.UNCOUNTABLE if is_uncountable else line_state(figures),
            flags=tuple(
                sorted(
                    self._flags(
                        key,
                        figures,
                        is_short_cancelled=bool(short_cancelled),
                        is_substituted=bool(substituted_by),
                    )
                )
            ),
            short_cancelled=self._convert_to_line_unit(short_cancelled, goods.scale),
            substituted_by=substituted_by,
            uncountable=is_uncountable,
            unexpected=key not in main_lines and not is_replacement,
            seller=terms.seller,
            ship_by=terms.ship_by,
            requested_at=terms.requested_at,
            promised_at=terms.promised_at,
            serials=tuple(self.serials.get(key, ())),
            is_goods=goods.is_goods,
        )

    def _convert_to_line_unit(self, quantity: Decimal, scale: int) -> Decimal:
        """Convert from the counting unit to the unit of the line."""
        return quantity if scale == 1 else round_to_six_decimals(quantity / scale)

    def _largest_seller_cancelled_figure(self, key: str) -> Decimal:
        cell = self.ledger.seller_cancelled.get(key)
        return max(cell.figures.values()) if cell else ZERO

    def _shipped_substitutes(self, key: str) -> tuple[tuple[str, Decimal], ...]:
        substitution = self.reading.substitutions.get(key)
        if substitution is None:
            return ()
        shipped = (
            (
                self.reading.items[child].sku,
                self.ledger.authoritative_quantity(child, Measure.SHIPPED),
                child,
            )
            for child in sorted(substitution.children)
            if child in self.reading.items
        )
        return tuple(
            (sku, self._convert_to_line_unit(quantity, self.reading.items[child].scale))
            for sku, quantity, child in shipped
            if quantity
        )

    def _most_authoritative_description_and_price(self, key: str) -> tuple[str, Decimal | None]:
        ranks, by_role = RANKS[ComparedField.ORDERED], self.descriptions[key]
        ranked = [by_role[role] for role in sorted(by_role, key=lambda r: (ranks[r], r))]
        return (
            next((a[0] for a in ranked if a[0]), ""),
            next((a[1] for a in ranked if a[1] is not None), None),
        )

    def _quantity_and_price_claims(self, key: str) -> Iterator[QuantityClaim]:
        for measure, field in FIELDS.items():
            cell = self.ledger.columns[measure].get(key)
            if cell:
                sources = self.ledger.authoritative_sources(key, measure)
                yield from self._quantity_claims(key, field, cell, sources)
            unconvertible = self.ledger.unconvertible.get(key, {}).get(measure)
            if unconvertible:
                yield from _unconvertible_claims(field, unconvertible)
        prices = self.prices.get(key, {})
        ranks, roles = RANKS[ComparedField.PRICE], self.reading.roles
        best = min((ranks[roles[source]] for source in prices), default=0)
        for source, (reported_price, line, at) in sorted(prices.items()):
            counts = ranks[roles[source]] == best
            yield QuantityClaim(
                source, ComparedField.PRICE, line.price, reported_price, line.unit, at, counts
            )

    def _quantity_claims(
        self, key: str, field: ComparedField, claims: QuantityClaims, authoritative: tuple[str, ...]
    ) -> Iterator[QuantityClaim]:
        scale = self.reading.items[key].scale
        for source in sorted(claims.figures):
            figure, (unit, unit_factor) = claims.figures[source], claims.units[source]
            reported_value = (
                figure if unit_factor == 1 else round_to_six_decimals(figure / unit_factor)
            )
            value = self._convert_to_line_unit(figure, scale)
            yield QuantityClaim(
                source,
                field,
                value,
                reported_value,
                unit,
                claims.reported_at[source],
                source in authoritative,
            )

    def _flags(
        self,
        key: str,
        figures: Mapping[Measure, Decimal],
        *,
        is_short_cancelled: bool,
        is_substituted: bool,
    ) -> Iterator[LineFlag]:
        substitution = self.reading.substitutions.get(key)
        if key in self.ledger.unconvertible:
            yield LineFlag.UNIT
        if not self.reading.items[key].known:
            yield LineFlag.UNKNOWN_SKU
        if not self.reading.items[key].is_goods:
            yield LineFlag.NOT_GOODS
        if self._has_no_counterpart(key):
            yield LineFlag.NO_COUNTERPART
        if is_short_cancelled:
            yield LineFlag.SHORT_CANCELLED
        if substitution and substitution.kit:
            yield LineFlag.KIT
        elif substitution and is_substituted:
            yield LineFlag.SUBSTITUTED
        for other in self.reading.substitutions.values():
            if key in other.children:
                yield LineFlag.COMPONENT if other.kit else LineFlag.SUBSTITUTE
        ordered, shipped = figures.get(Measure.ORDERED), figures.get(Measure.SHIPPED, ZERO)
        if ordered is not None and shipped > ordered:
            yield LineFlag.OVERSHIP
        elif ordered is not None and shipped > ordered - figures.get(Measure.CANCELLED, ZERO):
            yield LineFlag.CONTRADICTION

    def _has_no_counterpart(self, key: str) -> bool:
        """Whether no other system lists a line that one of them ordered or works on."""
        unmatched = self.ledger.lines_without_counterpart()
        if key in unmatched.ordered or key in unmatched.replacements:
            return True
        is_ordered_elsewhere = (
            key in self.ledger.columns[Measure.ORDERED]
            and key not in self.ledger.authoritative_line_keys()
        )
        return is_ordered_elsewhere and key not in self.ledger.lines_of_substitutions()


def _limit_backordered_to_open_quantity(figures: dict[Measure, Decimal]) -> None:
    """Nothing waits for stock that was cancelled or shipped since."""
    if Measure.BACKORDERED in figures and Measure.ORDERED in figures:
        done = figures.get(Measure.CANCELLED, ZERO) + figures.get(Measure.SHIPPED, ZERO)
        open_quantity = max(figures[Measure.ORDERED] - done, ZERO)
        figures[Measure.BACKORDERED] = min(figures[Measure.BACKORDERED], open_quantity)


def _unconvertible_claims(field: ComparedField, cell: QuantityClaims) -> Iterator[QuantityClaim]:
    """Claims in units that cannot be converted."""
    for source, reported_value in sorted(cell.figures.items()):
        yield QuantityClaim(
            source,
            field,
            None,
            reported_value,
            cell.units[source][0],
            cell.reported_at[source],
            False,
        )


def round_to_six_decimals(quantity: Decimal) -> Decimal:
    """Round to six decimal places, without trailing zeros."""
    return quantity.quantize(QUANTUM, context=WIDE_CONTEXT).normalize(WIDE_CONTEXT) + ZERO


def line_state(figures: Mapping[Measure, Decimal]) -> LineState:
    """The state of a line: the furthest step that its quantities have reached."""
    ordered = figures.get(Measure.ORDERED)
    shipped, delivered = figures.get(Measure.SHIPPED, ZERO), figures.get(Measure.DELIVERED, ZERO)
    due = max((ordered or ZERO) - figures.get(Measure.CANCELLED, ZERO), ZERO)
    sent = max(shipped, delivered)
    if sent > 0 and figures.get(Measure.RETURNED, ZERO) >= sent:
        return LineState.RETURNED
    if ordered is None and not sent:
        return LineState.UNKNOWN
    if delivered > 0:
        is_complete = delivered >= due
        return LineState.DELIVERED if is_complete else LineState.PARTIALLY_DELIVERED
    if shipped > 0:
        return LineState.SHIPPED if shipped >= due else LineState.PARTIALLY_SHIPPED
    if due == 0:
        return LineState.CANCELLED
    if figures.get(Measure.BACKORDERED, ZERO) > 0:
        return LineState.BACKORDERED
    return next((s for m, s in PROGRESS if figures.get(m, ZERO) > 0), LineState.ORDERED)
