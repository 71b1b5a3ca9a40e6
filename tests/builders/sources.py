"""Builders of messages and events for page tests."""

from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from visibility.db.clock import database_now
from visibility.models import BusinessObject, EventObjectLink, MessageKey, Source


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
            INSERT INTO visibility_inbound_message (source_id, received_at, dedupe_key,
                content_hash, headers, body, state, reason, detail, attempts, processed_at)
            VALUES (%s, %s, '', %s, %s, %s, %s, %s, %s, 1, %s) RETURNING id
            """,
            [
                source.id,
                at,
                "0" * 64,
                orjson.dumps(headers or {"content-type": "application/json"}).decode(),
                body,
                state,
                reason,
                detail,
                None if state == "waiting" else at + timedelta(milliseconds=85),
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
