"""What follows what: the stages in their order. Each looks for due work in PostgreSQL."""

import logging
import threading
import time

from celery import current_app
from django.db import connection, transaction

from visibility.alerts.sweep import sweep as sweep_all
from visibility.db.change_feed import head
from visibility.db.clock import database_now
from visibility.ingest import file_drop, polling
from visibility.kpi import aggregate
from visibility.master_data import impact, imports
from visibility.notify import broadcast
from visibility.outbound.client import Client
from visibility.pipeline.batches import BATCH, place, take, take_again
from visibility.pipeline.refold import decide, fold_orders, imagine, refold
from visibility.pipeline.shutdown import stopping
from visibility.sla import rule_failures
from visibility.storage import refold_queue

__all__ = [
    "advance",
    "decide",
    "fold_all",
    "fold_orders",
    "imagine",
    "nudge",
    "refold",
    "sweep_once",
    "take",
    "take_again",
    "take_all",
    "tend_master",
]
log = logging.getLogger(__name__)
# While a backlog is read, what it touches is folded this seldom: most of it changes again.
PATIENCE_SECONDS = 2.5
# However long folding goes on, the numbers are not older than this.
SUM_SECONDS = 5.0
# One batch in so many begins at the oldest message, wherever the worker's place is.
OLDEST_TURN = 10
_backlog = threading.Event()
# One stuck in the middle of an answer that its client does not read is not ended by any timeout.
STUCK = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND wait_event = 'ClientWrite' AND backend_xid IS NOT NULL
    AND state_change < clock_timestamp() - make_interval(secs => %s)
"""
STUCK_SECONDS = 30


def advance() -> int:
    """Take all waiting messages through all stages, one after the other; how many were settled."""
    total = take_all()
    fold_all()
    return total


def take_all(*, batches: int = 100) -> int:
    """Normalise and correlate what waits; another thread folds meanwhile what was touched."""
    with place() as begin:
        return _take_from(begin, batches=batches)


def _take_from(begin: float, *, batches: int) -> int:
    total = 0
    for turn in range(batches):
        if stopping.is_set():
            break
        # Every second batch is a fresh one, so that a backlog does not hold up what is new. Some
        # begin at the oldest: the worker whose place that is may be stuck.
        here = begin if (turn + 1) % OLDEST_TURN else 0.0
        settled = (take(fresh=True, begin=here) if turn % 2 else 0) or take(begin=here)
        if not turn % 10:
            settled += take_again()
        total += settled
        if not settled:
            break
        if settled < BATCH // 2:
            _backlog.clear()
        else:
            _backlog.set()
        if turn:
            nudge("fold")
    _backlog.clear()
    return total


def fold_all() -> int:
    """Fold what was touched until nothing is left; how many objects that were."""
    total, summed = 0, time.monotonic()
    while not stopping.is_set():
        _let_read()
        touched, folded = database_now(), 0
        while not stopping.is_set() and (batch := refold(touched_by=touched)):
            folded += batch
            if time.monotonic() - summed > SUM_SECONDS:
                aggregate.recompute()
                summed = time.monotonic()
        total += folded
        if not folded:
            break
    while not stopping.is_set() and aggregate.recompute():
        pass
    return total


def _let_read() -> None:
    """A backlog is being read that touches the same orders: fold them once, not at each batch."""
    until = time.monotonic() + PATIENCE_SECONDS
    while _backlog.is_set() and time.monotonic() < until:
        if stopping.wait(0.05):
            return


def make_partitions() -> None:
    """The months ahead of both partitioned tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT visibility_make_partition(parent, (now() + n * interval '1 month')::date) "
            "FROM unnest(ARRAY['visibility_inbound_message', 'visibility_event']) AS parent, "
            "generate_series(0, 3) AS n"
        )


def poll_due() -> int:
    """Ask every source whose time has come; what came is taken on at once."""
    now = database_now()
    kept = sum(polling.poll(source_id, http=Client(), now=now) for source_id in polling.due(now))
    if kept:
        nudge("advance")
    return kept


def collect_files() -> int:
    """Take the files that were dropped; what came is taken on at once."""
    kept = file_drop.collect(now=database_now())
    if kept:
        nudge("advance")
    return kept


def tend_master(pace: imports.Pace) -> int:
    """Take the files of master data on, and hand what they concern to the fold, unhurried."""
    moved = imports.work(pace)
    with transaction.atomic():
        while impact.begin_watching():
            pass
    fed = impact.feed()
    if fed:
        nudge("fold")
    return moved + fed


def sweep_once() -> int:
    """Judge what has become due, and tell open pages."""
    now = database_now()
    refold_queue.mark_overdue(now)
    with transaction.atomic():
        refold_queue.mark(rule_failures.mended(now=now))
    changed = sweep_all(now=now)
    if changed:
        broadcast.announce(head(), ["alert"])
        nudge("deliver")
    return changed


def release_stuck() -> int:
    """End sessions that hold locks for a client which no longer reads; how many."""
    with connection.cursor() as cursor:
        cursor.execute(STUCK, [STUCK_SECONDS])
        ended = [row[0] for row in cursor.fetchall()]
    if ended:
        log.warning("sessions that nobody reads were ended pids=%s", ended)
    return len(ended)


def nudge(name: str) -> None:
    """Ring a task's doorbell. Never raises: whatever no bell announced is found by the clock.

    After a failure it is left alone for a while: a broker that hangs must not slow each batch.
    """
    if time.monotonic() < _bell["quiet_until"]:
        return
    try:
        current_app.send_task(f"visibility.{name}", expires=10, retry=False)
    except Exception as error:  # a doorbell: the work itself is safe in PostgreSQL
        _bell["quiet_until"] = time.monotonic() + BELL_PAUSE_SECONDS
        log.warning("nudge=%s error=%s", name, type(error).__name__)


BELL_PAUSE_SECONDS = 3.0
_bell = {"quiet_until": 0.0}
