"""Record that worker and scheduler do work, so that pages show when one does none.

The worker's jobs only report their progress. A thread records it, so that no job runs a statement
for it, and no long job looks like a worker that does nothing.
"""

import threading

from django.db import DatabaseError, close_old_connections
from django.db.models.functions import Now
from structlog.stdlib import get_logger

from visibility.models import Heartbeat
from visibility.models.heartbeats import SCHEDULER, WORKER
from visibility.pipeline.shutdown_flag import stopping

log = get_logger(__name__)
RECORD_EVERY_SECONDS = 10.0
_progress = threading.Event()


def report_progress() -> None:
    """Report that this worker finished a job or a batch."""
    _progress.set()


def record_scheduler_heartbeat() -> None:
    """The job that only the scheduler sends: that it runs shows that the scheduler works."""
    record_heartbeat(SCHEDULER)


def record_heartbeat(name: str) -> None:
    """Record the current time of the database."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": Now()})


def record_worker_progress() -> bool:
    """Record the worker's heartbeat if it has made progress since the last time."""
    if not _progress.is_set():
        return False
    _progress.clear()
    record_heartbeat(WORKER)
    return True


def heartbeat_loop() -> None:
    """Record the progress of this worker until it stops."""
    while not stopping.wait(RECORD_EVERY_SECONDS):
        try:
            close_old_connections()
            record_worker_progress()
        except DatabaseError as error:  # the next round records it
            log.warning("heartbeat_not_recorded", error=type(error).__name__)
