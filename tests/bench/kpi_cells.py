"""Measure what one changed order costs the KPI cells, on a day with few and with many orders."""

import time
from collections.abc import Callable
from datetime import date

from django.db import connection, transaction

from tests.bench.environment import BenchEnvironment
from tests.bench.report import ReportLine, Sample
from tests.bench.sizes import BenchSize
from visibility.kpi import facts_and_cells
from visibility.kpi.registry import kpi_registry

# One day for each number of orders.
DAYS = (date(2026, 3, 3), date(2026, 3, 4))
CREATE_FACTS = """
WITH new_order AS (
    INSERT INTO visibility_businessobject (kind)
    SELECT 'order' FROM generate_series(1, %(orders)s) RETURNING id
)
INSERT INTO visibility_kpifact (order_id, kpi, version, day, channel, warehouse, customer_group,
    numerator, denominator, excluded, uncountable)
SELECT id, kpi, 1, %(day)s, 'channel ' || id %% 4, 'warehouse ' || id %% 3, 'group ' || id %% 5,
    CASE WHEN kpi = ANY(%(timed)s) THEN 3600 + 97 * id %% 864000 ELSE id %% 5 END,
    CASE WHEN kpi = ANY(%(timed)s) THEN 1 ELSE 4 END, '', '{}'
FROM new_order, unnest(%(kpis)s::text[]) AS kpi
"""
CHANGE_ORDER = """
UPDATE visibility_kpifact SET numerator = numerator + 3600
WHERE order_id = %s
"""
REQUEST_DAY = """
INSERT INTO visibility_kpirecountrequest (kpi, day)
SELECT DISTINCT kpi, day FROM visibility_kpifactchange
"""


def measure_changed_order(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Change one order and update the cells, by its changes and by a recount of the day."""
    first = {
        day: _create_day(day, orders) for day, orders in zip(DAYS, size.orders_of_day, strict=True)
    }
    by_change: dict[date, list[float]] = {day: [] for day in DAYS}
    by_recount: dict[date, list[float]] = {day: [] for day in DAYS}
    for turn in range(5 + 5 * size.repeats):
        for day in DAYS:
            by_change[day].append(
                _change_order(first[day] + turn % min(size.orders_of_day), _update_cells)
            )
            by_recount[day].append(
                _change_order(first[day] + turn % min(size.orders_of_day), _recount_day)
            )
    small, large = (Sample.of(by_change[day][5:]) for day in DAYS)
    return [
        ReportLine(
            code,
            sample,
            plain=Sample.of(by_recount[day][5:]),
            note=f"plain: the whole day is summed; {orders:,} orders, "
            f"fastest round {min(sample.values) / min(small.values):.2f}x of a day of "
            f"{size.orders_of_day[0]:,}",
        )
        for code, sample, day, orders in zip(
            ("cells_few", "cells_many"), (small, large), DAYS, size.orders_of_day, strict=True
        )
    ]


def _create_day(day: date, orders: int) -> int:
    """Create orders with facts and cells; return the ID of the first."""
    with transaction.atomic(), connection.cursor() as cursor:
        # No triggers: the cells are counted once, from all facts.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            CREATE_FACTS,
            {
                "orders": orders,
                "day": day,
                "kpis": list(kpi_registry()),
                "timed": ["order_cycle_time"],
            },
        )
    facts_and_cells.request_recount_of_all_days()
    _update_cells()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("SELECT min(order_id) FROM visibility_kpifact WHERE day = %s", [day])
        return int(cursor.fetchone()[0])


def _change_order(order_id: int, update: Callable[[], None]) -> float:
    """Milliseconds from the change of one order's facts to the cells that include it."""
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(CHANGE_ORDER, [order_id])
    update()
    return 1000 * (time.perf_counter() - started)


def _update_cells() -> None:
    while facts_and_cells.update_cells():
        continue


def _recount_day() -> None:
    with connection.cursor() as cursor:
        cursor.execute(REQUEST_DAY)
    _update_cells()
