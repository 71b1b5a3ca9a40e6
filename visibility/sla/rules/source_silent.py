"""Alert on sources that have sent nothing for longer than expected."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from visibility.sla.parameters import parameter
from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_evidence import PARKED_LIMIT
from visibility.sla.source_snapshot import SourceSnapshot

# Subject keys of alerts: none for a source without data; these for a source of which all messages
# are parked, and for an event type.
ALL_PARKED = "parked"
EVENT_TYPE_PREFIX = "event:"


@dataclass(frozen=True)
class SilenceGracePeriodParams:
    """`grace`: how much longer than its silence limit a source may be silent."""

    grace: timedelta = parameter(
        timedelta(0),
        label="Grace period",
        help="Extra time after the silence limit, which is a setting of each source.",
        minimum=timedelta(0),
        maximum=timedelta(days=31),
    )


class SourceSilent(SourceRule):
    """A source must send data at least once per silence limit, and so must its event types.

    Parked messages are no data. A source without a limit is never silent. During planned
    maintenance it need not send anything; its limit begins when the maintenance ends.
    """

    code: ClassVar[str] = "source_silent"
    title: ClassVar[str] = "Silent source"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = SilenceGracePeriodParams
    sentence_template: ClassVar[str] = (
        "Alert when a source sends no data for its silence limit plus {grace}."
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
        """Return that the source is silent, or else which of its event types are.

        None while messages wait: they may be the data.
        """
        if source.pending_count:
            return
        silence = self._silence_of_source(source, params)
        if silence is not None:
            yield silence
            return
        if source.is_in_maintenance:
            return
        for watched in source.event_types:
            due_at = _expected_since(source, watched.since) + watched.limit + params.grace
            if source.as_of > due_at:
                yield SourceCondition(
                    started_at=watched.since,
                    due_at=due_at,
                    subject_key=EVENT_TYPE_PREFIX + watched.event_type,
                    subject=source.title,
                    title=f"No {watched.event_type} events from {source.title}",
                )

    def _silence_of_source(
        self, source: SourceSnapshot, params: SilenceGracePeriodParams
    ) -> SourceCondition | None:
        since = source.last_data_at or source.watched_since
        limit = (source.expected_interval or PARKED_LIMIT) + params.grace
        if source.last_message_at is not None and source.last_message_at > since:
            if source.as_of <= since + limit:
                return None
            return SourceCondition(
                started_at=since,
                due_at=since + limit,
                subject_key=ALL_PARKED,
                subject=source.title,
                title=f"All messages from {source.title} are parked",
            )
        due_at = _expected_since(source, since) + limit
        if source.expected_interval is None or source.is_in_maintenance or source.as_of <= due_at:
            return None
        return SourceCondition(started_at=since, due_at=due_at, subject=source.title)

    def condition_end(
        self, source: SourceSnapshot, params: SilenceGracePeriodParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return when data came again, or that the limit was changed; None while messages wait."""
        if source.pending_count:
            return None
        if source.is_in_maintenance and subject_key != ALL_PARKED:
            return SourceConditionEnd(source.as_of, "The source is in planned maintenance.")
        since_by_type = {watched.event_type: watched.since for watched in source.event_types}
        if event_type := event_type_of_subject_key(subject_key):
            at = since_by_type.get(event_type)
            if at is None:
                return SourceConditionEnd(source.as_of, "The silence limit was removed.")
            if self._silence_of_source(source, params) is not None:
                return SourceConditionEnd(source.as_of, "The source as a whole is silent.")
            return SourceConditionEnd(at, "The source is sending these events again.")
        if (silence := self._silence_of_source(source, params)) is not None:
            is_parked = silence.subject_key == ALL_PARKED
            reason = (
                "All messages of the source are parked."
                if is_parked
                else "The source sends no messages."
            )
            return SourceConditionEnd(source.as_of, reason)
        at = source.last_data_at or source.as_of
        if subject_key == ALL_PARKED:
            return SourceConditionEnd(at, "Messages of the source can be processed again.")
        return SourceConditionEnd(at, "The source is sending data again.")

    def alert_title(self, params: SilenceGracePeriodParams, subject: str) -> str:
        """Return the title of the alert."""
        return f"No data from {subject}"


def _expected_since(source: SourceSnapshot, since: datetime) -> datetime:
    """From when a limit counts: from the end of maintenance if there was one since then."""
    return max(since, source.maintenance_ended_at or since)


def event_type_of_subject_key(subject_key: str) -> str:
    """Return the event type that a subject key names, or an empty text."""
    is_about_type = subject_key.startswith(EVENT_TYPE_PREFIX)
    return subject_key.removeprefix(EVENT_TYPE_PREFIX) if is_about_type else ""
