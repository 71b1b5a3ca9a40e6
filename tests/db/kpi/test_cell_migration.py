"""Upgrades of facts and cells: to cells that are updated by fact changes, and to KPI families."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.db import connection

from tests.builders.kpi_facts import create_fact
from visibility.kpi import facts_and_cells, query
from visibility.kpi.dimensions import TOTAL
from visibility.kpi.query import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.models import BusinessObject, KpiCell, KpiFact, Order

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
BEFORE, DAY = "0009", "2026-03-03"
INSERT_FACT = """
INSERT INTO visibility_kpifact (order_id, kpi, version, day, channel, warehouse, customer_group,
    numerator, denominator, excluded, uncountable)
VALUES (%s, 'fill_rate', 1, %s, 'Web', 'Dallas', '', 1, 2, '', '{}')
"""
# As the earlier version sums them: all eight groupings.
SUM_DAY = """
DELETE FROM visibility_kpicell;
INSERT INTO visibility_kpicell (kpi, day, grouping, channel, warehouse, customer_group,
    orders, numerator, denominator, buckets, counts, excluded, uncountable)
SELECT kpi, day, GROUPING(channel, warehouse, customer_group), coalesce(channel, ''),
    coalesce(warehouse, ''), coalesce(customer_group, ''), count(*), sum(numerator),
    sum(denominator), '{}', '{}', '{}', '{}'
FROM visibility_kpifact GROUP BY kpi, day, CUBE (channel, warehouse, customer_group)
"""
REQUEST_DAY = "INSERT INTO visibility_kpirecomputerequest (kpi, day) VALUES ('fill_rate', %s)"


@pytest.fixture
def earlier_version() -> Iterator[None]:
    """The tables of the earlier version; the new ones again at the end."""
    call_command("migrate", "visibility", BEFORE, verbosity=0)
    _execute("DELETE FROM visibility_kpirecomputerequest")
    yield
    call_command("migrate", "visibility", verbosity=0)


@pytest.fixture
def upgrade_at_end() -> Iterator[None]:
    """Upgrade at the end, after a test that migrates to an earlier version."""
    yield
    call_command("migrate", "visibility", verbosity=0)


def _execute(statement: str, *values: int | str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def _add_fact() -> None:
    _execute(INSERT_FACT, BusinessObject.objects.create(kind="order").id, DAY)


def _update_and_count_orders() -> int:
    while facts_and_cells.update_cells():
        continue
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    return KpiCell.objects.get(kpi="fill_rate", grouping=TOTAL).orders


def test_upgrade_preserves_cells_and_requests_of_earlier_version(earlier_version: None) -> None:
    _add_fact()
    _execute(SUM_DAY)
    _add_fact()
    _execute(REQUEST_DAY, DAY)
    call_command("migrate", "visibility", verbosity=0)
    _add_fact()
    assert _update_and_count_orders() == 3


def test_worker_of_earlier_version_that_still_runs_leaves_right_cells() -> None:
    _add_fact()
    _execute(REQUEST_DAY, DAY)
    _execute(SUM_DAY)
    assert _update_and_count_orders() == 1


def test_earlier_version_after_downgrade_sums_every_day_again(upgrade_at_end: None) -> None:
    _add_fact()
    call_command("migrate", "visibility", BEFORE, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT kpi, day::text FROM visibility_kpirecomputerequest")
        assert cursor.fetchall() == [("fill_rate", DAY)]


@pytest.fixture
def three_dimensions() -> Iterator[None]:
    """The tables before facts had families and all dimensions; the new ones again at the end."""
    call_command("migrate", "visibility", "0013", verbosity=0)
    _execute("DELETE FROM visibility_kpirecountrequest")
    yield
    call_command("migrate", "visibility", verbosity=0)


def _add_undelivered_order(received_at: str) -> int:
    order = BusinessObject.objects.create(kind="order").id
    insert = INSERT_FACT.replace("'fill_rate'", "'undelivered'").replace("1, 2, ", "1, 1, ")
    _execute(insert, order, received_at[:10])
    Order.objects.create(object_id=order, number="x", ordered_at=received_at)
    return order


def test_upgrade_to_families_preserves_totals_and_undelivered_orders(
    three_dimensions: None,
) -> None:
    _add_fact()
    _execute("DELETE FROM visibility_kpifactchange")
    _execute(SUM_DAY)
    order = _add_undelivered_order("2026-03-03T12:00:00Z")
    call_command("migrate", "visibility", verbosity=0)
    before_recount = KpiCell.objects.get(kpi="fill_rate", grouping=TOTAL)
    assert before_recount.orders == 1
    assert _update_and_count_orders() == 1
    fact = KpiFact.objects.get(order_id=order)
    assert (fact.kpi, fact.numerator, fact.subject_key) == ("undelivered_orders", None, "")
    kpi = kpi_registry()["undelivered_orders"]
    span = DaySpan(date(2026, 3, 1), date(2026, 3, 5))
    assert query.summary(kpi, span, now=datetime(2026, 3, 5, 12, tzinfo=UTC)).oldest == 2 * 86_400


def test_downgrade_removes_what_the_earlier_version_does_not_know(
    upgrade_at_end: None,
) -> None:
    fact = create_fact(None, 1, day=date(2026, 3, 3), kpi="undelivered_orders")
    create_fact(5, 1, day=date(2026, 3, 3), kpi="undelivered_orders")
    create_fact(1, 1, day=date(2026, 3, 3), kpi="event_delay", subject_key="7", order=fact.order)
    call_command("migrate", "visibility", "0013", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT order_id, kpi, numerator FROM visibility_kpifact")
        assert cursor.fetchall() == [(fact.order_id, "undelivered", 1)]
        cursor.execute("SELECT kpi, day::text FROM visibility_kpirecountrequest")
        assert ("undelivered", DAY) in cursor.fetchall()
