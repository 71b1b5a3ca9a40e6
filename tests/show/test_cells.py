"""Facts of the folded orders, and the cells that are their sums."""

import threading
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from tests.show.told import THE_SECOND, at, delivered, ordered, shipped, timeline
from visibility.kpi import aggregate, histogram
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.kpi import Measured
from visibility.models import (
    BusinessObject,
    DirtyCell,
    KpiCell,
    KpiFact,
    Order,
    OrderLine,
    Refold,
)
from visibility.pipeline import stages
from visibility.timeline import Timeline

pytestmark = pytest.mark.django_db


def order() -> int:
    return BusinessObject.objects.create(kind="order").id


def told(shipped_of_b: int = 1, day: int = 3, **attributes: str) -> Timeline:
    """An order of two lines; A left whole, B as given."""
    attributes = {"channel": "Web", "warehouse": "Dallas", "customer_group": "Retail"} | attributes
    return timeline(
        [
            ordered({"A": 5, "B": 3}, THE_SECOND, **attributes),
            shipped({"A": 5, "B": shipped_of_b}, at(day)),
        ]
    )


def settle(timelines: Mapping[int, Timeline]) -> None:
    aggregate.record(timelines)
    aggregate.recompute()


def cell(kpi: str = "fill_rate", **fields: object) -> KpiCell:
    return KpiCell.objects.get(kpi=kpi, grain=0, **fields)


def test_two_orders_of_a_day_add_up_to_one_cell() -> None:
    settle({order(): told(), order(): told(3)})
    found = cell()
    assert (found.day, found.channel, found.warehouse) == (date(2026, 3, 3), "Web", "Dallas")
    assert (found.orders, int(found.numerator), int(found.denominator)) == (2, 3, 4)
    assert (found.buckets, found.counts, found.excluded) == ([], [], {})


def test_what_is_left_out_is_counted_by_reason() -> None:
    bare = timeline([ordered({"A": 5}, channel="Web", warehouse="Dallas", customer_group="Retail")])
    settle({order(): bare, order(): bare})
    found = cell()
    assert (found.orders, int(found.denominator)) == (0, 0)
    assert found.excluded == {"no_cut_off": 2}


def test_lines_set_aside_are_added_up_by_reason_and_come_and_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(aside: dict[str, int], excluded: str = "") -> None:
        found = Measured(date(2026, 3, 3), Decimal(1), Decimal(1), excluded, aside)
        monkeypatch.setattr(FillRate, "measure", lambda *_: found)

    one, two = order(), order()
    measured({"unit": 2, "unknown_sku": 1})
    settle({one: told(), two: told()})
    assert cell().aside == {"unit": 4, "unknown_sku": 2}
    measured({"unit": 1})
    settle({two: told()})
    assert cell().aside == {"unit": 3, "unknown_sku": 1}
    measured({"unit": 1}, excluded="unit")
    settle({two: told()})
    assert cell().aside == {"unit": 2, "unknown_sku": 1}
    measured({})
    settle({one: told(), two: told()})
    assert cell().aside == {}


def test_what_was_set_aside_before_it_was_added_up_is_counted_again() -> None:
    for number, state in (("SO-1", "aside"), ("SO-2", "shipped")):
        thing = BusinessObject.objects.create(kind="order")
        found = Order.objects.create(object=thing, number=number)
        for key in "AB":
            OrderLine.objects.create(order=found, key=key, position=1, state=state)
    (operation,) = import_module("visibility.migrations.0010_count_aside").Migration.operations
    with connection.cursor() as cursor:
        cursor.execute(operation.sql)
    assert [one.object_id for one in Refold.objects.all()] == [
        Order.objects.get(number="SO-1").object_id
    ]


def test_recording_the_same_again_touches_nothing() -> None:
    one = order()
    settle({one: told()})
    before = KpiFact.objects.get(kpi="fill_rate").id
    aggregate.record({one: told()})
    assert not DirtyCell.objects.exists()
    assert KpiFact.objects.get(kpi="fill_rate").id == before
    assert aggregate.recompute() == 0


def test_an_order_that_moves_to_another_day_leaves_the_old_one() -> None:
    one = order()
    settle({one: told(day=3)})
    aggregate.record({one: told(day=4)})
    assert set(DirtyCell.objects.filter(kpi="fill_rate").values_list("day", flat=True)) == {
        date(2026, 3, 3),
        date(2026, 3, 4),
    }
    aggregate.recompute()
    assert cell().day == date(2026, 3, 4)
    assert {found.day for found in KpiCell.objects.filter(kpi="fill_rate")} == {date(2026, 3, 4)}


def test_an_order_that_moves_to_another_warehouse_leaves_the_old_cell() -> None:
    one, other = order(), order()
    settle({one: told(), other: told()})
    settle({one: told(warehouse="Reno")})
    fine = KpiCell.objects.filter(kpi="fill_rate", grain=0)
    assert dict(fine.values_list("warehouse", "orders")) == {"Dallas": 1, "Reno": 1}


def test_a_fact_that_no_longer_holds_is_taken_out() -> None:
    one = order()
    settle({one: told()})
    settle({one: timeline([ordered({"A": 5}, promised_at="2026-04-20")])})
    assert not KpiFact.objects.filter(kpi="fill_rate").exists()
    assert not KpiCell.objects.filter(kpi="fill_rate").exists()


def test_a_merged_order_is_forgotten() -> None:
    one, other = order(), order()
    settle({one: told(), other: told(3)})
    aggregate.forget([one])
    aggregate.recompute()
    assert cell().orders == 1
    assert not KpiFact.objects.filter(order_id=one).exists()


def test_every_slice_is_a_sum_of_its_own() -> None:
    settle({order(): told(), order(): told(3), order(): told(warehouse="Reno", channel="EDI")})
    found = {
        (c.grain, c.channel, c.warehouse, c.customer_group): (c.orders, int(c.numerator))
        for c in KpiCell.objects.filter(kpi="fill_rate")
    }
    assert found == {
        (0, "Web", "Dallas", "Retail"): (2, 3),
        (0, "EDI", "Reno", "Retail"): (1, 1),
        (1, "Web", "Dallas", ""): (2, 3),
        (1, "EDI", "Reno", ""): (1, 1),
        (2, "Web", "", "Retail"): (2, 3),
        (2, "EDI", "", "Retail"): (1, 1),
        (3, "Web", "", ""): (2, 3),
        (3, "EDI", "", ""): (1, 1),
        (4, "", "Dallas", "Retail"): (2, 3),
        (4, "", "Reno", "Retail"): (1, 1),
        (5, "", "Dallas", ""): (2, 3),
        (5, "", "Reno", ""): (1, 1),
        (6, "", "", "Retail"): (3, 4),
        (7, "", "", ""): (3, 4),
    }


def test_a_duration_keeps_a_histogram_of_its_orders_for_percentiles() -> None:
    def took(day: int) -> Timeline:
        return timeline([ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(day))])

    settle({order(): took(5), order(): took(5)})
    (bucket,) = cell("order_cycle_time").buckets
    assert histogram.middle(bucket) == pytest.approx(3 * 86_400, rel=0.01)
    assert cell("order_cycle_time").counts == [2]


def test_orders_of_any_number_cost_the_same_statements(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    timelines = {order(): told() for _ in range(30)}
    with django_assert_num_queries(1):
        aggregate.record(timelines)


def test_an_attribute_from_outside_may_be_longer_than_its_column() -> None:
    settle({order(): told(channel="x" * 500, warehouse="y" * 500, customer_group="z" * 500)})
    assert len(cell().warehouse) == 100


def test_numbers_are_summed_while_folding_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [
        lambda: aggregate.record({order(): told()}),
        lambda: aggregate.record({order(): told()}),
    ]
    seen: list[int] = []

    def refold(**_: object) -> int:
        seen.append(
            sum(KpiCell.objects.filter(grain=7, kpi="fill_rate").values_list("orders", flat=True))
        )
        if not batches:
            return 0
        batches.pop()()
        return 1

    monkeypatch.setattr(stages, "refold", refold)
    monkeypatch.setattr(stages, "SUM_SECONDS", -1)
    stages.fold_all()
    assert seen[:3] == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_leave_the_exact_sum() -> None:
    ids = [order() for _ in range(24)]
    errors: list[BaseException] = []

    def work(mine: list[int]) -> None:
        try:
            for one in mine:
                with transaction.atomic():
                    aggregate.record({one: told()})
                aggregate.recompute(limit=2)
        except BaseException as error:  # shown by the assertion below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(ids[place::4],)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while aggregate.recompute():
        continue
    assert errors == []
    found = cell()
    assert (found.orders, found.numerator, found.denominator) == (24, Decimal(24), Decimal(48))


def test_an_order_waits_from_its_day_until_all_of_it_is_delivered() -> None:
    one = order()
    settle({one: told()})
    assert cell("undelivered").day == date(2026, 3, 2)
    done = [ordered({"A": 5}, THE_SECOND), shipped({"A": 5}, at(3)), delivered(at(4))]
    settle({one: timeline(done)})
    assert not KpiFact.objects.filter(kpi="undelivered").exists()
    assert not KpiCell.objects.filter(kpi="undelivered").exists()
