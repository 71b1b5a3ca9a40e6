"""Two workers apply two versions of one message at the same time: the higher revision wins."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from django.db import connection, connections

from tests.builders.sources import create_source
from visibility.db import change_feed
from visibility.ingest import insert_messages
from visibility.models import InboundMessage, Source
from visibility.pipeline import process_message_batches

pytestmark = pytest.mark.django_db(transaction=True)


def version(source: Source, revision: int) -> insert_messages.IncomingMessage:
    """The same message with another revision."""
    data = {"order": {"number": "SO-1"}, "revision": str(revision)}
    body = {"type": "order.released", "timestamp": "2026-03-02T10:00:00Z", "data": data}
    return insert_messages.IncomingMessage(
        source.pk, "m1", {"webhook-id": "m1"}, orjson.dumps(body)
    )


def test_version_that_arrives_while_the_other_is_applied_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = create_source("erp", connector="standard_webhooks", role="erp")
    started, go_on = threading.Event(), threading.Event()
    thread = threading.local()
    change = change_feed.append_changes

    def slow(touched: Mapping[str, Sequence[int]], **options: Any) -> int:
        if getattr(thread, "is_first", False):
            started.set()
            go_on.wait(10)
        return change(touched, **options)

    monkeypatch.setattr(process_message_batches, "append_changes", slow)

    def apply_first() -> None:
        thread.is_first = True
        process_message_batches.claim_parse_and_correlate_messages()
        connections.close_all()

    def apply_second() -> None:
        process_message_batches.claim_parse_and_correlate_messages()
        connections.close_all()

    insert_messages.store_messages([version(source, 1)])
    first_worker = threading.Thread(target=apply_first)
    first_worker.start()
    assert started.wait(10)
    insert_messages.store_messages([version(source, 2)])
    second_worker = threading.Thread(target=apply_second)
    second_worker.start()
    second_worker.join(0.5)
    go_on.set()
    first_worker.join(10)
    second_worker.join(10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data->>'revision' FROM visibility_event WHERE NOT superseded ORDER BY 1"
        )
        assert cursor.fetchall() == [("2",)]
    states = InboundMessage.objects.order_by("pk").values_list("state", "reason")
    assert list(states) == [("parked", "conflict"), ("applied", "")]
