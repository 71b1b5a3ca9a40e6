"""Alert when the number of a batch is lower than one before, or a number is missing."""

from typing import ClassVar

from visibility.sla.batch_rules import BatchRule, BatchRuleParams
from visibility.sla.rule import Consequence


class BatchOutOfOrder(BatchRule):
    """The numbers of batches must grow, and by one unless the source says otherwise.

    Interchanges are counted by sender and receiver, and start from 1 after the largest number.
    """

    code: ClassVar[str] = "batch_out_of_order"
    title: ClassVar[str] = "Batch out of order"
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
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.INVENTORY_DISTORTION,
        Consequence.MANUAL_WORK,
    )

    def alert_title(self, params: BatchRuleParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"Batches of {subject} are out of order"
