"""What a replay of parked messages would do: a trial reading that stores nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from connectors.sdk.payload import ParkReason
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models.orders import Order
from visibility.models.sources_and_messages import Source
from visibility.screens.messages.parked import cause_and_remedy_of_park_reason
from visibility.screens.messages.trial_reading import (
    TrialLimits,
    TrialReading,
    read_messages_in_own_process,
)

# The trial reads only so many messages, so many bytes of them, inflated, and for so long, because a
# person waits for it.
MAX_TRIED = 200
MAX_TRIED_BYTES = 8_000_000
MAX_TRIED_SECONDS = 5
MAX_ORDERS = 50
FAILED_BEFORE = "A previous attempt failed with an error or ran out of time or memory"
BEYOND_LIMITS = (
    f"Beyond the limits of a trial: {MAX_TRIED} messages, {MAX_TRIED_BYTES // 1_000_000} MB "
    f"or {MAX_TRIED_SECONDS} seconds"
)
TOO_LONG = (
    "Reading message {message} did not end in time and was stopped; a worker can fail at it, too"
)
NOT_STARTED = "The trial could not be started: try again later"
# Retention may have removed the body: such a message has none.
PARKED_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE NOT has_body),
    count(*) FILTER (WHERE has_body AND reason = 'crash')
FROM (
    SELECT m.reason, coalesce(b.body, m.body) IS NOT NULL AS has_body
    FROM visibility_inbound_message m
    LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
    WHERE m.id = ANY(%s) AND m.state = 'parked'
) selected
"""
MESSAGES_TO_TRY = """
SELECT id, source_id, received_at, dedupe_key, content_hash, headers, body FROM (
    SELECT id, source_id, received_at, dedupe_key, content_hash, headers, body,
        sum(octet_length(body)) OVER (ORDER BY id DESC) AS bytes
    FROM (
        SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
            coalesce(b.body, m.body) AS body
        FROM visibility_inbound_message m
        LEFT JOIN visibility_message_body b
            ON b.message_id = m.id AND b.received_at = m.received_at
        WHERE m.id = ANY(%s) AND m.state = 'parked' AND m.reason <> 'crash'
            AND coalesce(b.body, m.body) IS NOT NULL
        ORDER BY m.id DESC LIMIT %s
    ) candidate
) newest WHERE bytes <= %s OR bytes = octet_length(body) ORDER BY id DESC
"""
OBJECTS_OF_MESSAGES = """
SELECT DISTINCT link.object_id FROM visibility_event event
JOIN visibility_eventobjectlink link ON link.event_id = event.id
WHERE event.message_id = ANY(%s) LIMIT 20000
"""
OBJECTS_OF_NUMBERS = """
SELECT DISTINCT i.object_id FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS named (kind, scheme, issuer, value)
JOIN visibility_identifier i ON i.value = named.value AND i.scheme = named.scheme
    AND i.issuer = named.issuer AND i.kind = named.kind AND NOT i.rejected
LIMIT 20000
"""
ORDERS_OF_OBJECTS = """
WITH RECURSIVE up (id) AS (
    SELECT unnest(%s::bigint[])
    UNION
    SELECT next.id FROM up, LATERAL (
        SELECT parent_id FROM visibility_objectrelation WHERE child_id = up.id
        UNION ALL
        SELECT merged_into_id FROM visibility_businessobject
        WHERE id = up.id AND merged_into_id IS NOT NULL
    ) AS next (id)
)
SELECT o.object_id FROM up JOIN visibility_order o ON o.object_id = up.id
"""


@dataclass(frozen=True, slots=True)
class StillParked:
    """Messages that are, or would be, parked again with one cause."""

    reason: str
    detail: str
    count: int

    @property
    def what(self) -> str:
        """What happened, in words."""
        return cause_and_remedy_of_park_reason(self.reason)[0]

    @property
    def query(self) -> str:
        """The query string of the list of these messages, within a replay.

        Syntax errors at different positions are one cause.
        """
        values = {"state": "parked", "reason": self.reason}
        is_any_detail = self.reason == ParkReason.SYNTAX.value
        return urlencode(values if is_any_detail else values | {"detail": self.detail})


@dataclass(frozen=True, slots=True)
class NotTried:
    """Messages that can be replayed, but that the trial left out. `why` is in words."""

    why: str
    count: int


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """The effect of a replay of the `selected` messages that are parked.

    `tried` of them were read, with events from `readable` ones; `without_body` cannot be replayed,
    because retention removed what they contain. `orders` are the first of the `order_count` known
    orders that the messages are about.
    """

    selected: int
    tried: int
    readable: int
    without_body: int
    events: int
    still_parked: Sequence[StillParked]
    not_tried: Sequence[NotTried]
    order_count: int
    orders: Sequence[Order]

    @property
    def is_partial(self) -> bool:
        """Whether some messages were not tried."""
        return bool(self.not_tried)


def preview_replay(message_ids: Sequence[int]) -> ReplayPreview:
    """Read these parked messages as the worker would, without storing anything.

    The process that reads them is ended if a message takes too long. Messages that failed before
    are not tried, and the trial stops at its limits.
    """
    with connection.cursor() as cursor:
        cursor.execute(PARKED_COUNTS, [list(message_ids)])
        selected, without_body, failed_before = cursor.fetchone()
    messages = _messages_to_try(message_ids)
    sources = Source.objects.in_bulk({message.source_id for message in messages})
    reading = read_messages_in_own_process(
        messages, sources, TrialLimits(MAX_TRIED_SECONDS, MAX_TRIED_BYTES)
    )
    results = reading.results
    parked = Counter((result.reason, result.detail) for result in results if result.reason)
    keys = sorted({key for result in results for key in result.keys})
    columns = [[key[index] for key in keys] for index in range(4)]
    named_objects = _query_ids(OBJECTS_OF_NUMBERS, columns) if keys else []
    objects = _query_ids(OBJECTS_OF_MESSAGES, [list(message_ids)]) + named_objects
    order_ids = _orders_of(objects)
    can_be_tried = selected - without_body - failed_before
    return ReplayPreview(
        selected=selected,
        tried=len(results),
        readable=sum(not result.reason for result in results),
        without_body=without_body,
        events=sum(result.events for result in results),
        still_parked=[
            StillParked(reason, detail, count) for (reason, detail), count in parked.most_common(20)
        ],
        not_tried=_not_tried(reading, failed_before, can_be_tried - len(results)),
        order_count=len(order_ids),
        orders=list(
            Order.objects.filter(object_id__in=order_ids).order_by("-last_event_at")[:MAX_ORDERS]
        ),
    )


def _not_tried(reading: TrialReading, failed_before: int, left: int) -> list[NotTried]:
    """Why messages were not read: `failed_before` of them, and the `left` ones that could be."""
    groups = [NotTried(FAILED_BEFORE, failed_before)]
    if not reading.has_started:
        return [group for group in (*groups, NotTried(NOT_STARTED, left)) if group.count > 0]
    if reading.stopped_at is not None:
        left -= 1
        groups.append(NotTried(TOO_LONG.format(message=reading.stopped_at), 1))
    groups.append(NotTried(BEYOND_LIMITS, left))
    return [group for group in groups if group.count > 0]


def count_orders_of_messages(message_ids: Sequence[int]) -> int:
    """The number of orders that the events of these messages reach."""
    return len(order_ids_of_messages(message_ids))


def order_ids_of_messages(message_ids: Sequence[int]) -> list[int]:
    """The orders that the events of these messages reach."""
    return _orders_of(_query_ids(OBJECTS_OF_MESSAGES, [list(message_ids)]))


def _messages_to_try(message_ids: Sequence[int]) -> list[StoredMessage]:
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES_TO_TRY, [list(message_ids), MAX_TRIED, MAX_TRIED_BYTES])
        return [StoredMessage.from_row(row) for row in cursor.fetchall()]


def _orders_of(object_ids: Sequence[int]) -> list[int]:
    return _query_ids(ORDERS_OF_OBJECTS, [list(object_ids)]) if object_ids else []


def _query_ids(statement: str, values: list[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()]
