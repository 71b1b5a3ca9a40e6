"""Alert when a batch of a source has no records."""

from typing import ClassVar

from visibility.sla.batch_rules import BatchRule, BatchRuleParams
from visibility.sla.rule import Consequence


class BatchEmpty(BatchRule):
    """A batch must have records: rows, documents or elements."""

    code: ClassVar[str] = "batch_empty"
    title: ClassVar[str] = "Empty batch"
    sentence_template: ClassVar[str] = "Alert when a batch of a source has no records."
    severity: ClassVar[str] = "medium"
    meaning: ClassVar[str] = (
        "The job ran, but wrote nothing: its export may have failed, or had nothing to send."
    )
    response: ClassVar[str] = (
        "Ask the sender whether nothing happened. If the export failed, let it be sent with "
        "its records."
    )
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )

    def alert_title(self, params: BatchRuleParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} has no records"
