"""Stock KPIs: how many orders are open at the end of a day or now, and how old they are."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.recorded_events import ORDERED_AT, at, delivered, ordered, shipped
from tests.builders.timelines import folded
from visibility.kpi import drilldown, facts_and_cells, query
from visibility.kpi.dimensions import TOTAL
from visibility.kpi.kpi import KpiMeasurement
from visibility.kpi.periods import PeriodLength
from visibility.kpi.query import DaySpan, KpiDimensionFilters
from visibility.kpi.registry import kpi_registry
from visibility.models import BusinessObject, KpiCell, KpiFact, KpiFactChange

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
KPI = kpi_registry()["undelivered_orders"]
START = date(2026, 3, 1)
SPAN = DaySpan(START, START + timedelta(days=13))
HOUR = 3600


def interval(
    started_at: datetime, ended_at: datetime | None = None, *, channel: str = "Web", **fields: Any
) -> KpiFact:
    """The fact of an order that is open from one time to another, in UTC."""
    day = started_at.date()
    days = None if ended_at is None else (ended_at.date() - day).days
    return create_fact(
        days,
        day=day,
        kpi=KPI.code,
        channel=channel,
        started_at=started_at,
        ended_at=ended_at,
        **fields,
    )


def moment(day: float) -> datetime:
    """A moment of March 2026, as a day with a fraction: 2.5 is noon of March 2."""
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day - 1)


def random_intervals(rng: random.Random, count: int) -> list[KpiFact]:
    facts = []
    for _ in range(count):
        start = rng.uniform(1, 14)
        end = rng.choice((None, start + rng.uniform(0, 9)))
        facts.append(
            interval(
                moment(start),
                None if end is None else moment(end),
                channel=rng.choice(("Web", "EDI", "")),
                warehouse=rng.choice(("Dallas", "Reno")),
                customer_group=rng.choice(("Retail", "")),
            )
        )
    return facts


def open_at(facts: Sequence[KpiFact], day: date) -> list[KpiFact]:
    """The facts that are open at the end of a day, from their times alone."""
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    return [
        fact
        for fact in facts
        if fact.started_at
        and fact.started_at < end
        and (fact.ended_at is None or fact.ended_at >= end)
    ]


def test_level_of_each_day_equals_a_count_of_the_intervals(run_seed: int) -> None:
    facts = random_intervals(random.Random(run_seed), 80)
    recompute_cells()
    expected = {
        day: len(open_at(facts, day))
        for day in (START + timedelta(days=n) for n in range(SPAN.day_count))
    }
    daily = dict(query.summaries_by_period([KPI], SPAN, PeriodLength.DAY)[KPI.code])
    assert {day: s.orders for day, s in daily.items()} == {d: n for d, n in expected.items() if n}
    for day, count in expected.items():
        assert query.summary(KPI, DaySpan(day, day)).orders == count
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []


@pytest.mark.parametrize(
    "filters",
    [
        KpiDimensionFilters(),
        KpiDimensionFilters(channel="Web"),
        KpiDimensionFilters(channel="", warehouse="Reno"),
        KpiDimensionFilters(channel="EDI", warehouse="Reno", customer_group="Retail"),
    ],
)
def test_slices_and_drilldown_add_up_to_the_level(
    run_seed: int, filters: KpiDimensionFilters
) -> None:
    facts = random_intervals(random.Random(run_seed), 80)
    recompute_cells()
    wanted = [
        fact
        for fact in open_at(facts, SPAN.end)
        if all(
            getattr(fact, name) == value
            for name, value in filters.filtered_values_by_dimension().items()
        )
    ]
    assert query.summary(KPI, SPAN, filters).orders == len(wanted)
    for by in (("warehouse",), ("channel", "warehouse")):
        slices = query.summaries_by_dimensions(KPI, SPAN, by, filters)
        assert sum(s.summary.orders for s in slices) == len(wanted)
    listed = drilldown.load_order_page(KPI, SPAN, filters, group="counted", limit=200)
    assert {row.order_id for row in listed} == {fact.order_id for fact in wanted}
    groups, _ = drilldown.group_totals_and_exclusions(KPI, SPAN, filters)
    assert groups["counted"].orders == len(wanted)
    assert sum(query.duration_histogram(KPI, SPAN, filters, width=86_400, count=5)) == len(wanted)


def test_ages_are_exact_now_and_at_the_end_of_a_past_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.TIME_ZONE", "UTC")
    for start in (2, 7, 9, 9.02, 7.02, 1):
        interval(moment(start), channel="EDI" if start < 7.01 else "Web")
    interval(moment(3), moment(10.5))
    recompute_cells()
    now = query.summary(KPI, SPAN, now=moment(10.25))
    assert now.orders == 6
    # The ages are 1.23, 1.25, 3.23, 3.25, 8.25 and 9.25 days; the ended order is not open then.
    assert now.median == pytest.approx(3.23 * 24 * HOUR)
    assert now.oldest == pytest.approx(9.25 * 24 * HOUR)
    past = query.summary(KPI, DaySpan(START, date(2026, 3, 9)), now=moment(10.25))
    assert past.orders == 7
    assert past.oldest == pytest.approx(9 * 24 * HOUR)
    edi = query.summary(KPI, SPAN, KpiDimensionFilters(channel="EDI"), now=moment(10.25))
    assert edi.orders == 3
    assert edi.median == pytest.approx(8.25 * 24 * HOUR)
    assert query.summary(KPI, SPAN, KpiDimensionFilters(channel="Fax")).value is None


def test_ages_of_a_day_are_accurate_to_half_a_day() -> None:
    interval(moment(2.9))
    interval(moment(5.1))
    recompute_cells()
    daily = dict(query.summaries_by_period([KPI], SPAN, PeriodLength.DAY)[KPI.code])
    assert daily[date(2026, 3, 6)].median == 1.5 * 24 * HOUR
    assert daily[date(2026, 3, 6)].p90 == 4.5 * 24 * HOUR


def test_stale_cells_still_have_an_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.TIME_ZONE", "UTC")
    fact = interval(moment(2.5))
    recompute_cells()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM visibility_kpifact WHERE id = %s", [fact.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert query.summary(KPI, SPAN, now=moment(4)).oldest == 2 * 24 * HOUR


def test_excluded_orders_are_listed_on_their_day() -> None:
    create_fact(None, None, day=START, kpi=KPI.code, excluded="reversed_times")
    recompute_cells()
    summary = query.summary(KPI, SPAN)
    assert (summary.orders, summary.excluded) == (0, {"reversed_times": 1})
    assert len(drilldown.load_order_page(KPI, SPAN, KpiDimensionFilters(), group="excluded")) == 1


def test_delivery_changes_one_cell_of_the_day_of_the_receipt() -> None:
    order = BusinessObject.objects.create(kind="order").id
    opening = ordered({"A": 5}, ORDERED_AT, channel="Web")
    facts_and_cells.record_facts({order: folded(opening)})
    recompute_cells()
    cell = KpiCell.objects.get(kpi=KPI.code, grouping=TOTAL)
    assert (cell.day, cell.orders, cell.buckets) == (date(2026, 3, 2), 1, [])
    done = folded(opening, shipped({"A": 5}, at(3)), delivered(at(5)))
    facts_and_cells.record_facts({order: done})
    changes = KpiFactChange.objects.filter(kpi=KPI.code)
    assert set(changes.values_list("weight", "numerator")) == {(-1, None), (1, Decimal(3))}
    recompute_cells()
    cell.refresh_from_db()
    assert (cell.orders, cell.buckets, cell.counts) == (1, [3], [1])
    assert query.summary(KPI, DaySpan(START, date(2026, 3, 4))).orders == 1
    assert query.summary(KPI, DaySpan(START, date(2026, 3, 5))).orders == 0


def test_trend_takes_one_query_for_any_number_of_orders(run_seed: int) -> None:
    rng = random.Random(run_seed)
    counts = []
    for _ in range(2):
        random_intervals(rng, 20)
        recompute_cells()
        with CaptureQueriesContext(connection) as captured:
            query.summaries_by_period([KPI], SPAN, PeriodLength.DAY)
        counts.append(len(captured))
    assert counts == [1, 1]


def test_interval_with_an_open_end_needs_no_numerator() -> None:
    (measured,) = KPI.measurements(folded(ordered({"A": 5})), "UTC")
    assert measured == KpiMeasurement(
        date(2026, 3, 2), None, Decimal(1), started_at=ORDERED_AT, ended_at=None
    )
