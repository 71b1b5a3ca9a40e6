"""Two versions of one message in the hands of two workers: one counts, whoever is faster."""

import threading
from collections.abc import Mapping, Sequence

import orjson
import pytest
from django.db import connection, connections

from visibility.db import change_feed
from visibility.ingest import inbox
from visibility.models import InboundMessage, Source
from visibility.pipeline import batches, stages

pytestmark = pytest.mark.django_db(transaction=True)


def version(source: Source, revision: int) -> inbox.Arrival:
    """The same message, told again with a higher revision."""
    data = {"order": {"number": "SO-1"}, "revision": str(revision)}
    body = {"type": "order.released", "timestamp": "2026-03-02T10:00:00Z", "data": data}
    return inbox.Arrival(source.pk, "m1", {"webhook-id": "m1"}, orjson.dumps(body))


def test_a_version_that_comes_while_the_other_is_being_applied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source.objects.create(slug="erp", title="ERP", connector="standard_webhooks")
    begun, go_on = threading.Event(), threading.Event()
    first = threading.local()
    change = change_feed.change

    def slow(touched: Mapping[str, Sequence[int]]) -> int:
        if getattr(first, "it_is", False):
            begun.set()
            go_on.wait(10)
        return change(touched)

    monkeypatch.setattr(batches, "change", slow)

    def apply_first() -> None:
        first.it_is = True
        stages.take()
        connections.close_all()

    def apply_second() -> None:
        stages.take()
        connections.close_all()

    inbox.keep([version(source, 1)])
    one = threading.Thread(target=apply_first)
    one.start()
    assert begun.wait(10)
    inbox.keep([version(source, 2)])
    other = threading.Thread(target=apply_second)
    other.start()
    other.join(0.5)
    go_on.set()
    one.join(10)
    other.join(10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data->>'revision' FROM visibility_event WHERE NOT withdrawn ORDER BY 1"
        )
        assert cursor.fetchall() == [("2",)]
    states = InboundMessage.objects.order_by("pk").values_list("state", "reason")
    assert list(states) == [("parked", "conflict"), ("applied", "")]
