"""Poll sources: one round per source at a time, rows and cursor stored in one transaction.

A round reads pages until the system has no more, or until it reaches a limit. It holds no database
connection while it waits for a response.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F, Q
from structlog.stdlib import get_logger

from connectors.sdk.sql_rows import ReadRows
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    OpenPackage,
    PollContext,
    PolledPage,
    PollError,
)
from visibility.db.release_connection import close_connection_outside_transaction
from visibility.ingest import source_secrets
from visibility.ingest.access_tokens import ACCESS_TOKENS
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.limited_requests import LimitedRequests
from visibility.ingest.outgoing_requests import OutgoingRequestLog, store_outgoing_requests
from visibility.ingest.poll_results import build_poll_result, log_failure
from visibility.ingest.renewed_secrets import store_renewed_secrets
from visibility.ingest.sftp_files import read_sftp_folder
from visibility.ingest.source_failures import record_poll_result
from visibility.models.sources_and_messages import Cursor, Source
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget
from visibility.outbound.sql_rows import DatabaseRows
from visibility.sla.poll_limits import quiet_until
from visibility.storage.notices_for_pollers import load_notices
from visibility.storage.undelivered_packages_for_pollers import load_open_packages

log = get_logger(__name__)
# A round ends after so many pages or seconds. The next one continues where it stopped.
MAX_PAGES = 100
ROUND_SECONDS = 60.0
# One page may take so long and need so many requests, such as those for a token and for details.
PAGE_SECONDS = 60.0
PAGE_REQUESTS = 100
# Each page renews the lease of its round. Another round starts when it ends: longer than a page.
LEASE = timedelta(seconds=90)
# A page that waits for its request limit renews the lease when it is so old.
LEASE_RENEWAL_SECONDS = 20.0
# Failing sources, and those that always have more, wait longer for a thread than the others.
IS_SLOW = ~Q(poll_error="") | Q(catching_up_since__isnull=False)


@dataclass(frozen=True, slots=True)
class ClaimedPoll:
    """A poll round that this process may run. `is_slow`: the last round failed or had no end."""

    source_id: int
    round: int
    is_slow: bool


class RoundSuperseded(RuntimeError):
    """A later round of the source has started, because this one did not renew its lease."""


@dataclass(slots=True)
class _PollRoundProgress:
    new_count: int = 0
    pages: int = 0
    first_cursor: str = ""
    cursor: str = ""


class _LeaseRenewal:
    """Renews the lease of a round whose page waits for its request limit."""

    def __init__(self, claimed: ClaimedPoll, now: datetime) -> None:
        self._claimed, self._now = claimed, now
        self._start = self._renewed = time.monotonic()

    def __call__(self) -> None:
        """Renew it if it is old. Raises RoundSuperseded."""
        at = time.monotonic()
        if at - self._renewed < LEASE_RENEWAL_SECONDS:
            return
        self._renewed = at
        _renew_lease(self._claimed, self._now + timedelta(seconds=at - self._start) + LEASE)
        close_connection_outside_transaction()


def _renew_lease(claimed: ClaimedPoll, lease_ends: datetime) -> None:
    if not Source.objects.filter(pk=claimed.source_id, poll_round=claimed.round).update(
        next_poll_at=lease_ends
    ):
        raise RoundSuperseded


def claim_due_polls(now: datetime, *, limit: int, slow_limit: int) -> list[ClaimedPoll]:
    """Claim sources whose poll is due, at most `slow_limit` of them slow ones."""
    claimed = _claim_due_sources_matching(~IS_SLOW, is_slow=False, limit=limit, now=now)
    slow_limit = min(slow_limit, limit - len(claimed))
    return claimed + _claim_due_sources_matching(IS_SLOW, is_slow=True, limit=slow_limit, now=now)


def _claim_due_sources_matching(
    condition: Q, *, is_slow: bool, limit: int, now: datetime
) -> list[ClaimedPoll]:
    if limit <= 0:
        return []
    with transaction.atomic():
        rows = (
            Source.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(condition, ~Q(connector=""), enabled=True, next_poll_at__lte=now)
            .order_by("next_poll_at", "pk")
            .values_list("pk", "poll_round")[:limit]
        )
        claimed = [ClaimedPoll(pk, number + 1, is_slow) for pk, number in rows]
        Source.objects.filter(pk__in=[c.source_id for c in claimed]).update(
            next_poll_at=now + LEASE, poll_round=F("poll_round") + 1, poll_started_at=now
        )
    return claimed


def poll_source(
    claimed: ClaimedPoll,
    *,
    now: datetime,
    should_stop: Callable[[], bool] = lambda: False,
    open_client: Callable[[RequestBudget], HttpClient] = OutgoingHttpClient,
) -> int:
    """Read what is new from one source. Return the number of new messages.

    After a failure the cursor is at the last page that was stored completely. Any failure but one
    of the database is recorded on the source. The next poll follows after the pause that the system
    asked for, or after a minute.
    """
    started = time.monotonic()
    source = Source.objects.filter(pk=claimed.source_id, poll_round=claimed.round).first()
    if source is None or not source.enabled:
        return 0
    if until := quiet_until(source.config_or_empty_if_invalid, now):
        Source.objects.filter(pk=source.pk, poll_round=claimed.round).update(
            next_poll_at=until, poll_ended_at=now
        )
        return 0
    limited = LimitedRequests(source, now, _LeaseRenewal(claimed, now))
    progress, requests = _PollRoundProgress(), OutgoingRequestLog(now)
    error: Exception | None = None
    is_complete = False
    rows = DatabaseRows()
    try:
        is_complete = _store_pages_until_end_or_limit(
            source,
            claimed,
            progress,
            now=now,
            should_stop=should_stop,
            open_client=lambda budget: limited.limit(requests.record(open_client(budget)), budget),
            open_rows=lambda budget: limited.limit_rows(rows.read, budget),
        )
    except RoundSuperseded:
        log.warning("poll_round_superseded", source=source.slug)
        return progress.new_count
    except (OperationalError, InterfaceError):
        raise  # the database failed: the lease ends, and another round starts
    except Exception as caught:  # recorded on the source; the others go on
        error = caught
        log_failure(source, caught)
    finally:
        rows.close()
    ended_at = now + timedelta(seconds=time.monotonic() - started)
    result = build_poll_result(source, error, ended_at, complete_until=now if is_complete else None)
    result = replace(
        result, started_at=now, new_count=progress.new_count, page_count=progress.pages
    )
    record_poll_result(source, claimed.round, result)
    store_outgoing_requests(source, requests)
    limited.store_remaining_count()
    return progress.new_count


def _store_pages_until_end_or_limit(
    source: Source,
    claimed: ClaimedPoll,
    progress: _PollRoundProgress,
    *,
    now: datetime,
    should_stop: Callable[[], bool],
    open_client: Callable[[RequestBudget], HttpClient],
    open_rows: Callable[[RequestBudget], ReadRows],
) -> bool:
    """Store pages until there are no more (True) or a limit is reached (False)."""
    started = time.monotonic()
    budget = RequestBudget(seconds=PAGE_SECONDS, requests=PAGE_REQUESTS)
    stored_cursor, _ = Cursor.objects.get_or_create(source=source)
    progress.first_cursor = progress.cursor = stored_cursor.value
    pages = build_connector_and_poll_pages(
        source, open_client(budget), open_rows(budget), stored_cursor.value, now
    )
    close_old_connections()
    with closing_pages(pages):
        for page in pages:
            elapsed = time.monotonic() - started
            progress.new_count += _store_page_and_cursor(
                claimed, page, lease_ends=now + timedelta(seconds=elapsed) + LEASE
            )
            progress.pages, progress.cursor = progress.pages + 1, page.cursor
            close_old_connections()
            at = now + timedelta(seconds=elapsed)
            if should_stop() or quiet_until(source.config_or_empty_if_invalid, at):
                return False
            if progress.pages >= MAX_PAGES or elapsed >= ROUND_SECONDS:
                _raise_if_cursor_did_not_advance(progress)
                return False
            budget.renew()
    return True


@contextmanager
def closing_pages(pages: Iterator[PolledPage]) -> Iterator[None]:
    """Close the connection of pages that are not read to their end, whatever happens."""
    try:
        yield
    finally:
        if isinstance(pages, Generator):
            pages.close()


def build_connector_and_poll_pages(
    source: Source,
    http: HttpClient,
    read_rows: ReadRows,
    cursor: str,
    now: datetime,
    *,
    is_trial: bool = False,
) -> Iterator[PolledPage]:
    """Return the pages since the cursor; they are fetched one by one. Raises what polls raise.

    `is_trial`: nothing is stored, so files on an SFTP server stay as they are.
    """
    if source.reads_sftp_folder:
        return read_sftp_folder(source, cursor, now=now, is_trial=is_trial)
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    connector = source.build_connector(source_secrets.secret_setting_values_by_name(sealed))
    packages = partial(_load_packages_and_close_connection, now)
    notices = partial(_load_notices_and_close_connection, source.pk)
    context = PollContext(now, packages, ACCESS_TOKENS, read_rows, notices)
    secrets = source_secrets.unexpired_signing_secrets(sealed, now)
    return connector.poll_with_context(http, cursor, secrets, context)


def _load_packages_and_close_connection(
    now: datetime, carriers: Sequence[str], after: str
) -> list[OpenPackage]:
    """Load the packages that the poller asks about, and release the database connection."""
    packages = load_open_packages(now, carriers=carriers, after=after)
    close_connection_outside_transaction()
    return packages


def _load_notices_and_close_connection(source_id: int, since: datetime) -> list[bytes]:
    notices = load_notices(source_id, since)
    close_connection_outside_transaction()
    return notices


def _raise_if_cursor_did_not_advance(progress: _PollRoundProgress) -> None:
    """Raise PollError if the next round would read the same pages again."""
    if progress.cursor == progress.first_cursor:
        raise PollError(
            f"the system sends pages without end: {progress.pages} of them did not move the cursor"
        )


def _store_page_and_cursor(claimed: ClaimedPoll, page: PolledPage, *, lease_ends: datetime) -> int:
    with transaction.atomic():
        _renew_lease(claimed, lease_ends)
        results = store_messages(
            [
                IncomingMessage(claimed.source_id, r.dedupe_key, r.headers, r.body)
                for r in page.records
            ]
        )
        Cursor.objects.filter(source_id=claimed.source_id).update(value=page.cursor)
        if page.renewed_secrets:
            at = lease_ends - LEASE
            store_renewed_secrets(claimed.source_id, page.renewed_secrets, now=at)
    return sum(k.is_new for k in results)
