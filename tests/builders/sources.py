"""Builders of sources, and of their stored messages and events."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from tests.builders.cloudevents import HEADERS, cloudevent
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import BusinessObject, EventObjectLink, MessageKey, Source

# The order numbers of the source are those of the ERP.
ERP_NUMBERS: Mapping[str, str] = {"order_number": "sales_order@erp"}
SYSTEM_ROLES: Mapping[str, str] = {
    role: role for role in ("shop", "erp", "wms", "carrier", "finance")
}
# Source, event type, time, data.
StoryEvent = tuple[str, str, str, dict[str, Any]]


def create_source(slug: str = "wms", **fields: Any) -> Source:
    """Create a source of CloudEvents; `fields` override the defaults."""
    wanted: dict[str, Any] = {
        "slug": slug,
        "title": slug.upper(),
        "connector": "cloudevents",
        "role": "wms",
    } | fields
    return Source.objects.create(**wanted)


def create_sources(roles: Mapping[str, str]) -> dict[str, Source]:
    """Create a source for each slug and role. All name orders by the numbers of the ERP."""
    return {
        slug: create_source(slug, role=role, config=dict(ERP_NUMBERS))
        for slug, role in roles.items()
    }


def cloudevent_message(source: Source, event: Mapping[str, Any]) -> IncomingMessage:
    """A message with this event, as the intake stores it."""
    return IncomingMessage(
        source.pk, f"{source.slug} {event['id']}"[:250], HEADERS, orjson.dumps(event)
    )


def store_story(sources: Mapping[str, Source], story: Iterable[StoryEvent]) -> None:
    """Store one message per event, without processing it."""
    store_messages(
        [
            cloudevent_message(
                sources[slug],
                cloudevent(event_type, data, event_id=str(index), at=at, source=slug),
            )
            for index, (slug, event_type, at, data) in enumerate(story)
        ]
    )


def message(
    source: Source,
    *,
    state: str = "applied",
    reason: str = "",
    detail: str = "",
    key: str = "",
    body: bytes = b'{"id": 4711}',
    headers: dict[str, str] | None = None,
    received_at: datetime | None = None,
    repeats: int = 0,
) -> int:
    """Store a message and return its id."""
    at = received_at or database_now() - timedelta(minutes=5)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH stored AS (
                INSERT INTO visibility_inbound_message (source_id, received_at, dedupe_key,
                    content_hash, headers, state, reason, detail, attempts, processed_at)
                VALUES (%s, %s, '', %s, %s, %s, %s, %s, 1, %s) RETURNING id, received_at
            )
            INSERT INTO visibility_message_body (message_id, received_at, body)
            SELECT id, received_at, %s FROM stored RETURNING message_id
            """,
            [
                source.id,
                at,
                "0" * 64,
                orjson.dumps(headers or {"content-type": "application/json"}).decode(),
                state,
                reason,
                detail,
                None if state == "waiting" else at + timedelta(milliseconds=85),
                body,
            ],
        )
        message_pk = int(cursor.fetchone()[0])
        cursor.execute(
            "UPDATE visibility_inbound_message SET dedupe_key = %s WHERE id = %s",
            [key or f"evt_{message_pk}", message_pk],
        )
    MessageKey.objects.create(
        source=source,
        dedupe_key=key or f"evt_{message_pk}",
        content_hash=f"{message_pk:064}",
        message_id=message_pk,
        received_at=at,
        duplicate_count=repeats,
    )
    return message_pk


def event(message_id: int, source: Source, about: BusinessObject, **fields: Any) -> int:
    """Store an event of a message about an object and return its id."""
    now = database_now()
    wanted: dict[str, Any] = {
        "type": "order.received",
        "occurred_at": now - timedelta(minutes=15),
        "received_at": now - timedelta(minutes=5),
        "data": {"raw_type": "orders/create"},
    } | fields
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO visibility_event (source_id, key, content_hash, type, occurred_at,
                received_at, message_id, data)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
            """,
            [
                source.id,
                f"key {message_id}",
                "0" * 64,
                wanted["type"],
                wanted["occurred_at"],
                wanted["received_at"],
                message_id,
                orjson.dumps(wanted["data"]).decode(),
            ],
        )
        event_pk = int(cursor.fetchone()[0])
    EventObjectLink.objects.create(
        object=about, event_id=event_pk, occurred_at=wanted["occurred_at"], ref=0
    )
    return event_pk
