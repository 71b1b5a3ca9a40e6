"""Which stored messages a check reads: those of a period, the newest first, up to a limit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models.release_checks import ReleaseCheck

MAX_MESSAGES, MAX_BYTES = 5_000, 64_000_000
# Discarded messages count no longer; waiting ones are not read yet.
SELECT = """
SELECT id, source_id, received_at, dedupe_key, content_hash, headers, body, state, reason, detail
FROM (
    SELECT candidate.*,
        sum(octet_length(body)) OVER (ORDER BY received_at DESC, id DESC) AS bytes
    FROM (
        SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
            coalesce(m.body, b.body) AS body, m.state, m.reason, m.detail
        FROM visibility_inbound_message m
        LEFT JOIN visibility_message_body b
            ON b.message_id = m.id AND b.received_at = m.received_at
        WHERE m.source_id = %s AND m.received_at >= %s AND m.received_at < %s
            AND m.state IN ('applied', 'parked') AND coalesce(m.body, b.body) IS NOT NULL
        ORDER BY m.received_at DESC, m.id DESC LIMIT %s
    ) candidate
) newest WHERE bytes <= %s OR bytes = octet_length(body) ORDER BY id
"""
COUNTS = """
SELECT count(*), count(*) FILTER (WHERE m.body IS NULL AND NOT EXISTS (
    SELECT FROM visibility_message_body b
    WHERE b.message_id = m.id AND b.received_at = m.received_at))
FROM visibility_inbound_message m
WHERE m.source_id = %s AND m.received_at >= %s AND m.received_at < %s
    AND m.state IN ('applied', 'parked')
"""
# The other versions of these messages, as the worker reads them together.
OTHER_VERSIONS = """
SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
    coalesce(m.body, b.body),
    coalesce((SELECT max((e.data ->> 'revision') COLLATE "C") FROM visibility_event e
        WHERE b.body IS NULL AND m.body IS NULL AND e.message_id = m.id), '')
FROM visibility_messagekey k
JOIN visibility_inbound_message m ON m.id = k.message_id AND m.received_at = k.received_at
LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
WHERE k.source_id = %s AND k.dedupe_key = ANY(%s) AND NOT m.id = ANY(%s)
    AND m.state IN ('applied', 'parked') ORDER BY m.id
"""


@dataclass(frozen=True, slots=True)
class StoredReading:
    """How a message was read: why it is parked, or "" twice."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SelectedMessages:
    """The messages to read, and how they were read. `others`: further versions of them.

    `available` messages are in the period; `without_body` of them can no longer be read.
    """

    messages: Sequence[StoredMessage]
    stored: Sequence[StoredReading]
    others: Sequence[StoredMessage]
    available: int
    without_body: int


def select_messages(check: ReleaseCheck) -> SelectedMessages:
    """Load them. Three statements."""
    period: list[Any] = [check.source_id, check.since, check.until]
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, period)
        available, without_body = cursor.fetchone()
        cursor.execute(SELECT, [*period, MAX_MESSAGES, MAX_BYTES])
        rows = cursor.fetchall()
        messages = [StoredMessage.from_row(row) for row in rows]
        keys = [message.dedupe_key for message in messages]
        cursor.execute(OTHER_VERSIONS, [check.source_id, keys, [m.id for m in messages]])
        others = [
            replace(StoredMessage.from_row(row), stored_revision=row[7])
            for row in cursor.fetchall()
        ]
    stored = [
        StoredReading(row[8], row[9]) if row[7] == "parked" else StoredReading("", "")
        for row in rows
    ]
    return SelectedMessages(messages, stored, others, available, without_body)
