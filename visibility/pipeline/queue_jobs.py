"""The job that receives from the queues of sources: one thread for each."""

from collections.abc import Collection

from visibility.db.database_time import database_now
from visibility.ingest import receive_from_queue as receiving
from visibility.ingest.queue_connections import ClaimedQueue, claim_due_queues
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.pipeline.shutdown_flag import stopping
from visibility.storage.published_manifests import refresh_published_manifests


def claim_queues(_running: Collection[ClaimedQueue], free_threads: int) -> list[ClaimedQueue]:
    """Claim the queues that no process consumes, as many as there are free threads."""
    if stopping.is_set():
        return []
    refresh_published_manifests()
    return claim_due_queues(database_now(), limit=free_threads)


def receive_from_queue(claimed: ClaimedQueue) -> None:
    """Consume a queue until its source changes or this process ends."""
    receiving.receive_from_queue(
        claimed,
        clock=database_now,
        should_stop=stopping.is_set,
        after_storing=lambda _: ask_worker_to_run_job_now("process"),
    )
