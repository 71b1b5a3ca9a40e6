"""First-pass unit fill rate."""

from datetime import date
from decimal import Decimal

import pytest

from tests.builders.recorded_events import at, ordered, shipped
from tests.builders.timelines import folded
from visibility.kpi.definitions.unit_fill_rate import UnitFillRate
from visibility.kpi.kpi import KpiMeasurement

pytestmark = pytest.mark.calendar


def measure(figures: dict[str, int | str], left: dict[str, int | str]) -> KpiMeasurement | None:
    return UnitFillRate().measure(folded(ordered(figures), shipped(left, at(3))), "UTC")


def test_partially_shipped_line_counts_shipped_units() -> None:
    assert measure({"A": 10}, {"A": 4}) == KpiMeasurement(date(2026, 3, 3), Decimal(4), Decimal(10))


def test_fractions_are_exact() -> None:
    measured = measure({"CABLE": "0.3"}, {"CABLE": "0.1"})
    assert measured == KpiMeasurement(date(2026, 3, 3), Decimal("0.1"), Decimal("0.3"))


def test_excluded_order_has_no_units() -> None:
    measured = UnitFillRate().measure(folded(ordered({"A": 1})), "UTC")
    assert measured == KpiMeasurement(date(2026, 3, 2), None, None, "no_cut_off")
