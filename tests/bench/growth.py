"""Measure how the cost of events and pages changes as the database grows."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from django.db import connection
from django.test import Client

from tests.bench import dataset as fill
from tests.bench import setup, workload
from tests.bench.backlog import four_days_ago, process_backlog
from tests.bench.environment import BenchEnvironment
from tests.bench.report import GrowthValue, Sample, percentile
from tests.bench.sizes import BenchSize
from visibility.alerts.sweep_due_clocks_and_snoozes import open_alerts_of_due_clocks
from visibility.db.database_time import database_now
from visibility.kpi import query
from visibility.kpi.query import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.pipeline.job_functions import enqueue_due_refolds_and_update_due_alerts
from visibility.screens.orders import number_and_customer_search

MAKE_OVERDUE = """
UPDATE visibility_slaclock SET due_at = clock_timestamp() - interval '1 second',
    known_since = clock_timestamp() - interval '1 hour'
WHERE id IN (SELECT id FROM visibility_slaclock
    WHERE state = 'running' AND stopped_at IS NULL AND order_id > %s LIMIT %s)
"""


def measure_growth(stage: BenchEnvironment, size: BenchSize) -> list[GrowthValue]:
    """Create orders and measure, once per database size."""
    setup.clear_data()
    dataset = fill.OrderDataset(size.templates)
    values: list[GrowthValue] = []
    for count in size.growth:
        orders = dataset.grow(count)
        fill.vacuum()
        for code, value in _measure(stage, size, dataset, orders):
            values.append(GrowthValue(code, orders, value))
    return values


def _measure(
    stage: BenchEnvironment, size: BenchSize, dataset: fill.OrderDataset, orders: int
) -> list[tuple[str, float]]:
    # Templates must not change, because later copies are made from them.
    numbers = random.Random(orders).sample(range(dataset.templates, orders), size.looks)
    client = setup.signed_in_client()
    tokens = [f"T{n:06}" for n in numbers]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT object_id FROM visibility_order WHERE number = ANY(%s)",
            [[f"SO-{token}" for token in tokens]],
        )
        pages = [f"/orders/{row[0]}" for row in cursor.fetchall()]
    today = database_now().date()
    span = DaySpan(today - timedelta(days=89), today)
    values = [
        (
            "search_exact",
            _p95(
                number_and_customer_search.find_orders_by_exact_number,
                [f"1Z{token}" for token in tokens],
            ),
        ),
        (
            "search_partial",
            _p95(
                number_and_customer_search.find_orders_by_number_fragment,
                [f"-{token}"[:-1] for token in tokens],
            ),
        ),
        (
            "search_mistyped",
            _p95(
                number_and_customer_search.find_orders_by_similar_number,
                [_mistyped(token) for token in tokens],
            ),
        ),
        ("order_page", _p95(lambda page: _get(client, page), pages)),
        ("cells", _p95(lambda _: query.summaries_by_kpi(kpi_registry().values(), span), tokens)),
        ("numbers_page", _p95(lambda _: _get(client, "/numbers?from=now-90d"), tokens[:20])),
        (
            "tick",
            1000
            * Sample.of(_timed(enqueue_due_refolds_and_update_due_alerts) for _ in tokens).median,
        ),
    ]
    messages = list(workload.messages(f"G{orders}x", 0, size.drain // 2, four_days_ago()))
    scans = [_scan_message(token, orders) for token in tokens]
    backlog = process_backlog(stage, messages + scans)
    return [
        *values,
        ("event_cpu", backlog.cpu_each),
        ("burst", _burst(dataset.id_span, size.burst)),
    ]


def _scan_message(token: str, orders: int) -> workload.WorkloadMessage:
    """One more carrier scan for a package of an old order."""
    at = four_days_ago().isoformat()
    data = {"tracking": f"1Z{token}", "attributes": {"location": "Dallas"}}
    return workload.WorkloadMessage(
        "carrier",
        f"scan-{orders}-{token}",
        {"type": "shipment.in_transit", "timestamp": at, "data": data},
    )


def _mistyped(token: str) -> str:
    """The order number with two digits swapped and an extra letter."""
    return f"SO-{token[:-2]}{token[-1]}{token[-2]}X"


def _get(client: Client, page: str) -> None:
    response = client.get(page)
    if response.status_code != 200:
        raise RuntimeError(f"GET {page} returned status {response.status_code}")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _p95(work: Callable[[str], object], arguments: Sequence[str]) -> float:
    """The 95th percentile in milliseconds, after one call to warm up."""
    work(arguments[0])
    return 1000 * percentile([_timed(partial(work, argument)) for argument in arguments], 0.95)


def _burst(above: int, limit: int) -> float:
    """Milliseconds per SLA clock when many become due at once."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE_OVERDUE, [above, limit])
        count = int(cursor.rowcount)
    if not count:
        raise RuntimeError("no SLA clock is running")
    started = time.perf_counter()
    while open_alerts_of_due_clocks(now=database_now()):
        pass
    return 1000 * (time.perf_counter() - started) / count
