"""Alert on versions of messages that are deprecated or not supported."""

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
from visibility.sla.source_snapshot import OutdatedVersion, SourceSnapshot


@dataclass(frozen=True)
class OutdatedVersionParams:
    """`unused_for`: how long the version must not be sent until the alert closes."""

    unused_for: timedelta = parameter(
        timedelta(days=7),
        label="Not sent for",
        help="The alert closes if no message with the version arrived for so long.",
        minimum=timedelta(days=1),
        maximum=timedelta(days=90),
    )


class OutdatedMessageVersion(SourceRule):
    """A source must send messages of a supported version.

    A version is deprecated if its vendor ends it within 90 days, and unsupported if the connector
    was not written for it.
    """

    code: ClassVar[str] = "outdated_version"
    title: ClassVar[str] = "Outdated message version"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = OutdatedVersionParams
    sentence_template: ClassVar[str] = (
        "Alert when a source sends a deprecated or unsupported version of its messages, until it "
        "was not sent for {unused_for}."
    )
    meaning: ClassVar[str] = (
        "The vendor ends this version, or it may be misread. Messages of some unsupported "
        "versions are parked."
    )
    response: ClassVar[str] = (
        "Let the sender use a supported version: the tab Drift of the source names the versions "
        "and their newest messages."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "The version was sent again."

    def conditions(
        self, source: SourceSnapshot, params: OutdatedVersionParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per outdated version that is still sent."""
        for sent in source.outdated_versions:
            if sent.last_seen_at > source.as_of - params.unused_for:
                yield SourceCondition(
                    started_at=sent.first_seen_at,
                    due_at=sent.first_seen_at,
                    subject_key=sent.key,
                    subject=source.title,
                    title=_title(sent, source.title),
                )

    def condition_end(
        self, source: SourceSnapshot, params: OutdatedVersionParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the version is not sent any more, or that it is supported now."""
        keys = {condition.subject_key for condition in self.conditions(source, params)}
        if subject_key in keys:
            return None
        is_outdated = any(sent.key == subject_key for sent in source.outdated_versions)
        reason = "The version is not sent any more." if is_outdated else "The version is supported."
        return SourceConditionEnd(source.as_of, reason)

    def alert_title(self, params: OutdatedVersionParams, subject: str) -> str:
        """Return the title of an alert whose version is not named."""
        return f"Outdated version of messages from {subject}"


def _title(sent: OutdatedVersion, source: str) -> str:
    if not sent.is_deprecated:
        return f"{source} sends {sent.key}, which is not supported"
    end = f", which ends on {sent.ends_on:%Y-%m-%d}" if sent.ends_on else ", which is deprecated"
    return f"{source} sends {sent.key}{end}"
