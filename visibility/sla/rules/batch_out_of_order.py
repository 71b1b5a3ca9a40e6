"""Alert when the number of a batch is lower than one before, or a number is missing."""

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
class BatchOutOfOrderParams:
    """The rule has no parameters: what is expected is a setting of each source."""


class BatchOutOfOrder(SourceRule):
    """The numbers of batches must grow, and by one unless the source says otherwise.

    Interchanges are counted by sender and receiver, and start from 1 after the largest number.
    """

    code: ClassVar[str] = "batch_out_of_order"
    title: ClassVar[str] = "Batch out of order"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = BatchOutOfOrderParams
    sentence_template: ClassVar[str] = (
        "Alert when the number of a batch is lower than one before, or a number is missing."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "A batch is missing, or was overtaken by a later one. Orders may lack its records."
    )
    response: ClassVar[str] = (
        "Ask the sender for the missing batch. The alert closes when it arrives."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.INVENTORY_DISTORTION,
        Consequence.MANUAL_WORK,
    )

    def conditions(
        self, source: SourceSnapshot, params: BatchOutOfOrderParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per batch out of order, and per gap."""
        return conditions_of_findings(source, BatchFindingKind.OUT_OF_ORDER)

    def condition_end(
        self, source: SourceSnapshot, params: BatchOutOfOrderParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the missing batches arrived."""
        return end_of_finding(source, BatchFindingKind.OUT_OF_ORDER, subject_key)

    def may_reopen(self, resolution: str) -> bool:
        """A batch stays as it is, so an alert that a person resolved stays closed."""
        return False

    def alert_title(self, params: BatchOutOfOrderParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"Batches of {subject} are out of order"
