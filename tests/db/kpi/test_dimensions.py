"""Dimensions: where their values come from, and what cells and facts are read for them."""

from datetime import date, timedelta
from itertools import combinations
from typing import Any, get_args

import pytest
from django.db import connection
from django.db.models import CharField
from django.test.utils import CaptureQueriesContext

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.recorded_events import ORDERED_AT, at, ordered, shipped
from tests.builders.timelines import folded
from visibility.kpi import facts_and_cells, query, select_cells_or_facts
from visibility.kpi.dimensions import (
    COLUMNS,
    DEFINITIONS,
    PAIRS,
    STORED_GROUPINGS,
    Dimension,
    bitmask_of_dimensions_not_grouped,
)
from visibility.kpi.query import DaySpan, KpiDimensionFilters, TooManyFacts
from visibility.kpi.registry import kpi_registry
from visibility.models import BusinessObject, KpiCell, KpiFact, KpiFactChange

pytestmark = pytest.mark.django_db
FILL, CYCLE = kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]
DAY = date(2026, 3, 3)
WEEK = DaySpan(DAY, DAY + timedelta(days=6))


def fact(index: int, **fields: Any) -> KpiFact:
    """A fact whose dimension values alternate with different periods."""
    values = {
        "channel": "AB"[index % 2],
        "warehouse": "XYZ"[index % 3],
        "customer_group": "RS"[index // 2 % 2],
        "customer": f"C{index % 5}",
        "carrier": "UF"[index // 3 % 2],
    }
    return create_fact(index % 3, 2, day=DAY + timedelta(days=index % 4), **{**values, **fields})


def test_tables_have_the_columns_of_the_registry() -> None:
    assert set(get_args(Dimension)) == set(DEFINITIONS) == set(COLUMNS)
    for model in (KpiFact, KpiFactChange, KpiCell):
        for name, dimension in DEFINITIONS.items():
            field = model._meta.get_field(name)
            assert isinstance(field, CharField)
            assert field.max_length == dimension.max_length
    assert sorted(d.bit for d in DEFINITIONS.values()) == [2**n for n in range(len(DEFINITIONS))]


def test_order_has_the_values_of_its_attributes_and_its_carrier() -> None:
    order = BusinessObject.objects.create(kind="order").id
    opening = ordered(
        {"A": 5},
        ORDERED_AT,
        channel="Web",
        warehouse="Dallas",
        customer_group="Retail",
        customer_no="C100",
    )
    sent = shipped({"A": 5}, at(3), carrier="UPS")
    facts_and_cells.record_facts({order: folded(opening, sent)})
    written = KpiFact.objects.get(kpi="fill_rate")
    assert (written.channel, written.warehouse, written.customer_group) == (
        "Web",
        "Dallas",
        "Retail",
    )
    assert (written.customer, written.carrier) == ("C100", "UPS")
    assert (written.item, written.supplier, written.source) == ("", "", "")


def test_cells_exist_for_the_groupings_of_the_dimensions_that_a_kpi_has() -> None:
    fact(1)
    create_fact(1, 1, day=DAY, kpi="event_delay", subject_key="7", source="erp")
    recompute_cells()
    for code, kpi in (("fill_rate", FILL), ("event_delay", kpi_registry()["event_delay"])):
        expected = {
            bitmask_of_dimensions_not_grouped(g)
            for g in STORED_GROUPINGS
            if g <= frozenset(kpi.dimensions)
        }
        groupings = KpiCell.objects.filter(kpi=code).values_list("grouping", flat=True)
        assert set(groupings) == expected


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5])
def test_any_combination_of_dimensions_equals_a_sum_of_the_facts(size: int) -> None:
    facts = [fact(index) for index in range(60)]
    recompute_cells()
    for names in combinations(FILL.dimensions, size):
        slices = (
            {s.names: s.summary for s in query.summaries_by_dimensions(FILL, WEEK, names)}
            if names
            else {}
        )
        for key, summary in slices.items():
            filters = KpiDimensionFilters(**dict(zip(names, key, strict=True)))
            assert query.summary(FILL, WEEK, filters) == summary
            mine = [
                f
                for f in facts
                if all(
                    getattr(f, n) == v for n, v in filters.filtered_values_by_dimension().items()
                )
            ]
            assert summary.orders == len(mine)
            assert summary.numerator == sum(f.numerator or 0 for f in mine)


def test_percentiles_and_exclusions_are_the_same_from_cells_and_from_facts() -> None:
    for index in range(20):
        create_fact(3600 * (index + 1), 1, day=DAY, kpi=CYCLE.code, customer="C1", carrier="UPS")
    create_fact(None, None, day=DAY, kpi=CYCLE.code, customer="C1", carrier="UPS", excluded="x")
    recompute_cells()
    from_cells = query.summary(CYCLE, WEEK, KpiDimensionFilters(channel="Web"))
    from_facts = query.summary(
        CYCLE, WEEK, KpiDimensionFilters(channel="Web", customer="C1", carrier="UPS")
    )
    assert from_cells == from_facts
    assert from_cells.excluded == {"x": 1}
    assert query.duration_histogram(
        CYCLE, WEEK, KpiDimensionFilters(customer="C1", carrier="UPS"), width=3600, count=24
    ) == query.duration_histogram(CYCLE, WEEK, width=3600, count=24)


def test_facts_are_read_only_for_combinations_without_cells() -> None:
    for index in range(6):
        fact(index)
    recompute_cells()

    def reads_facts(filters: KpiDimensionFilters) -> bool:
        with CaptureQueriesContext(connection) as captured:
            query.summary(FILL, WEEK, filters)
        return any("visibility_kpifact" in q["sql"] for q in captured.captured_queries)

    values = {"channel": "A", "warehouse": "X", "customer_group": "R", "customer": "C0"}
    for grouping in STORED_GROUPINGS:
        if grouping <= set(values):
            assert not reads_facts(KpiDimensionFilters(**{name: values[name] for name in grouping}))
    assert reads_facts(KpiDimensionFilters(channel="A", customer="C0"))
    assert reads_facts(KpiDimensionFilters(channel="A", warehouse="X", customer_group="R"))
    assert frozenset({"channel", "warehouse"}) in PAIRS


def test_combination_with_too_many_facts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select_cells_or_facts, "MAX_FACTS", 5)
    for index in range(12):
        fact(index, channel="A", customer="C0")
    recompute_cells()
    assert query.summary(FILL, WEEK, KpiDimensionFilters(channel="A")).orders == 12
    narrow = DaySpan(DAY, DAY)
    assert query.summary(FILL, narrow, KpiDimensionFilters(channel="A", customer="C0")).orders == 3
    with pytest.raises(TooManyFacts, match="more than 5 facts"):
        query.summary(FILL, WEEK, KpiDimensionFilters(channel="A", customer="C0"))


def test_choices_are_the_values_with_the_most_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MAX_DIMENSION_VALUES", 2)
    for customer in ("C3", "C1", "C3", "C2", "C1"):
        create_fact(1, 1, day=DAY, customer=customer)
    recompute_cells()
    assert query.dimension_values_with_most_orders(WEEK, ["customer"]) == {"customer": ["C1", "C3"]}
