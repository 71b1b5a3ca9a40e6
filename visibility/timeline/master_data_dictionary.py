"""Translate external terms: items, units, locations, customers and statuses. Plain values, no rows.

The fold uses it to interpret events. An empty dictionary takes every term as it is. A translation
depends on the source, the term and the time of the event (`at`), so that master data which becomes
valid later does not change earlier events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class ItemDefinition:
    """An item of the master data.

    `unit` is the base unit of its quantities. `factors`: base units in one of another unit, exact
    (`{"BX": Fraction(1000)}`). `components` of a kit with the quantity of each in one kit; demand
    is counted for the kit.
    """

    number: str
    title: str = ""
    unit: str = "EA"
    factors: Mapping[str, Fraction] = field(default_factory=dict)
    components: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MappingVersion:
    """The canonical term for an external one within [valid_from, valid_to); None is unbounded."""

    canonical: str
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Whether the version is valid at a moment."""
        has_begun = self.valid_from is None or self.valid_from <= at
        return has_begun and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class ItemVersion:
    """A version of an item within [valid_from, valid_to); None is unbounded."""

    item: ItemDefinition
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Whether the version is valid at a moment."""
        has_begun = self.valid_from is None or self.valid_from <= at
        return has_begun and (self.valid_to is None or at < self.valid_to)


# (table, source, external term as written) -> its canonical terms over time
Mappings = Mapping[tuple[str, str, str], Sequence[MappingVersion]]


@dataclass(frozen=True, slots=True)
class MasterDataDictionary:
    """The part of the master data that the events of some orders need.

    `governed`: (table, source) pairs whose terms must all be mapped. There an unknown term is
    uncountable and listed as unmapped; elsewhere it is used as it is. Tables: `item`, `unit`,
    `location`, `customer`, `status`. `items` has the latest version of each item, `item_versions`
    all versions of the items that changed over time.
    """

    mappings: Mappings = field(default_factory=dict)
    items: Mapping[str, ItemDefinition] = field(default_factory=dict)
    governed: frozenset[tuple[str, str]] = frozenset()
    item_versions: Mapping[str, Sequence[ItemVersion]] = field(default_factory=dict)

    def canonical_term(self, table: str, source: str, term: str, *, at: datetime) -> str | None:
        """The canonical term for an external one.

        Without a mapping: the term itself, or None if the table is governed for the source. A
        mapping of one source takes precedence over one for all sources (source `""`).
        """
        for scope in (source, ""):
            for version in self.mappings.get((table, scope, term), ()):
                if version.is_valid(at):
                    return version.canonical
        return None if term and (table, source) in self.governed else term

    def item(self, number: str, *, at: datetime | None = None) -> ItemDefinition | None:
        """The version of the item at a moment; without a moment the latest one."""
        if at is not None and number in self.item_versions:
            return next((e.item for e in self.item_versions[number] if e.is_valid(at)), None)
        return self.items.get(number)


EMPTY_DICTIONARY = MasterDataDictionary()
