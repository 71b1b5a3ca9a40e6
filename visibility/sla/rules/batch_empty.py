"""Alert when a batch of a source has no records."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from visibility.sla.batch_finding import BatchFindingKind
from visibility.sla.batch_rules import conditions_of_findings, end_of_finding
from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot


@dataclass(frozen=True)
class BatchEmptyParams:
    """The rule has no parameters: what is expected is a setting of each source."""


class BatchEmpty(SourceRule):
    """A batch must have records: rows, documents or elements."""

    code: ClassVar[str] = "batch_empty"
    title: ClassVar[str] = "Empty batch"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = BatchEmptyParams
    sentence_template: ClassVar[str] = "Alert when a batch of a source has no records."
    severity: ClassVar[str] = "medium"
    meaning: ClassVar[str] = (
        "The job ran, but wrote nothing: its export may have failed, or had nothing to send."
    )
    response: ClassVar[str] = (
        "Ask the sender whether nothing happened. If the export failed, let it be sent with "
        "its records."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )

    def conditions(
        self, source: SourceSnapshot, params: BatchEmptyParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per batch without records."""
        return conditions_of_findings(source, BatchFindingKind.EMPTY)

    def condition_end(
        self, source: SourceSnapshot, params: BatchEmptyParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the batch is older than is reported."""
        return end_of_finding(source, BatchFindingKind.EMPTY, subject_key)

    def may_reopen(self, resolution: str) -> bool:
        """A batch stays as it is, so an alert that a person resolved stays closed."""
        return False

    def alert_title(self, params: BatchEmptyParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} has no records"
