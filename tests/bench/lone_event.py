"""Measure the CPU of an event that arrives alone, as most events of an installation do."""

import time
from itertools import islice

from celery import current_app

from tests.bench import workload
from tests.bench.backlog import four_days_ago, is_idle, store_workload
from tests.bench.environment import BenchEnvironment, Measurement, wait_until
from tests.bench.intake import cpu_by_process, cpu_each
from tests.bench.report import ReportLine
from tests.bench.sizes import BenchSize
from visibility.pipeline.job_functions import ask_worker_to_run_job_now

WORKER = "worker0"
# Long enough for one event; the idle time is measured as well and subtracted.
PAUSE_SECONDS = 0.25


def measure_lone_events(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Store one message after another, and wait for the worker after each."""
    stage.start_worker(WORKER)
    wait_until(lambda: len(current_app.control.ping(timeout=0.5) or ()) == 1, "the worker")
    messages = list(islice(workload.messages("L", 0, size.looks, four_days_ago()), size.looks + 6))
    for message in messages[:6]:
        _process_alone(message)
    runs = [_measure(stage, messages[6:])]
    stage.product.stop(WORKER)
    return [ReportLine("lone_cpu", cpu_each(runs), note=cpu_by_process(runs))]


def _measure(stage: BenchEnvironment, messages: list[workload.WorkloadMessage]) -> Measurement:
    meter = stage.meter(stage.product)
    meter.start()
    started, pauses = time.perf_counter(), 0
    for message in messages:
        pauses += _process_alone(message)
    seconds, busy = time.perf_counter() - started, meter.used()
    meter = stage.meter(stage.product)
    meter.start()
    for _ in range(pauses):
        ask_worker_to_run_job_now("process")
        time.sleep(PAUSE_SECONDS)
        is_idle()
    idle = meter.used()
    return Measurement(
        len(messages),
        seconds,
        {name: max(round(busy[name] - idle.get(name, 0), 6), 0.0) for name in busy},
    )


def _process_alone(message: workload.WorkloadMessage) -> int:
    """Store a message and wait until it is processed; return the number of pauses."""
    store_workload([message])
    pauses = 0
    while not pauses or not is_idle():
        ask_worker_to_run_job_now("process")
        time.sleep(PAUSE_SECONDS)
        pauses += 1
    return pauses
