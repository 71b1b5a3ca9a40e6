"""Record on a source what fails, since when, and when it works again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from connectors.sdk.webhook_and_poll_types import PollError
from visibility.db.change_feed import append_changes
from visibility.ingest import poll_notices
from visibility.ingest.source_secrets import UnreadableSecrets
from visibility.models.sources_and_messages import PollRound, Source, UnusableSource

MAX_ERROR_LENGTH = 500
# The facts of KPIs about polls stay.
POLL_ROUND_RETENTION = timedelta(days=35)
DELETE_BATCH_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class PollResult:
    """How a poll round ended. `error` is empty if it succeeded.

    `throttled_until`: the system asked not to be polled before then. `is_catching_up`: the round
    stopped at its limit. `complete_until`: when a round began that read everything. `new_count`
    messages of `page_count` pages were stored.
    """

    ended_at: datetime
    next_poll_at: datetime
    error: str = ""
    throttled_until: datetime | None = None
    is_catching_up: bool = False
    complete_until: datetime | None = None
    started_at: datetime | None = None
    new_count: int | None = None
    page_count: int | None = None


def describe_poll_failure(error: Exception) -> str:
    """Return a clause that says what failed, for the page of the source."""
    if isinstance(error, UnreadableSecrets):
        return f"{error}: restore that key, or replace the secret (manage.py source rotate)"
    if isinstance(error, PollError | ConnectionError | UnusableSource):
        return str(error) or type(error).__name__
    return f"the connector failed with an internal error ({type(error).__name__}); see the log"


def record_poll_result(source: Source, poll_round: int, result: PollResult) -> None:
    """Record the result, unless a later round has started."""
    with transaction.atomic():
        row = (
            Source.objects.select_for_update(no_key=True)
            .filter(pk=source.pk, poll_round=poll_round)
            .first()
        )
        if row is None:
            return
        before = _failure_fields_to_compare(row)
        row.poll_error = result.error[:MAX_ERROR_LENGTH].replace("\0", "")
        row.throttled_until = result.throttled_until
        if not result.error:
            row.poll_failures = 0
        elif result.throttled_until is None:
            row.poll_failures += 1
        row.next_poll_at = result.next_poll_at
        if not result.error:
            row.next_poll_at = poll_notices.next_poll_after_notice(
                row, ended_at=result.ended_at, next_poll_at=result.next_poll_at
            )
        row.poll_ended_at = result.ended_at
        if not result.is_catching_up and not result.error:
            row.catching_up_since = None
        elif result.is_catching_up and row.catching_up_since is None:
            row.catching_up_since = result.ended_at
        row.polled_until = result.complete_until or row.polled_until
        _update_failure_times(row, now=result.ended_at)
        row.save(
            update_fields=[
                "poll_error",
                "throttled_until",
                "poll_failures",
                "next_poll_at",
                "poll_ended_at",
                "catching_up_since",
                "polled_until",
                "failing_since",
                "recovered_at",
            ]
        )
        PollRound.objects.create(
            source=row,
            ended_at=result.ended_at,
            error=row.poll_error,
            is_throttled=result.throttled_until is not None,
            started_at=result.started_at,
            new_count=result.new_count,
            page_count=result.page_count,
        )
        if _failure_fields_to_compare(row) != before:
            append_changes({"source": [row.pk]})


def delete_old_poll_rounds(*, now: datetime) -> int:
    """Delete polls that ended more than POLL_ROUND_RETENTION ago, in batches; return how many."""
    total, deleted = 0, DELETE_BATCH_SIZE
    while deleted == DELETE_BATCH_SIZE:
        old = PollRound.objects.filter(ended_at__lt=now - POLL_ROUND_RETENTION).order_by("ended_at")
        ids = list(old.values_list("pk", flat=True)[:DELETE_BATCH_SIZE])
        deleted = PollRound.objects.filter(pk__in=ids).delete()[0]
        total += deleted
    return total


def record_file_error(source: Source, error: str, *, now: datetime) -> None:
    """Record why the drop folder cannot be read; empty: it can."""
    error = error[:MAX_ERROR_LENGTH].replace("\0", "")
    # An error stored by an earlier version has no time: it gets that of the next check.
    has_time = Q(file_error="") | Q(failing_since__isnull=False)
    with transaction.atomic():
        row = (
            Source.objects.select_for_update(no_key=True)
            .filter(pk=source.pk)
            .exclude(has_time, file_error=error)
            .first()
        )
        if row is None:
            return
        row.file_error = error
        _update_failure_times(row, now=now)
        row.save(update_fields=["file_error", "failing_since", "recovered_at"])
        append_changes({"source": [row.pk]})


def _update_failure_times(row: Source, *, now: datetime) -> None:
    """Set since when the source fails, or that it works again. Throttling is no failure."""
    fails = bool(row.file_error or (row.poll_error and row.throttled_until is None))
    if fails and (row.failing_since is None or row.recovered_at is not None):
        row.failing_since, row.recovered_at = now, None
    elif not fails and row.failing_since is not None and row.recovered_at is None:
        row.recovered_at = now


def _failure_fields_to_compare(row: Source) -> tuple[object, ...]:
    return (
        row.poll_error,
        row.file_error,
        row.failing_since,
        row.recovered_at,
        row.throttled_until,
        row.catching_up_since,
    )
