"""Where sources contradict each other: since when, about how much money, and whose it is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import Attribute, Measure, plain
from visibility.timeline.authority import CARRIERS, GRACE, OWNER, RANKS, WAREHOUSES
from visibility.timeline.claims import Conflict, Contender, Line
from visibility.timeline.enums import Field
from visibility.timeline.lines import rounded
from visibility.timeline.model import Spoken
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.quantity_ledger import Ledger
from visibility.timeline.source_states import Stands

COMPARED = {
    Measure.ORDERED: Field.ORDERED,
    Measure.CANCELLED: Field.CANCELLED,
    Measure.SHIPPED: Field.SHIPPED,
    Measure.INVOICED: Field.INVOICED,
}
WANTED = {Field.ORDERED: Measure.ORDERED, Field.CANCELLED: Measure.CANCELLED}
# A warehouse is told its part of an order, and no prices.
PARTIAL = WAREHOUSES | CARRIERS
# Prices of one piece that differ by less are the same, rounded in another place.
TOLERANCE = Decimal("0.005")
Spot = tuple[Field, str]


@dataclass(frozen=True, slots=True)
class Side:
    """What a source claims, in words, and whether it is authoritative."""

    source: str
    at: datetime
    word: str
    amount: Decimal = ZERO
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Dispute:
    """The sides of a contradiction, and how far they are apart where that can be measured."""

    sides: tuple[Side, ...]
    gap: Decimal | None = None


@dataclass(slots=True)
class Disputes:
    """Listens while the ledger fills; remembers since when what differs."""

    ledger: Ledger
    stands: Stands = field(default_factory=Stands)
    since: dict[Spot, datetime] = field(default_factory=dict)
    sides: dict[Spot, dict[str, Side]] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)

    def hear(self, spoken: Spoken, changed: Iterable[tuple[str, Measure]]) -> None:
        """Compare again whatever an event may have changed."""
        touched = {(COMPARED[m], key) for key, m in changed if m in COMPARED}
        touched |= {(name, key) for spot, key in touched if spot in WANTED for name in WANTED}
        touched.update(self._prices(spoken))
        touched.update(self._promise(spoken))
        if self.stands.hear(spoken, self.ledger):
            touched.add((Field.STATUS, ""))
        for spot in touched:
            if self._dispute(spot, spoken.occurred_at):
                self.since.setdefault(spot, spoken.occurred_at)
            else:
                self.since.pop(spot, None)

    def conflicts(
        self, lines: Mapping[str, Line], *, as_of: datetime, currency: str, over: bool
    ) -> Iterator[Conflict]:
        """What still differs; a date that was to be kept doesn't matter once it is `over`."""
        for (name, key), since in sorted(self.since.items()):
            dispute = self._dispute((name, key), as_of)
            moot = name is Field.PROMISED_AT and over
            if dispute is None or moot or (key and self.ledger.aside(key)):
                continue
            yield Conflict(
                field=name,
                line_key=key,
                claims=tuple(self._contender(side) for side in dispute.sides),
                since=since,
                opened_at=since + GRACE[name],
                money=_money(name, key, dispute.gap, lines),
                currency=currency,
                owner=OWNER[name],
            )

    def _contender(self, side: Side) -> Contender:
        role = self.ledger.reading.roles[side.source]
        return Contender(side.source, role, side.word, side.at, side.counts)

    def _prices(self, spoken: Spoken) -> Iterator[Spot]:
        currency = spoken.event.attributes.get(Attribute.CURRENCY, "").strip().upper()
        if currency and currency != self.currencies.get(spoken.source):
            self.currencies[spoken.source] = currency
            yield from [spot for spot in self.sides if spot[0] is Field.PRICE]
        if spoken.role in PARTIAL:
            return
        for told in self.ledger.reading.lines(spoken):
            if told.price is None or told.times is None:
                continue
            price = told.price if told.times == 1 else rounded(told.price)
            sides = self.sides.setdefault((Field.PRICE, told.key), {})
            old = sides.get(spoken.source)
            sides[spoken.source] = Side(spoken.source, spoken.occurred_at, plain(price), price)
            if old is None or old.amount != price:
                yield Field.PRICE, told.key

    def _promise(self, spoken: Spoken) -> Iterator[Spot]:
        """Days are compared, as they were written."""
        text = spoken.event.attributes.get(Attribute.PROMISED_AT, "")
        if text and spoken.role not in CARRIERS:
            side = Side(spoken.source, spoken.occurred_at, text[:10])
            self.sides.setdefault((Field.PROMISED_AT, ""), {})[spoken.source] = side
            yield Field.PROMISED_AT, ""

    def _dispute(self, spot: Spot, at: datetime) -> Dispute | None:
        name, key = spot
        if name is Field.STATUS:
            return self._ranked(name, [Side(s, at_, w) for s, w, at_ in self.stands.differing()])
        if name is Field.PROMISED_AT:
            sides = self.sides[spot].values()
            return self._ranked(name, sides) if len({side.word for side in sides}) > 1 else None
        if name is Field.PRICE:
            return self._priced(key)
        if name in WANTED:
            return self._wanted(key, name)
        return self._moved(key, Measure(name.value), at)

    def _ranked(
        self, name: Field, sides: Iterable[Side], gap: Decimal | None = None
    ) -> Dispute | None:
        """The authoritative side first."""
        ranks, roles = RANKS[name], self.ledger.reading.roles
        found = sorted(sides, key=lambda side: (ranks[roles[side.source]], side.source))
        if len(found) < 2:
            return None
        first = found[0]
        top = Side(first.source, first.at, first.word, first.amount, counts=True)
        return Dispute((top, *found[1:]), gap)

    def _priced(self, key: str) -> Dispute | None:
        found = self._ranked(Field.PRICE, self.sides[(Field.PRICE, key)].values())
        if found is None:
            return None
        truth, *others = found.sides
        currency = self.currencies.get(truth.source, "")
        same = [s for s in others if self.currencies.get(s.source, currency) in ("", currency)]
        far = [s for s in same if abs(s.amount - truth.amount) >= TOLERANCE]
        if not far:
            return None
        return Dispute((truth, *far), max(abs(s.amount - truth.amount) for s in far))

    def _wanted(self, key: str, name: Field) -> Dispute | None:
        """Ordered and cancelled are compared together: 5 less 2 taken back is 3."""
        ledger, roles = self.ledger, self.ledger.reading.roles
        cell = ledger.columns[Measure.ORDERED].get(key)
        known = [s for s in cell.figures if roles[s] not in PARTIAL] if cell else []
        if cell is None or len(known) < 2:
            return None
        gone = {s: ledger.of_source(s, key, Measure.CANCELLED) or ZERO for s in known}
        nets = {max(cell.figures[s] - gone[s], ZERO) for s in known}
        differ_in_ordered = len({cell.figures[s] for s in known}) > 1
        if len(nets) < 2 or differ_in_ordered is not (name is Field.ORDERED):
            return None
        sides = [
            self._side(key, s, cell.told[s], cell.figures[s] if name is Field.ORDERED else gone[s])
            for s in known
        ]
        return self._ranked(name, sides, self._shown(key, max(nets) - min(nets)))

    def _moved(self, key: str, measure: Measure, at: datetime) -> Dispute | None:
        """The sum of those whose figure counts, against each of the others."""
        ledger = self.ledger
        cell = ledger.columns[measure].get(key)
        if cell is None or len(cell.figures) < 2:
            return None
        counting = ledger.counting(key, measure)
        truth = ledger.got(key, measure, at) or ZERO
        others = sorted(s for s, q in cell.figures.items() if s not in counting and q != truth)
        if not others:
            return None
        believed = [
            self._side(key, s, cell.told[s], cell.figures[s], counts=True) for s in counting
        ]
        sides = [self._side(key, s, cell.told[s], cell.figures[s]) for s in others]
        gap = max(abs(cell.figures[s] - truth) for s in others)
        return Dispute((*believed, *sides), self._shown(key, gap))

    def _shown(self, key: str, amount: Decimal) -> Decimal:
        scale = self.ledger.reading.goods[key].scale
        return amount if scale == 1 else rounded(amount / scale)

    def _side(
        self, key: str, source: str, at: datetime, amount: Decimal, *, counts: bool = False
    ) -> Side:
        shown = self._shown(key, amount)
        return Side(source, at, plain(shown), shown, counts)


def _money(name: Field, key: str, gap: Decimal | None, lines: Mapping[str, Line]) -> Decimal | None:
    """The difference times the price; of a status, what is wanted at its price."""
    if name is Field.STATUS:
        known = [line for line in lines.values() if line.counted and line.price is not None]
        return sum((line.due * (line.price or ZERO) for line in known), ZERO) if known else None
    line = lines.get(key)
    if line is None or gap is None:
        return None
    if name is Field.PRICE:
        return gap * line.due
    return gap * line.price if line.price is not None else None
