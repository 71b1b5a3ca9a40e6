"""Alert on status texts of a source that have no mapping."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from visibility.sla.parameters import parameter
from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import MAPPED, SourceSnapshot

MAX_SHOWN_LENGTH = 80


@dataclass(frozen=True)
class Params:
    """`max_alerts`: a source that renamed every status is one problem, not hundreds."""

    max_alerts: int = parameter(
        20,
        label="Most open alerts per source",
        help="A source that renames all its statuses opens no more alerts than this.",
        unit="alerts",
        minimum=1,
        maximum=500,
    )


class UnmappedStatus(SourceRule):
    """Each status text of a source must be mapped or ignored.

    A mapping closes the alert once the orders are processed again with it. An alert that a person
    resolved stays closed; it opens again only if no mapping with one of our statuses is left.
    """

    code: ClassVar[str] = "unmapped_status"
    title: ClassVar[str] = "Unmapped status"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = Params
    sentence_template: ClassVar[str] = (
        "Alert when a source sends a status that is not mapped, with at most {max_alerts} open "
        "per source."
    )
    meaning: ClassVar[str] = (
        "Messages with this status are stored, but they do not change any order."
    )
    response: ClassVar[str] = "Map the status on the Mappings page, or ignore it there."
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "No mapping with one of our statuses is left."

    def conditions(self, source: SourceSnapshot, params: Params) -> Iterable[SourceCondition]:
        """Return one condition per status that needs a mapping."""
        for status in source.statuses:
            if not status.settled and not status.is_pending:
                yield SourceCondition(
                    started_at=source.as_of,
                    due_at=source.as_of,
                    subject_key=status.text,
                    subject=f"“{status.text[:MAX_SHOWN_LENGTH]}” from {source.title}",
                )

    def max_active(self, params: Params) -> int:
        """Return the limit of the parameters."""
        return params.max_alerts

    def condition_end(
        self, source: SourceSnapshot, params: Params, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the status was mapped or ignored; None if the source stopped sending it."""
        for status in source.statuses:
            if status.text == subject_key and status.settled:
                return SourceConditionEnd(source.as_of, status.settled)
        return None

    def may_reopen(self, resolution: str) -> bool:
        """Only after its mapping was removed."""
        return resolution == MAPPED

    def alert_title(self, params: Params, subject: str) -> str:
        """Return the title of the alert."""
        return f"Unmapped status {subject}"
