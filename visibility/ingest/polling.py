"""Poll sources: one poller per source, rows and cursor stored in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import Q
from structlog.stdlib import get_logger

from connectors.sdk.http import HttpClient, PollContext, PolledPage, PollError
from connectors.sdk.payload import PayloadError
from visibility.db.lock_keys import LockKey
from visibility.ingest import source_secrets
from visibility.ingest.inbox import IncomingMessage, store_messages
from visibility.models.intake import Cursor, Source
from visibility.storage.open_packages import load_open_packages

log = get_logger(__name__)


def due_sources(now: datetime) -> list[int]:
    """Return the ids of at most 50 sources whose poll is due."""
    return list(
        Source.objects.filter(enabled=True, next_poll_at__isnull=False, next_poll_at__lte=now)
        .filter(~Q(connector=""))
        .order_by("next_poll_at")
        .values_list("id", flat=True)[:50]
    )


def poll_source(source_id: int, *, http: HttpClient, now: datetime) -> int:
    """Read everything new from one source. Return the number of new messages.

    After a failure the cursor is at the last page that was stored completely. The error is recorded
    on the source, and the next poll follows after the pause that the system asked for, or 1 minute.
    """
    with _try_poll_lock(source_id) as acquired:
        if not acquired:
            return 0
        source = Source.objects.get(pk=source_id)
        Source.objects.filter(pk=source_id).update(next_poll_at=now + timedelta(minutes=1))
        new_count = 0
        try:
            for page in _poll_pages(source, http, now):
                new_count += _store_page_and_cursor(source, page)
        except (PollError, ConnectionError) as error:
            # The first failure may be a restart, so retry soon; later failures retry every minute.
            first = min(source.poll_every.total_seconds(), 60.0)
            pause_after_failure = 60.0 if source.poll_error else first
            pause = getattr(error, "retry_after", None) or pause_after_failure
            log.warning("poll_failed", source=source.slug, error=str(error))
            _schedule_next_poll(source, now + timedelta(seconds=float(pause)), str(error)[:500])
            return new_count
        _schedule_next_poll(source, now + source.poll_every, "")
        return new_count


def _poll_pages(source: Source, http: HttpClient, now: datetime) -> Iterator[PolledPage]:
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    secrets = source_secrets.valid_secrets(sealed, now)
    cursor, _ = Cursor.objects.get_or_create(source=source)
    try:
        connector = source.build_connector(source_secrets.secret_settings(sealed))
    except PayloadError as error:
        raise PollError(error.detail) from None
    context = PollContext(now, partial(load_open_packages, now))
    return connector.poll_with_context(http, cursor.value, secrets, context)


def _store_page_and_cursor(source: Source, page: PolledPage) -> int:
    with transaction.atomic():
        results = store_messages(
            [IncomingMessage(source.id, r.dedupe_key, r.headers, r.body) for r in page.records]
        )
        Cursor.objects.filter(source=source).update(value=page.cursor)
    return sum(k.is_new for k in results)


def _schedule_next_poll(source: Source, at: datetime, error: str) -> None:
    Source.objects.filter(pk=source.pk).update(next_poll_at=at, poll_error=error)


@contextmanager
def _try_poll_lock(source_id: int) -> Iterator[bool]:
    """Try to take the poll lock of the source. PostgreSQL releases it if the process dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LockKey.POLLER, source_id])
        row = cursor.fetchone()
        acquired = bool(row[0])
    try:
        yield acquired
    finally:
        if acquired:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LockKey.POLLER, source_id])
