"""When a missed deadline is proven: by the times of the events, for the sources of the order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from visibility.sla.source_evidence import (
    EventTypeActivity,
    EvidenceGap,
    SourceEvidence,
    gaps_before_deadline,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def evidence(**fields: Any) -> SourceEvidence:
    wanted: dict[str, Any] = {
        "title": "Dallas",
        "as_of": NOON,
        "silence_limit": HOUR,
        "last_data_at": NOON - MINUTE,
        "newest_event_at": NOON - 2 * MINUTE,
    }
    return SourceEvidence(**wanted | fields)


@pytest.mark.parametrize(
    ("fields", "due_ago", "gap"),
    [
        ({}, MINUTE, None),
        ({"last_data_at": NOON - 2 * HOUR, "silence_limit": None}, MINUTE, None),
        ({"last_data_at": NOON - 2 * HOUR}, MINUTE, EvidenceGap.NO_DATA),
        # What was due before its last event is known, whatever happened since.
        (
            {"last_data_at": NOON - 2 * HOUR, "newest_event_at": NOON - 2 * HOUR},
            3 * HOUR,
            None,
        ),
        (
            {"last_data_at": NOON - 2 * HOUR, "last_message_at": NOON - MINUTE},
            MINUTE,
            EvidenceGap.PARKED,
        ),
        ({"waiting_since": NOON - 2 * HOUR}, MINUTE, EvidenceGap.UNPROCESSED),
        ({"waiting_since": NOON - MINUTE}, MINUTE, None),
        ({"cannot_be_read": True}, MINUTE, EvidenceGap.UNREADABLE),
        ({"cannot_be_read": True}, 3 * MINUTE, None),
        # It resumed ten minutes ago; its events have not reached that moment.
        (
            {"resumed_at": NOON - 10 * MINUTE, "newest_event_at": NOON - 2 * HOUR},
            HOUR,
            EvidenceGap.CATCHING_UP,
        ),
        (
            {"resumed_at": NOON - 10 * MINUTE, "newest_event_at": NOON - 2 * HOUR},
            3 * HOUR,
            None,
        ),
        # New events came first; the old ones still arrive.
        (
            {"resumed_at": NOON - 10 * MINUTE, "backlog_applied_at": NOON - MINUTE},
            3 * HOUR,
            EvidenceGap.CATCHING_UP,
        ),
        (
            {"resumed_at": NOON - 10 * MINUTE, "backlog_applied_at": NOON - 3 * MINUTE},
            MINUTE,
            None,
        ),
        # A poll that found nothing new says as much as an event.
        ({"polled_until": NOON, "newest_event_at": None, "resumed_at": NOON - HOUR}, MINUTE, None),
        (
            {"polled_until": NOON, "waiting_since": NOON - 3 * MINUTE, "cannot_be_read": True},
            MINUTE,
            EvidenceGap.UNREADABLE,
        ),
        ({"reports_in_batches": True}, timedelta(seconds=30), EvidenceGap.NEXT_BATCH),
        ({"reports_in_batches": True}, 90 * timedelta(seconds=1), None),
        (
            {"event_types": [EventTypeActivity("pack.completed", NOON - 3 * HOUR, HOUR)]},
            MINUTE,
            EvidenceGap.NO_DATA,
        ),
    ],
)
def test_gap_before_a_deadline(
    fields: dict[str, Any], due_ago: timedelta, gap: EvidenceGap | None
) -> None:
    assert evidence(**fields).gap_before(NOON - due_ago) == gap


def test_each_source_of_the_order_must_be_up_to_date() -> None:
    sources = {"dallas": evidence(), "north": evidence(last_data_at=NOON - 2 * HOUR)}
    due_at, both = NOON - MINUTE, ["dallas", "north"]
    assert gaps_before_deadline(due_at, both, sources, are_known=True) == {
        "north": EvidenceGap.NO_DATA
    }
    assert gaps_before_deadline(due_at, ["dallas"], sources, are_known=True) == {}


def test_one_possible_source_that_is_up_to_date_is_enough() -> None:
    sources = {"dallas": evidence(), "north": evidence(last_data_at=NOON - 2 * HOUR)}
    due_at = NOON - MINUTE
    assert gaps_before_deadline(due_at, ["dallas", "north"], sources, are_known=False) == {}
    assert gaps_before_deadline(due_at, ["north"], sources, are_known=False)
    assert gaps_before_deadline(due_at, [], sources, are_known=False) == {}
