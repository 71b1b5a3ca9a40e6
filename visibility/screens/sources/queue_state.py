"""The connection of a source to the queue that it receives from."""

from dataclasses import dataclass
from datetime import datetime

from visibility.ingest.queue_settings import NAME, URL, has_queue, parse_queue_url
from visibility.models.queue_connections import QueueConnection
from visibility.models.sources_and_messages import Source


@dataclass(frozen=True, slots=True)
class QueueStateReport:
    """A queue, and the state of the connection to it.

    `broker`: its host and port. `connected_at` is None while it is not connected. `waiting_count`:
    how many messages waited at the broker at `counted_at`; None if it does not tell.
    """

    broker: str
    name: str
    connected_at: datetime | None
    last_message_at: datetime | None
    waiting_count: int | None
    counted_at: datetime | None
    reconnect_count: int
    paused_reason: str
    error: str


def load_queue_state(source: Source, now: datetime) -> QueueStateReport | None:
    """Return the state of the queue of a source; None if it has none. Runs one statement."""
    config = source.config_or_empty_if_invalid
    if not has_queue(config):
        return None
    try:
        broker = parse_queue_url(str(config[URL])).host_and_port
    except ValueError:
        broker = str(config[URL])
    row = QueueConnection.objects.filter(pk=source.pk).first()
    row = row or QueueConnection(source=source)
    # A process that died no longer renews its lease.
    is_consumed = source.enabled and row.due_at is not None and row.due_at > now
    return QueueStateReport(
        broker=broker,
        name=str(config.get(NAME, "")),
        connected_at=row.connected_at if is_consumed else None,
        last_message_at=row.last_message_at,
        waiting_count=row.waiting_count,
        counted_at=row.counted_at if row.waiting_count is not None else None,
        reconnect_count=max(row.connection_count - 1, 0),
        paused_reason=row.paused_reason if is_consumed else "",
        error=source.queue_error,
    )
