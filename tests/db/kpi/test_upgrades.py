"""Upgrades and downgrades of facts and cells, with the data of earlier versions.

Each step of the chain takes seconds, so one test goes down and up, and checks every version on its
way: cells that are updated by fact changes (0010), KPI families (0014), KPIs of records (0023).
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.db import connection

from tests.builders.kpi_facts import create_fact
from tests.builders.sources import create_source
from visibility.kpi import facts_and_cells, query
from visibility.kpi.dimensions import TOTAL
from visibility.kpi.measure_changed_records import (
    measure_changed_records,
    request_measurement_of_all_records,
)
from visibility.kpi.query import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.models import BusinessObject, InboundMessage, KpiCell, KpiFact, Order, Source

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WITHOUT_CHANGES, WITHOUT_FAMILIES, WITHOUT_RECORDS = "0009", "0013", "0022"
DAY, NEXT_DAY = "2026-03-03", "2026-03-04"
INSERT_FACT = """
INSERT INTO visibility_kpifact (order_id, kpi, version, day, channel, warehouse, customer_group,
    numerator, denominator, excluded, uncountable)
VALUES (%s, 'fill_rate', 1, %s, 'Web', 'Dallas', '', 1, 2, '', '{}')
"""
# As the earlier version sums them: all eight groupings.
SUM_DAY = """
DELETE FROM visibility_kpicell WHERE day = %s;
INSERT INTO visibility_kpicell (kpi, day, grouping, channel, warehouse, customer_group,
    orders, numerator, denominator, buckets, counts, excluded, uncountable)
SELECT kpi, day, GROUPING(channel, warehouse, customer_group), coalesce(channel, ''),
    coalesce(warehouse, ''), coalesce(customer_group, ''), count(*), sum(numerator),
    sum(denominator), '{}', '{}', '{}', '{}'
FROM visibility_kpifact WHERE day = %s GROUP BY kpi, day, CUBE (channel, warehouse, customer_group)
"""
INSERT_MESSAGE = """
INSERT INTO visibility_inbound_message
    (source_id, received_at, dedupe_key, content_hash, headers, state)
VALUES (%s, now(), %s, repeat('0', 64), '{}', 'waiting')
"""
PARK_MESSAGE = """
UPDATE visibility_inbound_message
SET state = 'parked', reason = 'schema', processed_at = now() WHERE dedupe_key = %s
"""
REQUEST_DAY = "INSERT INTO visibility_kpirecomputerequest (kpi, day) VALUES ('fill_rate', %s)"


@pytest.fixture
def tables_of_today() -> Iterator[None]:
    """The tables of today for the tests that follow, also after a failure."""
    yield
    migrate()


def test_data_of_earlier_versions_is_upgraded_and_newer_data_is_downgraded(
    tables_of_today: None,
) -> None:
    for slug in ("before", "after"):
        create_source(slug)
    check_downgrades()
    _execute("DELETE FROM visibility_kpifact")
    _execute("DELETE FROM visibility_kpicell")
    _execute("DELETE FROM visibility_kpirecomputerequest")

    _add_fact()
    _execute(SUM_DAY, DAY, DAY)
    _add_fact()
    _execute(REQUEST_DAY, DAY)

    migrate(WITHOUT_FAMILIES)
    _add_fact(NEXT_DAY)
    _execute("DELETE FROM visibility_kpifactchange WHERE day = %s", NEXT_DAY)
    _execute(SUM_DAY, NEXT_DAY, NEXT_DAY)
    undelivered = _add_undelivered_order("2026-03-03T12:00:00Z")

    migrate(WITHOUT_RECORDS)
    _settle_message("before", source="before")
    facts = _rows("SELECT id FROM visibility_kpifact ORDER BY id")

    migrate()
    check_upgrade_of_cells(undelivered)
    check_upgrade_of_records(facts)


def check_downgrades() -> None:
    """From the version of today down to the first; each drops what the one below does not know."""
    fact = create_fact(None, 1, day=date(2026, 3, 3), kpi="undelivered_orders")
    create_fact(5, 1, day=date(2026, 3, 3), kpi="undelivered_orders")
    create_fact(1, 1, day=date(2026, 3, 3), kpi="event_delay", subject_key="7", order=fact.order)
    _settle_message("today", source="before")
    assert measure_changed_records() == 1
    assert KpiFact.objects.filter(kpi="parked_messages").exists()

    migrate(WITHOUT_RECORDS)
    kpis = _rows("SELECT DISTINCT kpi FROM visibility_kpifact ORDER BY kpi")
    assert kpis == [("event_delay",), ("undelivered_orders",)]
    _settle_message("the version before settles", source="before")

    migrate(WITHOUT_FAMILIES)
    facts = _rows("SELECT order_id, kpi, numerator FROM visibility_kpifact")
    assert facts == [(fact.order_id, "undelivered", 1)]
    requests = _rows("SELECT kpi, day::text FROM visibility_kpirecountrequest")
    assert ("undelivered", DAY) in requests
    _add_fact()

    migrate(WITHOUT_CHANGES)
    requests = _rows("SELECT kpi, day::text FROM visibility_kpirecomputerequest")
    assert ("fill_rate", DAY) in requests


def check_upgrade_of_cells(undelivered: int) -> None:
    """Sums of earlier versions hold until the changes since then are added."""
    assert _orders_of(NEXT_DAY) == 1
    _add_fact()
    _update_cells()
    assert (_orders_of(DAY), _orders_of(NEXT_DAY)) == (3, 1)
    fact = KpiFact.objects.get(order_id=undelivered)
    assert (fact.kpi, fact.numerator, fact.subject_key) == ("undelivered_orders", None, "")
    kpi = kpi_registry()["undelivered_orders"]
    span = DaySpan(date(2026, 3, 1), date(2026, 3, 5))
    assert query.summary(kpi, span, now=datetime(2026, 3, 5, 12, tzinfo=UTC)).oldest == 2 * 86_400


def check_upgrade_of_records(facts: list[tuple[object, ...]]) -> None:
    """Records of earlier versions are measured on request only."""
    assert not KpiFact.objects.filter(order=None).exists()
    _settle_message("after", source="after")
    assert measure_changed_records() == 1
    assert KpiFact.objects.filter(order=None).count() == 1
    for _ in request_measurement_of_all_records():
        measure_changed_records()
    measured = {fact.kpi for fact in KpiFact.objects.filter(order=None)}
    assert measured == {"parked_messages"}
    assert KpiFact.objects.filter(order=None).count() == InboundMessage.objects.count()
    ids = [int(str(fact)) for (fact,) in facts]
    assert KpiFact.objects.filter(id__in=ids).count() == len(ids)


def test_worker_of_earlier_version_that_still_runs_leaves_right_cells() -> None:
    _add_fact()
    _execute(REQUEST_DAY, DAY)
    _execute(SUM_DAY, DAY, DAY)
    _update_cells()
    assert _orders_of(DAY) == 1


def migrate(name: str | None = None) -> None:
    """Go to a version; without a name, to the last."""
    call_command("migrate", "visibility", *filter(None, [name]), verbosity=0)


def _execute(statement: str, *values: int | str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def _rows(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _add_fact(day: str = DAY) -> None:
    _execute(INSERT_FACT, BusinessObject.objects.create(kind="order").id, day)


def _add_undelivered_order(received_at: str) -> int:
    order = BusinessObject.objects.create(kind="order").id
    insert = INSERT_FACT.replace("'fill_rate'", "'undelivered'").replace("1, 2, ", "1, 1, ")
    _execute(insert, order, received_at[:10])
    Order.objects.create(object_id=order, number="x", ordered_at=received_at)
    return order


def _settle_message(key: str, *, source: str) -> None:
    """Store and park a message by statements that every version of the tables understands."""
    source_id = Source.objects.values_list("pk", flat=True).get(slug=source)
    _execute(INSERT_MESSAGE, source_id, key)
    _execute(PARK_MESSAGE, key)


def _update_cells() -> None:
    while facts_and_cells.update_cells():
        continue
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []


def _orders_of(day: str) -> int:
    return KpiCell.objects.get(kpi="fill_rate", grouping=TOTAL, day=day).orders
