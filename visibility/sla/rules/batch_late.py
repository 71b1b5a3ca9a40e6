"""Alert when a batch of a source has not arrived by its time."""

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
class BatchLateParams:
    """The rule has no parameters: what is expected is a setting of each source."""


class BatchLate(SourceRule):
    """A source with a schedule must send a batch by each expected time and its tolerance.

    The alert closes when the batch arrives. Holidays of the calendar expect none.
    """

    code: ClassVar[str] = "batch_late"
    title: ClassVar[str] = "Late batch"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = BatchLateParams
    sentence_template: ClassVar[str] = (
        "Alert when no batch of a source has arrived by its expected time and tolerance."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "The file or job did not run or was not transferred. Orders lack what it would have "
        "reported."
    )
    response: ClassVar[str] = (
        "Check whether the job ran, and whether its file was transferred. Let the sender send "
        "it, or resolve the alert if none will come."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )

    def conditions(
        self, source: SourceSnapshot, params: BatchLateParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per expected time without a batch."""
        return conditions_of_findings(source, BatchFindingKind.LATE)

    def condition_end(
        self, source: SourceSnapshot, params: BatchLateParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the batch arrived, or that it is not expected any more."""
        return end_of_finding(source, BatchFindingKind.LATE, subject_key)

    def may_reopen(self, resolution: str) -> bool:
        """A batch stays as it is, so an alert that a person resolved stays closed."""
        return False

    def alert_title(self, params: BatchLateParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} is late"
