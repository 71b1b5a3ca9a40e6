"""The base class of the rules about batches: findings as conditions, and how these end (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from visibility.formatting import format_timestamp
from visibility.sla.batch_finding import BatchFindingKind
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.batch_schedule import SHOWN_FOR
from visibility.sla.rule import (
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot

NO_SCHEDULE = "The source has no schedule of batches any more."
TOO_OLD = f"It is longer ago than {SHOWN_FOR.days} days."
ARRIVED = "The missing batches arrived."
NOT_EXPECTED = "No batch is expected for this time any more."


@dataclass(frozen=True)
class BatchRuleParams:
    """The rules have no parameters: what is expected is a setting of each source."""


class BatchRule(SourceRule):
    """A rule about one kind of finding, whose code is that of the rule."""

    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = BatchRuleParams
    team: ClassVar[str] = "Integration"

    def conditions(
        self, source: SourceSnapshot, params: BatchRuleParams
    ) -> Iterable[SourceCondition]:
        """Return a condition for each finding, the newest first."""
        if source.batches is None:
            return
        for finding in source.batches.findings(BatchFindingKind(self.code)):
            yield SourceCondition(
                started_at=finding.expected_at or finding.at,
                due_at=finding.at,
                subject_key=finding.key,
                subject=source.title,
                title=finding.title(source.title),
            )

    def condition_end(
        self, source: SourceSnapshot, params: BatchRuleParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return how a finding that is not returned any more ended; None while that is unknown."""
        kind, history = BatchFindingKind(self.code), source.batches
        if history is None:
            return SourceConditionEnd(source.as_of, NO_SCHEDULE)
        if not history.is_complete:
            return None
        if kind is BatchFindingKind.LATE:
            return _end_of_late_batch(history, subject_key)
        all_keys = {finding.key for finding in history.all_findings_of_contents(kind)}
        is_settled = kind is BatchFindingKind.OUT_OF_ORDER and subject_key not in all_keys
        return SourceConditionEnd(source.as_of, ARRIVED if is_settled else TOO_OLD)

    def may_reopen(self, resolution: str) -> bool:
        """A batch stays as it is, so an alert that a person resolved stays closed."""
        return False


def _end_of_late_batch(history: BatchHistory, subject_key: str) -> SourceConditionEnd | None:
    if history.is_in_maintenance:
        return None
    expected_at = datetime.fromisoformat(subject_key)
    for expected in history.expected_batches():
        if expected.expected_at == expected_at and expected.batch is not None:
            batch = expected.batch
            at = format_timestamp(batch.received_at, history.expectation.zone)
            return SourceConditionEnd(batch.received_at, f"{batch.name} arrived {at}.")
    if expected_at <= history.as_of - SHOWN_FOR:
        return SourceConditionEnd(history.as_of, TOO_OLD)
    return SourceConditionEnd(history.as_of, NOT_EXPECTED)
