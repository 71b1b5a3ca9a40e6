"""Load the master data that some events need, in three statements for any number of events."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import orjson
from django.db import connection

from connectors.sdk.events import Attribute, EventType
from visibility.models.master import KEY_SEPARATOR, TermKind, normalize_term
from visibility.storage import configuration_cache
from visibility.timeline.master_data_dictionary import (
    ItemDefinition,
    ItemVersion,
    MappingVersion,
    MasterDataDictionary,
)
from visibility.timeline.model import RecordedEvent

# The watched and governed vocabularies. No rows: there is no master data, so nothing is looked up.
LOAD_VOCABULARIES = """
SELECT false, kind, source FROM visibility_watchedvocabulary
UNION ALL
SELECT true, config->>'governed', slug FROM visibility_source WHERE config ? 'governed'
"""
LOAD_MAPPINGS = """
SELECT kind, source, term, canonical, valid_from, valid_to
FROM visibility_termmapping WHERE key = ANY(%s) ORDER BY valid_from NULLS FIRST
"""
LOAD_RECORDS = """
SELECT 'item', key, number, unit, components::text, 1, 1, valid_from, valid_to
FROM visibility_item WHERE key = ANY(%(item)s)
UNION ALL
SELECT 'location', key, code, '', '{}', 1, 1, valid_from, valid_to
FROM visibility_location WHERE key = ANY(%(location)s)
UNION ALL
SELECT 'customer', key, number, '', '{}', 1, 1, valid_from, valid_to
FROM visibility_customer WHERE key = ANY(%(customer)s)
UNION ALL
SELECT 'unit', u.code, u.code, '', '{}', 1, 1, NULL, NULL
FROM unnest(%(unit)s::text[]) AS u (code)
WHERE EXISTS (SELECT 1 FROM visibility_unitfactor WHERE unit = u.code)
    OR EXISTS (SELECT 1 FROM visibility_unitfactor WHERE base = u.code)
UNION ALL
SELECT 'factor', item_key, unit, base, '{}', numerator, denominator, valid_from, valid_to
FROM visibility_unitfactor WHERE item_key = ANY(%(item)s)
UNION ALL
SELECT 'factor', '', unit, base, '{}', numerator, denominator, valid_from, valid_to
FROM visibility_unitfactor WHERE item_key = '' AND unit = ANY(%(unit)s)
"""
EVENT_TYPE_VALUES = frozenset(EventType) - {EventType.UNMAPPED}
# An external term: its kind, the source, and the text as the source wrote it.
Term = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class LookedUpAndGovernedVocabularies:
    """The (kind, source) pairs that are looked up, and those that must be mapped.

    An empty source means every source.
    """

    watched: frozenset[tuple[str, str]] = frozenset()
    governed: frozenset[tuple[str, str]] = frozenset()

    def is_looked_up(self, kind: str, source: str) -> bool:
        """Whether terms of this kind and source are looked up."""
        pairs = {(kind, source), (kind, "")}
        return not pairs.isdisjoint(self.watched) or (kind, source) in self.governed

    def __bool__(self) -> bool:
        return bool(self.watched or self.governed)


@dataclass(frozen=True, slots=True)
class ValidUnitFactor:
    """One unit in base units, during a validity period."""

    unit: str
    base: str
    ratio: Fraction
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class MasterDataRowsByKey:
    """Master data by key; factors by item key, with "" for the factors of every item."""

    names: Mapping[tuple[str, str], Sequence[MappingVersion]] = field(default_factory=dict)
    items: Mapping[str, Sequence[ItemVersion]] = field(default_factory=dict)
    factors: Mapping[str, Sequence[ValidUnitFactor]] = field(default_factory=dict)


def load_looked_up_and_governed_vocabularies() -> LookedUpAndGovernedVocabularies:
    """Return the watched and governed vocabularies."""
    return configuration_cache.load_once_per_configuration_version(
        "lookup_scope", _read_lookup_and_governed_vocabularies
    )


def _read_lookup_and_governed_vocabularies() -> LookedUpAndGovernedVocabularies:
    with connection.cursor() as cursor:
        cursor.execute(LOAD_VOCABULARIES)
        rows = cursor.fetchall()
    if not rows:
        return LookedUpAndGovernedVocabularies()
    known = set(TermKind.values)
    return LookedUpAndGovernedVocabularies(
        frozenset((kind, source) for governed, kind, source in rows if not governed),
        frozenset(
            (kind.strip(), source)
            for governed, kinds, source in rows
            if governed
            for kind in (kinds or "").split(",")
            if kind.strip() in known
        ),
    )


def external_terms_of_event(recorded: RecordedEvent) -> Iterator[tuple[str, str, str]]:
    """Yield the external terms of one event: (kind, text as written, description)."""
    event = recorded.event
    for line in event.lines:
        if recorded.does_line_name_this_or_no_order(line) or recorded.order_index < 0:
            yield "item", line.sku, line.description
            yield "unit", line.unit, ""
    texts = event.attributes
    name = texts.get(Attribute.CUSTOMER_NAME, "")
    yield "location", texts.get(Attribute.WAREHOUSE, ""), ""
    yield "customer", texts.get(Attribute.CUSTOMER_NO, ""), name
    yield "status", event.raw_type or texts.get(Attribute.STATUS, ""), ""


def load_dictionary(
    events: Iterable[RecordedEvent], scope: LookedUpAndGovernedVocabularies
) -> MasterDataDictionary:
    """Load the meaning of the external terms of these events."""
    terms = {
        (kind, recorded.source, term)
        for recorded in events
        for kind, term, _ in external_terms_of_event(recorded)
        if term and scope.is_looked_up(kind, recorded.source)
    }
    if not terms:
        return MasterDataDictionary(governed=scope.governed)
    meanings = _load_term_mapping_versions(terms)
    records = _load_master_data_rows(terms, meanings)
    meanings_by_term: dict[Term, list[MappingVersion]] = {}
    for kind, source, term in terms:
        key = normalize_term(term)
        for scope_source in (source, ""):
            own = meanings.get((kind, scope_source, key), [])
            # A term that is equal to a canonical name needs no mapping.
            own = [*own, *(records.names.get((kind, key), ()) if not scope_source else ())]
            if kind == "unit" and not scope_source and (kind, source) not in scope.governed:
                own = [*own, MappingVersion(key)]
            if own:
                meanings_by_term[(kind, scope_source, term)] = own
    editions = _item_versions_by_spelling(terms, meanings, records)
    return MasterDataDictionary(
        mappings=meanings_by_term,
        items={number: versions[-1].item for number, versions in editions.items()},
        governed=scope.governed,
        item_versions={
            number: versions
            for number, versions in editions.items()
            if len(versions) > 1 or versions[0].valid_from or versions[0].valid_to
        },
    )


def _load_term_mapping_versions(terms: Collection[Term]) -> dict[Term, list[MappingVersion]]:
    keys = {
        KEY_SEPARATOR.join((kind.upper(), normalize_term(scope_source), normalize_term(term)))
        for kind, source, term in terms
        for scope_source in (source, "")
    }
    result: dict[Term, list[MappingVersion]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(LOAD_MAPPINGS, [sorted(keys)])
        for kind, source, term, canonical, starts, ends in cursor.fetchall():
            # A row of an older release may name no status of ours: it maps nothing.
            if kind == TermKind.STATUS and canonical not in EVENT_TYPE_VALUES:
                continue
            result[(kind, source, term)].append(MappingVersion(canonical, starts, ends))
    return result


def _load_master_data_rows(
    terms: Collection[Term], meanings: Mapping[Term, Sequence[MappingVersion]]
) -> MasterDataRowsByKey:
    wanted: dict[str, set[str]] = {
        "item": set(),
        "unit": set(),
        "location": set(),
        "customer": set(),
    }
    for vocabulary, _, term in terms:
        if vocabulary in wanted:
            wanted[vocabulary].add(normalize_term(term))
    for (vocabulary, _, _), mapped in meanings.items():
        if vocabulary in wanted:
            wanted[vocabulary] |= {normalize_term(meaning.canonical) for meaning in mapped}
    names: dict[tuple[str, str], list[MappingVersion]] = defaultdict(list)
    items: dict[str, list[ItemVersion]] = defaultdict(list)
    factors: dict[str, list[ValidUnitFactor]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            LOAD_RECORDS, {vocabulary: sorted(keys) for vocabulary, keys in wanted.items()}
        )
        rows: list[Any] = cursor.fetchall()
    for kind, key, name, unit, components, numerator, denominator, starts, ends in rows:
        if kind == "factor":
            ratio = Fraction(numerator, denominator)
            factors[key].append(ValidUnitFactor(name, unit, ratio, starts, ends))
            continue
        names[(kind, key)].append(MappingVersion(name, starts, ends))
        if kind == "item":
            kit = {n: Fraction(count) for n, count in orjson.loads(components).items()}
            article = ItemDefinition(number=name, unit=unit, components=kit)
            items[key].append(ItemVersion(article, starts, ends))
    return MasterDataRowsByKey(names, items, factors)


def _item_versions_by_spelling(
    terms: Collection[Term],
    meanings: Mapping[Term, Sequence[MappingVersion]],
    records: MasterDataRowsByKey,
) -> dict[str, Sequence[ItemVersion]]:
    """Return the versions of the items, by every spelling that the fold may ask for."""
    numbers = {term for kind, _, term in terms if kind == "item"}
    numbers |= {
        m.canonical for (kind, _, _), known in meanings.items() if kind == "item" for m in known
    }
    editions_by_number: dict[str, Sequence[ItemVersion]] = {}
    for number in numbers:
        if editions := _versions_of_item_and_its_factors(normalize_term(number), number, records):
            editions_by_number[number] = editions
    return editions_by_number


def _versions_of_item_and_its_factors(
    key: str, number: str, records: MasterDataRowsByKey
) -> list[ItemVersion]:
    """Return the versions of one item: a new one where the item or a factor starts or ends."""
    own = records.factors.get(key, ())
    rows = records.items.get(key)
    if not rows:
        if not own:
            return []
        rows = [ItemVersion(ItemDefinition(number=number, unit=own[0].base))]
    result = []
    for row in sorted(rows, key=lambda r: (r.valid_from is not None, r.valid_from)):
        unit = row.item.unit
        # The item's own factors come last, so that they override the factors of every item.
        factors = [f for f in (*records.factors.get("", ()), *own) if f.base == unit]
        for starts, ends in _intervals_between_factor_changes(row, factors):
            valid = [f for f in factors if _is_valid_throughout(f, starts, ends)]
            article = ItemDefinition(
                number=row.item.number,
                unit=unit,
                factors={f.unit: f.ratio for f in valid},
                components=row.item.components,
            )
            result.append(ItemVersion(article, starts, ends))
    return result


def _intervals_between_factor_changes(
    row: ItemVersion, factors: Sequence[ValidUnitFactor]
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


def _is_valid_throughout(
    factor: ValidUnitFactor, starts: datetime | None, ends: datetime | None
) -> bool:
    """Whether a factor is valid during the whole interval."""
    begun = factor.valid_from is None or (starts is not None and factor.valid_from <= starts)
    return begun and (factor.valid_to is None or (ends is not None and ends <= factor.valid_to))
