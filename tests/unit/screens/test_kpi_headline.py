"""The phrase of the KPI headline about where lines are missed."""

from decimal import Decimal

import pytest

from visibility.kpi.filters_and_values import KpiSlice, KpiSummary
from visibility.screens.kpis.overview import phrase_for_slice_with_most_missed_lines


def summary(numerator: int, denominator: int) -> KpiSummary:
    return KpiSummary(None, Decimal(numerator), Decimal(denominator), denominator)


@pytest.mark.parametrize(
    ("names", "phrase"),
    [
        (("web", "Dallas"), "; Dallas Web orders are 80% of missed lines"),
        (("web", ""), "; Web orders without warehouse are 80% of missed lines"),
        (("", "Dallas"), "; Dallas orders without channel are 80% of missed lines"),
        (("", ""), "; orders without channel and warehouse are 80% of missed lines"),
    ],
)
def test_slice_without_a_value_is_named_as_such(names: tuple[str, str], phrase: str) -> None:
    slices = [KpiSlice(names, summary(2, 10)), KpiSlice(("edi", "Reno"), summary(8, 10))]
    assert phrase_for_slice_with_most_missed_lines(summary(10, 20), slices) == phrase
