"""The stored payloads of messages by month: their age, what keeps them, and when they go."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from visibility.formatting import count_with_noun, format_date, in_zone
from visibility.models.message_bodies import MessageBodyPartition
from visibility.storage.organization import organization_time_zone

MAX_MONTHS = 500


class PayloadRetentionState(StrEnum):
    """What becomes of the payloads of a month."""

    STORED = "stored"
    NEEDED = "needed"
    REMOVABLE = "removable"
    REMOVED = "removed"


STATE_LABELS = {
    PayloadRetentionState.STORED: ("Stored", "ok"),
    PayloadRetentionState.NEEDED: ("Still needed", "waiting"),
    PayloadRetentionState.REMOVABLE: ("Can be removed", "risk"),
    PayloadRetentionState.REMOVED: ("Removed", "unknown"),
}


@dataclass(frozen=True, slots=True)
class PayloadMonth:
    """One month of payloads (UTC) as of the latest check."""

    partition: MessageBodyPartition
    state: PayloadRetentionState
    explanation: str
    age: timedelta

    @property
    def month(self) -> str:
        """The month as `2026-03`."""
        return str(self.partition)

    @property
    def label_and_tone(self) -> tuple[str, str]:
        """The label of the state, and its color."""
        return STATE_LABELS[self.state]


def list_payload_months(*, now: datetime, days: int) -> list[PayloadMonth]:
    """The months that are stored or were removed, newest first. `days`: the policy; 0: none."""
    rows = MessageBodyPartition.objects.order_by("-starts_at")[:MAX_MONTHS]
    return describe_payload_months(rows, now=now, days=days)


def describe_payload_months(
    partitions: Iterable[MessageBodyPartition], *, now: datetime, days: int
) -> list[PayloadMonth]:
    """Each month with its state and a sentence about it."""
    return [
        PayloadMonth(
            partition,
            *_state_and_explanation(partition, now=now, days=days),
            age=max(now - partition.ends_at, timedelta()),
        )
        for partition in partitions
    ]


def policy_sentence(days: int) -> str:
    """Says what the policy is."""
    if not days:
        return "Payloads are stored forever: MESSAGE_BODY_DAYS is 0."
    return (
        f"The payloads of a month are removed {count_with_noun(days, 'day')} after its end, unless "
        "a queued or parked message or an open order still needs them. Messages and events stay."
    )


def _state_and_explanation(
    partition: MessageBodyPartition, *, now: datetime, days: int
) -> tuple[PayloadRetentionState, str]:
    if partition.removed_at:
        return PayloadRetentionState.REMOVED, f"Removed on {_day(partition.removed_at)}"
    if not days:
        return PayloadRetentionState.STORED, "No retention policy is set"
    stored_until = partition.ends_at + timedelta(days=days)
    if stored_until > now:
        return PayloadRetentionState.STORED, f"Stored until {_day(stored_until)}"
    if partition.is_needed:
        return PayloadRetentionState.NEEDED, f"Needed by {_what_needs(partition)}"
    if partition.removal_due_at is None:
        return PayloadRetentionState.STORED, "Not checked yet"
    due = f"The daily job removes them after {_day(partition.removal_due_at)}"
    return PayloadRetentionState.REMOVABLE, due


def _what_needs(partition: MessageBodyPartition) -> str:
    counts = (
        (partition.waiting_count, "queued message"),
        (partition.parked_count, "parked message"),
        (partition.open_order_count, "open order"),
    )
    needs = [count_with_noun(count, noun) for count, noun in counts if count]
    if partition.is_moving:
        needs.append("the move of payloads from an earlier version, which is not complete")
    return " and ".join(needs)


def _day(moment: datetime) -> str:
    return format_date(in_zone(moment, organization_time_zone()).date(), weekday=False, year=True)
