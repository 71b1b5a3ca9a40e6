"""KPI facts of folded orders, and the cells aggregated from them."""

import threading
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from tests.builders.recorded_events import ORDERED_AT, at, delivered, ordered, shipped
from tests.builders.timelines import folded
from visibility.db.database_time import database_now
from visibility.kpi import duration_histogram_buckets, facts_and_cells
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.dimensions import DIMENSIONS, TOTAL, bitmask_of_dimensions_not_grouped
from visibility.kpi.kpi import KpiMeasurement
from visibility.models import (
    BusinessObject,
    KpiCell,
    KpiFact,
    KpiFactChange,
)
from visibility.pipeline import job_functions
from visibility.timeline import Timeline

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
CHANNEL_AND_WAREHOUSE = bitmask_of_dimensions_not_grouped({"channel", "warehouse"})


def order() -> int:
    return BusinessObject.objects.create(kind="order").id


def order_timeline(shipped_of_b: int = 1, day: int = 3, **attributes: str) -> Timeline:
    """An order of two lines: A ships complete, B with the given quantity."""
    attributes = {"channel": "Web", "warehouse": "Dallas", "customer_group": "Retail"} | attributes
    return folded(
        ordered({"A": 5, "B": 3}, ORDERED_AT, **attributes),
        shipped({"A": 5, "B": shipped_of_b}, at(day)),
    )


def settle(timelines: Mapping[int, Timeline]) -> None:
    facts_and_cells.record_facts(timelines)
    facts_and_cells.update_cells()


def cell(kpi: str = "fill_rate", **fields: object) -> KpiCell:
    return KpiCell.objects.get(kpi=kpi, grouping=CHANNEL_AND_WAREHOUSE, **fields)


def test_orders_of_same_day_add_up_to_one_cell() -> None:
    settle({order(): order_timeline(), order(): order_timeline(3)})
    total = cell()
    assert (total.day, total.channel, total.warehouse) == (date(2026, 3, 3), "Web", "Dallas")
    assert (total.orders, int(total.numerator), int(total.denominator)) == (2, 3, 4)
    assert (total.buckets, total.counts, total.excluded) == ([], [], {})


def test_excluded_orders_are_counted_by_reason() -> None:
    bare = folded(ordered({"A": 5}, channel="Web", warehouse="Dallas", customer_group="Retail"))
    settle({order(): bare, order(): bare})
    total = cell()
    assert (total.orders, int(total.denominator)) == (0, 0)
    assert total.excluded == {"no_cut_off": 2}


def test_uncountable_lines_are_summed_by_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(uncountable: dict[str, int], excluded: str = "") -> None:
        result = KpiMeasurement(date(2026, 3, 3), Decimal(1), Decimal(1), excluded, uncountable)
        monkeypatch.setattr(FillRate, "measure", lambda *_: result)

    first, second = order(), order()
    measured({"unit": 2, "unknown_sku": 1})
    settle({first: order_timeline(), second: order_timeline()})
    assert cell().uncountable == {"unit": 4, "unknown_sku": 2}
    measured({"unit": 1})
    settle({second: order_timeline()})
    assert cell().uncountable == {"unit": 3, "unknown_sku": 1}
    measured({"unit": 1}, excluded="unit")
    settle({second: order_timeline()})
    assert cell().uncountable == {"unit": 2, "unknown_sku": 1}
    measured({})
    settle({first: order_timeline(), second: order_timeline()})
    assert cell().uncountable == {}


def test_recording_unchanged_facts_leaves_no_fact_change() -> None:
    order_id = order()
    settle({order_id: order_timeline()})
    before = KpiFact.objects.get(kpi="fill_rate").id
    facts_and_cells.record_facts({order_id: order_timeline()})
    assert not KpiFactChange.objects.exists()
    assert KpiFact.objects.get(kpi="fill_rate").id == before
    assert facts_and_cells.update_cells() == 0


def test_order_moved_to_another_day_leaves_old_cell() -> None:
    order_id = order()
    settle({order_id: order_timeline(day=3)})
    facts_and_cells.record_facts({order_id: order_timeline(day=4)})
    assert set(KpiFactChange.objects.filter(kpi="fill_rate").values_list("day", "weight")) == {
        (date(2026, 3, 3), -1),
        (date(2026, 3, 4), 1),
    }
    facts_and_cells.update_cells()
    assert cell().day == date(2026, 3, 4)
    assert {kpi_cell.day for kpi_cell in KpiCell.objects.filter(kpi="fill_rate")} == {
        date(2026, 3, 4)
    }


def test_order_moved_to_another_warehouse_leaves_old_cell() -> None:
    order_id, other = order(), order()
    settle({order_id: order_timeline(), other: order_timeline()})
    settle({order_id: order_timeline(warehouse="Reno")})
    fine = KpiCell.objects.filter(kpi="fill_rate", grouping=CHANNEL_AND_WAREHOUSE)
    assert dict(fine.values_list("warehouse", "orders")) == {"Dallas": 1, "Reno": 1}


def test_obsolete_fact_is_deleted() -> None:
    order_id = order()
    settle({order_id: order_timeline()})
    settle({order_id: folded(ordered({"A": 5}, promised_at="2026-04-20"))})
    assert not KpiFact.objects.filter(kpi="fill_rate").exists()
    assert not KpiCell.objects.filter(kpi="fill_rate").exists()


def test_every_stored_grouping_has_its_own_sums() -> None:
    settle(
        {
            order(): order_timeline(),
            order(): order_timeline(3),
            order(): order_timeline(warehouse="Reno", channel="EDI"),
        }
    )
    sums = {
        (c.grouping, *(v for name in DIMENSIONS if (v := getattr(c, name)))): (
            c.orders,
            int(c.numerator),
        )
        for c in KpiCell.objects.filter(kpi="fill_rate")
    }
    channel, warehouse, group = (
        bitmask_of_dimensions_not_grouped({name})
        for name in ("channel", "warehouse", "customer_group")
    )
    assert sums == {
        (CHANNEL_AND_WAREHOUSE, "Web", "Dallas"): (2, 3),
        (CHANNEL_AND_WAREHOUSE, "EDI", "Reno"): (1, 1),
        (bitmask_of_dimensions_not_grouped({"channel", "customer_group"}), "Web", "Retail"): (2, 3),
        (bitmask_of_dimensions_not_grouped({"channel", "customer_group"}), "EDI", "Retail"): (1, 1),
        (bitmask_of_dimensions_not_grouped({"warehouse", "customer_group"}), "Dallas", "Retail"): (
            2,
            3,
        ),
        (bitmask_of_dimensions_not_grouped({"warehouse", "customer_group"}), "Reno", "Retail"): (
            1,
            1,
        ),
        (channel, "Web"): (2, 3),
        (channel, "EDI"): (1, 1),
        (warehouse, "Dallas"): (2, 3),
        (warehouse, "Reno"): (1, 1),
        (group, "Retail"): (3, 4),
        (bitmask_of_dimensions_not_grouped({"customer"}),): (3, 4),
        (bitmask_of_dimensions_not_grouped({"carrier"}),): (3, 4),
        (TOTAL,): (3, 4),
    }


def test_duration_cells_have_histograms() -> None:
    def took(day: int) -> Timeline:
        return folded(ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(day)))

    settle({order(): took(5), order(): took(5)})
    (bucket,) = cell("order_cycle_time").buckets
    assert duration_histogram_buckets.bucket_midpoint(bucket) == pytest.approx(3 * 86_400, rel=0.01)
    assert cell("order_cycle_time").counts == [2]


def test_recording_takes_two_statements_for_any_number_of_orders(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    timelines = {order(): order_timeline() for _ in range(30)}
    with django_assert_num_queries(2):
        facts_and_cells.record_facts(timelines)


def test_long_attributes_are_truncated() -> None:
    settle(
        {order(): order_timeline(channel="x" * 500, warehouse="y" * 500, customer_group="z" * 500)}
    )
    assert len(cell().warehouse) == 100


def test_update_of_cells_runs_between_refold_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [
        lambda: facts_and_cells.record_facts({order(): order_timeline()}),
        lambda: facts_and_cells.record_facts({order(): order_timeline()}),
    ]
    seen: list[int] = []

    def refold_batch(**_: object) -> int:
        seen.append(
            sum(
                KpiCell.objects.filter(grouping=TOTAL, kpi="fill_rate").values_list(
                    "orders", flat=True
                )
            )
        )
        if not batches:
            return 0
        batches.pop()()
        return 1

    monkeypatch.setattr(job_functions, "refold_batch", refold_batch)
    monkeypatch.setattr(
        job_functions,
        "_load_due_refold_and_recount_flags",
        lambda: job_functions.DueRefoldAndRecountFlags(
            database_now(),
            has_refolds=bool(batches),
            has_requested_recounts=False,
            has_fact_changes=False,
            has_unfinished_rechecks=False,
        ),
    )
    monkeypatch.setattr(job_functions, "KPI_REFRESH_SECONDS", -1)
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert seen[:3] == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_concurrent_workers_produce_exact_sums() -> None:
    ids = [order() for _ in range(24)]
    errors: list[BaseException] = []

    def work(mine: list[int]) -> None:
        try:
            for order_id in mine:
                with transaction.atomic():
                    facts_and_cells.record_facts({order_id: order_timeline()})
                facts_and_cells.update_cells()
        except BaseException as error:  # shown by the assertion below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(ids[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while facts_and_cells.update_cells():
        continue
    assert errors == []
    total = cell()
    assert (total.orders, total.numerator, total.denominator) == (24, Decimal(24), Decimal(48))
