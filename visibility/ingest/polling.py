"""Run pollers: rows and cursor in one transaction, one poller a source, waiting as told."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from connectors.sdk.connector import Http, Page, PollError
from visibility.ingest import source_secrets
from visibility.ingest.inbox import Arrival, keep
from visibility.models.intake import Cursor, Source

log = logging.getLogger(__name__)
# Advisory locks of two numbers: this one and the source's id.
POLLERS = 4_711


def due(now: datetime) -> list[int]:
    """Ids of the sources whose poll is due."""
    return list(
        Source.objects.filter(enabled=True, next_poll_at__isnull=False, next_poll_at__lte=now)
        .filter(~Q(connector=""))
        .order_by("next_poll_at")
        .values_list("id", flat=True)[:50]
    )


def poll(source_id: int, *, http: Http, now: datetime) -> int:
    """Read everything new from one source; how many messages were new.

    Any failure leaves the cursor where the last whole page was kept, notes the error on the source
    and tries again after the pause the system asked for, or a minute.
    """
    with _alone(source_id) as alone:
        if not alone:
            return 0
        source = Source.objects.get(pk=source_id)
        Source.objects.filter(pk=source_id).update(next_poll_at=now + timedelta(minutes=1))
        kept = 0
        try:
            for page in _pages(source, http, now):
                kept += _store(source, page)
        except (PollError, ConnectionError) as error:
            # The first failure may be a restart: look again soon; then once a minute.
            first = min(source.poll_every.total_seconds(), 60.0)
            usual = 60.0 if source.poll_error else first
            pause = getattr(error, "retry_after", None) or usual
            log.warning("poll failed source=%s error=%s", source.slug, error)
            _plan(source, now + timedelta(seconds=float(pause)), str(error)[:500])
            return kept
        _plan(source, now + source.poll_every, "")
        return kept


def _pages(source: Source, http: Http, now: datetime) -> Iterator[Page]:
    held = source_secrets.current(source_secrets.unseal(source.sealed_secrets), now)
    cursor, _ = Cursor.objects.get_or_create(source=source)
    return source.system().poll(http, cursor.value, held)


def _store(source: Source, page: Page) -> int:
    with transaction.atomic():
        kept = keep([Arrival(source.id, r.dedupe_key, r.headers, r.body) for r in page.records])
        Cursor.objects.filter(source=source).update(value=page.cursor)
    return sum(k.new for k in kept)


def _plan(source: Source, at: datetime, error: str) -> None:
    Source.objects.filter(pk=source.pk).update(next_poll_at=at, poll_error=error)


@contextmanager
def _alone(source_id: int) -> Iterator[bool]:
    """Hold the source's poll lock for the session; PostgreSQL frees it if the process dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [POLLERS, source_id])
        row = cursor.fetchone()
        got = bool(row[0])
    try:
        yield got
    finally:
        if got:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [POLLERS, source_id])
