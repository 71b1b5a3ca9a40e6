"""Alert when the fields of a source's messages change."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot

# The subject key of messages without events, which have no type.
WITHOUT_EVENTS = "none"


@dataclass(frozen=True)
class ChangedFieldsParams:
    """The rule has no parameters."""


class ChangedMessageFields(SourceRule):
    """The messages of a source must have the fields that they had before.

    One alert covers all changes of the messages with one type of events, so that a renamed object
    is one problem. It closes when a person accepts the changes.
    """

    code: ClassVar[str] = "changed_fields"
    title: ClassVar[str] = "Changed message fields"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = ChangedFieldsParams
    sentence_template: ClassVar[str] = (
        "Alert when a field of a source's messages is new, is missing or has another type."
    )
    meaning: ClassVar[str] = (
        "The system changed its messages. If the changed fields are read, the title says so: what "
        "was read from them may be missing on orders."
    )
    response: ClassVar[str] = (
        "Compare the first message with the settings or the manifest of the source. Then accept "
        "the changes on the tab Drift of the source."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "More fields changed."

    def conditions(
        self, source: SourceSnapshot, params: ChangedFieldsParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per type of events whose messages changed."""
        for changed in source.changed_fields:
            kind = f"{changed.event_type} messages" if changed.event_type else "messages"
            read = " that are read" if changed.concerns_read_fields else ""
            yield SourceCondition(
                started_at=changed.since,
                due_at=changed.since,
                subject_key=changed.event_type or WITHOUT_EVENTS,
                subject=source.title,
                title=f"Changed fields{read} in {kind} from {source.title}",
            )

    def condition_end(
        self, source: SourceSnapshot, params: ChangedFieldsParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the changes were accepted."""
        keys = {changed.event_type or WITHOUT_EVENTS for changed in source.changed_fields}
        if subject_key in keys:
            return None
        return SourceConditionEnd(source.as_of, "The changes were accepted.")

    def alert_title(self, params: ChangedFieldsParams, subject: str) -> str:
        """Return the title of the alert."""
        return f"Changed fields in messages from {subject}"
