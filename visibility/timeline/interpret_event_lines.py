"""Interpret event lines with the master data: item, counting unit, substitutes and kits.

All events are interpreted before any is counted, so that no figure depends on their order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import SHARED_KINDS, Attribute, EventType, Measure, ObjectKind
from connectors.sdk.events import EventLine as RecordedLine
from visibility.timeline.authority import MEASURE_RANKS
from visibility.timeline.master_data_dictionary import (
    EMPTY_DICTIONARY,
    ItemDefinition,
    MasterDataDictionary,
)
from visibility.timeline.model import RecordedEvent
from visibility.timeline.pack_sizes import ReportedPackSizes, counting_scale, unit_factor
from visibility.timeline.substitutes_and_kits import (
    SubstitutesOrKitComponents,
    find_kits,
    find_reported_and_inferred_substitutes,
)

TRANSLATED = {Attribute.WAREHOUSE: "location", Attribute.CUSTOMER_NO: "customer"}


@dataclass(frozen=True, slots=True)
class InterpretedLine:
    """One line of one event, assigned to an order line.

    `unit_factor` converts its quantities to the line's counting unit, None if that is not possible.
    `quantity_by_package`: in the counting unit, of the measure that is being recorded.
    """

    index: int
    key: str
    line: RecordedLine
    quantities: Mapping[Measure, Decimal]
    unit: str
    unit_factor: Decimal | None
    price: Decimal | None
    quantity_by_package: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class LineItemUnitAndScale:
    """The item of an order line, counted in 1/`scale` of `unit` so that every sum is exact.

    `is_goods` is false if a source says that the line is never shipped. `pieces_by_unit`: the pack
    sizes that events report.
    """

    sku: str
    item: ItemDefinition | None
    known: bool
    position: tuple[int, str]
    unit: str = "EA"
    scale: int = 1
    is_goods: bool = True
    pieces_by_unit: Mapping[str, Fraction] = field(default_factory=dict)


def translate_event_attributes(
    recorded: RecordedEvent, dictionary: MasterDataDictionary
) -> RecordedEvent:
    """Return the event with canonical locations and customers.

    A term that must be mapped but is not becomes empty.
    """
    if dictionary is EMPTY_DICTIONARY:
        return recorded
    event, at = recorded.event, recorded.occurred_at
    attributes = dict(event.attributes)
    for name, table in TRANSLATED.items():
        if attributes.get(name):
            attributes[name] = (
                dictionary.canonical_term(table, recorded.source, attributes[name], at=at) or ""
            )
    return replace(recorded, event=replace(event, attributes=attributes))


def map_status_text_to_event_type(
    recorded: RecordedEvent, dictionary: MasterDataDictionary
) -> RecordedEvent:
    """Return the event with the mapped type, if its connector did not know the status text."""
    if recorded.event.type is not EventType.UNMAPPED or dictionary is EMPTY_DICTIONARY:
        return recorded
    status_text = recorded.event.raw_type or recorded.event.attributes.get(Attribute.STATUS, "")
    mapped_type = dictionary.canonical_term(
        "status", recorded.source, status_text, at=recorded.occurred_at
    )
    if mapped_type not in set(EventType):
        return recorded
    return replace(recorded, event=replace(recorded.event, type=EventType(mapped_type)))


def event_names_only_other_orders(recorded: RecordedEvent) -> bool:
    """Whether the event names only other orders: it is here because of a shared package."""
    return recorded.order_index < 0 and any(
        r.kind is ObjectKind.ORDER for r in recorded.event.objects
    )


# Cache key of the translated events of a timeline and their interpretation.
CACHE_KEY = ("read", "")


class Interpretation:
    """The event lines of one order, each assigned to an order line and converted."""

    def __init__(self, events: Sequence[RecordedEvent], dictionary: MasterDataDictionary) -> None:
        self.dictionary = dictionary
        self.items: dict[str, LineItemUnitAndScale] = {}
        self.roles: dict[str, SourceRole] = {}
        # (source, item) -> its line ids, if one event has several lines of the item
        self._line_ids: dict[tuple[str, str], list[str]] = {}
        # (source, line id) -> item
        self._articles: dict[tuple[str, str], str] = {}
        self._shared = frozenset(_keys_of_objects_shared_by_orders(events))
        self._own_shipments = frozenset(_keys_of_shipments_named_with_order(events))
        self._events = events  # referenced because `id()` of the events is used as a key below
        own_lines = [(recorded, self._own_lines(recorded)) for recorded in events]
        for recorded, lines in own_lines:
            self.roles[recorded.source] = recorded.role
            self._record_line_ids_of_repeated_items(recorded, lines)
        keyed = [
            (s, [(i, self._line_key(s, line), line) for i, line in lines]) for s, lines in own_lines
        ]
        self._add_items_and_choose_units(keyed)
        self.substitutions: Mapping[str, SubstitutesOrKitComponents] = {
            **find_kits(self.items, {key: goods.item for key, goods in self.items.items()}),
            **find_reported_and_inferred_substitutes(keyed),
        }
        self._interpreted = {
            id(s.event): tuple(self._interpret_lines(s, lines)) for s, lines in keyed if lines
        }

    def lines_of_event(self, recorded: RecordedEvent) -> tuple[InterpretedLine, ...]:
        """The lines of an event that belong to this order, also of a copy as of another source."""
        return self._interpreted.get(id(recorded.event), ())

    def _own_lines(self, recorded: RecordedEvent) -> list[tuple[int, RecordedLine]]:
        lines = recorded.event.lines
        if not lines:
            return []
        orders = sum(ref.kind is ObjectKind.ORDER for ref in recorded.event.objects)
        # Lines that name no order belong to this one if no other order can be meant.
        is_only_order = orders <= 1 and (
            recorded.order_index >= 0
            or recorded.has_only_lines_of_order
            or (not orders and not any(key in self._shared for key in recorded.object_keys))
        )
        return [
            (index, line)
            for index, line in enumerate(lines)
            if self._is_own_line(recorded, line, is_only_order=is_only_order)
        ]

    def _is_own_line(
        self, recorded: RecordedEvent, line: RecordedLine, *, is_only_order: bool
    ) -> bool:
        """Whether a line belongs to this order: by its order, its shipment, or the only order."""
        if line.order_index >= 0:
            return recorded.does_line_name_this_or_no_order(line)
        if line.shipment_index >= 0 and recorded.order_index < 0:
            key = recorded.object_keys[line.shipment_index]
            return key in self._own_shipments and key not in self._shared
        return is_only_order

    def _canonical_item_key(self, recorded: RecordedEvent, line: RecordedLine) -> str:
        """The canonical item number in upper case; `?source:number` if it is not mapped."""
        number = self._canonical_item_number(recorded, line)
        return f"?{recorded.source}:{line.sku}" if number is None else number.strip().upper()

    def _canonical_item_number(self, recorded: RecordedEvent, line: RecordedLine) -> str | None:
        if self.dictionary is EMPTY_DICTIONARY or not line.sku:
            return line.sku
        return self.dictionary.canonical_term(
            "item", recorded.source, line.sku, at=recorded.occurred_at
        )

    def _record_line_ids_of_repeated_items(
        self, recorded: RecordedEvent, lines: Iterable[tuple[int, RecordedLine]]
    ) -> None:
        """Keep lines of one item apart if one event has them under several ids."""
        ids: dict[str, list[str]] = {}
        for _, line in lines:
            article = self._canonical_item_key(recorded, line)
            if article:
                ids.setdefault(article, []).append(line.line_id)
                self._articles.setdefault((recorded.source, line.line_id), article)
        for article, line_ids in ids.items():
            if len(set(line_ids)) > 1:
                known_ids = self._line_ids.setdefault((recorded.source, article), [])
                known_ids += [i for i in dict.fromkeys(line_ids) if i not in known_ids]

    def _line_key(self, recorded: RecordedEvent, line: RecordedLine) -> str:
        """The key of an order line: its item, numbered if on several lines, or else its line id."""
        article = self._canonical_item_key(recorded, line) or self._articles.get(
            (recorded.source, line.line_id), ""
        )
        if not article:
            return f"{recorded.source}:{line.line_id}"
        ids = self._line_ids.get((recorded.source, article), [])
        index = ids.index(line.line_id) if line.line_id in ids else 0
        return f"{article} #{index + 1}" if index else article

    def _add_items_and_choose_units(
        self, keyed: Sequence[tuple[RecordedEvent, list[tuple[int, str, RecordedLine]]]]
    ) -> None:
        """Choose the unit of each line: the item's, or else the most authoritative source's.

        The scale makes every known unit of the line a whole number of counting units.
        """
        ranks = MEASURE_RANKS[Measure.ORDERED]
        best: dict[str, tuple[bool, int]] = {}
        pack_sizes = ReportedPackSizes()
        for recorded, lines in keyed:
            for index, key, line in lines:
                goods = self.items.get(key) or self._add_line_item_for_key(
                    recorded, line, index, key
                )
                goods.is_goods = goods.is_goods and line.is_goods
                unit = self._canonical_line_unit(recorded, line)
                pack_sizes.record(key, unit, line.pieces_per_unit)
                if goods.item is not None:
                    continue
                rank = (Measure.ORDERED not in line.quantities, ranks[recorded.role])
                if key not in best or rank <= best[key]:
                    best[key], goods.unit = rank, unit
        for key, goods in self.items.items():
            goods.pieces_by_unit = pack_sizes.pieces_by_unit(key)
            goods.scale = counting_scale(goods.item, goods.unit, goods.pieces_by_unit)

    def _add_line_item_for_key(
        self, recorded: RecordedEvent, line: RecordedLine, index: int, key: str
    ) -> LineItemUnitAndScale:
        number = self._canonical_item_number(recorded, line)
        # The version at its first event: later versions do not change quantities of the past.
        at = recorded.occurred_at
        article = self.dictionary.item(number.strip(), at=at) if number else None
        goods = LineItemUnitAndScale(
            (number or line.sku).strip(), article, number is not None, (index, key)
        )
        if goods.item:
            goods.sku, goods.unit = goods.item.number, goods.item.unit
        self.items[key] = goods
        return goods

    def _canonical_line_unit(self, recorded: RecordedEvent, line: RecordedLine) -> str:
        unit = self.dictionary.canonical_term(
            "unit", recorded.source, line.unit, at=recorded.occurred_at
        )
        return f"?{line.unit}" if unit is None else unit

    def _interpret_lines(
        self, recorded: RecordedEvent, lines: Iterable[tuple[int, str, RecordedLine]]
    ) -> Iterator[InterpretedLine]:
        for index, key, line in lines:
            goods, unit = self.items[key], self._canonical_line_unit(recorded, line)
            factor = _factor_to_counting_unit(goods, unit)
            quantities: Mapping[Measure, Decimal] = line.quantities
            if recorded.event.type is EventType.LINE_SUBSTITUTED:
                # The replaced quantity is still wanted, and its substitute is no additional demand.
                ignored = Measure.CANCELLED if key in self.substitutions else Measure.ORDERED
                quantities = {m: q for m, q in quantities.items() if m is not ignored}
            price = line.price
            if price is not None and factor is not None and factor != goods.scale:
                price = price * goods.scale / factor
            yield InterpretedLine(index, key, line, quantities, unit.lstrip("?"), factor, price)


def _factor_to_counting_unit(goods: LineItemUnitAndScale, unit: str) -> Decimal | None:
    base_units = unit_factor(goods.item, goods.unit, unit, goods.pieces_by_unit)
    return None if base_units is None else Decimal(int(base_units * goods.scale))


def _keys_of_shipments_named_with_order(events: Iterable[RecordedEvent]) -> Iterator[str]:
    """The shipments that an event names together with this order."""
    for recorded in events:
        if recorded.order_index >= 0:
            for ref, key in zip(recorded.event.objects, recorded.object_keys, strict=True):
                if ref.kind is ObjectKind.SHIPMENT and key:
                    yield key


def _keys_of_objects_shared_by_orders(events: Iterable[RecordedEvent]) -> Iterator[str]:
    """Packages, shipments and invoices that belong to several orders."""
    for recorded in events:
        orders = sum(ref.kind is ObjectKind.ORDER for ref in recorded.event.objects)
        if orders > 1 or (orders and recorded.order_index < 0):
            for ref, key in zip(recorded.event.objects, recorded.object_keys, strict=True):
                if ref.kind is not ObjectKind.ORDER and ref.kind not in SHARED_KINDS and key:
                    yield key
