"""Alert when a batch has fewer records than expected, or than it declares."""

from typing import ClassVar

from visibility.sla.batch_rules import BatchRule, BatchRuleParams
from visibility.sla.rule import Consequence


class BatchShort(BatchRule):
    """A batch must have the records that it declares and that the source expects.

    The declared counts are those of a header or trailer, and of X12 and EDIFACT envelopes.
    """

    code: ClassVar[str] = "batch_short"
    title: ClassVar[str] = "Short batch"
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
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.INVENTORY_DISTORTION,
        Consequence.MANUAL_WORK,
    )

    def alert_title(self, params: BatchRuleParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} is short"
