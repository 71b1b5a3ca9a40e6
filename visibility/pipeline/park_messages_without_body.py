"""Park claimed messages whose body retention removed: they can not be parsed any more."""

from collections.abc import Sequence

from connectors.sdk.payload import ParkReason
from visibility.db import bulk

# Retention removes a month that no message needs; a replay may begin in that instant.
PARK_WITHOUT_BODY = """
UPDATE visibility_inbound_message m
SET state = 'parked', reason = %b, detail = '', processed_at = clock_timestamp()
WHERE m.id = ANY(%s) AND m.body IS NULL AND NOT EXISTS (
    SELECT FROM visibility_message_body b
    WHERE b.message_id = m.id AND b.received_at = m.received_at)
"""


def park_messages_without_body(message_ids: Sequence[int]) -> int:
    """Park those of these messages whose body retention removed; return how many they are.

    A body that is just being moved is visible in this statement, and processed after the lease.
    """
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(PARK_WITHOUT_BODY, [ParkReason.BODY_REMOVED.value, list(message_ids)])
        return int(cursor.rowcount)
