"""Notices that a source received, for pollers that read the records which notices name."""

from datetime import datetime

from connectors.sdk.webhook_and_poll_types import NOTICE_KEY
from visibility.db import bulk

MAX_NOTICES = 1_000
NOTICES = """
SELECT body.body FROM visibility_inbound_message message
JOIN visibility_message_body body
    ON body.message_id = message.id AND body.received_at = message.received_at
WHERE message.source_id = %(source)s AND message.received_at >= %(since)s
    AND starts_with(message.dedupe_key, %(key)s)
ORDER BY message.received_at DESC LIMIT %(limit)s
"""


def load_notices(source_id: int, since: datetime) -> list[bytes]:
    """Return the bodies of the notices since that time, newest first, at most MAX_NOTICES."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            NOTICES,
            {"source": source_id, "since": since, "key": NOTICE_KEY, "limit": MAX_NOTICES},
        )
        return [bytes(row[0]) for row in cursor.fetchall()]
