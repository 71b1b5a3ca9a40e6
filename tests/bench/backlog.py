"""Measure the whole pipeline: from a backlog of messages to orders, SLA clocks and KPIs."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from celery import current_app
from django.db import connection, transaction

from connectors.sdk.event_codec import format_rfc3339
from tests.bench import workload
from tests.bench.environment import BenchEnvironment, Measurement, rows, wait_until
from tests.bench.intake import cpu_by_process, cpu_each, rates
from tests.bench.report import ReportLine
from tests.bench.sizes import BenchSize
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Source
from visibility.pipeline.job_functions import ask_worker_to_run_job_now

CHUNK = 500
IS_IDLE = """
SELECT NOT EXISTS (SELECT FROM visibility_inbound_message WHERE state = 'waiting')
    AND NOT EXISTS (SELECT FROM visibility_refoldrequest WHERE due_at <= clock_timestamp())
    AND NOT EXISTS (SELECT FROM visibility_kpifactchange)
"""
PRODUCT_MILESTONES = """
SELECT o.number, m.code, m.reached_at FROM visibility_order o
JOIN visibility_milestone m ON m.order_id = o.object_id WHERE o.number LIKE %s
"""
PLAIN_MILESTONES = """
SELECT o.number, m.code, m.reached_at FROM plain_order o
JOIN plain_milestone m ON m.order_id = o.id WHERE o.number LIKE %s
"""


class ResultMismatch(AssertionError):
    """The two implementations derived different orders from the same messages."""


def measure_backlog(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure one worker, one worker of the plain implementation and two workers, interleaved."""
    product, plain, two_workers = [], [], []
    at = four_days_ago()
    for turn in range(size.repeats):
        product.append(
            process_backlog(stage, list(workload.messages(f"D{turn}", 0, size.drain, at)))
        )
        plain.append(process_plain_backlog(stage, f"D{turn}", size.plain_drain, at))
        messages = list(workload.messages(f"E{turn}", 0, size.drain, at))
        two_workers.append(process_backlog(stage, messages, workers=2))
    check_agreement(stage, f"D{size.repeats - 1}", size.plain_drain)
    single_rate, plain_rate, two_rate = (rates(runs) for runs in (product, plain, two_workers))
    return [
        ReportLine("drain", single_rate, plain_rate),
        ReportLine("drain_cpu", cpu_each(product), cpu_each(plain), note=cpu_by_process(product)),
        ReportLine(
            "drain_two", two_rate, note=f"{two_rate.median / single_rate.median:.2f}x one worker"
        ),
    ]


def four_days_ago() -> datetime:
    """A start time for orders whose events have all happened by now."""
    return workload.truncate_to_second(database_now()) - timedelta(days=4)


def store_workload(messages: Iterable[workload.WorkloadMessage]) -> None:
    """Store messages as if they had arrived through webhooks, in one commit."""
    sources = dict(Source.objects.values_list("slug", "id"))
    now = database_now()
    arrivals = (
        IncomingMessage(
            sources[message.source],
            message.key,
            {**workload.signed_headers(message, now), "content-type": "application/json"},
            message.body,
        )
        for message in messages
    )
    with transaction.atomic():
        while chunk := list(islice(arrivals, CHUNK)):
            store_messages(chunk)


def process_backlog(
    stage: BenchEnvironment, messages: list[workload.WorkloadMessage], *, workers: int = 1
) -> Measurement:
    """Let idle workers process a backlog that appears at once, nudged as intake would do."""
    names = [f"worker{n}" for n in range(workers)]
    for name in names:
        stage.start_worker(name)
    wait_until(lambda: len(current_app.control.ping(timeout=0.5) or ()) == workers, "the workers")
    store_workload(messages[:1])
    wait_until(lambda: _nudge() and is_idle(), "the first message")
    meter = stage.meter(stage.product)
    store_workload(messages[1:])
    meter.start()
    started = time.perf_counter()
    ended = wait_until(lambda: _nudge() and is_idle(), "the end of the backlog")
    used = meter.used()
    stage.product.stop(*names)
    return Measurement(len(messages) - 1, ended - started, used)


def _nudge() -> bool:
    ask_worker_to_run_job_now("process")
    return True


def is_idle() -> bool:
    """Whether no message, refold or KPI cell waits."""
    with connection.cursor() as cursor:
        cursor.execute(IS_IDLE)
        return bool(cursor.fetchone()[0])


def process_plain_backlog(
    stage: BenchEnvironment, prefix: str, orders: int, at: datetime
) -> Measurement:
    """Process queued tasks; measured from the first finished task to the last."""
    stage.plain.run("tests.bench.plain.backlog", prefix, str(orders), format_rfc3339(at))
    before = plain_processed_count(stage)
    expected = orders * len(workload.STEPS)
    stage.start_plain_worker()
    started = wait_until(
        lambda: plain_processed_count(stage) > before,
        "the first task of the plain implementation",
        every=0.005,
    )
    first = plain_processed_count(stage)
    meter = stage.meter(stage.plain)
    meter.start()
    ended = wait_until(
        lambda: plain_processed_count(stage) == before + expected,
        "the last task of the plain implementation",
        every=0.02,
    )
    used = meter.used()
    stage.plain.stop("plain_worker")
    return Measurement(before + expected - first, ended - started, used)


def plain_processed_count(stage: BenchEnvironment) -> int:
    """The number of events that the plain implementation has processed."""
    return int(rows(stage.servers.plain, "SELECT count(*) FROM plain_event WHERE processed")[0][0])


def check_agreement(stage: BenchEnvironment, prefix: str, orders: int) -> int:
    """Check that both implementations have the same milestones; return their number.

    Raises ResultMismatch.
    """
    numbers = {f"SO-{prefix}{n:07}" for n in range(orders)}
    milestones = [
        {row for row in rows(url, statement, f"SO-{prefix}%") if row[0] in numbers}
        for url, statement in (
            (stage.servers.product, PRODUCT_MILESTONES),
            (stage.servers.plain, PLAIN_MILESTONES),
        )
    ]
    if milestones[0] != milestones[1] or len(milestones[0]) != orders * len(workload.STEPS):
        raise ResultMismatch(
            [len(each) for each in milestones], sorted(milestones[0] ^ milestones[1])[:5]
        )
    return len(milestones[0])
