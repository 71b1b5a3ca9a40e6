"""What a replay of parked messages would do: a trial reading that stores nothing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import ParkReason
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, identity_and_other_keys
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage, parse_message
from visibility.models.orders import Order
from visibility.models.sources_and_messages import Source
from visibility.screens.messages.parked import cause_and_remedy_of_park_reason

# The trial reads only so many messages, and so many bytes of them, because a person waits for it.
MAX_TRIED = 200
MAX_TRIED_BYTES = 8_000_000
MAX_ORDERS = 50
# Retention may have removed the body: such a message has none.
MESSAGES_TO_TRY = """
SELECT id, source_id, received_at, dedupe_key, content_hash, headers, body FROM (
    SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
        coalesce(b.body, m.body) AS body,
        sum(octet_length(coalesce(b.body, m.body))) OVER (ORDER BY m.id DESC) AS bytes
    FROM (SELECT * FROM visibility_inbound_message
        WHERE id = ANY(%s) AND state = 'parked' ORDER BY id DESC LIMIT %s) m
    LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
) newest WHERE bytes IS NULL OR bytes <= %s OR bytes = octet_length(body) ORDER BY id
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
        """The query string of the list of these messages, within a replay."""
        values = {"state": "parked", "reason": self.reason}
        return urlencode(values | {"detail": self.detail} if self.detail else values)


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """The effect of a replay.

    `readable` messages of the `tried` ones can be read now; `without_body` cannot be replayed,
    because retention removed what they contain. `orders` are the first of the `order_count` known
    orders that the messages are about.
    """

    selected: int
    tried: int
    readable: int
    without_body: int
    events: int
    still_parked: Sequence[StillParked]
    order_count: int
    orders: Sequence[Order]

    @property
    def is_partial(self) -> bool:
        """Whether only the newest messages were tried."""
        return self.tried < self.selected


def preview_replay(message_ids: Sequence[int]) -> ReplayPreview:
    """Read these parked messages as the worker would, without storing anything."""
    messages = _messages_to_try(message_ids)
    sources = Source.objects.in_bulk({message.source_id for message in messages})
    events: list[tuple[str, CanonicalEvent]] = []
    parked: Counter[tuple[str, str]] = Counter()
    readable = without_body = 0
    for message in messages:
        if message.body is None:
            without_body += 1
            continue
        source = sources[message.source_id]
        outcome = parse_message(message, source)
        events += [(source.slug, new.event) for new in outcome.new_events]
        if outcome.reason is None:
            readable += 1
        else:
            detail = "" if outcome.reason is ParkReason.SYNTAX else outcome.detail
            parked[outcome.reason.value, detail] += 1
    objects = _query_ids(OBJECTS_OF_MESSAGES, [list(message_ids)]) + _objects_of_events(events)
    order_ids = _orders_of(objects)
    return ReplayPreview(
        selected=len(message_ids),
        tried=len(messages),
        readable=readable,
        without_body=without_body,
        events=len(events),
        still_parked=[
            StillParked(reason, detail, count) for (reason, detail), count in parked.most_common(20)
        ],
        order_count=len(order_ids),
        orders=list(
            Order.objects.filter(object_id__in=order_ids).order_by("-last_event_at")[:MAX_ORDERS]
        ),
    )


def count_orders_of_messages(message_ids: Sequence[int]) -> int:
    """The number of orders that the events of these messages reach."""
    return len(_orders_of(_query_ids(OBJECTS_OF_MESSAGES, [list(message_ids)])))


def _messages_to_try(message_ids: Sequence[int]) -> list[StoredMessage]:
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES_TO_TRY, [list(message_ids), MAX_TRIED, MAX_TRIED_BYTES])
        return [StoredMessage.from_row(row) for row in cursor.fetchall()]


def _objects_of_events(events: Iterable[tuple[str, CanonicalEvent]]) -> list[int]:
    """The known objects that have a number which these events name."""
    keys: set[IdentifierKey] = set()
    for slug, event in events:
        for reference in event.objects:
            identities, others = identity_and_other_keys(reference, slug)
            keys.update(identities, others)
    columns = [[key[index] for key in sorted(keys)] for index in range(4)]
    return _query_ids(OBJECTS_OF_NUMBERS, columns) if keys else []


def _orders_of(object_ids: Sequence[int]) -> list[int]:
    return _query_ids(ORDERS_OF_OBJECTS, [list(object_ids)]) if object_ids else []


def _query_ids(statement: str, values: list[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()]
