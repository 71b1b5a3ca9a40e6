"""Messages one by one: found by any number, with what they said and whom they touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from visibility.models.intake import InboundMessage
from visibility.models.orders import Order
from visibility.timeline.model import AHEAD

PAGE = 50
# A number may be in very many messages; so many are looked through.
FOUND = 500
# Beyond this much a body is cut on the screen (it is kept whole).
SHOWN = 65_536
# Parts of names of headers and settings whose values stay hidden.
HIDDEN = (
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
class Row:
    """One message in a list. `place` goes into `after` for the next page."""

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
    def place(self) -> str:
        """Where the page after this row begins."""
        return f"{self.received_at.isoformat()}~{self.id}"

    @property
    def took(self) -> timedelta | None:
        """From its receipt until it was settled."""
        return self.processed_at - self.received_at if self.processed_at else None


@dataclass(frozen=True, slots=True)
class Said:
    """One event a message gave rise to."""

    id: int
    type: str
    occurred_at: datetime
    received_at: datetime
    key: str
    raw_type: str
    withdrawn: bool

    @property
    def late(self) -> timedelta:
        """How long after it happened we heard of it."""
        return self.received_at - self.occurred_at

    @property
    def ahead(self) -> bool:
        """Whether it was told before it happens, by more than clocks differ."""
        return self.late < -AHEAD


@dataclass(frozen=True, slots=True)
class Detail:
    """One message and everything that followed from it."""

    message: InboundMessage
    events: Sequence[Said]
    orders: Sequence[Order]
    repeats: int
    versions: Sequence[Row]


def listed(
    *,
    source_id: int | None = None,
    state: str = "",
    ids: Sequence[int] | None = None,
    after: str = "",
) -> list[Row]:
    """One page of messages, newest first, and one more if there is a next page."""
    conditions = ["true"]
    values: list[Any] = []
    order = "m.received_at DESC, m.id DESC" if source_id is not None else "m.id DESC"
    if source_id is not None:
        conditions.append("m.source_id = %s")
        values.append(source_id)
    if state:
        conditions.append("m.state = %s")
        values.append(state)
    if ids is not None:
        conditions.append("m.id = ANY(%s)")
        values.append(list(ids))
    moment, last = _place(after)
    if last is not None and source_id is not None:
        conditions.append("(m.received_at, m.id) < (%s, %s)")
        values += [moment, last]
    elif last is not None:
        conditions.append("m.id < %s")
        values.append(last)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH page AS MATERIALIZED (
                SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.state, m.reason, m.detail,
                    m.attempts, m.processed_at
                FROM visibility_inbound_message m
                WHERE {" AND ".join(conditions)} ORDER BY {order} LIMIT {PAGE + 1}
            )
            SELECT m.id, source.slug, source.title, m.received_at, left(m.dedupe_key, 200), m.state,
                m.reason, m.detail, m.attempts, m.processed_at,
                coalesce((
                    SELECT array_agg(DISTINCT type ORDER BY type) FROM visibility_event
                    WHERE message_id = m.id
                ), '{{}}')
            FROM page m JOIN visibility_source source ON source.id = m.source_id ORDER BY {order}
            """,  # noqa: S608  # conditions are our own words
            values,
        )
        return [Row(*row) for row in cursor.fetchall()]


def found(text: str, spellings: Sequence[str]) -> list[int]:
    """Messages that a number leads to: its own id, its vendor's id, or any object it names."""
    own = int(text) if text.isdecimal() and len(text) < 18 else 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT message_id FROM visibility_messagekey
            WHERE source_id IN (SELECT id FROM visibility_source) AND dedupe_key = %(text)s
            UNION SELECT %(own)s WHERE %(own)s > 0
            UNION SELECT message_id FROM (
                SELECT event.message_id FROM visibility_identifier name
                JOIN visibility_eventobject link ON link.object_id = name.object_id
                JOIN visibility_event event ON event.id = link.event_id
                    AND event.occurred_at = link.occurred_at
                WHERE name.value = ANY(%(spellings)s)
                ORDER BY event.id DESC LIMIT %(limit)s
            ) spoken
            LIMIT %(limit)s
            """,
            {"text": text, "own": own, "spellings": list(spellings), "limit": FOUND},
        )
        return [row[0] for row in cursor.fetchall()]


def detail(message_id: int) -> Detail | None:
    """One message with its events, the orders it touched, its repeats and other versions."""
    message = (
        InboundMessage.objects.select_related("source").defer("body").filter(id=message_id).first()
    )
    if message is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, type, occurred_at, received_at, key,
                coalesce(data->>'raw_type', ''), withdrawn
            FROM visibility_event WHERE message_id = %s ORDER BY occurred_at, id LIMIT 200
            """,
            [message_id],
        )
        events = [Said(*row) for row in cursor.fetchall()]
        cursor.execute(
            """
            SELECT message_id, content_hash, repeats FROM visibility_messagekey
            WHERE source_id = %s AND dedupe_key = %s ORDER BY message_id LIMIT 20
            """,
            [message.source_id, message.dedupe_key],
        )
        keys = cursor.fetchall()
    others = [key[0] for key in keys if key[0] != message_id]
    return Detail(
        message=message,
        events=events,
        orders=_orders(message_id),
        repeats=sum(key[2] for key in keys if key[0] == message_id),
        versions=listed(ids=others) if others else [],
    )


def body(message_id: int) -> tuple[bytes, dict[str, str]] | None:
    """The bytes as they came, with the headers their reading needs."""
    row = InboundMessage.objects.filter(id=message_id).values_list("body", "headers").first()
    return (bytes(row[0]), row[1]) if row else None


def redacted(named: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers or settings for a screen: secrets only as present."""
    return [
        (name, "(hidden)" if any(part in name.lower() for part in HIDDEN) else str(value)[:500])
        for name, value in sorted(named.items())
    ]


def _orders(message_id: int) -> list[Order]:
    """The orders a message's events speak of, directly or through a shipment or an invoice."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE up (id) AS (
                SELECT link.object_id FROM visibility_event event
                JOIN visibility_eventobject link ON link.event_id = event.id
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


def _place(after: str) -> tuple[datetime | None, int | None]:
    """What a page address says; anything unreadable is the first page."""
    moment, _, last = after.partition("~")
    try:
        found_at = datetime.fromisoformat(moment)
        return (found_at, int(last)) if found_at.tzinfo and len(last) < 19 else (None, None)
    except ValueError:
        return None, None
