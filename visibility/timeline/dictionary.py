"""What other systems' words mean here: articles, units, places, customers. Plain values, no rows.

A fold asks it while it reads what was said; an empty dictionary takes every word at face value.
Answers depend on the source, the word and the moment it was said (`at`), so that a change of the
master data with a later validity does not rewrite what came before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Article:
    """One item as we know it.

    `unit` is the base unit its quantities are counted in; `factors` says how many base units are in
    one of another unit, exactly (`{"BX": Fraction(1000)}`); `components` of a kit with how many of
    each go into one kit: demand is counted at the parent.
    """

    number: str
    title: str = ""
    unit: str = "EA"
    factors: Mapping[str, Fraction] = field(default_factory=dict)
    components: Mapping[str, Fraction] = field(default_factory=dict)

    def factor(self, unit: str) -> Fraction | None:
        """Base units in one `unit`; None where nobody said: nothing is guessed."""
        if not unit or unit == self.unit:
            return Fraction(1)
        return self.factors.get(unit)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one word of one source means within [valid_from, valid_to); open where None."""

    ours: str
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it is valid at a moment."""
        after = self.valid_from is None or self.valid_from <= at
        return after and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class Edition:
    """An item as it is within [valid_from, valid_to); open where None."""

    article: Article
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it is valid at a moment."""
        after = self.valid_from is None or self.valid_from <= at
        return after and (self.valid_to is None or at < self.valid_to)


# (table, source, their word as the source writes it) -> its meanings over time
Words = Mapping[tuple[str, str, str], Sequence[Meaning]]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The part of the master data that the events of some orders need.

    `governed` holds (table, source) pairs whose words must all be mapped: there an unknown word is
    set aside and listed, elsewhere it is taken as it is. Tables: `item`, `unit`, `location`,
    `customer`, `status`. `articles` holds the newest edition of each item, `editions` all of
    those that changed over time.
    """

    words: Words = field(default_factory=dict)
    articles: Mapping[str, Article] = field(default_factory=dict)
    governed: frozenset[tuple[str, str]] = frozenset()
    editions: Mapping[str, Sequence[Edition]] = field(default_factory=dict)

    def ours(self, table: str, source: str, word: str, *, at: datetime) -> str | None:
        """Our word for theirs; the word itself where nothing governs it; None where it is unknown.

        A mapping of one source wins over one for every source (source `""`).
        """
        for who in (source, ""):
            for meaning in self.words.get((table, who, word), ()):
                if meaning.holds(at):
                    return meaning.ours
        return None if word and (table, source) in self.governed else word

    def article(self, number: str, *, at: datetime | None = None) -> Article | None:
        """The item of this number of ours, as it was at a moment; without one, its newest."""
        if at is not None and number in self.editions:
            return next((e.article for e in self.editions[number] if e.holds(at)), None)
        return self.articles.get(number)


NOTHING = Dictionary()
