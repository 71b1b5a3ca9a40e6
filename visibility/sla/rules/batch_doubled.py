"""Alert when a batch has the content or the number of an earlier one."""

from typing import ClassVar

from visibility.sla.batch_rules import BatchRule, BatchRuleParams
from visibility.sla.rule import Consequence


class BatchDoubled(BatchRule):
    """Each batch must have its own content and number.

    Equal content is never read a second time, so it doubles no order.
    """

    code: ClassVar[str] = "batch_doubled"
    title: ClassVar[str] = "Doubled batch"
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
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.MANUAL_WORK,)

    def alert_title(self, params: BatchRuleParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} came twice"
