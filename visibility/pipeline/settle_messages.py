"""Settle claimed messages, return them to the queue, or postpone them."""

from collections.abc import Sequence

from connectors.sdk.payload import ParkReason
from visibility.db import bulk

# A database outage does not count as an attempt.
RELEASE = """
UPDATE visibility_inbound_message m
SET attempts = m.attempts - 1, next_attempt_at = clock_timestamp() + interval '5 seconds'
FROM unnest(%s::bigint[], %s::int[]) AS t (id, attempts)
WHERE m.id = t.id AND m.attempts = t.attempts AND m.state = 'waiting'
"""
SETTLE = """
UPDATE visibility_inbound_message m
SET state = CASE WHEN t.reason = '' THEN 'applied' ELSE 'parked' END,
    reason = t.reason, detail = t.detail, processed_at = clock_timestamp()
FROM unnest(%s::bigint[], %b::text[], %b::text[]) AS t (id, reason, detail) WHERE m.id = t.id
"""


def release_claimed_messages(claimed: Sequence[tuple[int, int]]) -> None:
    """Return messages to the queue without counting the attempt."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(RELEASE, [[c[0] for c in claimed], [c[1] for c in claimed]])


def park_messages(message_ids: Sequence[int], reason: ParkReason, detail: str) -> None:
    """Park messages for one reason."""
    with bulk.server_bound_cursor() as cursor:
        ids = list(message_ids)
        cursor.execute(SETTLE, [ids, [reason.value] * len(ids), [detail] * len(ids)])


def record_failure_and_postpone(message_id: int, error: str) -> None:
    """Record a failure that may pass; the message is tried again, later each time."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            "UPDATE visibility_inbound_message SET detail = %s, next_attempt_at = "
            "clock_timestamp() + make_interval(secs => least(2 ^ attempts, 60) * (1 + random())) "
            "WHERE id = %s AND state = 'waiting'",
            [error[:500], message_id],
        )
