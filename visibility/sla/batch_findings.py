"""What is wrong with the batches of a source (pure): a function of the batches that are stored.

Batches are compared in the order in which they were received, each with those before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from visibility.formatting import count_with_noun, format_number, format_timestamp
from visibility.sla.batch_finding import (
    BatchFinding,
    BatchFindingKind,
    RepeatedFile,
    build_finding,
)
from visibility.sla.batch_numbers import find_doubled, find_out_of_order
from visibility.sla.batch_schedule import (
    SHOWN_FOR,
    ArrivedBatch,
    BatchExpectation,
    ExpectedBatch,
    match_expected_batches,
)

# The usual number of records is the median of so many batches before, of at least a few.
USUAL_OF = 10
USUAL_NEEDS = 3


@dataclass(frozen=True, slots=True)
class BatchHistory:
    """The batches of a source that findings are derived from, `as_of` a moment.

    `batches` and `repeats` begin before the days that findings are about, to compare with.
    `is_complete`: every message that was received is among them.
    """

    expectation: BatchExpectation
    as_of: datetime
    batches: Sequence[ArrivedBatch] = ()
    repeats: Sequence[RepeatedFile] = ()
    is_complete: bool = True
    is_in_maintenance: bool = False
    maintenance_ended_at: datetime | None = None

    def expected_batches(self) -> list[ExpectedBatch]:
        """The expected times of the last days, with what arrived for each."""
        doubled = {f.message_id for f in find_doubled(self.batches, ())}
        arrivals = [batch for batch in self.batches if batch.message_id not in doubled]
        return match_expected_batches(
            self.expectation, arrivals, self.as_of, self.maintenance_ended_at
        )

    def findings(self, kind: BatchFindingKind) -> list[BatchFinding]:
        """The findings of a kind that are still reported, the newest first."""
        if kind is BatchFindingKind.LATE:
            return self._late()
        reported = self.all_findings_of_contents(kind)
        return [finding for finding in reported if finding.at > self.as_of - SHOWN_FOR]

    def all_findings_of_contents(self, kind: BatchFindingKind) -> list[BatchFinding]:
        """The findings of a kind about batches that arrived, the newest first."""
        if kind is BatchFindingKind.EMPTY:
            findings = find_empty(self.batches)
        elif kind is BatchFindingKind.SHORT:
            findings = find_short(self.batches, self.expectation)
        elif kind is BatchFindingKind.DOUBLED:
            findings = find_doubled(self.batches, self.repeats)
        else:
            findings = find_out_of_order(
                self.batches, is_consecutive=self.expectation.is_consecutive
            )
        return sorted(findings, key=lambda finding: (finding.at, finding.key), reverse=True)

    def _late(self) -> list[BatchFinding]:
        if self.is_in_maintenance or not self.is_complete:
            return []
        late = [
            expected
            for expected in self.expected_batches()
            if expected.batch is None and self.as_of > expected.due_at
        ]
        return [_late_finding(each, self.expectation.zone) for each in reversed(late)]


def _late_finding(expected: ExpectedBatch, zone: str) -> BatchFinding:
    at = format_timestamp(expected.expected_at, zone)
    return BatchFinding(
        BatchFindingKind.LATE,
        expected.expected_at.isoformat(),
        expected.due_at,
        "The batch",
        f"that was expected {at} has not arrived",
        expected_at=expected.expected_at,
    )


def find_empty(batches: Iterable[ArrivedBatch]) -> list[BatchFinding]:
    """Return the batches without records."""
    return [
        build_finding(BatchFindingKind.EMPTY, batch, "has no records")
        for batch in batches
        if batch.records == 0
    ]


def find_short(
    batches: Sequence[ArrivedBatch], expectation: BatchExpectation
) -> list[BatchFinding]:
    """Return the batches that contradict their declared count, or have too few records."""
    findings, before = [], list[int]()
    for batch in sorted(batches, key=lambda each: each.order):
        if not batch.records:
            continue
        count = count_with_noun(batch.records, "record")
        usual = median(before[-USUAL_OF:]) if len(before) >= USUAL_NEEDS else 0
        text = ""
        if batch.mismatch:
            text = f"is incomplete: {batch.mismatch}"
        elif batch.records < expectation.least_records:
            least = format_number(expectation.least_records)
            text = f"has {count}, at least {least} are expected"
        elif batch.records * 100 < expectation.least_share * usual:
            share = expectation.least_share
            text = f"has {count}, less than {share}% of the usual {format_number(int(usual))}"
        if text:
            findings.append(build_finding(BatchFindingKind.SHORT, batch, text))
        before.append(batch.records)
    return findings


def is_retry(first_at: datetime, repeated_at: datetime, *, is_file: bool) -> bool:
    """Whether an equal message is a request that its sender repeated, as after a timeout."""
    return not is_file and repeated_at - first_at < timedelta(hours=1)
