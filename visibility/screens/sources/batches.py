"""The batches of a source: what was expected, what arrived, and what is wrong with each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from visibility.models import Source, SourceBatch
from visibility.sla.batch_finding import BatchFinding, BatchFindingKind
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.batch_schedule import ArrivedBatch, next_expected_time
from visibility.sla.load_batches import load_batch_histories

SHOWN = 50


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch that arrived. `expected_at` is known for those of the last days."""

    batch: ArrivedBatch
    findings: Sequence[BatchFinding]
    expected_at: datetime | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class BatchOverview:
    """When batches are expected, and those of the last days that have not arrived."""

    expectation: str
    next_expected_at: datetime | None
    late: Sequence[BatchFinding]


def load_batch_overview(source: Source, now: datetime) -> BatchOverview | None:
    """Return what is expected of a source; None if it has no schedule, or none yet."""
    history = load_batch_histories([source.pk], now).get(source.pk)
    if history is None:
        return None
    return BatchOverview(
        history.expectation.describe(),
        next_expected_time(history.expectation, history.batches, now),
        history.findings(BatchFindingKind.LATE),
    )


def load_batch_rows(
    source: Source, now: datetime, limit: int, before: tuple[datetime, int] | None = None
) -> list[BatchRow]:
    """Return so many batches, the newest first, or those received before a time and message."""
    loaded = load_batch_histories([source.pk], now, before=before, newest=limit)
    if source.pk not in loaded:
        return []
    history = loaded[source.pk]
    findings: dict[int, list[BatchFinding]] = defaultdict(list)
    for kind in BatchFindingKind:
        if kind is not BatchFindingKind.LATE:
            for finding in history.all_findings_of_contents(kind):
                if finding.message_id is not None:
                    findings[finding.message_id].append(finding)
    expected = _expected_times_by_message(source, history, now, is_newest=before is None)
    rows = sorted(history.batches, key=lambda batch: batch.order, reverse=True)[:limit]
    return [
        BatchRow(
            batch,
            [_with_other_name(finding, batch) for finding in findings[batch.message_id]],
            *expected.get(batch.message_id, (None, False)),
        )
        for batch in rows
    ]


def _with_other_name(finding: BatchFinding, batch: ArrivedBatch) -> BatchFinding:
    """Name what a finding is about, unless it is the batch of the row: a copy, missing batches."""
    if finding.name == batch.name:
        return finding
    return replace(finding, text=f"{finding.name} {finding.text}")


def position_before_message(source: Source, message_id: int) -> tuple[datetime, int] | None:
    """Return the position of a batch in the list; None if there is no such batch."""
    row = SourceBatch.objects.filter(source=source, message_id=message_id).first()
    return (row.received_at, row.message_id) if row else None


def _expected_times_by_message(
    source: Source, history: BatchHistory, now: datetime, *, is_newest: bool
) -> dict[int, tuple[datetime, bool]]:
    """The expected time of each batch of the last days, and whether it came too late for it."""
    recent = history if is_newest else load_batch_histories([source.pk], now).get(source.pk)
    if recent is None:
        return {}
    return {
        expected.batch.message_id: (
            expected.expected_at,
            expected.batch.received_at > expected.due_at,
        )
        for expected in recent.expected_batches()
        if expected.batch is not None
    }
