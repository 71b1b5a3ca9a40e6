"""When a source is polled next: after its interval, after a pause, or rarely while it fails."""

import random
from datetime import datetime, timedelta

from structlog.stdlib import get_logger

from connectors.sdk.webhook_and_poll_types import (
    TOO_MANY_REQUESTS,
    PollError,
    parse_retry_after,
)
from visibility.ingest import source_secrets
from visibility.ingest.limited_requests import RequestLimitReached
from visibility.ingest.source_failures import PollResult, describe_poll_failure
from visibility.models.sources_and_messages import Source, UnusableSource

log = get_logger(__name__)
RETRY_SECONDS = 60.0
# After so many failures in a row, each pause is twice as long as the last one, up to the maximum.
FAILURES_UNTIL_RARE = 5
MAX_RETRY_SECONDS = 900.0
MIN_INTERVAL, MAX_INTERVAL = timedelta(seconds=1), timedelta(days=30)


def build_poll_result(
    source: Source,
    error: Exception | None,
    ended_at: datetime,
    *,
    complete_until: datetime | None,
) -> PollResult:
    """Return how the round ended, and when the next one is due."""
    if error is None:
        if complete_until is None:
            return PollResult(ended_at, ended_at, is_catching_up=True)
        next_poll_at = ended_at + _poll_interval_within_limits(source)
        return PollResult(ended_at, next_poll_at, complete_until=complete_until)
    text = describe_poll_failure(error)
    if isinstance(error, RequestLimitReached):
        return PollResult(ended_at, error.until, text, throttled_until=error.until)
    wait = parse_retry_after(getattr(error, "retry_after", None), ended_at)
    if wait is not None or getattr(error, "status", None) == TOO_MANY_REQUESTS:
        until = ended_at + (wait or _retry_pause(source))
        return PollResult(ended_at, until, text, throttled_until=until)
    return PollResult(ended_at, ended_at + _retry_pause(source), text)


def _poll_interval_within_limits(source: Source) -> timedelta:
    return min(max(source.poll_every, MIN_INTERVAL), MAX_INTERVAL)


def _retry_pause(source: Source) -> timedelta:
    """The first failure may be a restart, so retry soon, then every minute, and rarely in the end.

    A source with a long interval is tried more often than that while it fails.
    """
    if not source.poll_error:
        seconds = min(_poll_interval_within_limits(source).total_seconds(), RETRY_SECONDS)
    else:
        doublings = max(source.poll_failures - FAILURES_UNTIL_RARE + 1, 0)
        seconds = min(RETRY_SECONDS * 2 ** min(doublings, 10), MAX_RETRY_SECONDS)
    return timedelta(seconds=seconds * random.uniform(1.0, 1.1))  # noqa: S311  # jitter


def log_failure(source: Source, error: Exception) -> None:
    """Log what an administrator can correct without a traceback, a defect with one."""
    known = (PollError, ConnectionError, UnusableSource, source_secrets.UnreadableSecrets)
    if isinstance(error, known):
        log.warning("poll_failed", source=source.slug, error=str(error)[:500])
    else:
        log.warning("poll_failed", source=source.slug, error=type(error).__name__, exc_info=error)
