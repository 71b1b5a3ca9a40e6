"""KPI queries: sums, percentiles, exclusions, drill-down, and chart figures."""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.effort import examples
from visibility.kpi import drilldown, query
from visibility.kpi.periods import PeriodLength
from visibility.kpi.query import DaySpan, KpiDimensionFilters
from visibility.kpi.registry import kpi_registry
from visibility.models import KpiFact
from visibility.screens.kpis import value_and_comparison_texts

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
FILL, CYCLE = kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]
DAY = date(2026, 3, 3)
WEEK = DaySpan(DAY, DAY + timedelta(days=6))


def fact(
    numerator: float | None = 1, denominator: int | None = 1, *, day: date = DAY, **fields: Any
) -> KpiFact:
    return create_fact(numerator, denominator, day=day, **fields)


def test_value_is_sum_of_numerators_over_sum_of_denominators() -> None:
    fact(1, 2)
    fact(8, 8, day=DAY + timedelta(days=1))
    recompute_cells()
    summary = query.summary(FILL, WEEK)
    assert (summary.value, summary.orders) == (Decimal("0.9"), 2)
    assert (int(summary.numerator), int(summary.denominator)) == (9, 10)


def test_no_orders_is_none_and_not_zero() -> None:
    fact(None, None, excluded="no_lines")
    recompute_cells()
    summary = query.summary(FILL, WEEK)
    assert (summary.value, summary.orders, summary.excluded) == (None, 0, {"no_lines": 1})
    assert (
        value_and_comparison_texts.format_kpi_value(FILL, summary.median_seconds_or_fraction(FILL))
        == "\u2013"
    )
    assert query.summary(FILL, WEEK.previous()).value is None


def test_median_is_of_orders_not_of_days() -> None:
    for hours in (1, 2, 3):
        fact(hours * 3600, 1, kpi="order_cycle_time")
    fact(100 * 3600, 1, kpi="order_cycle_time", day=DAY + timedelta(days=1))
    recompute_cells()
    summary = query.summary(CYCLE, WEEK)
    assert summary.median == pytest.approx(2 * 3600, rel=0.005)
    assert summary.p90 == pytest.approx(100 * 3600, rel=0.005)


@given(
    st.lists(st.integers(0, 90 * 86_400), min_size=1, max_size=40),
    st.lists(st.integers(0, 4), min_size=40, max_size=40),
)
@settings(max_examples=examples(30))
def test_percentile_is_accurate_to_half_a_percent(took: list[int], on: list[int]) -> None:
    with transaction.atomic():
        for seconds, day in zip(took, on, strict=False):
            fact(seconds, 1, kpi="order_cycle_time", day=DAY + timedelta(days=day))
        recompute_cells()
        summary = query.summary(CYCLE, WEEK)
        transaction.set_rollback(True)
    ranked = [max(seconds, 1) for seconds in sorted(took)]
    for percentile, share in ((summary.median, 0.5), (summary.p90, 0.9)):
        # The smallest value that this fraction of the orders does not exceed.
        assert percentile == pytest.approx(ranked[math.ceil(len(ranked) * share) - 1], rel=0.0051)


def test_filters_treat_unknown_as_a_value() -> None:
    fact(1, 1, channel="Web")
    fact(0, 1, channel="")
    recompute_cells()
    assert query.summary(FILL, WEEK, KpiDimensionFilters(channel="Web")).value == 1
    assert query.summary(FILL, WEEK, KpiDimensionFilters(channel="")).value == 0
    assert query.summary(FILL, WEEK, KpiDimensionFilters(channel="Mail")).value is None
    both = KpiDimensionFilters(channel="Web", warehouse="Dallas")
    assert query.summary(FILL, WEEK, both).value == 1
    assert [
        row.names for row in query.summaries_by_dimensions(FILL, WEEK, ["warehouse"], both)
    ] == [("Dallas",)]
    assert query.dimension_values_with_most_orders(WEEK) == {
        "channel": ["", "Web"],
        "warehouse": ["Dallas"],
        "customer_group": [""],
    }


def test_slices_and_days_add_up_to_total() -> None:
    for index in range(12):
        fact(
            index % 3,
            2,
            day=DAY + timedelta(days=index % 5),
            channel="AB"[index % 2],
            warehouse="XYZ"[index % 3],
        )
    recompute_cells()
    total = query.summary(FILL, WEEK)
    for slices in (
        [
            row.summary
            for row in query.summaries_by_dimensions(FILL, WEEK, ("channel", "warehouse"))
        ],
        [
            summary
            for _, summary in query.summaries_by_period([FILL], WEEK, PeriodLength.DAY)["fill_rate"]
        ],
        [
            summary
            for _, _, summary in query.summaries_by_dimension_and_period(
                FILL, WEEK, "warehouse", PeriodLength.WEEK
            )
        ],
        [
            summary
            for _, summary in query.summaries_by_period([FILL], WEEK, PeriodLength.WEEK)[
                "fill_rate"
            ]
        ],
    ):
        assert sum(summary.orders for summary in slices) == total.orders
        assert sum(summary.numerator for summary in slices) == total.numerator


def test_drilldown_orders_add_up_to_value() -> None:
    for index in range(7):
        fact(index % 3, 2)
    fact(None, None, excluded="no_lines")
    recompute_cells()
    total = query.summary(FILL, WEEK)
    tallies, reasons = drilldown.group_totals_and_exclusions(FILL, WEEK, KpiDimensionFilters())
    assert tallies["missed"].orders + tallies["counted"].orders == total.orders
    assert tallies["missed"].numerator + tallies["counted"].numerator == total.numerator
    assert reasons == total.excluded
    for group in drilldown.ORDER_GROUPS:
        assert (
            len(drilldown.load_order_page(FILL, WEEK, KpiDimensionFilters(), group=group))
            == tallies[group].orders
        )


def test_drilldown_of_uncountable_lines_matches_summary() -> None:
    fact(1, 2, uncountable={"unit": 2})
    fact(2, 2, uncountable={"unit": 1, "unknown_sku": 1})
    fact(2, 2)
    fact(None, None, excluded="unit", uncountable={"unit": 9})
    recompute_cells()
    assert query.summary(FILL, WEEK).uncountable == {"unit": 3, "unknown_sku": 1}
    assert drilldown.count_orders_with_uncountable_lines(FILL, WEEK, KpiDimensionFilters()) == 2
    for reason, expected in (("", 2), ("unit", 2), ("unknown_sku", 1), ("nothing", 0)):
        rows = drilldown.load_order_page(
            FILL, WEEK, KpiDimensionFilters(), group="uncountable", reason=reason
        )
        assert len(rows) == expected, reason
    tallies, _ = drilldown.group_totals_and_exclusions(FILL, WEEK, KpiDimensionFilters())
    assert sum(tally.orders for tally in tallies.values()) == 4


def test_drilldown_pages_have_no_gaps_or_duplicates() -> None:
    for index in range(drilldown.PAGE_SIZE + 5):
        fact(0, 1, day=DAY + timedelta(days=index % 2))
    first = drilldown.load_order_page(FILL, WEEK, KpiDimensionFilters(), group="missed")
    assert len(first) == drilldown.PAGE_SIZE + 1
    after = first[drilldown.PAGE_SIZE - 1].cursor
    second = drilldown.load_order_page(
        FILL, WEEK, KpiDimensionFilters(), group="missed", after=after
    )
    seen = [row.order_id for row in [*first[: drilldown.PAGE_SIZE], *second]]
    assert len(seen) == len(set(seen)) == drilldown.PAGE_SIZE + 5


@pytest.mark.parametrize("after", ["x", "2026-03-03", "~", "2026-99-99~1", "2026-03-03~x"])
def test_invalid_cursor_is_first_page(after: str) -> None:
    fact(0, 1)
    assert (
        len(
            drilldown.load_order_page(
                FILL, WEEK, KpiDimensionFilters(), group="missed", after=after
            )
        )
        == 1
    )


def test_duration_over_target_is_missed() -> None:
    fact(2 * 86_400, 1, kpi="order_cycle_time")
    fact(4 * 86_400, 1, kpi="order_cycle_time")
    tallies, _ = drilldown.group_totals_and_exclusions(CYCLE, WEEK, KpiDimensionFilters())
    assert (tallies["counted"].orders, tallies["missed"].orders) == (1, 1)


def test_last_histogram_class_includes_slower_orders() -> None:
    for hours in (0.5, 1.5, 1.7, 90):
        fact(hours * 3600, 1, kpi="order_cycle_time")
    recompute_cells()
    assert query.duration_histogram(CYCLE, WEEK, width=3600, count=4) == [1, 2, 0, 1]


def test_summaries_take_a_few_queries_for_any_number_of_kpis(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(2):
        query.summaries_by_kpi([FILL, CYCLE], WEEK)
    fact(None, 1, kpi="undelivered_orders", started_at=datetime(2026, 3, 3, tzinfo=UTC))
    recompute_cells()
    with django_assert_num_queries(4):
        query.summaries_by_kpi(kpi_registry().values(), WEEK)


def test_change_says_better_or_worse() -> None:
    fact(3600, 1, kpi="order_cycle_time")
    fact(7200, 1, kpi="order_cycle_time", day=DAY - timedelta(days=1))
    recompute_cells()
    now, before = query.summary(CYCLE, WEEK), query.summary(CYCLE, WEEK.previous())
    comparison = value_and_comparison_texts.compare_to_previous(
        CYCLE, now, before, period="the previous 7 days"
    )
    assert comparison.text == "1\u00a0h better than the previous 7 days (2\u00a0h)"
    assert comparison.tone == "ok"


def test_change_uses_unit_of_values() -> None:
    fact(80 * 3600, 1, kpi="order_cycle_time")
    fact(79 * 3600, 1, kpi="order_cycle_time", day=DAY - timedelta(days=1))
    recompute_cells()
    now, before = query.summary(CYCLE, WEEK), query.summary(CYCLE, WEEK.previous())
    comparison = value_and_comparison_texts.compare_to_previous(
        CYCLE, now, before, period="the previous 7 days"
    )
    assert comparison.text == "1\u00a0h worse than the previous 7 days (3\u00a0d\u00a07\u00a0h)"
