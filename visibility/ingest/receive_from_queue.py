"""Receive messages from the queue of a source: store them, and only then acknowledge them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from structlog.stdlib import get_logger

from connectors.sdk.connector import Connector
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from visibility.db.release_connection import close_connection_outside_transaction
from visibility.ingest import full_disk, source_secrets
from visibility.ingest.decompress_gzip import decompressed_size
from visibility.ingest.insert_messages import InboxUnavailable, IncomingMessage, store_messages
from visibility.ingest.message_of_request import QUEUE_HEADER, build_message_to_store
from visibility.ingest.queue_connections import (
    RENEW_SECONDS,
    ClaimedQueue,
    QueueState,
    SessionSuperseded,
    end_session,
    record_connected,
    renew_lease,
    renew_lease_with_messages,
)
from visibility.ingest.queue_settings import build_queue_options
from visibility.ingest.source_secrets import UnreadableSecrets
from visibility.ingest.transport import QueueMessage, QueueOptions, QueueSession, Transport
from visibility.ingest.unstored_requests import (
    OF_QUEUE,
    ReceivedRequest,
    store_unstored_requests,
)
from visibility.models.sources_and_messages import Source, UnusableSource

log = get_logger(__name__)
# How long a session waits for a message before it looks whether it must end.
WAIT_SECONDS = 0.5
# An outage of the database is logged so often.
LOG_SECONDS = 5.0
# While so many messages wait for the pipeline, the others stay at the broker.
MAX_WAITING = 20_000
COUNT_WAITING = """
SELECT count(*) FROM (
    SELECT FROM visibility_inbound_message WHERE state = 'waiting' LIMIT %s
) AS waiting
"""


class _Refused(ValueError):
    """The message can never be stored; the text says why."""


@dataclass(slots=True)
class _Consumer:
    """A running session. `received`: messages that are not stored yet. `label`: of the queue."""

    claimed: ClaimedQueue
    session: QueueSession
    connector: Connector
    clock: Callable[[], datetime]
    after_storing: Callable[[int], object]
    label: str
    received: list[QueueMessage] = field(default_factory=list)
    state: QueueState = field(default_factory=QueueState)
    renewed_at: float = float("-inf")
    logged_at: float = float("-inf")


def receive_from_queue(
    claimed: ClaimedQueue,
    *,
    clock: Callable[[], datetime],
    should_stop: Callable[[], bool] = lambda: False,
    after_storing: Callable[[int], object] = lambda _: None,
) -> None:
    """Consume the queue of a source until it changes, its connection fails, or `should_stop`.

    `clock`: the time of the database. `after_storing` gets the number of new messages of each
    batch. A failure of the connection is recorded on the source. A failure of the database is not:
    the messages stay unacknowledged until it works again.
    """
    source = Source.objects.filter(pk=claimed.source_id, enabled=True).first()
    if source is None:
        return
    session: QueueSession | None = None
    error = ""
    try:
        transport, options = queue_options_of_source(source)
        close_connection_outside_transaction()
        session = transport.open(options)
        record_connected(claimed, now=clock())
        label, connector = f"{transport.title} {options.queue}", _build_connector(source)
        consumer = _Consumer(claimed, session, connector, clock, after_storing, label)
        while not should_stop():
            _consume_once(consumer)
    except SessionSuperseded:
        log.info("queue_session_ended", source=source.slug)
        return
    except Exception as caught:  # recorded on the source; the others go on
        error = describe_queue_failure(caught)
        log.warning("queue_failed", source=source.slug, error=error, exc_info=_defect(caught))
    finally:
        if session is not None:
            session.close()
    end_session(claimed, error, now=clock())


def describe_queue_failure(error: Exception) -> str:
    """Return a clause that says what failed, for the page of the source."""
    if isinstance(error, UnreadableSecrets):
        return f"{error}: restore that key, or enter the password of the broker again"
    if isinstance(error, ConnectionError | UnusableSource | ValueError):
        return str(error) or type(error).__name__
    return f"receiving failed with an internal error ({type(error).__name__}); see the log"


def _defect(error: Exception) -> Exception | None:
    """The error, if only its traceback explains it."""
    return None if isinstance(error, ConnectionError | UnusableSource | ValueError) else error


def queue_options_of_source(source: Source) -> tuple[Transport, QueueOptions]:
    """Return how to receive from the queue of a source. Raises UnreadableSecrets and ValueError."""
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    config = {
        **source.config_or_empty_if_invalid,
        **source_secrets.secret_setting_values_by_name(sealed),
    }
    return build_queue_options(source.slug, config)


def _build_connector(source: Source) -> Connector:
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    return source.build_connector(source_secrets.secret_setting_values_by_name(sealed))


def _consume_once(consumer: _Consumer) -> None:
    """Receive for a moment, store what came, acknowledge it, and renew the lease.

    While the database fails or is full, nothing is lost: messages wait here, within the limit of
    the transport, and at the broker.
    """
    if consumer.received:
        consumer.session.wait(WAIT_SECONDS)
    else:
        consumer.received += consumer.session.receive(WAIT_SECONDS)
    try:
        if time.monotonic() - consumer.renewed_at >= RENEW_SECONDS:
            _renew(consumer)
        if consumer.received and not consumer.state.paused_reason:
            _store_and_acknowledge(consumer)
    except (OperationalError, InterfaceError, InboxUnavailable) as error:
        if time.monotonic() - consumer.logged_at > LOG_SECONDS:
            log.warning("queue_messages_not_stored", error=type(error).__name__)
            consumer.logged_at = time.monotonic()
    finally:
        close_connection_outside_transaction()


def _renew(consumer: _Consumer) -> None:
    """Renew the lease. The manifest of the connector may have changed meanwhile."""
    consumer.state = QueueState(consumer.session.waiting_count(), _reason_to_pause())
    renew_lease(consumer.claimed, consumer.state, now=consumer.clock())
    consumer.connector = _build_connector(Source.objects.get(pk=consumer.claimed.source_id))
    consumer.renewed_at = time.monotonic()


def _reason_to_pause() -> str:
    if full_disk.is_database_disk_full():
        return "the disk of the database is full"
    with connection.cursor() as cursor:
        cursor.execute(COUNT_WAITING, [MAX_WAITING])
        (count,) = cursor.fetchone() or (0,)
    if count >= MAX_WAITING:
        return f"{MAX_WAITING:,} messages already wait to be processed"
    return ""


def _store_and_acknowledge(consumer: _Consumer) -> None:
    usable: list[tuple[QueueMessage, IncomingMessage]] = []
    refused: list[tuple[QueueMessage, _Refused]] = []
    for message in consumer.received:
        try:
            usable.append((message, _build_message(consumer, message)))
        except _Refused as error:
            refused.append((message, error))
    new_count = 0
    try:
        new_count = _store(consumer, [built for _, built in usable])
    except (OperationalError, InterfaceError):
        raise
    except (DatabaseError, ValueError):
        # One message has content that the database refuses: it must not stop the others.
        stored = []
        for message, built in usable:
            try:
                new_count += _store(consumer, [built])
                stored.append((message, built))
            except (OperationalError, InterfaceError):
                raise
            except (DatabaseError, ValueError) as error:
                reason = f"the database refuses its content ({type(error).__name__})"
                refused.append((message, _Refused(reason)))
        usable = stored
    _record_refused(consumer, refused)
    consumer.received.clear()
    consumer.session.acknowledge([message for message, _ in usable])
    for message, _ in refused:
        consumer.session.reject(message)
    if new_count:
        consumer.after_storing(new_count)


def _store(consumer: _Consumer, messages: Sequence[IncomingMessage]) -> int:
    """Store and commit messages, if this session is the newest; return how many are new."""
    with transaction.atomic():
        renew_lease_with_messages(consumer.claimed, now=consumer.clock())
        results = store_messages(messages)
    return sum(result.is_new for result in results)


def _build_message(consumer: _Consumer, message: QueueMessage) -> IncomingMessage:
    """Return the message to store. Raises _Refused."""
    connector = consumer.connector
    limit = settings.MAX_FILE_BODY if connector.accepts_files else settings.MAX_BODY
    if message.error:
        raise _Refused(message.error)
    if not message.body:
        raise _Refused("it has no body")
    if len(message.body) > limit:
        raise _Refused(f"it has {len(message.body):,} bytes; the limit is {limit:,}")
    if decompressed_size(message.body, message.headers) >= settings.MAX_INFLATED:
        reason = f"its body inflates beyond {settings.MAX_INFLATED:,} bytes"
        raise _Refused(reason)
    request = WebhookRequest("POST", "", {}, message.headers, message.body)
    try:
        key = connector.dedupe_key(request)
    except Exception:  # the message is stored, and parked with the same failure
        key = ""
    try:
        built = build_message_to_store(consumer.claimed.source_id, connector, key, request)
    except Exception as error:  # its secrets could not be masked
        log.warning("queue_message_refused", source=connector.source_slug, exc_info=error)
        raise _Refused(f"the connector failed ({type(error).__name__})") from None
    headers = {**built.headers, QUEUE_HEADER: consumer.label}
    if key or not message.identity:
        return replace(built, headers=headers)
    # A second delivery has the same identity; equal bodies of two messages have different ones.
    identity = f"{message.identity} {built.content_hash}"
    return replace(built, dedupe_key=identity, headers=headers)


def _record_refused(consumer: _Consumer, refused: Sequence[tuple[QueueMessage, _Refused]]) -> None:
    """List refused messages on the page of the source."""
    if not refused:
        return
    now = consumer.clock()
    store_unstored_requests(
        [
            ReceivedRequest(
                consumer.claimed.source_id, now, OF_QUEUE, str(error), len(message.body)
            )
            for message, error in refused
        ]
    )
