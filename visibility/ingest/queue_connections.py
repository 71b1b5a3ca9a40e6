"""Who consumes the queue of a source, and the state of its connection."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from visibility.db.change_feed import append_changes
from visibility.ingest.queue_settings import has_queue
from visibility.ingest.source_failures import record_queue_error
from visibility.models.queue_connections import QueueConnection
from visibility.models.sources_and_messages import Source

# A session renews its lease while it consumes. If its process dies, another one starts after this.
LEASE = timedelta(seconds=10)
RENEW_SECONDS = 3.0
# The first failure may be a restart of the broker, so the pause grows from attempt to attempt.
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=3), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ClaimedQueue:
    """A session that this process may open."""

    source_id: int
    session: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """What a session reports with each renewal of its lease."""

    waiting_count: int | None = None
    paused_reason: str = ""


class SessionSuperseded(RuntimeError):
    """Another session has started, or the source has changed or was disabled: end this one."""


def set_up_queue_connection(source: Source, *, now: datetime) -> None:
    """Let a new session start with the settings of now; a running one ends. In a transaction."""
    config = source.config_or_empty_if_invalid
    if not has_queue(config):
        # The row stays, so that a session that still runs has a number of its own.
        QueueConnection.objects.filter(pk=source.pk).update(
            due_at=None, session=F("session") + 1, connected_at=None
        )
    elif not QueueConnection.objects.filter(pk=source.pk).update(
        due_at=now,
        session=F("session") + 1,
        connected_at=None,
        connection_count=0,
        waiting_count=None,
        counted_at=None,
        paused_reason="",
    ):
        QueueConnection.objects.create(source=source, due_at=now)
    record_queue_error(source.pk, "", now=now)


def claim_due_queues(now: datetime, *, limit: int) -> list[ClaimedQueue]:
    """Claim queues that no process consumes."""
    if limit <= 0:
        return []
    with transaction.atomic():
        rows = (
            QueueConnection.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
            .filter(source__enabled=True, due_at__lte=now)
            .order_by("due_at", "pk")
            .values_list("pk", "session")[:limit]
        )
        claimed = [ClaimedQueue(pk, number + 1) for pk, number in rows]
        QueueConnection.objects.filter(pk__in=[c.source_id for c in claimed]).update(
            due_at=now + LEASE, session=F("session") + 1, connected_at=None
        )
    return claimed


def record_connected(claimed: ClaimedQueue, *, now: datetime) -> None:
    """Record that the session is connected. Raises SessionSuperseded."""
    with transaction.atomic():
        # First the source, then its connection, as when settings are changed.
        record_queue_error(claimed.source_id, "", now=now)
        _update_or_raise(
            claimed,
            due_at=now + LEASE,
            connected_at=now,
            connection_count=F("connection_count") + 1,
        )
        append_changes({"source": [claimed.source_id]})


def renew_lease(claimed: ClaimedQueue, state: QueueState, *, now: datetime) -> None:
    """Renew the lease, and record the state. Raises SessionSuperseded."""
    counted = {} if state.waiting_count is None else {"counted_at": now}
    _update_or_raise(
        claimed,
        due_at=now + LEASE,
        waiting_count=state.waiting_count,
        paused_reason=state.paused_reason,
        **counted,
    )


def renew_lease_with_messages(claimed: ClaimedQueue, *, now: datetime) -> None:
    """Renew the lease in the transaction that stores messages. Raises SessionSuperseded."""
    _update_or_raise(claimed, due_at=now + LEASE, last_message_at=now)


def end_session(claimed: ClaimedQueue, error: str, *, now: datetime) -> None:
    """Let another session start: at once, or after a pause if this one failed."""
    with transaction.atomic():
        source = Source.objects.select_for_update(no_key=True).get(pk=claimed.source_id)
        pause = _retry_pause(source, now) if error else timedelta()
        if not QueueConnection.objects.filter(pk=claimed.source_id, session=claimed.session).update(
            due_at=now + pause, connected_at=None, paused_reason=""
        ):
            return
        if error:
            record_queue_error(claimed.source_id, error, now=now)
        append_changes({"source": [claimed.source_id]})


def _retry_pause(source: Source, now: datetime) -> timedelta:
    """As long as it has failed already, within limits, with jitter."""
    failed_for = timedelta()
    if source.queue_error and source.failing_since is not None:
        failed_for = now - source.failing_since
    pause = min(max(failed_for, FIRST_RETRY), LONGEST_RETRY)
    return pause * random.uniform(0.9, 1.1)  # noqa: S311  # jitter


def _update_or_raise(claimed: ClaimedQueue, **values: object) -> None:
    updated = QueueConnection.objects.filter(
        pk=claimed.source_id, session=claimed.session, source__enabled=True
    ).update(**values)
    if not updated:
        raise SessionSuperseded
