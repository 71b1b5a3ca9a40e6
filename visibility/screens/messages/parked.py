"""Parked messages: the reason, what to do about it, and groups with the same cause."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from connectors.sdk.payload import ParkReason

MAX_GROUPS = 100
# (what happened, what to do about it)
EXPLANATIONS = {
    ParkReason.EMPTY: (
        "The message is empty",
        "Ask the sender what it intended to send; there is nothing to replay",
    ),
    ParkReason.ENCODING: (
        "Unsupported text encoding",
        "Ask the sender to use UTF-8, or correct the encoding in the source settings, then replay",
    ),
    ParkReason.SYNTAX: (
        "Invalid syntax (the message may be truncated)",
        "Ask the sender to resend it",
    ),
    ParkReason.DEPTH: (
        "The message is nested too deeply",
        "Check the payload: it is a mistake of the sender or an attack",
    ),
    ParkReason.SIZE: (
        "The message is too large",
        "Ask the sender to use smaller batches",
    ),
    ParkReason.NUMBER: (
        "Invalid number",
        "Ask the sender to correct the field that the path names, then to resend",
    ),
    ParkReason.TIMESTAMP: (
        "Invalid time",
        "Check the clock and time zone of the sender, then replay",
    ),
    ParkReason.SCHEMA: (
        "A field is missing or has the wrong type",
        "The sender changed its format: update the connector, then replay",
    ),
    ParkReason.MAPPING: (
        "A value is not mapped",
        "Add the value to the mappings of the source, then replay",
    ),
    ParkReason.IDENTIFIER: (
        "Invalid order number or other identifier",
        "Ask the sender to correct the field that the path names, then to resend",
    ),
    ParkReason.REFERENCE: (
        "The message refers to a record it does not contain",
        "Replay after the message it refers to has arrived; otherwise ask the sender",
    ),
    ParkReason.QUANTITY: (
        "Implausible quantity",
        "Compare it with the order in the sending system, then ask the sender to resend it",
    ),
    ParkReason.MEDIA: (
        "Unexpected content type for this source",
        "Check that the sender uses the URL of this source",
    ),
    ParkReason.EDI_ENVELOPE: (
        "EDI envelope counts or control numbers do not match",
        "The transmission was truncated or altered: ask the trading partner to resend it",
    ),
    ParkReason.DOCUMENT_REJECTED: (
        "A trading partner rejected a document",
        "Find the document by the numbers in the detail, correct it and send it again",
    ),
    ParkReason.CONFLICT: (
        "The message was received before with other content",
        "The newer version is used; compare both and ask the sender which one is correct",
    ),
    ParkReason.JOIN_TOO_LARGE: (
        "The message would merge too many orders",
        "A number is used for different orders: correct it in the sending system, then replay",
    ),
    ParkReason.CRASH: (
        "Processing crashed several times",
        "The message is isolated so that others are processed: report a bug with the message ID",
    ),
    ParkReason.SOURCE: (
        "The source has no usable connector or settings",
        "Correct the source, then replay",
    ),
    ParkReason.BODY_REMOVED: (
        "The message was removed by retention before it was processed",
        "Ask the sender to send it again",
    ),
}


@dataclass(frozen=True, slots=True)
class ParkedMessagesWithSameCause:
    """Parked messages of one source with the same cause. `sample` is the newest message ID."""

    slug: str
    title: str
    reason: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime
    sample: int

    @property
    def cause_and_remedy(self) -> tuple[str, str]:
        """(what happened, what to do about it)."""
        return cause_and_remedy_of_park_reason(self.reason)


def cause_and_remedy_of_park_reason(reason: str) -> tuple[str, str]:
    """(what happened, what to do about it) for a reason code."""
    explanation = next((EXPLANATIONS[code] for code in ParkReason if code.value == reason), None)
    return explanation or (
        "The message could not be processed",
        "Check the message and the error detail",
    )


def group_parked_messages_by_cause(
    source_id: int | None = None,
) -> list[ParkedMessagesWithSameCause]:
    """The groups of one source or of all, the largest first."""
    # Syntax errors at different positions count as one cause.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source.slug, source.title, m.reason,
                CASE WHEN m.reason = 'syntax' THEN '' ELSE m.detail END, count(*),
                min(m.received_at), max(m.received_at), max(m.id)
            FROM visibility_inbound_message m
            JOIN visibility_source source ON source.id = m.source_id
            WHERE m.state = 'parked' AND (%s::bigint IS NULL OR m.source_id = %s)
            GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 7 DESC LIMIT %s
            """,
            [source_id, source_id, MAX_GROUPS],
        )
        return [ParkedMessagesWithSameCause(*row) for row in cursor.fetchall()]


def parked_message_ids(
    source_id: int, *, reason: str, detail: str | None, limit: int = 10_000
) -> list[int]:
    """IDs of parked messages with a cause, oldest first; without `detail`, any detail matches."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM visibility_inbound_message
            WHERE state = 'parked' AND source_id = %s AND (%s = '' OR reason = %s)
                AND (coalesce(%s, '') = '' OR detail = %s)
            ORDER BY id LIMIT %s
            """,
            [source_id, reason, reason, detail, detail, limit],
        )
        return [row[0] for row in cursor.fetchall()]
