"""Alert on sources that have sent nothing for longer than expected."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from visibility.sla.parameters import parameter
from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot


@dataclass(frozen=True)
class SilenceGracePeriodParams:
    """`grace`: how much longer than its expected interval a source may be silent."""

    grace: timedelta = parameter(
        timedelta(0),
        label="Grace period",
        help="Extra time after the expected interval, which is a setting of each source.",
        minimum=timedelta(0),
        maximum=timedelta(days=31),
    )


class SourceSilent(SourceRule):
    """A source must send a message at least once per expected interval.

    A source without an expected interval is never silent.
    """

    code: ClassVar[str] = "source_silent"
    title: ClassVar[str] = "Silent source"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = SilenceGracePeriodParams
    sentence_template: ClassVar[str] = (
        "Alert when a source sends no data for its expected interval plus {grace}."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "No data arrives, so the status of the orders that depend on the source is unknown."
    )
    response: ClassVar[str] = (
        "Check the connection and the source system. If it is down, tell the teams that depend "
        "on it."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "No data again."

    def conditions(
        self, source: SourceSnapshot, params: SilenceGracePeriodParams
    ) -> Iterable[SourceCondition]:
        """Return one condition while the source is silent."""
        if source.expected_interval is None:
            return
        since = source.last_message_at or source.watched_since
        due_at = since + source.expected_interval + params.grace
        if source.as_of > due_at:
            yield SourceCondition(started_at=since, due_at=due_at, subject=source.title)

    def condition_end(
        self, source: SourceSnapshot, params: SilenceGracePeriodParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return the time of the message that ended the silence."""
        at = source.last_message_at or source.as_of
        return SourceConditionEnd(at, "The source is sending data again.")

    def alert_title(self, params: SilenceGracePeriodParams, subject: str) -> str:
        """Return the title of the alert."""
        return f"No data from {subject}"
