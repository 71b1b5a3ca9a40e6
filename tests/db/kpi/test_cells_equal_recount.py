"""Cells that are updated by adding fact changes always equal a recount of the facts."""

import random
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from tests.builders.recorded_events import ORDERED_AT, at, delivered, ordered, shipped
from tests.builders.timelines import folded
from tests.effort import FULL
from visibility.identity.record_merges_and_move_alerts import DELETE_DERIVED_ROWS
from visibility.kpi import facts_and_cells
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.dimensions import TOTAL, bitmask_of_dimensions_not_grouped
from visibility.models import (
    BusinessObject,
    KpiCell,
    KpiFact,
    KpiFactChange,
    KpiRecountRequest,
)
from visibility.operations.invariants import CHECKS
from visibility.timeline import Timeline

SEEDS = range(20) if FULL else range(2)
WORKERS = 4
ORDERS_PER_WORKER = 6
STEPS = 40
DELETE_FACTS_OF_MERGED = next(text for text in DELETE_DERIVED_ROWS if "kpifact" in text)


def _timelines() -> list[Timeline]:
    """Orders of two days and two warehouses: open, partly shipped, delivered, without lines."""
    timelines = []
    for number in range(8):
        attributes = {
            "channel": ("Web", "EDI")[number % 2],
            "warehouse": ("Dallas", "Reno")[number // 2 % 2],
            "customer_group": ("", "Retail")[number // 4],
        }
        opening = ordered({"A": 5, "B": 3}, ORDERED_AT, **attributes)
        partly = shipped({"A": 5, "B": 1 + number % 3}, at(3 + number % 2))
        timelines += [
            folded(ordered({}, ORDERED_AT, **attributes)),
            folded(opening, partly),
            folded(opening, partly, delivered(at(5 + number % 2, number))),
            folded(opening, shipped({"A": 5, "B": 3}, at(4)), delivered(at(5))),
        ]
    return timelines


def _cells() -> list[tuple[Any, ...]]:
    columns = [f.name for f in KpiCell._meta.fields if f.name != "id"]
    rows = KpiCell.objects.values_list(*columns)
    return sorted((tuple(map(str, row)) for row in rows), key=str)


def _update_all_cells() -> None:
    while facts_and_cells.update_cells():
        continue


def _change_orders(orders: Sequence[int], rng: random.Random, known: Sequence[Timeline]) -> None:
    """Change some orders in one transaction, as a worker does that holds their locks."""
    some = rng.sample(orders, rng.randint(1, 3))
    with transaction.atomic():
        kind = rng.randrange(10)
        if kind < 2:
            with connection.cursor() as cursor:
                cursor.execute(DELETE_FACTS_OF_MERGED, [some])
        elif kind == 2:
            KpiFact.objects.filter(order_id__in=some).update(
                uncountable={"unit": rng.randint(1, 3)}
            )
        else:
            facts_and_cells.record_facts({order: rng.choice(known) for order in some})
        if kind == 9:
            transaction.set_rollback(True)


def _work(orders: Sequence[int], seed: int, known: Sequence[Timeline]) -> None:
    rng = random.Random(seed)
    for _ in range(STEPS):
        _change_orders(orders, rng, known)
        chosen = rng.randrange(8)
        if chosen < 4:
            facts_and_cells.update_cells()
        if chosen == 4:
            facts_and_cells.request_recount_of_all_days()
        if chosen == 5:
            FillRate.version = rng.randint(1, 3)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_cells_equal_recount_after_random_changes_in_parallel(
    seed: int, run_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FillRate, "version", FillRate.version)
    monkeypatch.setattr(facts_and_cells, "BATCH_SIZE", 7)
    monkeypatch.setattr(facts_and_cells, "RECOUNT_BATCH_SIZE", 3)
    known = _timelines()
    orders = [
        BusinessObject.objects.create(kind="order").id for _ in range(WORKERS * ORDERS_PER_WORKER)
    ]
    wrong: list[Any] = []
    work: list[Callable[[], None]] = [
        partial(_work, orders[start::WORKERS], run_seed + WORKERS * seed + start, known)
        for start in range(WORKERS)
    ]
    work.append(
        lambda: wrong.extend(
            row for _ in range(20) for row in facts_and_cells.find_kpi_days_with_wrong_cells()
        )
    )
    errors = _run_in_threads(work)
    assert errors == []
    assert wrong == []
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    _update_all_cells()
    assert not KpiFactChange.objects.exists()
    assert not KpiRecountRequest.objects.exists()
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    by_changes = _cells()
    assert by_changes
    facts_and_cells.request_recount_of_all_days()
    _update_all_cells()
    assert _cells() == by_changes
    _check_totals()
    KpiFact.objects.filter(order_id__in=orders).delete()
    _update_all_cells()
    assert not KpiCell.objects.exists()


def _run_in_threads(work: Sequence[Callable[[], None]]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # shown by the assertion of the caller
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(function,)) for function in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def _check_totals() -> None:
    """The total cells equal sums that Python computes, without any of the SQL."""
    sums: dict[tuple[Any, ...], tuple[int, Decimal, Decimal]] = {}
    for fact in KpiFact.objects.filter(excluded=""):
        orders, numerator, denominator = sums.get((fact.kpi, fact.day), (0, Decimal(0), Decimal(0)))
        sums[fact.kpi, fact.day] = (
            orders + 1,
            numerator + (fact.numerator or 0),
            denominator + (fact.denominator or 0),
        )
    totals = KpiCell.objects.filter(grouping=TOTAL, orders__gt=0)
    assert {(c.kpi, c.day): (c.orders, c.numerator, c.denominator) for c in totals} == sums


@pytest.mark.django_db
def test_wrong_cell_is_found_and_rebuild_repairs_it() -> None:
    order = BusinessObject.objects.create(kind="order").id
    facts_and_cells.record_facts({order: _timelines()[3]})
    assert CHECKS["kpi_cells"]() == []
    _update_all_cells()
    before = _cells()
    cell = KpiCell.objects.get(
        kpi="order_cycle_time", grouping=bitmask_of_dimensions_not_grouped({"warehouse"})
    )
    KpiCell.objects.filter(pk=cell.pk).update(counts=[2])
    assert CHECKS["kpi_cells"]() == [
        f"the cells of KPI order_cycle_time on {cell.day} differ from its facts"
    ]
    with pytest.raises(CommandError, match="order_cycle_time"):
        call_command("check_invariants")
    KpiCell.objects.filter(kpi="fill_rate", grouping=TOTAL).delete()
    KpiCell.objects.create(
        kpi="gone", day=cell.day, grouping=TOTAL, orders=1, numerator=1, denominator=1
    )
    assert {kpi for kpi, _ in facts_and_cells.find_kpi_days_with_wrong_cells()} == {
        "order_cycle_time",
        "fill_rate",
        "gone",
    }
    facts_and_cells.request_recount_of_all_days()
    _update_all_cells()
    assert _cells() == before


@pytest.mark.django_db(transaction=True)
def test_update_that_is_rolled_back_loses_no_change() -> None:
    order = BusinessObject.objects.create(kind="order").id
    facts_and_cells.record_facts({order: _timelines()[3]})
    with transaction.atomic():
        facts_and_cells.update_cells()
        assert KpiCell.objects.exists()
        transaction.set_rollback(True)
    assert not KpiCell.objects.exists()
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    _update_all_cells()
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    assert KpiCell.objects.get(kpi="fill_rate", grouping=TOTAL).orders == 1


@pytest.mark.django_db
def test_update_reads_only_the_changed_facts() -> None:
    """A day with many orders is not read: the facts of the others can be gone."""
    first, second = (BusinessObject.objects.create(kind="order").id for _ in range(2))
    facts_and_cells.record_facts({first: _timelines()[1], second: _timelines()[1]})
    _update_all_cells()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM visibility_kpifact WHERE order_id = %s", [first])
        cursor.execute("SET LOCAL session_replication_role = origin")
    facts_and_cells.record_facts({second: _timelines()[25]})
    _update_all_cells()
    assert KpiCell.objects.get(kpi="fill_rate", grouping=TOTAL).orders == 2
