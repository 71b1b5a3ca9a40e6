"""The newest requests of a source with the verdict on each: stored, refused, or a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from connectors.sdk.connector import Connector
from visibility.formatting import count_with_noun
from visibility.ingest.message_of_request import QUEUE_HEADER
from visibility.ingest.unstored_requests import OF_QUEUE
from visibility.models.parked_message_decisions import EditedMessage
from visibility.models.source_requests import UnstoredRequest
from visibility.models.sources_and_messages import (
    InboundMessage,
    MessageState,
    Source,
    UnusableSource,
)
from visibility.screens.messages.delivery import FILE_FOLDER_HEADER, FILE_NAME_HEADER

SHOWN_REQUESTS = 20
# Orders of one message that are named; a file may have thousands.
NAMED_ORDERS = 3
ORDERS_OF_MESSAGES = """
WITH RECURSIVE up (message_id, id) AS (
    SELECT event.message_id, link.object_id FROM visibility_event event
    JOIN visibility_eventobjectlink link ON link.event_id = event.id
    WHERE event.message_id = ANY(%s)
    UNION
    SELECT up.message_id, next.id FROM up, LATERAL (
        SELECT parent_id FROM visibility_objectrelation WHERE child_id = up.id
        UNION ALL
        SELECT merged_into_id FROM visibility_businessobject
        WHERE id = up.id AND merged_into_id IS NOT NULL
    ) AS next (id)
), ranked AS (
    SELECT up.message_id, o.object_id, o.number,
        row_number() OVER (PARTITION BY up.message_id ORDER BY o.object_id) AS position,
        count(*) OVER (PARTITION BY up.message_id) AS total
    FROM (SELECT DISTINCT message_id, id FROM up) up JOIN visibility_order o ON o.object_id = up.id
)
SELECT message_id, object_id, number, total FROM ranked WHERE position <= %s
ORDER BY message_id, position
"""
EVENTS_OF_MESSAGES = """
SELECT message_id, count(*), array_agg(DISTINCT type ORDER BY type)
FROM visibility_event WHERE message_id = ANY(%s) AND NOT superseded GROUP BY message_id
"""


@dataclass(frozen=True, slots=True)
class RequestOrder:
    """An order that a message is about."""

    id: int
    number: str


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """One request and what became of it.

    `verification`: how the sender was checked. `outcome`: accepted, waiting, parked, refused or
    test. `detail`: why it was refused, parked or ignored. `message_id` is None if nothing was
    stored.
    """

    key: str
    received_at: datetime
    verification: str
    is_verified: bool
    outcome: str
    detail: str
    event_count: int
    event_types: Sequence[str]
    orders: Sequence[RequestOrder] = ()
    order_count: int = 0
    message_id: int | None = None
    status: int | None = None

    @property
    def is_test(self) -> bool:
        """Whether it is a test event, which changes no order."""
        return self.outcome == "test"

    @property
    def events_text(self) -> str:
        """The number of events in words."""
        return count_with_noun(self.event_count, "event")


def list_newest_requests(source: Source, *, limit: int = SHOWN_REQUESTS) -> list[SourceRequest]:
    """Return the newest requests of a source, the newest first. Runs four statements."""
    rows = [*_stored_requests(source, limit), *_unstored_requests(source, limit)]
    return sorted(rows, key=lambda row: row.received_at, reverse=True)[:limit]


def _stored_requests(source: Source, limit: int) -> list[SourceRequest]:
    messages = list(
        InboundMessage.objects.filter(source=source)
        .exclude(pk__in=EditedMessage.objects.values("message_id"))  # no sender requested it
        .only("id", "received_at", "headers", "state", "reason", "detail")
        .order_by("-received_at", "-id")[:limit]
    )
    ids = [message.pk for message in messages]
    events, orders = _events_and_orders(ids)
    try:
        connector = source.build_connector()
    except UnusableSource:
        connector = None
    rows = []
    for message in messages:
        count, types = events.get(message.pk, (0, ()))
        named, total = orders.get(message.pk, ((), 0))
        verification, is_verified = _verification(connector, message)
        outcome = {
            MessageState.APPLIED: "accepted",
            MessageState.PARKED: "parked",
            MessageState.DISCARDED: "discarded",
        }.get(MessageState(message.state), "waiting")
        rows.append(
            SourceRequest(
                key=f"m{message.pk}",
                received_at=message.received_at,
                verification=verification,
                is_verified=is_verified,
                outcome=outcome,
                detail=message.detail,
                event_count=count,
                event_types=types,
                orders=named,
                order_count=total,
                message_id=message.pk,
            )
        )
    return rows


def _events_and_orders(
    ids: Sequence[int],
) -> tuple[
    Mapping[int, tuple[int, Sequence[str]]],
    Mapping[int, tuple[Sequence[RequestOrder], int]],
]:
    """The number and types of the events, and the first orders and their number, by message."""
    if not ids:
        return {}, {}
    orders: dict[int, tuple[list[RequestOrder], int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(EVENTS_OF_MESSAGES, [list(ids)])
        events = {message_id: (count, types) for message_id, count, types in cursor.fetchall()}
        cursor.execute(ORDERS_OF_MESSAGES, [list(ids), NAMED_ORDERS])
        for message_id, order_id, number, total in cursor.fetchall():
            named, _ = orders.setdefault(message_id, ([], total))
            named.append(RequestOrder(order_id, number))
    return events, orders


def _verification(connector: Connector | None, message: InboundMessage) -> tuple[str, bool]:
    if FILE_NAME_HEADER in message.headers:
        is_remote = FILE_FOLDER_HEADER in message.headers
        return f"Read from the {'SFTP' if is_remote else 'drop'} folder", False
    if QUEUE_HEADER in message.headers:
        return "Received from the queue", False
    if connector is not None and connector.is_webhook(message.headers):
        return "Signature valid", True
    if connector is not None and not connector.accepts_webhooks:
        return "Fetched by a poll", False
    return "Polled, or a webhook with a valid signature", False


def _unstored_requests(source: Source, limit: int) -> list[SourceRequest]:
    return [
        _unstored_request(row)
        for row in UnstoredRequest.objects.filter(source=source).order_by("-id")[:limit]
    ]


def _unstored_request(row: UnstoredRequest) -> SourceRequest:
    accepted = row.is_test and row.status < 300
    reading: Mapping[str, Any] = row.reading if isinstance(row.reading, Mapping) else {}
    events = reading.get("events") or []
    detail = row.reason or str(reading.get("parked") or reading.get("ignored") or "")
    return SourceRequest(
        key=f"u{row.pk}",
        received_at=row.received_at,
        verification="Signature valid" if accepted else _refusal(row.status),
        is_verified=accepted,
        outcome="test" if row.is_test else "refused",
        detail=detail,
        event_count=len(events),
        event_types=sorted({str(event.get("type", "")) for event in events}),
        status=row.status,
    )


def _refusal(status: int) -> str:
    if status == OF_QUEUE:
        return "Received from the queue"
    return "Signature invalid" if status == 401 else f"Refused with HTTP {status}"
