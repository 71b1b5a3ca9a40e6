"""Test the connection of a source to its queue, and take no message."""

from dataclasses import dataclass

from visibility.db.release_connection import close_connection_outside_transaction
from visibility.ingest.queue_settings import has_queue
from visibility.ingest.receive_from_queue import describe_queue_failure, queue_options_of_source
from visibility.models.sources_and_messages import Source


@dataclass(frozen=True, slots=True)
class QueueTrial:
    """What the broker answered. `error`: why there is no connection; empty if there is one.

    `waiting_count`: how many messages wait in the queue; None if the broker does not tell.
    """

    waiting_count: int | None = None
    error: str = ""


def try_queue(source: Source) -> QueueTrial:
    """Connect to the broker with the stored settings, and ask for the queue."""
    if not has_queue(source.config_or_empty_if_invalid):
        return QueueTrial(error="this source receives from no queue: set queue.url first")
    try:
        transport, options = queue_options_of_source(source)
        close_connection_outside_transaction()
        return QueueTrial(transport.test(options))
    except Exception as error:  # shown to the person who tests
        return QueueTrial(error=describe_queue_failure(error))
