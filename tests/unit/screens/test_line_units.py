"""The lines of an order in the unit of the order: all quantities of a line, or none."""

from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import Measure
from tests.builders.recorded_events import at, ordered, shipped
from tests.builders.timelines import folded
from visibility.screens.orders.line_units import line_in_order_unit, order_unit
from visibility.screens.orders.lines_and_billing import LineTable, line_table
from visibility.timeline import Timeline
from visibility.timeline.master_data_dictionary import ItemDefinition, MasterDataDictionary

PIECES = ItemDefinition("A", unit="EA", factors={"BX": Fraction(12), "THD": Fraction(1, 3)})


def story(unit: str, quantity: str, item: ItemDefinition | None = PIECES) -> Timeline:
    return folded(
        ordered({"A": quantity}, unit=unit, price="60"),
        shipped({"A": 6}, at(3)),
        dictionary=MasterDataDictionary(items={"A": item} if item else {}),
    )


def cells(table: LineTable) -> tuple[str, dict[str, str]]:
    (row,) = table.rows
    return row.line.unit, dict(row.cells)


def test_every_quantity_and_the_price_are_in_the_unit_of_the_order() -> None:
    timeline = story("BX", "5")
    base = line_table(timeline, {})
    assert base.has_order_units
    assert cells(base) == ("EA", {"Ordered": "60", "Shipped": "6"})
    boxes = line_table(timeline, {}, in_order_unit=True)
    assert cells(boxes) == ("BX", {"Ordered": "5", "Shipped": "0.5"})
    (row,), (base_row,) = boxes.rows, base.rows
    assert (base_row.line.price, row.line.price) == (Decimal(5), Decimal(60))
    assert row.percent_shipped == base_row.percent_shipped == 10
    # What each system reported stays in its own unit, beside the converted figure.
    assert dict(row.sources) == {"erp": "ordered 5", "wms": "shipped 0.5 (6 EA)"}


def test_thirds_stay_exact() -> None:
    line = line_in_order_unit(story("THD", "3").lines[0], story("THD", "3"))
    assert (line.unit, line.quantity(Measure.ORDERED)) == ("THD", Decimal(3))


def test_lines_without_another_known_unit_stay_as_they_are() -> None:
    for timeline in (
        story("EA", "5"),
        story("pcs", "5"),
        story("PAL", "5"),
        story("BX", "5", None),
    ):
        (line,) = timeline.lines
        assert order_unit(line, timeline) is None
        assert line_in_order_unit(line, timeline) == line
        assert not line_table(timeline, {}).has_order_units


def test_the_factor_of_the_order_counts_and_not_a_later_one() -> None:
    timeline = story("BX", "5")
    (line,) = timeline.lines
    changed = ItemDefinition("A", unit="EA", factors={"BX": Fraction(10)})
    later = folded(*(), dictionary=MasterDataDictionary(items={"A": changed}))
    assert order_unit(line, later) == ("BX", Fraction(12))
