"""Alert when a batch has fewer records than expected, or than it declares."""

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
class BatchShortParams:
    """The rule has no parameters: what is expected is a setting of each source."""


class BatchShort(SourceRule):
    """A batch must have the records that it declares and that the source expects.

    The declared counts are those of a header or trailer, and of X12 and EDIFACT envelopes.
    """

    code: ClassVar[str] = "batch_short"
    title: ClassVar[str] = "Short batch"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = BatchShortParams
    sentence_template: ClassVar[str] = (
        "Alert when a batch has fewer records than expected, or another number than it declares."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "The file was cut off or the export was incomplete. Orders lack the records that are "
        "missing."
    )
    response: ClassVar[str] = (
        "Compare the file with the sender's. If records are missing, let the sender send it "
        "completely."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.INVENTORY_DISTORTION,
        Consequence.MANUAL_WORK,
    )

    def conditions(
        self, source: SourceSnapshot, params: BatchShortParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per batch with too few records."""
        return conditions_of_findings(source, BatchFindingKind.SHORT)

    def condition_end(
        self, source: SourceSnapshot, params: BatchShortParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the batch is older than is reported."""
        return end_of_finding(source, BatchFindingKind.SHORT, subject_key)

    def may_reopen(self, resolution: str) -> bool:
        """A batch stays as it is, so an alert that a person resolved stays closed."""
        return False

    def alert_title(self, params: BatchShortParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} is short"
