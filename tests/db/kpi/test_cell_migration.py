"""The upgrade from cells that were summed by day to cells that are updated by fact changes."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from visibility.kpi import facts_and_cells
from visibility.kpi.dimensions import TOTAL
from visibility.models import BusinessObject, KpiCell

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


def test_worker_of_earlier_version_that_still_runs_leaves_right_cells(
    earlier_version: None,
) -> None:
    call_command("migrate", "visibility", verbosity=0)
    _add_fact()
    _execute(REQUEST_DAY, DAY)
    _execute(SUM_DAY)
    assert _update_and_count_orders() == 1


def test_earlier_version_after_downgrade_sums_every_day_again(earlier_version: None) -> None:
    call_command("migrate", "visibility", verbosity=0)
    _add_fact()
    call_command("migrate", "visibility", BEFORE, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT kpi, day::text FROM visibility_kpirecomputerequest")
        assert cursor.fetchall() == [("fill_rate", DAY)]
