"""Whether a source would have reported a step by now, if the step had happened.

A missed deadline is proven only if each source that would report the step is up to date: by the
times of its events, not by the time of its last message.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# For so long after an outage, old events may come, so an order must be folded with all its events.
BACKLOG_EXPECTED_FOR = timedelta(hours=1)
# After an outage a source is up to date once no event from before its end was applied for so long:
# new events may arrive before the old ones are sent again.
SETTLING_TIME = timedelta(minutes=2)

# Of a source that is never silent, all messages are parked if none was applied for so long.
PARKED_LIMIT = timedelta(hours=24)


class EvidenceGap(StrEnum):
    """Why a source may not have reported a step yet: what follows its title in a sentence."""

    MAINTENANCE = "is in planned maintenance"
    UNPOLLED_HOURS = "is not polled during its quiet hours"
    NO_DATA = "sends no data"
    PARKED = "sends only messages that cannot be processed"
    UNPROCESSED = "has messages that are not processed yet"
    UNREADABLE = "cannot be read completely"
    CATCHING_UP = "is catching up"
    NEXT_BATCH = "reports in batches and has not reported since"


@dataclass(frozen=True, slots=True)
class EventTypeActivity:
    """An event type with a silence limit of its own: since when none has come."""

    event_type: str
    since: datetime
    limit: timedelta

    def is_silent_at(self, at: datetime) -> bool:
        """Whether its limit has passed."""
        return at - self.since > self.limit


@dataclass(frozen=True, slots=True)
class SourceEvidence:
    """How far the reports of one source go, `as_of` a moment.

    `last_data_at`: when data was last received and applied, or a poll found nothing new; without
    either (`has_data` is false), when the source was added. `last_message_at`: of any message, also
    if it is parked or waits. `newest_event_at`: of its applied events that can belong to an
    order. `polled_until`: when the latest poll began that read everything. `waiting_since`: the
    receipt of its oldest unprocessed message. `resumed_at`: the receipt that ended the latest pause
    longer than the limit; `backlog_applied_at`: when an event from before that was last applied.
    `maintenance_until`: when its planned maintenance ends, if one runs, and `maintenance_reason`;
    `maintenance_ended_at`: when the latest one ended. `unpolled_until`: when the quiet hours end in
    which it is not polled now.
    """

    title: str
    as_of: datetime
    silence_limit: timedelta | None
    last_data_at: datetime
    newest_event_at: datetime | None = None
    polled_until: datetime | None = None
    waiting_since: datetime | None = None
    resumed_at: datetime | None = None
    backlog_applied_at: datetime | None = None
    last_message_at: datetime | None = None
    has_data: bool = True
    cannot_be_read: bool = False
    reports_in_batches: bool = False
    event_types: Collection[EventTypeActivity] = ()
    maintenance_until: datetime | None = None
    maintenance_reason: str = ""
    maintenance_ended_at: datetime | None = None
    unpolled_until: datetime | None = None

    @property
    def reports_until(self) -> datetime | None:
        """The time up to which its reports are complete, as far as is known."""
        moments = [self.newest_event_at]
        if self.polled_until is not None:
            moments.append(min(self.polled_until, self.waiting_since or self.polled_until))
        if self.reports_in_batches:
            moments.append(self.last_data_at)
        return max((m for m in moments if m is not None), default=None)

    @property
    def silence(self) -> EvidenceGap | None:
        """Why nothing was learned from it for longer than its limit, or None.

        During planned maintenance and quiet hours nothing is expected from it, whatever its limit.
        """
        if self.maintenance_until is not None:
            return EvidenceGap.MAINTENANCE
        if self.unpolled_until is not None:
            return EvidenceGap.UNPOLLED_HOURS
        if self.silent_event_types:
            return EvidenceGap.NO_DATA
        if self.are_all_messages_parked:
            return EvidenceGap.PARKED
        if self.silence_limit is None:
            return None
        earliest = self.as_of - self.silence_limit
        if self.waiting_since is not None and self.waiting_since < earliest:
            return EvidenceGap.UNPROCESSED
        return EvidenceGap.NO_DATA if self.last_data_at < earliest else None

    @property
    def silent_event_types(self) -> list[EventTypeActivity]:
        """The event types that have not come for longer than their own limit."""
        return [watched for watched in self.event_types if watched.is_silent_at(self.as_of)]

    @property
    def are_all_messages_parked(self) -> bool:
        """Whether it sends messages, of which none was ever applied, or none within its limit."""
        if self.last_message_at is None or self.waiting_since is not None:
            return False
        if not self.has_data:
            return True
        limit = self.silence_limit or PARKED_LIMIT
        return self.last_message_at > self.last_data_at and self.as_of - self.last_data_at > limit

    @property
    def may_report_in_bulk(self) -> bool:
        """Whether a report that was just applied may be about much that happened before."""
        if self.reports_in_batches:
            return True
        return self.resumed_at is not None and self.as_of - self.resumed_at < BACKLOG_EXPECTED_FOR

    @property
    def is_settling(self) -> bool:
        """Whether events from before the end of its latest outage were applied until just now."""
        if self.resumed_at is None:
            return False
        latest = max(self.resumed_at, self.backlog_applied_at or self.resumed_at)
        return self.as_of - latest < SETTLING_TIME

    @property
    def is_catching_up(self) -> bool:
        """Whether it may still send what happened during its latest outage."""
        if self.resumed_at is None:
            return False
        until = self.reports_until
        return self.is_settling or until is None or until < self.resumed_at - SETTLING_TIME

    def gap_before(self, due_at: datetime) -> EvidenceGap | None:
        """Return why a step due at this time may have happened unreported; None: it would have."""
        if self.is_settling:
            return EvidenceGap.CATCHING_UP
        until = self.reports_until
        if until is not None and until >= due_at:
            return None
        if gap := self.silence:
            return gap
        if self.cannot_be_read:
            return EvidenceGap.UNREADABLE
        if self.is_catching_up:
            return EvidenceGap.CATCHING_UP
        return EvidenceGap.NEXT_BATCH if self.reports_in_batches else None


def gaps_before_deadline(
    due_at: datetime,
    slugs: Collection[str],
    evidence_by_slug: Mapping[str, SourceEvidence],
    *,
    are_known: bool,
) -> dict[str, EvidenceGap]:
    """Return the sources because of which a missed deadline proves nothing; empty: it is proven.

    `are_known`: they are the sources of the order, and each one must be up to date. Otherwise one
    of them is, and one that is up to date is enough.
    """
    gaps = {
        slug: gap
        for slug in slugs
        if (evidence := evidence_by_slug.get(slug)) and (gap := evidence.gap_before(due_at))
    }
    return gaps if are_known or len(gaps) == len(slugs) else {}
