"""Unit fill rate: the cases of the line fill rate, in units."""

from datetime import date
from decimal import Decimal

from tests.show.told import at, ordered, shipped, timeline
from visibility.kpi.definitions.unit_fill_rate import UnitFillRate
from visibility.kpi.kpi import Measured


def measure(figures: dict[str, int | str], left: dict[str, int | str]) -> Measured | None:
    return UnitFillRate().measure(timeline([ordered(figures), shipped(left, at(3))]), "UTC")


def test_a_part_of_a_line_counts_for_what_left() -> None:
    assert measure({"A": 10}, {"A": 4}) == Measured(date(2026, 3, 3), Decimal(4), Decimal(10))


def test_fractions_stay_exact() -> None:
    found = measure({"CABLE": "0.3"}, {"CABLE": "0.1"})
    assert found == Measured(date(2026, 3, 3), Decimal("0.1"), Decimal("0.3"))


def test_an_order_left_out_has_no_units() -> None:
    found = UnitFillRate().measure(timeline([ordered({"A": 1})]), "UTC")
    assert found == Measured(date(2026, 3, 2), None, None, "no_cut_off")
