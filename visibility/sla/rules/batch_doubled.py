"""Alert when a batch has the content or the number of an earlier one."""

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
class BatchDoubledParams:
    """The rule has no parameters: what is expected is a setting of each source."""


class BatchDoubled(SourceRule):
    """Each batch must have its own content and number.

    Equal content is never read a second time, so it doubles no order.
    """

    code: ClassVar[str] = "batch_doubled"
    title: ClassVar[str] = "Doubled batch"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = BatchDoubledParams
    sentence_template: ClassVar[str] = (
        "Alert when a batch has the content or the number of an earlier one."
    )
    severity: ClassVar[str] = "medium"
    meaning: ClassVar[str] = (
        "The sender sent a file twice, or used a number twice. Orders are not doubled: equal "
        "content is stored once, and events with the same id count once."
    )
    response: ClassVar[str] = (
        "Ask the sender whether a new file should have come instead of the earlier one."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.MANUAL_WORK,)

    def conditions(
        self, source: SourceSnapshot, params: BatchDoubledParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per batch that was sent twice."""
        return conditions_of_findings(source, BatchFindingKind.DOUBLED)

    def condition_end(
        self, source: SourceSnapshot, params: BatchDoubledParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the batch is older than is reported."""
        return end_of_finding(source, BatchFindingKind.DOUBLED, subject_key)

    def may_reopen(self, resolution: str) -> bool:
        """A batch stays as it is, so an alert that a person resolved stays closed."""
        return False

    def alert_title(self, params: BatchDoubledParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} came twice"
