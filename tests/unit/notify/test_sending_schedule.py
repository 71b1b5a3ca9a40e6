"""Quiet hours and digests in the zone of a subscription, over midnight and clock changes."""

from datetime import UTC, datetime, time
from typing import Any

import pytest

from visibility.models import Subscription
from visibility.notify.sending_schedule import next_send_time

CHICAGO = "America/Chicago"  # six hours behind UTC in winter, five in summer


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def send_time(queued: str, *, now: str = "", **fields: Any) -> datetime:
    subscription = Subscription(time_zone=CHICAGO, **fields)
    return next_send_time(subscription, queued_at=at(queued), now=at(now or queued))


NIGHT = {"quiet_from": time(22), "quiet_until": time(6)}
NOON_BREAK = {"quiet_from": time(12), "quiet_until": time(13)}


@pytest.mark.parametrize(
    ("fields", "queued", "expected"),
    [
        (NIGHT, "2026-03-03 18:00", "2026-03-03 18:00"),
        (NIGHT, "2026-03-04 04:00", "2026-03-04 12:00"),
        (NIGHT, "2026-03-04 08:30", "2026-03-04 12:00"),
        (NIGHT, "2026-03-04 12:00", "2026-03-04 12:00"),
        (NOON_BREAK, "2026-03-03 18:30", "2026-03-03 19:00"),
        # The clocks go forward on March 8 and back on November 1.
        (NIGHT, "2026-03-08 05:00", "2026-03-08 11:00"),
        (NIGHT, "2026-11-01 04:00", "2026-11-01 12:00"),
        ({"digest": "hourly"}, "2026-03-03 18:00", "2026-03-03 18:00"),
        ({"digest": "hourly"}, "2026-03-03 18:00:01", "2026-03-03 19:00"),
        ({"digest": "daily", "digest_at": time(7)}, "2026-03-03 18:00", "2026-03-04 13:00"),
        ({"digest": "daily", "digest_at": time(7)}, "2026-03-03 12:59", "2026-03-03 13:00"),
        ({"digest": "daily"}, "2026-03-03 12:59", "2026-03-03 14:00"),
        ({"digest": "hourly", **NIGHT}, "2026-03-04 03:30", "2026-03-04 12:00"),
        (
            {"digest": "daily", "digest_at": time(5), **NIGHT},
            "2026-03-03 18:00",
            "2026-03-04 12:00",
        ),
    ],
)
def test_time_of_sending(fields: dict[str, Any], queued: str, expected: str) -> None:
    assert send_time(queued, **fields) == at(expected)


def test_digest_that_a_stopped_worker_missed_is_sent_at_once() -> None:
    sent = send_time("2026-03-03 12:00", now="2026-03-03 15:20", digest="daily", digest_at=time(7))
    assert sent == at("2026-03-03 15:20")
