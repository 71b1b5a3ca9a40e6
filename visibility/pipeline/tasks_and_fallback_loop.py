"""A Celery task for every job, and the worker's fallback loop.

Losing a task costs seconds and no data: the scheduler sends each again, and without a broker the
worker's fallback loop runs the jobs.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_shutting_down
from django.db import close_old_connections
from django.utils.module_loading import import_string
from structlog.stdlib import get_logger

from visibility import gc_tuning
from visibility.master_data import imports
from visibility.pipeline import exit_on_timeout, heartbeats, job_functions
from visibility.pipeline.jobs import BY_NAME, DEFAULT_QUEUE, JOBS, Job
from visibility.pipeline.run_job_items_in_threads import ItemThreads
from visibility.pipeline.shutdown_flag import stopping

log = get_logger(__name__)
# The fallback loop runs a job that has not run for so many seconds.
FALLBACK_SECONDS = 5
# An import sleeps three times as long as it works, so that orders keep priority.
IMPORT_PAUSE = 3.0
# After a pause it waits until no order is processed, but no longer than this.
IMPORT_WAIT_SECONDS = 0.5

_running = {job.name: threading.Lock() for job in JOBS}
item_threads = {job.name: ItemThreads[Any](job.name, job.threads) for job in JOBS if job.threads}
_finished_at: dict[str, float] = {}


def run_job_unless_running_then_next_job(job: Job) -> None:
    """Run a job, and then the one that follows it. A job that is running already is skipped.

    A job with threads only starts its due items.
    """
    if _running[job.name].acquire(blocking=False):
        try:
            _call_job_function_or_start_items(job)
            _finished_at[job.name] = time.monotonic()
            if job.queue == DEFAULT_QUEUE:
                heartbeats.report_progress()
        finally:
            _running[job.name].release()
    if job.then:
        run_job_unless_running_then_next_job(BY_NAME[job.then])


def _call_job_function_or_start_items(job: Job) -> None:
    function: Callable[..., object] = import_string(job.function)
    if job.threads:
        item_threads[job.name].start_due_items(import_string(job.claim), function)
    else:
        function()


def _register_celery_task(job: Job) -> None:
    @shared_task(name=job.task_name)
    def task(**_: object) -> None:
        run_job_unless_running_then_next_job(job)


for _job in JOBS:
    _register_celery_task(_job)


def import_master_data_throttled() -> int:
    """Import master data at a pace that leaves orders their priority."""
    return job_functions.import_master_data_and_enqueue_refolds(
        imports.Throttle(
            share=IMPORT_PAUSE, sleep=_yield_to_order_processing, should_stop=stopping.is_set
        )
    )


def _yield_to_order_processing(seconds: float) -> None:
    """Sleep, and then wait until no order is processed, within limits."""
    stopping.wait(seconds)
    until = time.monotonic() + IMPORT_WAIT_SECONDS
    while time.monotonic() < until and any(
        _running[name].locked() for name in ("process", "refold")
    ):
        if stopping.wait(0.02):
            return


@worker_shutting_down.connect
def begin_shutdown(**_: object) -> None:
    """Start no new batch; the current one is finished."""
    stopping.set()


@celeryd_after_setup.connect
def start_fallback_loop_per_queue(**_: object) -> None:
    """Start one fallback loop for each queue.

    They start before the worker connects to its broker, which may be away.
    """
    gc_tuning.freeze_loaded_objects()
    exit_on_timeout.enable()
    threading.Thread(target=heartbeats.heartbeat_loop, name="heartbeat", daemon=True).start()
    queues: dict[str, list[Job]] = {}
    for job in JOBS:
        if job.fallback:
            queues.setdefault(job.queue, []).append(job)
    for queue, jobs in queues.items():
        name = f"fallback-{queue}"
        threading.Thread(target=_fallback_loop, args=(jobs,), name=name, daemon=True).start()


def _fallback_loop(jobs: Sequence[Job]) -> None:
    while not stopping.wait(1):
        for job in jobs:
            if time.monotonic() - _finished_at.get(job.name, 0.0) < FALLBACK_SECONDS:
                continue
            try:
                close_old_connections()
                run_job_unless_running_then_next_job(job)
            except Exception:  # recorded; the next round tries again
                log.exception("fallback_job_failed", job=job.name)
