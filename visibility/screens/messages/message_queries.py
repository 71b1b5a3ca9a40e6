"""Queries of the message pages: the list, the search, and one message with its results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from visibility.db.keyset import InvalidCursor, decode_cursor, encode_cursor
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import format_date, in_zone
from visibility.models.message_bodies import removed_bodies_of
from visibility.models.orders import Order
from visibility.models.sources_and_messages import InboundMessage
from visibility.storage.organization import organization_time_zone
from visibility.timeline.model import CLOCK_SKEW

PAGE_SIZE = 50
# Maximum number of messages that a search considers.
MAX_MATCHES = 500
# Bytes of a payload that the page shows; the stored payload is complete.
MAX_SHOWN_BYTES = 65_536
HIDDEN = "(hidden)"
# Headers and settings whose names contain one of these are hidden.
SECRET_NAMES = (
    "auth",
    "cookie",
    "credential",
    "hmac",
    "key",
    "pass",
    "secret",
    "signature",
    "token",
)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of a list. `cursor` is the `after` parameter of the next page."""

    id: int
    slug: str
    title: str
    received_at: datetime
    dedupe_key: str
    state: str
    reason: str
    detail: str
    attempts: int
    processed_at: datetime | None
    types: Sequence[str]

    @property
    def cursor(self) -> str:
        """The cursor of the page after this row."""
        return encode_cursor([self.received_at, self.id])


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """One event created from a message."""

    id: int
    type: str
    occurred_at: datetime
    received_at: datetime
    key: str
    raw_type: str
    superseded: bool
    reader: str = ""

    @property
    def delay_from_event_to_receipt(self) -> timedelta:
        """The time from the event to its receipt."""
        return self.received_at - self.occurred_at

    @property
    def is_in_future(self) -> bool:
        """Whether the event is in the future by more than the tolerated clock skew."""
        return self.delay_from_event_to_receipt < -CLOCK_SKEW


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """One message with its events, the orders affected and its other versions."""

    message: InboundMessage
    events: Sequence[MessageEvent]
    orders: Sequence[Order]
    duplicate_count: int
    versions: Sequence[MessageRow]
    # When retention removed the payload; None if it is stored.
    body_removed_at: datetime | None


def list_messages(
    *,
    source_id: int | None = None,
    state: str = "",
    reason: str = "",
    detail: str | None = None,
    ids: Sequence[int] | None = None,
    after: str = "",
    limit: int = PAGE_SIZE + 1,
) -> list[MessageRow]:
    """Messages, newest first: by default one page, and one more if there is a next page."""
    conditions = ["true"]
    values: list[Any] = []
    order = "m.received_at DESC, m.id DESC" if source_id is not None else "m.id DESC"
    if source_id is not None:
        conditions.append("m.source_id = %s")
        values.append(source_id)
    if state:
        conditions.append("m.state = %s")
        values.append(state)
    if reason:
        conditions.append("m.reason = %s")
        values.append(reason)
    if detail is not None:
        conditions.append("m.detail = %s")
        values.append(detail)
    if ids is not None:
        conditions.append("m.id = ANY(%s)")
        values.append(list(ids))
    received_at, last_id = _decode_cursor(after)
    if last_id is not None and source_id is not None:
        conditions.append("(m.received_at, m.id) < (%s, %s)")
        values += [received_at, last_id]
    elif last_id is not None:
        conditions.append("m.id < %s")
        values.append(last_id)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH page AS MATERIALIZED (
                SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.state, m.reason, m.detail,
                    m.attempts, m.processed_at
                FROM visibility_inbound_message m
                WHERE {" AND ".join(conditions)} ORDER BY {order} LIMIT %s
            )
            SELECT m.id, source.slug, source.title, m.received_at, left(m.dedupe_key, 200), m.state,
                m.reason, m.detail, m.attempts, m.processed_at,
                coalesce((
                    SELECT array_agg(DISTINCT type ORDER BY type) FROM visibility_event
                    WHERE message_id = m.id
                ), '{{}}')
            FROM page m JOIN visibility_source source ON source.id = m.source_id ORDER BY {order}
            """,  # noqa: S608  # conditions are constants
            [*values, limit],
        )
        return [MessageRow(*row) for row in cursor.fetchall()]


def find_message_ids_by_id_key_or_event_number(text: str, spellings: Sequence[str]) -> list[int]:
    """IDs of messages with this ID, this sender's ID, or events about this number."""
    message_id = parse_row_id(text) or 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT message_id FROM visibility_messagekey
            WHERE source_id IN (SELECT id FROM visibility_source) AND dedupe_key = %(text)s
            UNION SELECT %(own)s WHERE %(own)s > 0
            UNION SELECT message_id FROM (
                SELECT event.message_id FROM visibility_identifier name
                JOIN visibility_eventobjectlink link ON link.object_id = name.object_id
                JOIN visibility_event event ON event.id = link.event_id
                    AND event.occurred_at = link.occurred_at
                WHERE name.value = ANY(%(spellings)s)
                ORDER BY event.id DESC LIMIT %(limit)s
            ) by_number
            LIMIT %(limit)s
            """,
            {"text": text, "own": message_id, "spellings": list(spellings), "limit": MAX_MATCHES},
        )
        return [row[0] for row in cursor.fetchall()]


def message_detail(message_id: int) -> MessageDetail | None:
    """One message with its details; None if it is not stored."""
    message = (
        InboundMessage.objects.select_related("source")
        .defer("unmoved_body")
        .filter(id=message_id)
        .first()
    )
    if message is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, type, occurred_at, received_at, key,
                coalesce(data->>'raw_type', ''), superseded,
                coalesce((SELECT name FROM visibility_eventreader r WHERE r.id = reader_id), '')
            FROM visibility_event WHERE message_id = %s ORDER BY occurred_at, id LIMIT 200
            """,
            [message_id],
        )
        events = [MessageEvent(*row) for row in cursor.fetchall()]
        cursor.execute(
            """
            SELECT message_id, content_hash, duplicate_count FROM visibility_messagekey
            WHERE source_id = %s AND dedupe_key = %s ORDER BY message_id LIMIT 20
            """,
            [message.source_id, message.dedupe_key],
        )
        keys = cursor.fetchall()
    others = [key[0] for key in keys if key[0] != message_id]
    removed = removed_bodies_of(message.received_at)
    return MessageDetail(
        message=message,
        events=events,
        orders=_affected_orders(message_id),
        duplicate_count=sum(key[2] for key in keys if key[0] == message_id),
        versions=list_messages(ids=others) if others else [],
        body_removed_at=removed.removed_at if removed else None,
    )


def removed_payload_sentence(removed_at: datetime) -> str:
    """Says when retention removed the payload of a message."""
    day = format_date(
        in_zone(removed_at, organization_time_zone()).date(), weekday=False, year=True
    )
    return f"The payload was removed by the retention policy on {day}."


def why_message_cannot_be_replayed(message_id: int) -> str:
    """Why a stored message cannot be processed again, whatever its state; empty if it can."""
    received_at = InboundMessage.objects.values_list("received_at", flat=True).get(id=message_id)
    removed = removed_bodies_of(received_at)
    if removed is None or removed.removed_at is None:
        return ""
    return (
        f"{removed_payload_sentence(removed.removed_at)} The message cannot be processed again; "
        "the events created from it stay."
    )


def redact_headers_or_settings(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers or settings for display; values of secrets are replaced by `(hidden)`."""
    return [
        (
            name,
            HIDDEN if any(text in name.lower() for text in SECRET_NAMES) else str(value)[:500],
        )
        for name, value in sorted(values.items())
    ]


def _affected_orders(message_id: int) -> list[Order]:
    """The orders that the message's events reach, directly or through a shipment or an invoice."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE up (id) AS (
                SELECT link.object_id FROM visibility_event event
                JOIN visibility_eventobjectlink link ON link.event_id = event.id
                WHERE event.message_id = %s
                UNION
                SELECT next.id FROM up, LATERAL (
                    SELECT parent_id FROM visibility_objectrelation WHERE child_id = up.id
                    UNION ALL
                    SELECT merged_into_id FROM visibility_businessobject
                    WHERE id = up.id AND merged_into_id IS NOT NULL
                ) AS next (id)
            )
            SELECT DISTINCT id FROM up LIMIT 500
            """,
            [message_id],
        )
        objects = [row[0] for row in cursor.fetchall()]
    return list(Order.objects.filter(object_id__in=objects).order_by("-last_event_at")[:50])


def _decode_cursor(after: str) -> tuple[datetime | None, int | None]:
    """Decode a cursor; an invalid one means the first page."""
    try:
        received_at, last_id = decode_cursor(after, (datetime, int))
    except InvalidCursor:
        return None, None
    return received_at, last_id
