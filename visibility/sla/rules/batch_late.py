"""Alert when a batch of a source has not arrived by its time."""

from typing import ClassVar

from visibility.sla.batch_rules import BatchRule, BatchRuleParams
from visibility.sla.rule import Consequence


class BatchLate(BatchRule):
    """A source with a schedule must send a batch by each expected time and its tolerance.

    The alert closes when the batch arrives. Holidays of the calendar expect none.
    """

    code: ClassVar[str] = "batch_late"
    title: ClassVar[str] = "Late batch"
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
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )

    def alert_title(self, params: BatchRuleParams, subject: str) -> str:
        """Return the title of an alert whose batch is not named."""
        return f"A batch of {subject} is late"
