"""What the sources' lines mean here: the article, the unit it is counted in, what stands for what.

Read once over everything that was said, so that no figure depends on which source spoke first.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from connectors.sdk.connector import Role
from connectors.sdk.events import Attribute, EventType, Measure, ObjectKind
from connectors.sdk.events import Line as SpokenLine
from visibility.timeline.authority import TIERS
from visibility.timeline.dictionary import NOTHING, Article, Dictionary
from visibility.timeline.model import Spoken
from visibility.timeline.substitutions import Instead, kits, substitutes
from visibility.timeline.units import canonical, factor

ONE = Decimal(1)
TRANSLATED = {Attribute.WAREHOUSE: "location", Attribute.CUSTOMER_NO: "customer"}


@dataclass(frozen=True, slots=True)
class Told:
    """One line of one event, read.

    `times` turns its quantities into the line's counting unit, None where nobody knows how.
    """

    place: int
    key: str
    line: SpokenLine
    quantities: Mapping[Measure, Decimal]
    unit: str
    times: Decimal | None
    price: Decimal | None


@dataclass(slots=True)
class Goods:
    """What a line is of. It is counted in 1/`scale` of `unit`, so that every sum is exact."""

    sku: str
    article: Article | None
    known: bool
    position: tuple[int, str]
    unit: str = "EA"
    scale: int = 1


def meaning(spoken: Spoken, dictionary: Dictionary) -> Spoken:
    """The event with our words for the source's places, customers and unmapped statuses.

    A word that is governed and unknown says nothing.
    """
    if dictionary is NOTHING:
        return spoken
    event, at = spoken.event, spoken.occurred_at
    attributes = dict(event.attributes)
    for name, table in TRANSLATED.items():
        if attributes.get(name):
            attributes[name] = dictionary.ours(table, spoken.source, attributes[name], at=at) or ""
    return replace(spoken, event=replace(event, attributes=attributes))


def mapped(spoken: Spoken, dictionary: Dictionary) -> Spoken:
    """An event whose status word was unknown to its connector and has since been mapped."""
    if spoken.event.type is not EventType.UNMAPPED or dictionary is NOTHING:
        return spoken
    word = spoken.event.raw_type or spoken.event.attributes.get(Attribute.STATUS, "")
    ours = dictionary.ours("status", spoken.source, word, at=spoken.occurred_at)
    if ours not in set(EventType):
        return spoken
    return replace(spoken, event=replace(spoken.event, type=EventType(ours)))


def of_others(spoken: Spoken) -> bool:
    """Whether the event names other orders and not this one: it came by a shared parcel."""
    return spoken.order < 0 and any(r.kind is ObjectKind.ORDER for r in spoken.event.objects)


# Where a timeline keeps what counted in it, in our words, and the reading of that.
READ = ("read", "")


class Reading:
    """The lines of the events of one order."""

    def __init__(self, heard: Sequence[Spoken], dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.goods: dict[str, Goods] = {}
        self.roles: dict[str, Role] = {}
        # (source, article) -> its line ids, where one event named several
        self._places: dict[tuple[str, str], list[str]] = {}
        # (source, line id) -> the article it was told with
        self._articles: dict[tuple[str, str], str] = {}
        self._shared = frozenset(_shared(heard))
        self._heard = heard  # keeps the ids below alive
        own = [(spoken, self._own(spoken)) for spoken in heard]
        for spoken, lines in own:
            self.roles[spoken.source] = spoken.role
            self._tell_apart(spoken, lines)
        keyed = [(s, [(p, self._key(s, line), line) for p, line in lines]) for s, lines in own]
        self._choose_units(keyed)
        self.instead: Mapping[str, Instead] = {
            **kits(self.goods, {key: goods.article for key, goods in self.goods.items()}),
            **substitutes(keyed),
        }
        self._told = {id(s): tuple(self._read(s, lines)) for s, lines in keyed if lines}

    def lines(self, spoken: Spoken) -> tuple[Told, ...]:
        """The lines of an event that are this order's."""
        return self._told.get(id(spoken), ())

    def stands_in(self, key: str) -> bool:
        """Whether a line is a substitute or a component of another."""
        return any(key in instead.children for instead in self.instead.values())

    def _own(self, spoken: Spoken) -> list[tuple[int, SpokenLine]]:
        lines = spoken.event.lines
        if not lines:
            return []
        named = sum(ref.kind is ObjectKind.ORDER for ref in spoken.event.objects)
        # Lines that name no order are this one's where no other order can be meant.
        alone = named <= 1 and (
            spoken.order >= 0
            or (not named and not any(key in self._shared for key in spoken.objects))
        )
        return [
            (place, line)
            for place, line in enumerate(lines)
            if line.order == spoken.order >= 0 or (line.order == -1 and alone)
        ]

    def _article(self, spoken: Spoken, line: SpokenLine) -> str:
        """Our number of the article in capitals; `?source:word` where the word is not mapped."""
        ours = self._ours(spoken, line)
        return f"?{spoken.source}:{line.sku}" if ours is None else ours.strip().upper()

    def _ours(self, spoken: Spoken, line: SpokenLine) -> str | None:
        if self.dictionary is NOTHING or not line.sku:
            return line.sku
        return self.dictionary.ours("item", spoken.source, line.sku, at=spoken.occurred_at)

    def _tell_apart(self, spoken: Spoken, lines: Iterable[tuple[int, SpokenLine]]) -> None:
        """Lines of one article that stand in one event under several ids are several lines."""
        ids: dict[str, list[str]] = {}
        for _, line in lines:
            article = self._article(spoken, line)
            if article:
                ids.setdefault(article, []).append(line.line_id)
                self._articles.setdefault((spoken.source, line.line_id), article)
        for article, line_ids in ids.items():
            if len(set(line_ids)) > 1:
                known = self._places.setdefault((spoken.source, article), [])
                known += [i for i in dict.fromkeys(line_ids) if i not in known]

    def _key(self, spoken: Spoken, line: SpokenLine) -> str:
        """The article; the second line of one article is told apart; without one, the line's id."""
        article = self._article(spoken, line) or self._articles.get(
            (spoken.source, line.line_id), ""
        )
        if not article:
            return f"{spoken.source}:{line.line_id}"
        known = self._places.get((spoken.source, article), [])
        place = known.index(line.line_id) if line.line_id in known else 0
        return f"{article} #{place + 1}" if place else article

    def _choose_units(
        self, keyed: Sequence[tuple[Spoken, list[tuple[int, str, SpokenLine]]]]
    ) -> None:
        """The unit of each line: the article's own, else that of who is believed about it."""
        ranks = TIERS[Measure.ORDERED]
        best: dict[str, tuple[bool, int]] = {}
        for spoken, lines in keyed:
            for place, key, line in lines:
                goods = self.goods.get(key) or self._goods(spoken, line, place, key)
                if goods.article is not None:
                    continue
                rank = (Measure.ORDERED not in line.quantities, ranks[spoken.role])
                if key not in best or rank <= best[key]:
                    best[key], goods.unit = rank, self._unit(spoken, line)

    def _goods(self, spoken: Spoken, line: SpokenLine, place: int, key: str) -> Goods:
        ours = self._ours(spoken, line)
        # As it was when this order first told of it: a later edition does not recount the past.
        at = spoken.occurred_at
        article = self.dictionary.article(ours.strip(), at=at) if ours else None
        goods = Goods((ours or line.sku).strip(), article, ours is not None, (place, key))
        if goods.article:
            goods.sku, goods.unit = goods.article.number, goods.article.unit
            factors = goods.article.factors.values()
            goods.scale = math.lcm(*(Fraction(f).denominator for f in factors))
        self.goods[key] = goods
        return goods

    def _unit(self, spoken: Spoken, line: SpokenLine) -> str:
        ours = self.dictionary.ours("unit", spoken.source, line.unit, at=spoken.occurred_at)
        return f"?{line.unit}" if ours is None else ours

    def _read(self, spoken: Spoken, lines: Iterable[tuple[int, str, SpokenLine]]) -> Iterator[Told]:
        for place, key, line in lines:
            goods, unit = self.goods[key], self._unit(spoken, line)
            times = _times(goods, unit)
            quantities: Mapping[Measure, Decimal] = line.quantities
            if spoken.event.type is EventType.LINE_SUBSTITUTED:
                # What is replaced is still wanted, and its substitute is no further demand.
                gone = Measure.CANCELLED if key in self.instead else Measure.ORDERED
                quantities = {m: q for m, q in quantities.items() if m is not gone}
            price = line.price
            if price is not None and times is not None and times != goods.scale:
                price = price * goods.scale / times
            yield Told(place, key, line, quantities, unit.lstrip("?"), times, price)


def _times(goods: Goods, unit: str) -> Decimal | None:
    if goods.article is None:
        return ONE if canonical(unit) == canonical(goods.unit) else None
    found = factor(goods.article, unit)
    return None if found is None else Decimal(int(found * goods.scale))


def _shared(heard: Iterable[Spoken]) -> Iterator[str]:
    """Parcels, shipments and invoices that are several orders'."""
    for spoken in heard:
        named = sum(ref.kind is ObjectKind.ORDER for ref in spoken.event.objects)
        if named > 1 or (named and spoken.order < 0):
            for ref, key in zip(spoken.event.objects, spoken.objects, strict=True):
                if ref.kind is not ObjectKind.ORDER and key:
                    yield key
