"""The lines of an order as people read them: figures, claims, state and flags of each."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal

from connectors.sdk.connector import Role
from connectors.sdk.events import Measure
from visibility.timeline.authority import RANKS
from visibility.timeline.claims import Line, Said
from visibility.timeline.enums import Field, LineFlag, LineState
from visibility.timeline.interpretation import Told
from visibility.timeline.model import Spoken
from visibility.timeline.quantity_claims import ZERO, Cell
from visibility.timeline.quantity_ledger import Ledger

FIELDS = {measure: Field(measure.value) for measure in Measure}
ROUND, WIDE = Decimal("0.000001"), Context(prec=80)
PROGRESS = (
    (Measure.PACKED, LineState.PACKED),
    (Measure.PICKED, LineState.PICKED),
    (Measure.ALLOCATED, LineState.ALLOCATED),
)
# role -> (description, unit, price) as it last gave them
About = dict[Role, tuple[str, str, Decimal | None]]
Prices = dict[str, tuple[Decimal, Told, datetime]]


class Lines:
    """Puts the lines together once everything has been heard."""

    def __init__(self, ledger: Ledger, at: datetime) -> None:
        self.ledger = ledger
        self.reading = ledger.reading
        self.at = at
        self.about: dict[str, About] = {}
        self.prices: dict[str, Prices] = {}

    def hear(self, spoken: Spoken) -> None:
        """Note what a source calls a line and what it asks for it."""
        for told in self.reading.lines(spoken):
            line, known = told.line, self.about.setdefault(told.key, {})
            old = known.get(spoken.role)
            price = told.price if told.times is not None else None
            known[spoken.role] = (
                line.description or (old[0] if old else ""),
                line.unit or (old[1] if old else ""),
                price if price is not None or old is None else old[2],
            )
            if line.price is not None:
                prices = self.prices.setdefault(told.key, {})
                prices[spoken.source] = (line.price, told, spoken.occurred_at)

    def all(self) -> tuple[Line, ...]:
        """Every line, in the order in which the lines were first numbered."""
        goods, main = self.reading.goods, self.ledger.main_lines()
        keys = sorted(self.ledger.keys, key=lambda key: goods[key].position)
        return tuple(self._line(key, main) for key in keys)

    def _line(self, key: str, main: frozenset[str]) -> Line:
        ledger, goods = self.ledger, self.reading.goods[key]
        figures = {m: q for m in Measure if (q := ledger.got(key, m, self.at)) is not None}
        short = min(self._short(key), ledger.value(key, Measure.CANCELLED) or ZERO)
        filled = self._filled(key)
        description, unit, price = self._describe(key)
        return Line(
            key=key,
            sku=goods.sku,
            description=description or (goods.article.title if goods.article else ""),
            unit=goods.unit if goods.article else unit,
            price=price,
            quantities={m: self._shown(q, goods.scale) for m, q in figures.items()},
            said=tuple(self._said(key)),
            state=LineState.ASIDE if ledger.aside(key) else state(figures),
            flags=tuple(sorted(self._flags(key, figures, short=bool(short), filled=bool(filled)))),
            short=self._shown(short, goods.scale),
            filled=filled,
            aside=ledger.aside(key),
            extra=key not in main,
        )

    def _shown(self, quantity: Decimal, scale: int) -> Decimal:
        """From the counting unit to the line's unit."""
        return quantity if scale == 1 else rounded(quantity / scale)

    def _short(self, key: str) -> Decimal:
        cell = self.ledger.short.get(key)
        return max(cell.figures.values()) if cell else ZERO

    def _filled(self, key: str) -> tuple[tuple[str, Decimal], ...]:
        instead = self.reading.instead.get(key)
        if instead is None:
            return ()
        shipped = (
            (self.reading.goods[child].sku, self.ledger.value(child, Measure.SHIPPED), child)
            for child in sorted(instead.children)
            if child in self.reading.goods
        )
        return tuple(
            (sku, self._shown(quantity, self.reading.goods[child].scale))
            for sku, quantity, child in shipped
            if quantity
        )

    def _describe(self, key: str) -> tuple[str, str, Decimal | None]:
        ranks, known = RANKS[Field.ORDERED], self.about[key]
        ranked = [known[role] for role in sorted(known, key=lambda r: (ranks[r], r))]
        return (
            next((a[0] for a in ranked if a[0]), ""),
            next((a[1] for a in ranked if a[1]), ""),
            next((a[2] for a in ranked if a[2] is not None), None),
        )

    def _said(self, key: str) -> Iterator[Said]:
        for measure, field in FIELDS.items():
            cell = self.ledger.columns[measure].get(key)
            if cell:
                counting = self.ledger.counting(key, measure)
                yield from self._figures(key, field, cell, counting)
            foreign = self.ledger.apart.get(key, {}).get(measure)
            if foreign:
                yield from _apart(field, foreign)
        prices = self.prices.get(key, {})
        ranks, roles = RANKS[Field.PRICE], self.reading.roles
        best = min((ranks[roles[source]] for source in prices), default=0)
        for source, (own, told, at) in sorted(prices.items()):
            counts = ranks[roles[source]] == best
            yield Said(source, Field.PRICE, told.price, own, told.unit, at, counts)

    def _figures(
        self, key: str, field: Field, cell: Cell, counting: tuple[str, ...]
    ) -> Iterator[Said]:
        scale = self.reading.goods[key].scale
        for source in sorted(cell.figures):
            figure, (unit, times) = cell.figures[source], cell.units[source]
            own = figure if times == 1 else rounded(figure / times)
            value = self._shown(figure, scale)
            yield Said(source, field, value, own, unit, cell.told[source], source in counting)

    def _flags(
        self, key: str, figures: Mapping[Measure, Decimal], *, short: bool, filled: bool
    ) -> Iterator[LineFlag]:
        instead = self.reading.instead.get(key)
        if key in self.ledger.apart:
            yield LineFlag.UNIT
        if not self.reading.goods[key].known:
            yield LineFlag.UNKNOWN_SKU
        if short:
            yield LineFlag.SHORT_CANCELLED
        if instead and instead.kit:
            yield LineFlag.KIT
        elif instead and filled:
            yield LineFlag.SUBSTITUTED
        for other in self.reading.instead.values():
            if key in other.children:
                yield LineFlag.COMPONENT if other.kit else LineFlag.SUBSTITUTE
        ordered, shipped = figures.get(Measure.ORDERED), figures.get(Measure.SHIPPED, ZERO)
        if ordered is not None and shipped > ordered:
            yield LineFlag.OVERSHIP
        elif ordered is not None and shipped > ordered - figures.get(Measure.CANCELLED, ZERO):
            yield LineFlag.CONTRADICTION


def _apart(field: Field, cell: Cell) -> Iterator[Said]:
    """Claims in units that nobody can convert."""
    for source, own in sorted(cell.figures.items()):
        yield Said(source, field, None, own, cell.units[source][0], cell.told[source], False)


def rounded(quantity: Decimal) -> Decimal:
    """To six places, without zeros that say nothing."""
    return quantity.quantize(ROUND, context=WIDE).normalize(WIDE) + ZERO


def state(figures: Mapping[Measure, Decimal]) -> LineState:
    """Where a line stands: the furthest step its quantities have reached."""
    ordered = figures.get(Measure.ORDERED)
    shipped, delivered = figures.get(Measure.SHIPPED, ZERO), figures.get(Measure.DELIVERED, ZERO)
    due = max((ordered or ZERO) - figures.get(Measure.CANCELLED, ZERO), ZERO)
    gone = max(shipped, delivered)
    if gone > 0 and figures.get(Measure.RETURNED, ZERO) >= gone:
        return LineState.RETURNED
    if ordered is None and not gone:
        return LineState.UNKNOWN
    if delivered > 0:
        full = delivered >= due
        return LineState.DELIVERED if full else LineState.PARTIALLY_DELIVERED
    if shipped > 0:
        return LineState.SHIPPED if shipped >= due else LineState.PARTIALLY_SHIPPED
    if due == 0:
        return LineState.CANCELLED if ordered else LineState.UNKNOWN
    if figures.get(Measure.BACKORDERED, ZERO) > 0:
        return LineState.BACKORDERED
    return next((s for m, s in PROGRESS if figures.get(m, ZERO) > 0), LineState.ORDERED)
