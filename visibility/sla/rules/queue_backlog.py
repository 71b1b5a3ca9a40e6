"""Alert when a queue is too deep, or its oldest message too old."""

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
class QueueBacklogParams:
    """The limits of the depth and of the age of the oldest message."""

    depth: int = parameter(
        1_000,
        label="Limit of the depth",
        help="How many messages may wait.",
        unit="messages",
        minimum=1,
    )
    age: timedelta = parameter(
        timedelta(hours=1),
        label="Limit of the age",
        help="How old the oldest message may be.",
        minimum=timedelta(minutes=1),
    )


class QueueBacklog(SourceRule):
    """Messages must not pile up in a queue.

    The last reading counts, however old it is: a queue that is not read any more is no better. The
    silence of the source has a rule of its own.
    """

    code: ClassVar[str] = "queue_backlog"
    title: ClassVar[str] = "Queue backlog"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = QueueBacklogParams
    sentence_template: ClassVar[str] = (
        "Alert when more than {depth} wait in a queue, or the oldest one for more than {age}."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = "Documents wait between two systems. Orders behind them do not move."
    response: ClassVar[str] = (
        "Check whether the system that reads the queue works, and whether one message blocks it."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "The queue is above the limit."

    def conditions(
        self, source: SourceSnapshot, params: QueueBacklogParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per queue above a limit."""
        for queue in source.queues:
            is_old = queue.oldest is not None and queue.oldest > params.age
            if queue.depth <= params.depth and not is_old:
                continue
            waiting = f"{queue.depth:,} {'message' if queue.depth == 1 else 'messages'}"
            since = queue.read_at - (queue.oldest or timedelta())
            yield SourceCondition(
                started_at=since,
                due_at=since + params.age if is_old else queue.read_at,
                subject_key=queue.name,
                subject=source.title,
                title=f"{waiting} in the queue {queue.name}",
            )

    def condition_end(
        self, source: SourceSnapshot, params: QueueBacklogParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the queue is below the limits."""
        keys = {condition.subject_key for condition in self.conditions(source, params)}
        if subject_key in keys:
            return None
        read_at = [queue.read_at for queue in source.queues if queue.name == subject_key]
        return SourceConditionEnd(max(read_at, default=source.as_of), "The queue is worked off.")

    def alert_title(self, params: QueueBacklogParams, subject: str) -> str:
        """Return the title of an alert whose queue is not named."""
        return f"A queue of {subject} is above its limit"
