"""Escalate alerts that nobody acknowledges."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from visibility.sla.kpi_and_alert_snapshots import AlertSnapshot
from visibility.sla.parameters import parameter
from visibility.sla.rule import AlertRule, Consequence, RuleSubject, SourceCondition


@dataclass(frozen=True)
class EscalationParams:
    """`within`: how soon a person must acknowledge an alert."""

    within: timedelta = parameter(
        timedelta(minutes=30),
        label="Time limit",
        help="Time from the opening of an alert to its acknowledgment.",
        minimum=timedelta(minutes=1),
        maximum=timedelta(days=31),
    )


class UnacknowledgedAlert(AlertRule):
    """A person must acknowledge an open alert within a time limit."""

    code: ClassVar[str] = "unacknowledged_alert"
    title: ClassVar[str] = "Unacknowledged alert"
    subject: ClassVar[RuleSubject] = RuleSubject.ALERT
    params_type: ClassVar[type[Any]] = EscalationParams
    sentence_template: ClassVar[str] = "Alert when nobody acknowledges an alert within {within}."
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = "A problem is known, and nobody works on it."
    response: ClassVar[str] = "Acknowledge the alert, or assign it to somebody who handles it."
    team: ClassVar[str] = "Operations"
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.SERVICE_DELAY,)

    def condition(self, alert: AlertSnapshot, params: EscalationParams) -> SourceCondition | None:
        """Return a condition from the time limit until somebody acknowledges the alert."""
        due_at = alert.open_since + params.within
        if alert.is_acknowledged or alert.as_of < due_at:
            return None
        return SourceCondition(started_at=alert.open_since, due_at=due_at, subject=alert.title)

    def alert_title(self, params: EscalationParams, subject: str) -> str:
        """Return the title of the alert."""
        return f"Not acknowledged: {subject}"
