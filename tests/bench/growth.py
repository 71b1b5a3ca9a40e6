"""What a database that grows does to the cost of an event and to the pages."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import connection
from django.test import Client

from tests.bench import course, fill, setup
from tests.bench.drain import drained, four_days_ago
from tests.bench.report import Grown, Sample, percentile
from tests.bench.size import Size
from tests.bench.stage import Stage
from visibility.alerts.sweep import due
from visibility.db.clock import database_now
from visibility.kpi import query
from visibility.kpi.query import Span
from visibility.kpi.registry import shelf
from visibility.pipeline.stages import sweep_once
from visibility.screens.orders import search

OVERDUE = """
UPDATE visibility_slaclock SET due_at = clock_timestamp() - interval '1 second',
    heard_at = clock_timestamp() - interval '1 hour'
WHERE id IN (SELECT id FROM visibility_slaclock
    WHERE state = 'running' AND stopped_at IS NULL AND order_id > %s LIMIT %s)
"""


def growth(stage: Stage, size: Size) -> list[Grown]:
    """Fill, measure, fill further, measure again."""
    setup.clear()
    filled = fill.Filled(size.templates)
    found: list[Grown] = []
    for wanted in size.growth:
        orders = filled.grow(wanted)
        fill.settle()
        for code, value in _measured(stage, size, filled, orders):
            found.append(Grown(code, orders, value))
    return found


def _measured(
    stage: Stage, size: Size, filled: fill.Filled, orders: int
) -> list[tuple[str, float]]:
    # Templates stay as they are: more copies are made of them.
    chosen = random.Random(orders).sample(range(filled.templates, orders), size.looks)
    client = setup.signed_in()
    tokens = [f"T{n:06}" for n in chosen]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT object_id FROM visibility_order WHERE number = ANY(%s)",
            [[f"SO-{token}" for token in tokens]],
        )
        pages = [f"/orders/{row[0]}" for row in cursor.fetchall()]
    today = database_now().date()
    span = Span(today - timedelta(days=89), today)
    found = [
        ("search_exact", _p95(search.exact, [f"1Z{token}" for token in tokens])),
        ("search_partial", _p95(search.partly, [f"-{token}"[:-1] for token in tokens])),
        ("search_mistyped", _p95(search.close, [_mistyped(token) for token in tokens])),
        ("order_page", _p95(lambda page: _get(client, page), pages)),
        ("cells", _p95(lambda _: query.summaries(shelf().values(), span), tokens)),
        ("numbers_page", _p95(lambda _: _get(client, "/numbers?from=now-90d"), tokens[:20])),
        ("tick", 1000 * Sample.of(_timed(sweep_once) for _ in tokens).median),
    ]
    messages = list(course.messages(f"G{orders}x", 0, size.drain // 2, four_days_ago()))
    old = [_scanned(token, orders) for token in tokens]
    took = drained(stage, messages + old)
    return [*found, ("event_cpu", took.cpu_each), ("burst", _burst(filled.span, size.burst))]


def _scanned(token: str, orders: int) -> course.Told:
    """One more word about a parcel of an old order."""
    at = four_days_ago().isoformat()
    data = {"tracking": f"1Z{token}", "attributes": {"location": "Dallas"}}
    return course.Told(
        "carrier",
        f"scan-{orders}-{token}",
        {"type": "shipment.in_transit", "timestamp": at, "data": data},
    )


def _mistyped(token: str) -> str:
    """Two digits have changed places."""
    return f"SO-{token[:-2]}{token[-1]}{token[-2]}X"


def _get(client: Client, page: str) -> None:
    answer = client.get(page)
    if answer.status_code != 200:
        raise RuntimeError(f"{page} answered {answer.status_code}")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _p95(work: Callable[[str], object], given: Sequence[str]) -> float:
    """Milliseconds; the first one warms up."""
    work(given[0])
    return 1000 * percentile([_timed(lambda g=one: work(g)) for one in given], 0.95)  # type: ignore[misc]  # its default binds


def _burst(above: int, wanted: int) -> float:
    """Milliseconds a clock, when many have run out at once."""
    with connection.cursor() as cursor:
        cursor.execute(OVERDUE, [above, wanted])
        count = int(cursor.rowcount)
    if not count:
        raise RuntimeError("no clock runs that could run out")
    began = time.perf_counter()
    while due(now=database_now()):
        pass
    return 1000 * (time.perf_counter() - began) / count
