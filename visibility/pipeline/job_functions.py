"""What each job does: it looks for due work in PostgreSQL and takes it through a stage."""

import threading
import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from celery import current_app
from django.db import connection, transaction
from structlog.stdlib import get_logger

from visibility.alerts import channel_alerts
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep as sweep_due
from visibility.db import bulk
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.ingest import file_drop, full_disk, polling
from visibility.ingest.record_batches import record_batches
from visibility.kpi import facts_and_cells, kpi_cell_sql, record_kpi_errors_and_retry
from visibility.kpi.load_kpi_snapshot import load_kpi_snapshot
from visibility.master_data import affected_orders, imports
from visibility.notify import outbox
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.pipeline.backlog_start_for_each_worker import reserve_backlog_offset_fraction
from visibility.pipeline.heartbeats import report_progress
from visibility.pipeline.jobs import BY_NAME, POLL_THREADS
from visibility.pipeline.process_message_batches import (
    BATCH_SIZE,
    claim_parse_and_correlate_messages,
    has_new_and_failed_messages,
    process_failed_messages_in_small_batches,
)
from visibility.pipeline.refold_orders import refold_batch
from visibility.pipeline.shutdown_flag import stopping
from visibility.sla import recheck_orders, record_rule_errors_and_retry
from visibility.storage import refold_queue
from visibility.storage.published_manifests import refresh_published_manifests

log = get_logger(__name__)
# While a backlog is processed, refolding waits so long for it: most orders change again.
BACKLOG_WAIT_SECONDS = 2.5
# During a long refold, KPI cells are updated at least this often.
KPI_REFRESH_SECONDS = 5.0
# One run of the job checks at most so many batches of orders against changed rules.
MAX_RECHECK_BATCHES = 5
# One batch in so many starts at the oldest message, whatever the worker's offset is.
OLDEST_EVERY = 10
_backlog = threading.Event()
# No statement timeout ends a session that is sending rows to a client which reads none of them.
TERMINATE_STUCK = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND wait_event = 'ClientWrite' AND backend_xid IS NOT NULL
    AND state_change < clock_timestamp() - make_interval(secs => %s)
"""
STUCK_SECONDS = 30
DUE_WORK = f"""
SELECT now, EXISTS (SELECT FROM visibility_refoldrequest WHERE due_at <= now),
    {kpi_cell_sql.HAS_REQUESTS_AND_CHANGES},
    EXISTS (SELECT FROM visibility_rulerecheck WHERE finished_at IS NULL)
FROM (SELECT clock_timestamp() AS now) AS clock
"""  # noqa: S608  # only own text
# After a failed nudge, the broker is not contacted for this long.
NUDGE_COOLDOWN_SECONDS = 3.0
_nudges = {"resume_at": 0.0}


def process_messages_and_refold() -> int:
    """Process all waiting messages, then refold what they touched; return how many messages."""
    total = parse_and_correlate_waiting_messages()
    refold_touched_orders_and_update_kpi_cells()
    return total


def parse_and_correlate_waiting_messages(*, batches: int = 100) -> int:
    """Parse and correlate waiting messages; return how many were settled.

    Another thread refolds the orders they touch meanwhile.
    """
    with ExitStack() as until_done:
        return _process_batches_of_messages(until_done, batches=batches)


def _process_batches_of_messages(until_done: ExitStack, *, batches: int) -> int:
    """Process batches until no message waits. `until_done` keeps this worker's place in a backlog.

    A backlog is a batch that is at least half full; other workers then start at other places.
    """
    total, offset = 0, None
    for turn in range(batches):
        if stopping.is_set():
            break
        # Every second batch of a backlog takes new messages, so that it does not delay them. Some
        # batches start at the oldest: the worker that would process those may be stuck.
        start = (offset or 0.0) if (turn + 1) % OLDEST_EVERY else 0.0
        settled = 0
        if turn % 2 and _backlog.is_set():
            settled = claim_parse_and_correlate_messages(fresh=True, offset=start)
        settled = settled or claim_parse_and_correlate_messages(offset=start)
        has_new, has_failed = True, False
        if settled < BATCH_SIZE // 2:
            _backlog.clear()
            has_new, has_failed = has_new_and_failed_messages()
        else:
            _backlog.set()
            if offset is None:
                offset = until_done.enter_context(reserve_backlog_offset_fraction())
        if has_failed or not (turn + 1) % OLDEST_EVERY:
            settled += process_failed_messages_in_small_batches()
        total += settled
        report_progress()
        if not settled or not has_new:
            break
        ask_worker_to_run_job_now("refold")
    _backlog.clear()
    return total


def refold_touched_orders_and_update_kpi_cells() -> int:
    """Refold touched orders until none is left; return how many requests were settled.

    Then check orders against changed rules, as long as no other job has to wait for it. Between two
    batches of requested recounts, orders that were touched meanwhile come first.
    """
    total, summed_at, recheck_batches = 0, time.monotonic(), 0
    while not stopping.is_set():
        _wait_until_message_backlog_ends()
        due, settled = _load_due_refold_and_recount_flags(), 0
        while due.has_refolds and not stopping.is_set():
            batch = refold_batch(due_by=due.now)
            if not batch:
                break
            settled += batch
            report_progress()
            if time.monotonic() - summed_at > KPI_REFRESH_SECONDS:
                facts_and_cells.update_cells()
                summed_at = time.monotonic()
        total += settled
        if settled or (due.has_requested_recounts and facts_and_cells.recount_requested_days()):
            continue
        recheck_batches += 1
        may_recheck = due.has_unfinished_rechecks and recheck_batches <= MAX_RECHECK_BATCHES
        if may_recheck and _recheck_next_orders(due.now) > 0:
            continue
        facts_and_cells.add_all_fact_changes(stopping.is_set, due.has_fact_changes)
        break
    return total


def _recheck_next_orders(now: datetime) -> int:
    """Enqueue the next orders to check against a changed rule, and notify open pages of it."""
    batch = recheck_orders.enqueue_next_batch(now=now)
    if batch.change_number is not None:
        broadcast_change_number(batch.change_number, ["rule"])
    return batch.orders


@dataclass(frozen=True, slots=True)
class DueRefoldAndRecountFlags:
    """The time of the database, and what is due by then."""

    now: datetime
    has_refolds: bool
    has_requested_recounts: bool
    has_fact_changes: bool
    has_unfinished_rechecks: bool


def _load_due_refold_and_recount_flags() -> DueRefoldAndRecountFlags:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(DUE_WORK)
        return DueRefoldAndRecountFlags(*(cursor.fetchone() or ()))


def _wait_until_message_backlog_ends() -> None:
    """While a backlog touches the same orders again and again, wait, within limits."""
    until = time.monotonic() + BACKLOG_WAIT_SECONDS
    while _backlog.is_set() and time.monotonic() < until:
        if stopping.wait(0.05):
            return


def claim_due_polls(
    running: Collection[polling.ClaimedPoll], free_threads: int
) -> list[polling.ClaimedPoll]:
    """Claim the sources to poll now. Slow ones get half of the threads, so that others find one.

    While the disk is full, none is polled.
    """
    if full_disk.is_database_disk_full():
        return []
    refresh_published_manifests()
    slow = sum(claimed.is_slow for claimed in running)
    return polling.claim_due_polls(
        database_now(), limit=free_threads, slow_limit=max(POLL_THREADS // 2 - slow, 0)
    )


def poll_source(claimed: polling.ClaimedPoll) -> int:
    """Poll one source; return how many messages were stored."""
    stored = polling.poll_source(claimed, now=database_now(), should_stop=stopping.is_set)
    if stored:
        ask_worker_to_run_job_now("process")
    return stored


def collect_files() -> int:
    """Store the files that were dropped into folders; return how many. A full disk leaves them."""
    if full_disk.is_database_disk_full():
        return 0
    refresh_published_manifests()
    stored = file_drop.collect_files(now=database_now())
    if stored:
        ask_worker_to_run_job_now("process")
    return stored


def deliver_notifications() -> int:
    """Send the notifications that are due; return how many messages were sent."""
    return outbox.send_due_notifications(now=database_now())


def import_master_data_and_enqueue_refolds(throttle: imports.Throttle) -> int:
    """Continue master data imports, and request a refold of the orders they affect."""
    changed = imports.run_pending_imports(throttle)
    with transaction.atomic():
        while affected_orders.enqueue_backfill_of_newly_watched_vocabulary():
            pass
    requested = affected_orders.move_backfill_to_refold_queue()
    if requested:
        ask_worker_to_run_job_now("refold")
    return changed + requested


def enqueue_due_refolds_and_update_due_alerts() -> int:
    """Evaluate what is due by now and notify open pages; return how many alerts changed."""
    now = database_now()
    refold_queue.enqueue_expired_promises(now)
    with transaction.atomic():
        retried = record_rule_errors_and_retry.take_orders_due_for_retry(now=now)
        retried += record_kpi_errors_and_retry.take_orders_due_for_kpi_retry(now=now)
        refold_queue.enqueue_refolds(retried)
    if recheck_orders.start_rechecks_of_changed_rules(now=now):
        ask_worker_to_run_job_now("refold")
    record_batches(now)
    changed = sweep_due(now=now, load_kpi=load_kpi_snapshot)
    changed += channel_alerts.update_channel_alerts(now=now)
    if changed:
        broadcast_change_number(latest_change_number(), ["alert"])
        ask_worker_to_run_job_now("deliver")
    return changed


def terminate_sessions_stuck_in_client_write() -> int:
    """End database sessions that hold locks for a client which reads nothing; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(TERMINATE_STUCK, [STUCK_SECONDS])
        pids = [row[0] for row in cursor.fetchall()]
    if pids:
        log.warning("stuck_sessions_terminated", pids=pids)
    return len(pids)


def ask_worker_to_go_on_with_demo_data() -> None:
    """Ask a worker to load or remove demo data, whichever was requested."""
    ask_worker_to_run_job_now("load_demo_data")
    ask_worker_to_run_job_now("remove_demo_data")


def ask_worker_to_run_job_now(name: str) -> None:
    """Ask a worker to run this job now. A broker that fails raises nothing.

    A nudge only saves time: the scheduler and the fallback loop run the job anyway. After a failure
    nudges pause, so that a broker that hangs does not slow down each batch.
    """
    job = BY_NAME[name]
    if time.monotonic() < _nudges["resume_at"]:
        return
    try:
        current_app.send_task(job.task_name, expires=10, retry=False)
    except Exception as error:
        _nudges["resume_at"] = time.monotonic() + NUDGE_COOLDOWN_SECONDS
        log.warning("nudge_failed", job=name, error=type(error).__name__)
