"""Poll sources: one round per source at a time, rows and cursor stored in one transaction.

A round reads pages until the system has no more, or until it reaches a limit. It holds no database
connection while it waits for a response.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F, Q
from structlog.stdlib import get_logger

from connectors.sdk.webhook_and_poll_types import (
    TOO_MANY_REQUESTS,
    HttpClient,
    OpenPackage,
    PollContext,
    PolledPage,
    PollError,
    RenewedSecret,
    parse_retry_after,
)
from visibility.db.release_connection import close_connection_outside_transaction
from visibility.ingest import source_secrets
from visibility.ingest.access_tokens import ACCESS_TOKENS
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.outgoing_requests import OutgoingRequestLog, store_outgoing_requests
from visibility.ingest.source_failures import (
    PollResult,
    describe_poll_failure,
    record_poll_result,
)
from visibility.models.sources_and_messages import Cursor, Source, UnusableSource
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget
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
RETRY_SECONDS = 60.0
MIN_INTERVAL, MAX_INTERVAL = timedelta(seconds=1), timedelta(days=30)
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
    progress, requests = _PollRoundProgress(), OutgoingRequestLog(now)
    error: Exception | None = None
    is_complete = False
    try:
        is_complete = _store_pages_until_end_or_limit(
            source,
            claimed,
            progress,
            now=now,
            should_stop=should_stop,
            open_client=lambda budget: requests.record(open_client(budget)),
        )
    except RoundSuperseded:
        log.warning("poll_round_superseded", source=source.slug)
        return progress.new_count
    except (OperationalError, InterfaceError):
        raise  # the database failed: the lease ends, and another round starts
    except Exception as caught:  # recorded on the source; the others go on
        error = caught
        _log_failure(source, caught)
    ended_at = now + timedelta(seconds=time.monotonic() - started)
    result = _build_poll_result(
        source, error, ended_at, complete_until=now if is_complete else None
    )
    result = replace(
        result, started_at=now, new_count=progress.new_count, page_count=progress.pages
    )
    record_poll_result(source, claimed.round, result)
    store_outgoing_requests(source, requests)
    return progress.new_count


def _store_pages_until_end_or_limit(
    source: Source,
    claimed: ClaimedPoll,
    progress: _PollRoundProgress,
    *,
    now: datetime,
    should_stop: Callable[[], bool],
    open_client: Callable[[RequestBudget], HttpClient],
) -> bool:
    """Store pages until there are no more (True) or a limit is reached (False)."""
    started = time.monotonic()
    budget = RequestBudget(seconds=PAGE_SECONDS, requests=PAGE_REQUESTS)
    stored_cursor, _ = Cursor.objects.get_or_create(source=source)
    progress.first_cursor = progress.cursor = stored_cursor.value
    pages = build_connector_and_poll_pages(source, open_client(budget), stored_cursor.value, now)
    close_old_connections()
    for page in pages:
        elapsed = time.monotonic() - started
        progress.new_count += _store_page_and_cursor(
            claimed, page, lease_ends=now + timedelta(seconds=elapsed) + LEASE
        )
        progress.pages, progress.cursor = progress.pages + 1, page.cursor
        close_old_connections()
        if should_stop():
            return False
        if progress.pages >= MAX_PAGES or elapsed >= ROUND_SECONDS:
            _raise_if_cursor_did_not_advance(progress)
            return False
        budget.renew()
    return True


def build_connector_and_poll_pages(
    source: Source, http: HttpClient, cursor: str, now: datetime
) -> Iterator[PolledPage]:
    """Return the pages since the cursor; they are fetched one by one. Raises what polls raise."""
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    connector = source.build_connector(source_secrets.secret_setting_values_by_name(sealed))
    packages = partial(_load_packages_and_close_connection, now)
    context = PollContext(now, packages, ACCESS_TOKENS)
    secrets = source_secrets.unexpired_signing_secrets(sealed, now)
    return connector.poll_with_context(http, cursor, secrets, context)


def _load_packages_and_close_connection(
    now: datetime, carriers: Sequence[str], after: str
) -> list[OpenPackage]:
    """Load the packages that the poller asks about, and release the database connection."""
    packages = load_open_packages(now, carriers=carriers, after=after)
    close_connection_outside_transaction()
    return packages


def _raise_if_cursor_did_not_advance(progress: _PollRoundProgress) -> None:
    """Raise PollError if the next round would read the same pages again."""
    if progress.cursor == progress.first_cursor:
        raise PollError(
            f"the system sends pages without end: {progress.pages} of them did not move the cursor"
        )


def _store_page_and_cursor(claimed: ClaimedPoll, page: PolledPage, *, lease_ends: datetime) -> int:
    with transaction.atomic():
        if not Source.objects.filter(pk=claimed.source_id, poll_round=claimed.round).update(
            next_poll_at=lease_ends
        ):
            raise RoundSuperseded
        results = store_messages(
            [
                IncomingMessage(claimed.source_id, r.dedupe_key, r.headers, r.body)
                for r in page.records
            ]
        )
        Cursor.objects.filter(source_id=claimed.source_id).update(value=page.cursor)
        if page.renewed_secrets:
            store_renewed_secrets(claimed.source_id, page.renewed_secrets)
    return sum(k.is_new for k in results)


def store_renewed_secrets(source_id: int, renewed: Sequence[RenewedSecret]) -> None:
    """Replace values of secret settings, unless a person has changed them since the poll began."""
    row = Source.objects.select_for_update(no_key=True).get(pk=source_id)
    new_values = {(secret.setting, secret.old): secret.new for secret in renewed}
    sealed = [
        replace(secret, value=new_values.get((secret.setting, secret.value), secret.value))
        for secret in source_secrets.decrypt_secrets(row.sealed_secrets)
    ]
    encrypted = source_secrets.encrypt_secrets(sealed, short_allowed=True)
    Source.objects.filter(pk=source_id).update(sealed_secrets=encrypted)


def _build_poll_result(
    source: Source,
    error: Exception | None,
    ended_at: datetime,
    *,
    complete_until: datetime | None,
) -> PollResult:
    if error is None:
        if complete_until is None:
            return PollResult(ended_at, ended_at, is_catching_up=True)
        next_poll_at = ended_at + _poll_interval_within_limits(source)
        return PollResult(ended_at, next_poll_at, complete_until=complete_until)
    text = describe_poll_failure(error)
    wait = parse_retry_after(getattr(error, "retry_after", None), ended_at)
    if wait is not None or getattr(error, "status", None) == TOO_MANY_REQUESTS:
        until = ended_at + (wait or _retry_pause_up_to_about_60_seconds(source))
        return PollResult(ended_at, until, text, throttled_until=until)
    return PollResult(ended_at, ended_at + _retry_pause_up_to_about_60_seconds(source), text)


def _poll_interval_within_limits(source: Source) -> timedelta:
    return min(max(source.poll_every, MIN_INTERVAL), MAX_INTERVAL)


def _retry_pause_up_to_about_60_seconds(source: Source) -> timedelta:
    """The first failure may be a restart, so retry soon; later failures retry every minute."""
    first = min(_poll_interval_within_limits(source).total_seconds(), RETRY_SECONDS)
    seconds = RETRY_SECONDS if source.poll_error else first
    return timedelta(seconds=seconds * random.uniform(1.0, 1.1))  # noqa: S311  # jitter


def _log_failure(source: Source, error: Exception) -> None:
    """Log what an administrator can correct without a traceback, a defect with one."""
    known = (PollError, ConnectionError, UnusableSource, source_secrets.UnreadableSecrets)
    if isinstance(error, known):
        log.warning("poll_failed", source=source.slug, error=str(error)[:500])
    else:
        log.warning("poll_failed", source=source.slug, error=type(error).__name__, exc_info=error)
