"""Parked messages: the reason, what to do about it, and groups with the same cause."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

from django.db import connection

from connectors.sdk.payload import ParkReason
from visibility.storage.organization import own_currency_first

MAX_GROUPS = 100
# A replay takes at most so many messages at once; the orders of so many are counted.
MAX_SELECTED = 10_000
MAX_COUNTED = 5_000
PARKED_CAUSES = """
SELECT reason, detail, array_agg(slug ORDER BY count DESC, slug),
    array_agg(title ORDER BY count DESC, slug), array_agg(count ORDER BY count DESC, slug),
    sum(count), min(first_at), max(last_at), max(sample)
FROM (
    SELECT source.slug, source.title, m.reason,
        CASE WHEN m.reason = 'syntax' THEN NULL ELSE m.detail END AS detail, count(*) AS count,
        min(m.received_at) AS first_at, max(m.received_at) AS last_at, max(m.id) AS sample
    FROM visibility_inbound_message m JOIN visibility_source source ON source.id = m.source_id
    WHERE m.state = 'parked' AND (%(source)s::bigint IS NULL OR m.source_id = %(source)s)
    GROUP BY 1, 2, 3, 4
) by_source GROUP BY 1, 2 ORDER BY 6 DESC, 8 DESC LIMIT %(limit)s
"""
# Through the events that were read from a message before an error in it.
ORDERS_OF_CAUSES = """
WITH RECURSIVE up (reason, detail, id) AS (
    SELECT m.reason, m.detail, link.object_id
    FROM (
        SELECT id, reason, CASE WHEN reason = 'syntax' THEN NULL ELSE detail END AS detail
        FROM visibility_inbound_message
        WHERE state = 'parked' AND (%(source)s::bigint IS NULL OR source_id = %(source)s)
        ORDER BY id DESC LIMIT %(limit)s
    ) m
    JOIN visibility_event event ON event.message_id = m.id
    JOIN visibility_eventobjectlink link ON link.event_id = event.id
    UNION
    SELECT up.reason, up.detail, next.id FROM up, LATERAL (
        SELECT parent_id FROM visibility_objectrelation WHERE child_id = up.id
        UNION ALL
        SELECT merged_into_id FROM visibility_businessobject
        WHERE id = up.id AND merged_into_id IS NOT NULL
    ) AS next (id)
)
SELECT up.reason, up.detail, o.currency, count(o.object_id), sum(o.total)
FROM up LEFT JOIN visibility_order o ON o.object_id = up.id GROUP BY 1, 2, 3
"""
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
        "Ask the sender to correct it, or edit a copy of the message. If all times of the source "
        "look like this, correct its connector, then replay",
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
    ParkReason.VERSION: (
        "The sender uses a version of its messages that is not supported",
        "Let the sender use a supported version (see Drift on the source), or update Throughline, "
        "then replay",
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
class ParkedCause:
    """Parked messages with the same cause. `sources`: (slug, title, count), the most first.

    `orders`: how many known orders their events reach; None if no event could be read from them.
    `values`: the value of these orders by currency, the own one first; empty if it is not known.
    `detail` is None if details do not count: syntax errors at different positions are one cause.
    `sample` is the ID of the newest message.
    """

    reason: str
    detail: str | None
    sources: tuple[tuple[str, str, int], ...]
    count: int
    first_at: datetime
    last_at: datetime
    sample: int
    orders: int | None = None
    values: tuple[tuple[Decimal, str], ...] = ()

    @property
    def cause_and_remedy(self) -> tuple[str, str]:
        """(what happened, what to do about it)."""
        return cause_and_remedy_of_park_reason(self.reason)

    @property
    def query(self) -> str:
        """The query string that selects these messages, without a source."""
        values = {"reason": self.reason}
        return urlencode(values if self.detail is None else values | {"detail": self.detail})


def cause_and_remedy_of_park_reason(reason: str) -> tuple[str, str]:
    """(what happened, what to do about it) for a reason code."""
    explanation = next((EXPLANATIONS[code] for code in ParkReason if code.value == reason), None)
    return explanation or (
        "The message could not be processed",
        "Check the message and the error detail",
    )


def group_parked_messages_by_cause(source_id: int | None = None) -> list[ParkedCause]:
    """The causes in one source or in all, the most messages first."""
    with connection.cursor() as cursor:
        cursor.execute(PARKED_CAUSES, {"source": source_id, "limit": MAX_GROUPS})
        rows = cursor.fetchall()
        orders = defaultdict[tuple[str, str | None], int](int)
        values = defaultdict[tuple[str, str | None], list[tuple[Decimal, str]]](list)
        if rows:
            cursor.execute(ORDERS_OF_CAUSES, {"source": source_id, "limit": MAX_COUNTED})
            for reason, detail, currency, count, total in cursor.fetchall():
                orders[reason, detail] += count
                if total is not None:
                    values[reason, detail].append((total, currency))
    return [
        ParkedCause(
            reason,
            detail,
            tuple(zip(slugs, titles, counts, strict=True)),
            int(count),
            first_at,
            last_at,
            sample,
            orders.get((reason, detail)),
            tuple(own_currency_first(values[reason, detail])),
        )
        for reason, detail, slugs, titles, counts, count, first_at, last_at, sample in rows
    ]


def parked_message_ids(
    source_id: int | None, *, reason: str, detail: str | None, limit: int = MAX_SELECTED
) -> list[int]:
    """IDs of parked messages, oldest first.

    Without a source, a reason or a detail, any matches.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM visibility_inbound_message
            WHERE state = 'parked' AND (%(source)s::bigint IS NULL OR source_id = %(source)s)
                AND (%(reason)s = '' OR reason = %(reason)s)
                AND (%(detail)s::text IS NULL OR detail = %(detail)s)
            ORDER BY id LIMIT %(limit)s
            """,
            {"source": source_id, "reason": reason, "detail": detail, "limit": limit},
        )
        return [row[0] for row in cursor.fetchall()]
