"""Builders for identity tests: sources, their messages, queries of results."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import connection

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import ERP_NUMBERS, SYSTEM_ROLES, cloudevent_message, create_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Identifier, InboundMessage, Order, Source
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions

START = datetime(2024, 6, 3, 9, tzinfo=UTC)
LATER = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DERIVED = [
    "visibility_messagekey",
    "visibility_inbound_message",
    "visibility_message_body",
    "visibility_event",
    "visibility_businessobject",
    "visibility_identifier",
    "visibility_kpicell",
    "visibility_kpifactchange",
    "visibility_kpirecordchange",
    "visibility_kpirecountrequest",
    "visibility_eventcorrection",
]


@dataclass(frozen=True)
class SourceMessage:
    """A CloudEvents message from one source. `day`: days after START."""

    source: str
    event_type: str
    day: float
    data: dict[str, Any]


def source_message(source: str, event_type: str, day: float, **data: Any) -> SourceMessage:
    """Build a message; `data` is for example `order="SO-1"`, `order={"number": ..., "id": ...}`,
    `tracking="1Z001"` or `invoice="9"`.
    """
    return SourceMessage(source, event_type, day, data)


def create_sources(**config: dict[str, str]) -> dict[str, Source]:
    """Create the sources. All but the shop state that their order numbers are those of the ERP."""
    settings = {"shop": {}, **config}
    return {
        slug: create_source(
            slug, title=slug.title(), role=role, config=settings.get(slug, dict(ERP_NUMBERS))
        )
        for slug, role in SYSTEM_ROLES.items()
    }


def process_messages(source_messages: Iterable[SourceMessage], *, fold: bool = True) -> None:
    """Store the messages as the intake does, and process them."""
    store_messages([_received(message) for message in source_messages])
    if fold:
        job_functions.process_messages_and_refold()
        assert not InboundMessage.objects.exclude(state="applied").exists()


def _received(message: SourceMessage) -> IncomingMessage:
    text = orjson.dumps(message.data).decode()
    event = cloudevent(
        message.event_type,
        message.data,
        event_id=f"{message.source} {message.event_type} {message.day} {text}",
        at=START + message.day * DAY,
        source=message.source,
    )
    return cloudevent_message(Source.objects.get(slug=message.source), event)


def dump_state() -> list[bytes]:
    """Return the canonical dump of the derived state."""
    return list(dump_lines(as_of=LATER))


def clear_state() -> None:
    """Delete all messages and derived rows, but no decisions of people."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SELECT public.test_empty_tables(%s)", [DERIVED])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def order_of(value: str) -> Order:
    """Return the order with this number."""
    return Order.objects.get(
        pk=Identifier.objects.get(kind="order", is_identity=True, value=value).object_id
    )


def keys() -> list[str]:
    """Return the canonical keys of all orders, sorted."""
    return sorted(Order.objects.values_list("key", flat=True))


def decision_user() -> User:
    """Return the user who makes decisions."""
    return User.objects.get_or_create(username="olga")[0]
