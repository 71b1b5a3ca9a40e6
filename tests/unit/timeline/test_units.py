"""Quantities in different units are converted exactly or not at all."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import EventLine, Measure
from tests.builders.recorded_events import at, ordered, reported, shipped
from tests.builders.recorded_events import line as event_line
from tests.builders.timelines import folded, line_of
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.definitions.unit_fill_rate import UnitFillRate
from visibility.timeline import MilestoneCode, Status
from visibility.timeline.master_data_dictionary import (
    ItemDefinition,
    Mappings,
    MappingVersion,
    MasterDataDictionary,
)
from visibility.timeline.state_and_flag_enums import LineFlag, LineState
from visibility.timeline.status_answer import status_answer


def dictionary(
    *items: ItemDefinition,
    mappings: Mappings | None = None,
    governed: frozenset[tuple[str, str]] = frozenset(),
) -> MasterDataDictionary:
    """A dictionary with these items and mappings."""
    by_number = {item.number: item for item in items}
    return MasterDataDictionary(mappings=mappings or {}, items=by_number, governed=governed)


BOXED = ItemDefinition("A", unit="BX", factors={"EA": Fraction(1, 1000)})
DOZENS = ItemDefinition("A", unit="DZ", factors={"EA": Fraction(1, 12), "GR": Fraction(12)})


def test_52900_pieces_are_52_9_boxes_of_1000() -> None:
    timeline = folded(
        ordered({"A": "52.9"}, unit="BX"),
        shipped({"A": 52900}, at(3)),
        dictionary=dictionary(BOXED),
    )
    a = line_of(timeline, "A")
    assert (a.unit, a.quantity(Measure.ORDERED), a.quantity(Measure.SHIPPED)) == (
        "BX",
        Decimal("52.9"),
        Decimal("52.9"),
    )
    assert (a.state, a.flags, timeline.status) == (LineState.SHIPPED, (), Status.SHIPPED)
    assert a.quantities_by_source["wms"] == {"shipped": Decimal(52900)}
    assert [s.unit for s in a.claims if s.source == "wms"] == ["EA"]


def test_thirds_of_a_dozen_add_up_to_the_dozen() -> None:
    shipments = [shipped({"A": 4}, at(day), f"S{day}") for day in (3, 4, 5)]
    timeline = folded(ordered({"A": 1}, unit="DZ"), *shipments, dictionary=dictionary(DOZENS))
    assert timeline.status is Status.SHIPPED
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 1
    short = folded(ordered({"A": 1}, unit="DZ"), *shipments[:2], dictionary=dictionary(DOZENS))
    assert short.status is Status.PARTIALLY_SHIPPED
    assert line_of(short, "A").quantity(Measure.SHIPPED) == Decimal("0.666667")


def test_price_per_box_is_converted_to_the_base_unit() -> None:
    piece = ItemDefinition("A", unit="EA", factors={"BX": Fraction(1000)})
    timeline = folded(ordered({"A": 2}, unit="BX", price="40"), dictionary=dictionary(piece))
    a = line_of(timeline, "A")
    assert (a.quantity(Measure.ORDERED), a.price) == (Decimal(2000), Decimal("0.04"))


def test_line_with_an_unknown_conversion_factor_is_uncountable() -> None:
    both = (event_line("A", shipped=1, unit="PAL"), event_line("B", shipped=1))
    timeline = folded(
        ordered({"A": 2, "B": 1}),
        reported("wms", "shipment.confirmed", at(3), both, shipment="S1"),
        dictionary=dictionary(ItemDefinition("A")),
    )
    a = line_of(timeline, "A")
    assert (a.state, a.flags, a.uncountable) == (LineState.UNCOUNTABLE, (LineFlag.UNIT,), True)
    assert a.quantity(Measure.SHIPPED) == 0
    (pallets,) = [s for s in a.claims if s.source == "wms"]
    assert (pallets.value, pallets.reported_value, pallets.unit) == (None, Decimal(1), "PAL")
    assert timeline.status is Status.SHIPPED  # by the countable line
    measured = UnitFillRate().measure(timeline, "UTC")
    assert measured
    assert (measured.numerator, measured.denominator) == (Decimal(1), Decimal(1))
    assert dict(measured.uncountable) == {"unit": 1}


def test_order_without_countable_lines_is_excluded_with_a_reason() -> None:
    timeline = folded(ordered({"A": 2}, unit="BX"), shipped({"A": 2000}, at(3)))
    assert line_of(timeline, "A").flags == (LineFlag.UNIT,)
    for kpi in (FillRate(), UnitFillRate()):
        measured = kpi.measure(timeline, "UTC")
        assert measured
        assert measured.excluded == "unit"
        assert measured.excluded in kpi.reasons


def test_without_master_data_only_synonymous_units_are_added_up() -> None:
    mixed = folded(ordered({"A": 2}, unit="BX"), shipped({"A": 2}, at(3), unit="EA"))
    assert line_of(mixed, "A").uncountable
    assert line_of(mixed, "A").unit == "BX"
    same = folded(ordered({"A": 2}, unit="pcs"), shipped({"A": 2}, at(3), unit="C62"))
    assert not line_of(same, "A").uncountable
    assert same.status is Status.SHIPPED


def test_unit_of_a_source_is_translated() -> None:
    box = {("unit", "wms", "KARTON"): [MappingVersion("BX")]}
    timeline = folded(
        ordered({"A": 2}, unit="BX"),
        shipped({"A": 2}, at(3), unit="KARTON"),
        dictionary=dictionary(mappings=box),
    )
    assert timeline.status is Status.SHIPPED


def test_item_number_of_a_source_is_translated() -> None:
    items = {
        ("item", "wms", "0099"): [
            MappingVersion("A", valid_from=at(1)),
        ]
    }
    timeline = folded(
        ordered({"A": 2}), shipped({"0099": 2}, at(3)), dictionary=dictionary(mappings=items)
    )
    assert [line.key for line in timeline.lines] == ["A"]
    assert timeline.status is Status.SHIPPED


def test_mapping_does_not_apply_before_its_start_date() -> None:
    items = {("item", "wms", "0099"): [MappingVersion("A", valid_from=at(4))]}
    timeline = folded(
        ordered({"A": 2}),
        shipped({"0099": 1}, at(3), "S1"),
        shipped({"0099": 1}, at(5), "S2"),
        dictionary=dictionary(mappings=items),
    )
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 1
    assert line_of(timeline, "0099").unexpected


def test_line_with_an_unmapped_item_is_uncountable_until_it_is_mapped() -> None:
    governed = frozenset({("item", "wms")})
    events = [ordered({"A": 2, "B": 1}), shipped({"0099": 2, "B": 1}, at(3))]
    mapped_b = {("item", "wms", "B"): [MappingVersion("B")]}
    timeline = folded(*events, dictionary=dictionary(mappings=mapped_b, governed=governed))
    unknown = line_of(timeline, "?wms:0099")
    assert (unknown.sku, unknown.flags, unknown.uncountable) == (
        "0099",
        (LineFlag.UNKNOWN_SKU,),
        True,
    )
    assert timeline.status is Status.PARTIALLY_SHIPPED  # B is shipped
    assert line_of(timeline, "A").quantity(Measure.SHIPPED) == 0
    for kpi in (FillRate(), UnitFillRate()):
        measured = kpi.measure(timeline, "UTC")
        assert measured
        assert measured.excluded == "unknown_sku"
    mapped_all = {**mapped_b, ("item", "wms", "0099"): [MappingVersion("A")]}
    timeline = folded(*events, dictionary=dictionary(mappings=mapped_all, governed=governed))
    assert timeline.status is Status.SHIPPED


def test_unmapped_item_number_is_not_the_canonical_item_of_the_same_number() -> None:
    timeline = folded(
        ordered({"A": 2}),
        shipped({"A": 2}, at(3)),
        dictionary=dictionary(governed=frozenset({("item", "wms")})),
    )
    assert sorted(line.key for line in timeline.lines) == ["?wms:A", "A"]
    assert (
        timeline.status is Status.PARTIALLY_SHIPPED
    )  # something was shipped, but its item is unknown
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) is None


def test_locations_and_customers_are_translated_and_unmapped_ones_are_empty() -> None:
    mappings = {
        ("location", "wms", "W1"): [MappingVersion("Dallas")],
        ("customer", "erp", "10042"): [MappingVersion("C-42")],
    }
    governed = frozenset({("location", "wms"), ("location", "north")})
    timeline = folded(
        ordered({"A": 2}, customer_no="10042"),
        shipped({"A": 1}, at(3), warehouse="W1"),
        shipped({"A": 1}, at(4), "S2", source="north", warehouse="W9"),
        dictionary=dictionary(mappings=mappings, governed=governed),
    )
    assert timeline.attributes["customer_no"] == "C-42"  # type: ignore[index]  # a StrEnum
    assert timeline.attributes["warehouse"] == "Dallas"  # type: ignore[index]  # a StrEnum
    assert [s.warehouse for s in timeline.shipments] == ["Dallas", ""]


def test_status_mapped_later_counts_as_the_mapped_event() -> None:
    events = [ordered({"A": 2}), reported("erp", "unmapped", at(2, 10), raw="FREIGEGEBEN")]
    assert folded(*events).status is Status.RECEIVED
    mapping = {("status", "erp", "FREIGEGEBEN"): [MappingVersion("order.released")]}
    assert folded(*events, dictionary=dictionary(mappings=mapping)).status is Status.RELEASED


def test_huge_quantity_is_handled() -> None:
    timeline = folded(
        ordered({"A": "12345678901234567890123456"}, unit="GR"),
        shipped({"A": 7}, at(3)),
        dictionary=dictionary(DOZENS),
    )
    assert timeline.status is Status.PARTIALLY_SHIPPED


def packed(sku: str, pieces: object, ordered: int) -> list[EventLine]:
    """A line in cases, with the pieces in each as the document says."""
    pieces_per_unit = None if pieces is None else Decimal(str(pieces))
    return [replace(event_line(sku, unit="CA", ordered=ordered), pieces_per_unit=pieces_per_unit)]


def test_pack_size_in_the_order_makes_cases_and_pieces_comparable() -> None:
    order = reported("erp", "order.received", at(1), packed("A", 12, ordered=4))
    partial = folded(order, shipped({"A": 36}, at(3)))
    a = line_of(partial, "A")
    assert (a.unit, a.quantity(Measure.SHIPPED)) == ("CA", Decimal(3))
    assert (a.flags, partial.status) == ((), Status.PARTIALLY_SHIPPED)
    second = shipped({"A": 12}, at(4), "S2")
    for events in (
        [order, shipped({"A": 36}, at(3)), second],
        [second, shipped({"A": 36}, at(3)), order],
    ):
        assert folded(*events).status is Status.SHIPPED


def test_pack_size_of_a_fractional_or_contradicted_number() -> None:
    order = reported("erp", "order.received", at(1), packed("A", "2.5", ordered=4))
    assert line_of(folded(order, shipped({"A": 5}, at(3))), "A").quantity(Measure.SHIPPED) == 2
    other = reported("erp", "order.changed", at(2), packed("A", 10, ordered=4))
    unknown = folded(order, other, shipped({"A": 10}, at(3)))
    assert line_of(unknown, "A").state is LineState.UNCOUNTABLE


def test_unknown_pack_size_leaves_the_open_quantity_unknown() -> None:
    order = reported("erp", "order.received", at(1), packed("A", None, ordered=4))
    timeline = folded(order, shipped({"A": 48}, at(3)))
    answer = status_answer(timeline, zone="UTC")
    assert answer.text.startswith("Shipped in part or in full")
    assert "open quantity" not in answer.next_step
    assert "Part of" not in answer.customer
    open_line = reported("erp", "order.changed", at(2), [event_line("B", ordered=1)])
    assert status_answer(
        folded(order, open_line, shipped({"A": 48}, at(3))), zone="UTC"
    ).text.startswith("Partially shipped")
