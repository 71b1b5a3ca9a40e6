"""Every background job in one table.

Celery's schedule and routes (`celery.py`), its tasks and the worker's fallback loop (`tasks.py`)
are made from this table. It imports nothing of the application: the scheduler reads it too.
"""

from dataclasses import dataclass

DEFAULT_QUEUE = "throughline"
IMPORT_QUEUE = "master"
# Sources that one worker polls at the same time.
POLL_THREADS = 8
# Queues that one worker consumes at the same time. More need more workers.
QUEUE_THREADS = 32


@dataclass(frozen=True, slots=True)
class Job:
    """A function without arguments that looks for due work in PostgreSQL.

    A process runs a job once at a time. `function`: its dotted path. `every`: seconds between
    runs by the scheduler; None leaves it to the fallback loop. `then`: the job that follows it
    in the same task. `fallback`: the worker runs it by itself while no task arrives.

    A job with `threads` works on many independent items, such as sources, of which none may delay
    the others. `claim` is then a function `(running items, free threads)` that claims due items,
    and `function` takes one item. Each item runs in a thread of its own, at most `threads` at a
    time in a process; the job itself only starts them.
    """

    name: str
    function: str
    every: float | None
    queue: str = DEFAULT_QUEUE
    then: str = ""
    fallback: bool = True
    claim: str = ""
    threads: int = 0

    @property
    def task_name(self) -> str:
        """The name of its Celery task."""
        return f"visibility.{self.name}"


_STAGES = "visibility.pipeline.job_functions"
_RECORDS = "visibility.pipeline.record_and_retention_jobs"
JOBS: tuple[Job, ...] = (
    Job("process", f"{_STAGES}.parse_and_correlate_waiting_messages", every=2, then="refold"),
    Job("refold", f"{_STAGES}.refold_touched_orders_and_update_kpi_cells", every=2),
    Job("measure_records", f"{_RECORDS}.measure_records", every=3),
    Job("sweep", f"{_STAGES}.enqueue_due_refolds_and_update_due_alerts", every=2),
    Job(
        "poll",
        f"{_STAGES}.poll_source",
        every=3,
        claim=f"{_STAGES}.claim_due_polls",
        threads=POLL_THREADS,
    ),
    Job(
        "receive_from_queues",
        "visibility.pipeline.queue_jobs.receive_from_queue",
        every=3,
        claim="visibility.pipeline.queue_jobs.claim_queues",
        threads=QUEUE_THREADS,
    ),
    Job("collect_files", f"{_STAGES}.collect_files", every=3),
    Job("deliver", f"{_STAGES}.deliver_notifications", every=3),
    Job("send_account_mails", f"{_RECORDS}.send_account_mails", every=3),
    Job("end_stuck_sessions", f"{_STAGES}.terminate_sessions_stuck_in_client_write", every=None),
    # A file takes minutes: it has a queue and a thread of its own, so that orders never wait.
    Job(
        "import_master_data",
        "visibility.pipeline.tasks_and_fallback_loop.import_master_data_throttled",
        every=3,
        queue=IMPORT_QUEUE,
    ),
    # Only the scheduler sends it, and it must arrive: that shows that the scheduler works.
    Job(
        "scheduler_heartbeat",
        "visibility.pipeline.heartbeats.record_scheduler_heartbeat",
        every=15,
        fallback=False,
    ),
    Job("delete_old_poll_rounds", f"{_RECORDS}.delete_old_poll_rounds", every=3600, fallback=False),
    Job(
        "delete_old_delivery_attempts",
        f"{_RECORDS}.delete_old_delivery_attempts",
        every=3600,
        fallback=False,
    ),
    Job(
        "delete_old_telemetry",
        f"{_RECORDS}.delete_old_telemetry",
        every=3600,
        queue=IMPORT_QUEUE,
        fallback=False,
    ),
    Job("delete_old_throttles", f"{_RECORDS}.delete_old_throttles", every=3600, fallback=False),
    Job("make_partitions", f"{_RECORDS}.make_partitions", every=3600, fallback=False),
    # These read many rows: they share the queue of the imports, so that orders never wait.
    Job(
        "record_message_fields",
        f"{_RECORDS}.record_message_fields",
        every=60,
        queue=IMPORT_QUEUE,
        fallback=False,
    ),
    Job(
        "move_message_bodies",
        f"{_RECORDS}.move_unmoved_message_bodies",
        every=10,
        queue=IMPORT_QUEUE,
        fallback=False,
    ),
    # In a layer above: an email says what the page for customers shows.
    Job(
        "send_tracking_mails", "visibility.screens.tracking.email_updates.send_due_mails", every=15
    ),
    # They take minutes, and nothing waits for them. The first is in a layer above.
    Job(
        "load_demo_data",
        "visibility.management.load_demo_data.load_demo_data",
        every=3,
        queue=IMPORT_QUEUE,
    ),
    Job(
        "remove_demo_data",
        "visibility.pipeline.remove_demo_data.remove_demo_data",
        every=3,
        queue=IMPORT_QUEUE,
    ),
    # Of lists with more rows than a direct download has. Both are in a layer above.
    Job(
        "write_background_exports",
        "visibility.export.background_exports.write_background_exports",
        every=3,
        queue=IMPORT_QUEUE,
    ),
    # A layer above. It may take minutes.
    Job(
        "run_release_checks",
        "visibility.release_checks.run_checks.run_release_checks",
        every=3,
        queue=IMPORT_QUEUE,
    ),
    Job(
        "delete_old_release_checks",
        "visibility.release_checks.requests.delete_old_release_checks",
        every=3600,
        queue=IMPORT_QUEUE,
        fallback=False,
    ),
    Job(
        "delete_expired_exports",
        "visibility.export.background_exports.delete_expired_exports",
        every=3600,
        queue=IMPORT_QUEUE,
        fallback=False,
    ),
    Job(
        "remove_message_bodies",
        f"{_RECORDS}.check_and_remove_old_message_bodies",
        every=3600,
        queue=IMPORT_QUEUE,
        fallback=False,
    ),
)
BY_NAME = {job.name: job for job in JOBS}
