"""A source receives from an AMQP queue: what is acknowledged is stored, once."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from tests.builders.amqp_broker import PASSWORD, AmqpBroker
from tests.builders.queue_sources import (
    add_queue_source,
    claim,
    connection_of,
    consuming,
    order_event,
    wait_until,
    worker,
)
from visibility.db.database_time import database_now
from visibility.ingest import queue_connections, receive_from_queue
from visibility.ingest.add_source_and_rotate_secret import change_settings
from visibility.ingest.insert_messages import store_messages
from visibility.ingest.queue_connections import LEASE, claim_due_queues
from visibility.ingest.transports.amqp import AmqpSession
from visibility.ingest.try_queue import try_queue
from visibility.models import InboundMessage, MessageKey, Source, UnstoredRequest
from visibility.pipeline.job_functions import process_messages_and_refold
from visibility.screens.sources.health import load_source_health_reports
from visibility.screens.sources.newest_requests import list_newest_requests
from visibility.screens.sources.role_and_state_labels import SourceState

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AmqpBroker]:
    monkeypatch.setattr(queue_connections, "FIRST_RETRY", timedelta(seconds=0.3))
    monkeypatch.setattr(receive_from_queue, "RENEW_SECONDS", 0.3)
    with AmqpBroker(queues={"orders": deque()}) as running:
        settings.OUTGOING_ALLOWED = [f"127.0.0.1:{running.port}"]
        yield running


def add_source(broker: AmqpBroker, name: str = "orders", **changes: str) -> Source:
    fields = {"user": "throughline", "password": PASSWORD} | changes
    return add_queue_source("wms", f"amqp://127.0.0.1:{broker.port}", name, **fields)


def publish(broker: AmqpBroker, number: str, **properties: Any) -> None:
    properties = {"content_type": "application/cloudevents+json"} | properties
    broker.publish("orders", json.dumps(order_event(number)).encode(), **properties)


def count_stored() -> int:
    return InboundMessage.objects.count()


def test_messages_are_stored_and_acknowledged(broker: AmqpBroker) -> None:
    source = add_source(broker)
    for number in range(250):  # more than the prefetch
        publish(broker, f"SO-{number}")
    new_counts: list[int] = []
    with consuming(source, after_storing=new_counts.append):
        wait_until(lambda: len(broker.acknowledged) == 250)
        publish(broker, "SO-250")
        wait_until(lambda: len(broker.acknowledged) == 251)
    assert count_stored() == sum(new_counts) == 251
    process_messages_and_refold()
    assert InboundMessage.objects.filter(state="applied").count() == 251
    state = connection_of(source)
    assert state.connection_count == 1
    assert state.last_message_at is not None
    assert state.waiting_count == 0


def test_a_cloudevent_in_binary_mode_has_its_attributes_in_headers(broker: AmqpBroker) -> None:
    source = add_source(broker)
    event = order_event("SÖ 1%")
    data = json.dumps(event.pop("data")).encode()
    headers = {f"cloudEvents:{name}": text for name, text in event.items()} | {"tenant": "a"}
    with consuming(source):
        properties = {"content_type": "application/json", "application_headers": headers}
        broker.publish("orders", data, **properties)
        wait_until(lambda: broker.acknowledged)
    process_messages_and_refold()
    message = InboundMessage.objects.get()
    assert (message.state, message.detail) == ("applied", "")
    assert message.dedupe_key == "/test SÖ 1%"
    assert "tenant" not in message.headers


def test_nothing_is_acknowledged_before_it_is_committed(
    broker: AmqpBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source(broker)
    store, is_down = store_messages, [True]

    def store_unless_down(messages: Sequence[Any]) -> Any:
        stored = store(messages)
        if is_down[0]:
            raise OperationalError("the server closed the connection")
        return stored

    monkeypatch.setattr(receive_from_queue, "store_messages", store_unless_down)
    publish(broker, "SO-1")
    with consuming(source):
        wait_until(lambda: broker.unacknowledged_count == 1)
        publish(broker, "SO-2")
        wait_until(lambda: broker.unacknowledged_count == 2)
        assert broker.acknowledged == []
        assert count_stored() == 0
        is_down[0] = False
        wait_until(lambda: len(broker.acknowledged) == 2)
    assert count_stored() == 2
    assert broker.connection_count == 1  # the outage did not end the connection


def test_a_message_that_is_delivered_again_is_stored_once(
    broker: AmqpBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source(broker)
    acknowledge, drops = AmqpSession.acknowledge, [True]

    def drop_first(session: AmqpSession, messages: Sequence[Any]) -> None:
        if drops.pop() if drops else False:
            broker.drop_connections()
        acknowledge(session, messages)

    monkeypatch.setattr(AmqpSession, "acknowledge", drop_first)
    # Without an id of the sender, too.
    broker.publish("orders", b'{"a": 1}')
    publish(broker, "SO-1")
    with worker():
        wait_until(lambda: len(broker.acknowledged) == 2)
    assert all(message.redelivered for message in broker.acknowledged)
    assert count_stored() == 2
    assert sum(MessageKey.objects.values_list("duplicate_count", flat=True)) == 2
    assert connection_of(source).connection_count == 2


def test_equal_bodies_with_different_message_ids_are_different_messages(
    broker: AmqpBroker,
) -> None:
    source = add_source(broker)
    for message_id in ("a", "b", "a"):
        broker.publish("orders", b'{"picked": true}', message_id=message_id)
    with consuming(source):
        wait_until(lambda: len(broker.acknowledged) == 3)
    assert count_stored() == 2


def test_a_message_that_cannot_be_stored_is_rejected_and_listed(
    broker: AmqpBroker, settings: Settings
) -> None:
    source = add_source(broker)
    settings.MAX_BODY = settings.MAX_FILE_BODY = 1_000
    broker.publish("orders", b"x" * 1_001)
    broker.publish("orders", b"")
    broker.publish("orders", b"{}", application_headers={f"h{n}": "x" for n in range(101)})
    broker.publish("orders", b"not JSON", content_encoding="utf-8")
    publish(broker, "SO-1")
    with consuming(source):
        wait_until(lambda: len(broker.acknowledged) == 2)
        wait_until(lambda: len(broker.rejected) == 3)
    reasons = list(UnstoredRequest.objects.order_by("id").values_list("reason", "size"))
    assert reasons == [
        ("it has 1,001 bytes; the limit is 1,000", 1_001),
        ("it has no body", 0),
        ("it has more than 100 headers, or more than 32,768 bytes", 2),
    ]
    process_messages_and_refold()
    states = InboundMessage.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["parked", "applied"]
    requests = list_newest_requests(source)
    assert [request.outcome for request in requests].count("refused") == 3
    assert {request.verification for request in requests} == {"Received from the queue"}
    assert not any(request.is_verified for request in requests)


def test_messages_stay_at_the_broker_while_too_many_wait(
    broker: AmqpBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive_from_queue, "MAX_WAITING", 2)
    source = add_source(broker)
    publish(broker, "SO-1")
    publish(broker, "SO-2")
    with consuming(source):
        wait_until(lambda: len(broker.acknowledged) == 2)
        wait_until(lambda: connection_of(source).paused_reason)
        for number in range(3, 203):
            publish(broker, f"SO-{number}")
        wait_until(lambda: connection_of(source).waiting_count == 100)
        assert count_stored() == 2
        assert connection_of(source).paused_reason == "2 messages already wait to be processed"
        process_messages_and_refold()
        monkeypatch.setattr(receive_from_queue, "MAX_WAITING", 20_000)
        wait_until(lambda: len(broker.acknowledged) == 202)
    assert count_stored() == 202


def test_a_restart_of_the_broker_is_shown_and_survived(broker: AmqpBroker) -> None:
    source = add_source(broker)
    publish(broker, "SO-1")
    with worker():
        wait_until(lambda: len(broker.acknowledged) == 1)
        broker.stop()
        wait_until(lambda: Source.objects.get().queue_error)
        source = Source.objects.get()
        assert source.failing_since is not None
        report = load_source_health_reports(database_now(), [source])[0]
        assert report.state is SourceState.FAILING
        assert "its queue is not read since" in report.explanation
        broker.start()
        publish(broker, "SO-2")
        wait_until(lambda: len(broker.acknowledged) == 2)
    source.refresh_from_db()
    assert source.queue_error == ""
    assert source.recovered_at is not None
    assert count_stored() == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "returns"}, "has no queue 'returns' in the virtual host '/'"),
        ({"password": "wrong"}, "refuses access: "),
    ],
)
def test_why_nothing_is_received_is_in_words(
    broker: AmqpBroker, changes: dict[str, str], error: str
) -> None:
    source = add_source(broker, **changes)
    with consuming(source):
        wait_until(lambda: Source.objects.get().queue_error)
    text = Source.objects.get().queue_error
    assert text.startswith(f"127.0.0.1:{broker.port} {error}"), text
    assert try_queue(source).error == text
    assert connection_of(source).due_at > database_now()  # type: ignore[operator]  # it is due


def test_an_address_that_is_not_allowed_is_not_connected(
    broker: AmqpBroker, settings: Settings
) -> None:
    settings.OUTGOING_ALLOWED = []
    source = add_source(broker)
    assert "must allow" in try_queue(source).error
    change_settings(source, {"queue.url": "amqp://169.254.169.254:80"}, now=database_now())
    source.refresh_from_db()
    assert "169.254.169.254 is not a public address" in try_queue(source).error
    assert broker.connection_count == 0


def test_a_test_of_the_connection_takes_no_message(broker: AmqpBroker) -> None:
    source = add_source(broker)
    publish(broker, "SO-1")
    trial = try_queue(source)
    assert (trial.waiting_count, trial.error) == (1, "")
    assert len(broker.queues["orders"]) == 1
    assert not broker.queues["orders"][0].redelivered


def test_one_process_consumes_and_another_takes_over_when_it_dies(broker: AmqpBroker) -> None:
    source = add_source(broker)
    now = database_now()
    first = claim(source)
    assert claim_due_queues(now, limit=10) == []
    # The first process died: it does not renew its lease.
    (second,) = claim_due_queues(now + LEASE + timedelta(seconds=1), limit=10)
    assert second.session > first.session
    publish(broker, "SO-1")
    # It was only slow, and continues: it stores nothing any more.
    receive_from_queue.receive_from_queue(first, clock=database_now)
    assert count_stored() == 0
    assert len(broker.queues["orders"]) == 1


def test_a_session_ends_when_its_source_changes(broker: AmqpBroker) -> None:
    source = add_source(broker)
    broker.queues["returns"] = deque()
    with worker():
        wait_until(lambda: connection_of(source).connected_at)
        change_settings(source, {"queue.name": "returns"}, now=database_now())
        broker.publish("returns", b"{}")
        wait_until(lambda: broker.acknowledged)
        Source.objects.update(enabled=False)
        wait_until(lambda: not broker.connections)
