"""Which version of each event counts, in the order in which the events occurred."""

from collections.abc import Sequence
from datetime import datetime

from connectors.sdk.events import EventType
from visibility.timeline.model import RecordedEvent

# Events of the same instant are sorted in the order of a normal order's life.
RANK = {event_type: rank for rank, event_type in enumerate(EventType)}


def sort_key_by_time_then_event_type(
    recorded: RecordedEvent,
) -> tuple[datetime, int, str, str, str]:
    """The sort key of a timeline. It does not depend on when an event arrived."""
    event = recorded.event
    return (
        recorded.occurred_at,
        RANK[event.type],
        recorded.source,
        event.key,
        recorded.content_hash,
    )


def split_superseded_events(
    visible: Sequence[RecordedEvent],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> tuple[list[RecordedEvent], list[RecordedEvent]]:
    """Split versions of events into those that count and those superseded or withdrawn; sorted.

    Versions of one event have the same source and key; the highest revision counts. An
    event that concerns other orders withdraws events too, unless it occurred after `as_of` or was
    received after `known_at`.
    """
    best: dict[tuple[str, str], RecordedEvent] = {}
    losers: dict[tuple[str, str, str], RecordedEvent] = {}
    for recorded in sorted(visible, key=_sort_key_with_receipt_time, reverse=True):
        name = (recorded.source, recorded.event.key)
        rival = best.get(name)
        if rival is None or _revision_and_content_hash(recorded) > _revision_and_content_hash(
            rival
        ):
            best[name], recorded = recorded, rival or recorded
        elif _revision_and_content_hash(recorded) == _revision_and_content_hash(rival):
            # A repeat. An event without its own time has the time of its first receipt.
            best[name] = min(recorded, rival, key=_sort_key_with_receipt_time)
            continue
        if recorded is not best[name]:
            losers[(*name, recorded.content_hash)] = recorded
    withdrawn = {(s.source, k) for s in best.values() for k in s.event.corrects}
    withdrawn |= {name for name, s in best.items() if _is_corrected(s, as_of, known_at)}
    events = [s for name, s in best.items() if name not in withdrawn]
    superseded = [*losers.values(), *(s for name, s in best.items() if name in withdrawn)]
    return sorted(events, key=sort_key_by_time_then_event_type), sorted(
        superseded, key=sort_key_by_time_then_event_type
    )


def _is_corrected(
    recorded: RecordedEvent, as_of: datetime | None, known_at: datetime | None
) -> bool:
    return any(
        (as_of is None or occurred_at <= as_of) and (known_at is None or received_at <= known_at)
        for occurred_at, received_at in recorded.corrected_at
    )


def without_events_taken_back(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The events that still hold: those whose type no later event of the source takes back.

    `events` are sorted. An event takes back earlier events of its own scope only.
    """
    if not any(s.event.takes_back for s in events):
        return list(events)
    taken_back: set[tuple[str, str, EventType]] = set()
    holding = []
    for recorded in reversed(events):
        event = recorded.event
        if (recorded.source, event.scope, event.type) not in taken_back:
            holding.append(recorded)
        taken_back |= {(recorded.source, event.scope, t) for t in event.takes_back}
    return holding[::-1]


def _sort_key_with_receipt_time(recorded: RecordedEvent) -> tuple[object, ...]:
    return (*sort_key_by_time_then_event_type(recorded), recorded.received_at)


def _revision_and_content_hash(recorded: RecordedEvent) -> tuple[str, str]:
    return (recorded.event.revision, recorded.content_hash)
