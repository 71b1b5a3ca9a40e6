"""The job that runs release checks: reads the messages, folds the orders, stores the result.

One worker of the installation runs them, one after the other. The comparison has a connection of
its own, which never writes; the job writes the progress, and notices that somebody canceled.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet
from structlog.stdlib import get_logger

from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey, try_session_lock
from visibility.ingest.parse_messages_and_pick_versions import ParseOutcome
from visibility.models.release_checks import (
    CHECK_IN_PROGRESS,
    ReleaseCheck,
    ReleaseCheckMessage,
    ReleaseCheckOrder,
    ReleaseCheckState,
)
from visibility.pipeline.shutdown_flag import stopping
from visibility.release_checks.affected_rows import TooManyAffected
from visibility.release_checks.compare_folds import (
    ComparedOrder,
    compare_folds,
    count_tags,
    summarize_kpis,
)
from visibility.release_checks.fold_both_ways import fold_both_ways
from visibility.release_checks.read_messages import (
    Reader,
    ReadingFailed,
    read_in_own_processes,
)
from visibility.release_checks.select_messages import SelectedMessages, select_messages
from visibility.storage.published_manifests import reload_published_manifests

log = get_logger(__name__)
JOB = "run_release_checks"
MAX_ATTEMPTS = 3
PROGRESS_SECONDS = 0.5
READING, FOLDING = "reading", "folding"
TOO_MANY = (
    "The messages are connected with more orders than a check compares. Choose a shorter period."
)


class CheckEnded(RuntimeError):
    """Somebody canceled the check, the worker is shutting down, or another worker has it."""


@dataclass(slots=True)
class Progress:
    """What the comparison reports to the job, and whether it has to end."""

    step: str = READING
    done: int = 0
    total: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def report(self, step: str, done: int, total: int) -> None:
        """Note the progress. Raises CheckEnded."""
        self.step, self.done, self.total = step, done, total
        if self.ended.is_set():
            raise CheckEnded


@dataclass(frozen=True, slots=True)
class ReleaseCheckResult:
    """What a check found."""

    selected: SelectedMessages
    messages: Sequence[ReleaseCheckMessage]
    orders: Sequence[ComparedOrder]
    summary: dict[str, object]


def run_release_checks() -> int:
    """Run all checks that wait or whose worker ended; return how many were attempted."""
    count = 0
    with try_session_lock(LockKey.RELEASE_CHECK) as has_lock:
        while has_lock and not stopping.is_set() and (check := _claim_next_check()):
            _attempt(check)
            count += 1
    return count


def _claim_next_check() -> ReleaseCheck | None:
    """The oldest check in progress, with a new attempt; None if there is none."""
    waiting = ReleaseCheck.objects.filter(state__in=CHECK_IN_PROGRESS).order_by("pk")
    while check := waiting.select_related("source", "manifest").first():
        if check.attempt >= MAX_ATTEMPTS:
            _fail(check, f"It failed {MAX_ATTEMPTS} times. {check.detail}")
        elif _of_attempt(check).update(
            attempt=F("attempt") + 1,
            state=ReleaseCheckState.RUNNING,
            started_at=database_now(),
            step=READING,
            done=0,
            total=0,
        ):
            check.attempt += 1
            return check
    return None


def _of_attempt(check: ReleaseCheck) -> QuerySet[ReleaseCheck]:
    return ReleaseCheck.objects.filter(
        pk=check.pk, attempt=check.attempt, state__in=CHECK_IN_PROGRESS
    )


def _attempt(check: ReleaseCheck) -> None:
    try:
        result = _compare_while_reporting(check)
        _store_result(check, result)
    except CheckEnded:
        if stopping.is_set():
            # A shutdown does not count as an attempt.
            _of_attempt(check).update(state=ReleaseCheckState.WAITING, attempt=F("attempt") - 1)
        log.info("release_check_ended", check=check.pk, attempt=check.attempt)
    except TooManyAffected:
        _fail(check, TOO_MANY)
    except ReadingFailed:
        _fail(check, "The messages could not be read: no process started. Try again later.")
    except Exception as error:  # recorded, and tried again up to MAX_ATTEMPTS times
        log.exception("release_check_failed", check=check.pk, attempt=check.attempt)
        _of_attempt(check).update(detail=f"{type(error).__name__}: {error}"[:400])


def _fail(check: ReleaseCheck, sentence: str) -> None:
    _of_attempt(check).update(
        state=ReleaseCheckState.FAILED, detail=sentence[:500], finished_at=database_now()
    )
    append_changes({"source": [check.source_id]})


def _compare_while_reporting(check: ReleaseCheck) -> ReleaseCheckResult:
    """Compare in a thread, with a new connection. Raises what it raises."""
    reload_published_manifests()
    progress, now = Progress(), database_now()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            copy_context().run, _with_own_connection, lambda: compare(check, progress, now)
        )
        reported = (READING, 0, 0)
        while True:
            with suppress(TimeoutError):
                return future.result(PROGRESS_SECONDS)
            current = (progress.step, progress.done, progress.total)
            is_current = (
                _of_attempt(check).update(step=current[0], done=current[1], total=current[2])
                if current != reported
                else _of_attempt(check).exists()
            )
            if current != reported and is_current:
                append_changes({"source": [check.source_id]})
            reported = current
            if not is_current or stopping.is_set():
                progress.ended.set()


def _with_own_connection(function: Callable[[], ReleaseCheckResult]) -> ReleaseCheckResult:
    try:
        return function()
    finally:
        connection.close()


def compare(check: ReleaseCheck, progress: Progress, now: datetime) -> ReleaseCheckResult:
    """Read the messages, and fold their orders both ways. Writes nothing."""
    selected = select_messages(check)
    messages = [*selected.messages, *selected.others]
    reader = Reader(check.manifest.slug if check.manifest else "", check.text)
    outcomes = read_in_own_processes(
        messages,
        check.source,
        reader,
        lambda done: progress.report(READING, done, len(messages)),
    )
    folds = fold_both_ways(
        messages,
        outcomes,
        {check.source_id: check.source.slug},
        now=now,
        report=lambda done, total: progress.report(FOLDING, done, total),
    )
    orders = list(compare_folds(folds))
    changed = list(_changed_messages(check, selected, outcomes))
    parked = [message.change for message in changed]
    summary = {
        "orders": len(orders),
        "affected": len({*folds.before, *folds.after}),
        "tags": count_tags(orders),
        "kpis": summarize_kpis(folds),
        "failed_kpis": sorted(folds.failed_kpis),
        "newly_parked": parked.count("newly_parked"),
        "newly_read": parked.count("newly_read"),
        "other_reason": parked.count("other_reason"),
    }
    return ReleaseCheckResult(selected, changed, orders, summary)


def _changed_messages(
    check: ReleaseCheck, selected: SelectedMessages, outcomes: Sequence[ParseOutcome]
) -> Iterator[ReleaseCheckMessage]:
    """The messages that would be parked, or no longer, or for another reason."""
    for message, stored, outcome in zip(
        selected.messages, selected.stored, outcomes[: len(selected.messages)], strict=True
    ):
        reason = outcome.reason.value if outcome.reason else ""
        if stored.reason == "conflict" or (stored.reason, stored.detail) == (
            reason,
            outcome.detail * bool(reason),
        ):
            continue
        change = "other_reason" if reason and stored.reason else ""
        change = change or ("newly_parked" if reason else "newly_read")
        yield ReleaseCheckMessage(
            check_run=check,
            message_id=message.id,
            change=change,
            reason_before=stored.reason,
            detail_before=stored.detail[:500],
            reason=reason,
            detail=outcome.detail[:500] * bool(reason),
        )


def _store_result(check: ReleaseCheck, result: ReleaseCheckResult) -> None:
    with transaction.atomic():
        if not _of_attempt(check).update(
            state=ReleaseCheckState.READY,
            detail="",
            finished_at=database_now(),
            available=result.selected.available,
            selected=len(result.selected.messages),
            without_body=result.selected.without_body,
            message_ids=[message.id for message in result.selected.messages],
            summary=result.summary,
        ):
            raise CheckEnded
        ReleaseCheckMessage.objects.bulk_create(result.messages, batch_size=1_000)
        ReleaseCheckOrder.objects.bulk_create(
            [
                ReleaseCheckOrder(
                    check_run=check,
                    position=position,
                    object_id=order.object_id,
                    number=order.number[:200],
                    identity=order.identity[:600],
                    tags=order.tags,
                    differences=[difference.to_json() for difference in order.differences],
                    message_ids=list(order.message_ids),
                )
                for position, order in enumerate(result.orders, 1)
            ],
            batch_size=500,
        )
    append_changes({"source": [check.source_id]})
