"""The master data that some events need, in three statements for any number of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.events import Attribute
from visibility.models.master import JOINT, WordTable, same
from visibility.timeline.dictionary import Article, Dictionary, Edition, Meaning
from visibility.timeline.model import Spoken

# Which words are worth looking up: nothing at all while nobody has any master data.
STATE = """
SELECT false, "table", source FROM visibility_watch
UNION ALL
SELECT true, config->>'governed', slug FROM visibility_source WHERE config ? 'governed'
"""
MEANINGS = """
SELECT "table", source, word, ours, valid_from, valid_to
FROM visibility_wordmapping WHERE key = ANY(%s) ORDER BY valid_from NULLS FIRST
"""
RECORDS = """
SELECT 'item', key, number, unit, components::text, 1, 1, valid_from, valid_to
FROM visibility_item WHERE key = ANY(%(item)s)
UNION ALL
SELECT 'location', key, code, '', '{}', 1, 1, valid_from, valid_to
FROM visibility_location WHERE key = ANY(%(location)s)
UNION ALL
SELECT 'customer', key, number, '', '{}', 1, 1, valid_from, valid_to
FROM visibility_customer WHERE key = ANY(%(customer)s)
UNION ALL
SELECT 'unit', word, word, '', '{}', 1, 1, NULL, NULL FROM unnest(%(unit)s::text[]) AS u (word)
WHERE EXISTS (SELECT 1 FROM visibility_unitfactor WHERE unit = word)
    OR EXISTS (SELECT 1 FROM visibility_unitfactor WHERE base = word)
UNION ALL
SELECT 'factor', item_key, unit, base, '{}', numerator, denominator, valid_from, valid_to
FROM visibility_unitfactor WHERE item_key = ANY(%(item)s)
UNION ALL
SELECT 'factor', '', unit, base, '{}', numerator, denominator, valid_from, valid_to
FROM visibility_unitfactor WHERE item_key = '' AND unit = ANY(%(unit)s)
"""
# A word: its kind, the source, and as the source wrote it.
Word = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class State:
    """Which (table, source) are looked up, and which must be mapped; source "" is every one."""

    watched: frozenset[tuple[str, str]] = frozenset()
    governed: frozenset[tuple[str, str]] = frozenset()

    def looks(self, table: str, source: str) -> bool:
        """Whether words of this kind and source are looked up."""
        pairs = {(table, source), (table, "")}
        return not pairs.isdisjoint(self.watched) or (table, source) in self.governed

    def __bool__(self) -> bool:
        return bool(self.watched or self.governed)


@dataclass(frozen=True, slots=True)
class Factor:
    """One unit in base units, for a time."""

    unit: str
    base: str
    ratio: Fraction
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """The rows that were found, by their keys; factors by the item's, "" for every item's."""

    names: Mapping[tuple[str, str], Sequence[Meaning]] = field(default_factory=dict)
    items: Mapping[str, Sequence[Edition]] = field(default_factory=dict)
    factors: Mapping[str, Sequence[Factor]] = field(default_factory=dict)


def state() -> State:
    """What is looked up and what is governed now: one statement over two small tables."""
    with connection.cursor() as cursor:
        cursor.execute(STATE)
        rows = cursor.fetchall()
    if not rows:
        return State()
    known = set(WordTable.values)
    return State(
        frozenset((table, source) for must, table, source in rows if not must),
        frozenset(
            (table.strip(), source)
            for must, tables, source in rows
            if must
            for table in (tables or "").split(",")
            if table.strip() in known
        ),
    )


def words_of(spoken: Spoken) -> Iterator[tuple[str, str, str]]:
    """The words of one event: (table, word as written, what was said beside it)."""
    event = spoken.event
    for line in event.lines:
        if line.order in (-1, spoken.order) or spoken.order < 0:
            yield "item", line.sku, line.description
            yield "unit", line.unit, ""
    texts = event.attributes
    name = texts.get(Attribute.CUSTOMER_NAME, "")
    yield "location", texts.get(Attribute.WAREHOUSE, ""), ""
    yield "customer", texts.get(Attribute.CUSTOMER_NO, ""), name
    yield "status", event.raw_type or texts.get(Attribute.STATUS, ""), ""


def dictionary_of(events: Iterable[Spoken], known: State) -> Dictionary:
    """What the words of these events mean."""
    words = {
        (table, spoken.source, word)
        for spoken in events
        for table, word, _ in words_of(spoken)
        if word and known.looks(table, spoken.source)
    }
    if not words:
        return Dictionary(governed=known.governed)
    meanings = _meanings(words)
    found = _records(words, meanings)
    said: dict[Word, list[Meaning]] = {}
    for table, source, word in words:
        key = same(word)
        for who in (source, ""):
            own = meanings.get((table, who, key), [])
            # A word that is our own name needs no mapping.
            own = [*own, *(found.names.get((table, key), ()) if not who else ())]
            if table == "unit" and not who and (table, source) not in known.governed:
                own = [*own, Meaning(key)]
            if own:
                said[(table, who, word)] = own
    editions = _editions(words, meanings, found)
    return Dictionary(
        words=said,
        articles={number: known[-1].article for number, known in editions.items()},
        governed=known.governed,
        editions={
            number: held
            for number, held in editions.items()
            if len(held) > 1 or held[0].valid_from or held[0].valid_to
        },
    )


def _meanings(words: Collection[Word]) -> dict[Word, list[Meaning]]:
    keys = {
        JOINT.join((table.upper(), same(who), same(word)))
        for table, source, word in words
        for who in (source, "")
    }
    found: dict[Word, list[Meaning]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(MEANINGS, [sorted(keys)])
        for table, source, word, ours, starts, ends in cursor.fetchall():
            found[(table, source, word)].append(Meaning(ours, starts, ends))
    return found


def _records(words: Collection[Word], meanings: Mapping[Word, Sequence[Meaning]]) -> Found:
    wanted: dict[str, set[str]] = {
        "item": set(),
        "unit": set(),
        "location": set(),
        "customer": set(),
    }
    for table, _, word in words:
        if table in wanted:
            wanted[table].add(same(word))
    for (table, _, _), known in meanings.items():
        if table in wanted:
            wanted[table] |= {same(meaning.ours) for meaning in known}
    names: dict[tuple[str, str], list[Meaning]] = defaultdict(list)
    items: dict[str, list[Edition]] = defaultdict(list)
    factors: dict[str, list[Factor]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(RECORDS, {table: sorted(keys) for table, keys in wanted.items()})
        rows: list[Any] = cursor.fetchall()
    for kind, key, name, unit, components, numerator, denominator, starts, ends in rows:
        if kind == "factor":
            ratio = Fraction(numerator, denominator)
            factors[key].append(Factor(name, unit, ratio, starts, ends))
            continue
        names[(kind, key)].append(Meaning(name, starts, ends))
        if kind == "item":
            kit = {n: Fraction(count) for n, count in orjson.loads(components).items()}
            article = Article(number=name, unit=unit, components=kit)
            items[key].append(Edition(article, starts, ends))
    return Found(names, items, factors)


def _editions(
    words: Collection[Word], meanings: Mapping[Word, Sequence[Meaning]], found: Found
) -> dict[str, Sequence[Edition]]:
    """The items by every spelling the fold may ask for."""
    numbers = {word for table, _, word in words if table == "item"}
    numbers |= {
        m.ours for (table, _, _), known in meanings.items() if table == "item" for m in known
    }
    made: dict[str, Sequence[Edition]] = {}
    for number in numbers:
        if editions := _edited(same(number), number, found):
            made[number] = editions
    return made


def _edited(key: str, number: str, found: Found) -> list[Edition]:
    """One item over time: anew wherever the item or one of its factors begins or ends."""
    own = found.factors.get(key, ())
    rows = found.items.get(key)
    if not rows:
        if not own:
            return []
        rows = [Edition(Article(number=number, unit=own[0].base))]
    made = []
    for row in sorted(rows, key=lambda r: (r.valid_from is not None, r.valid_from)):
        unit = row.article.unit
        # Its own factors come last: they win over those of every item.
        factors = [f for f in (*found.factors.get("", ()), *own) if f.base == unit]
        for starts, ends in _spans(row, factors):
            held = [f for f in factors if _covers(f, starts, ends)]
            article = Article(
                number=row.article.number,
                unit=unit,
                factors={f.unit: f.ratio for f in held},
                components=row.article.components,
            )
            made.append(Edition(article, starts, ends))
    return made


def _spans(
    row: Edition, factors: Sequence[Factor]
) -> list[tuple[datetime | None, datetime | None]]:
    edges = {edge for f in factors for edge in (f.valid_from, f.valid_to) if edge}
    inner = sorted(
        edge
        for edge in edges
        if (row.valid_from is None or edge > row.valid_from)
        and (row.valid_to is None or edge < row.valid_to)
    )
    points = [row.valid_from, *inner, row.valid_to]
    return list(pairwise(points))


def _covers(factor: Factor, starts: datetime | None, ends: datetime | None) -> bool:
    """Whether a factor holds during all of a span between two edges."""
    begun = factor.valid_from is None or (starts is not None and factor.valid_from <= starts)
    return begun and (factor.valid_to is None or (ends is not None and ends <= factor.valid_to))
