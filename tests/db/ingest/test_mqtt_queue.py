"""A source receives from an MQTT topic: with a persistent session, and what is stored, once."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.builders.mqtt_broker import PASSWORD, MqttBroker
from tests.builders.queue_sources import (
    add_queue_source,
    connection_of,
    consuming,
    order_event,
    wait_until,
    worker,
)
from visibility.ingest import queue_connections, receive_from_queue
from visibility.ingest.transports.mqtt import MqttSession
from visibility.ingest.try_queue import try_queue
from visibility.models import InboundMessage, MessageKey, Source, UnstoredRequest
from visibility.pipeline.job_functions import process_messages_and_refold

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MqttBroker]:
    monkeypatch.setattr(queue_connections, "FIRST_RETRY", timedelta(seconds=0.3))
    monkeypatch.setattr(receive_from_queue, "RENEW_SECONDS", 0.3)
    with MqttBroker(refused_topic="secret/#") as running:
        settings.OUTGOING_ALLOWED = [f"127.0.0.1:{running.port}"]
        yield running


def add_source(broker: MqttBroker, name: str = "orders/#", **changes: str) -> Source:
    fields = {"user": "throughline", "password": PASSWORD} | changes
    return add_queue_source("wms", f"mqtt://127.0.0.1:{broker.port}", name, **fields)


def publish(broker: MqttBroker, number: str) -> None:
    broker.publish(json.dumps(order_event(number)).encode(), "application/cloudevents+json")


def test_what_was_published_while_nobody_read_is_stored_once(broker: MqttBroker) -> None:
    source = add_source(broker)
    with consuming(source):
        wait_until(lambda: connection_of(source).connected_at)
        wait_until(lambda: broker.sessions)
    assert list(broker.sessions) == ["throughline-wms"]
    for number in range(150):  # more than may be unacknowledged
        publish(broker, f"SO-{number}")
    with consuming(source):
        wait_until(lambda: len(broker.acknowledged) == 150)
    process_messages_and_refold()
    assert InboundMessage.objects.filter(state="applied").count() == 150
    assert connection_of(source).waiting_count is None  # MQTT does not tell


def test_a_cloudevent_in_binary_mode_has_its_attributes_in_user_properties(
    broker: MqttBroker,
) -> None:
    source = add_source(broker)
    event = order_event("SÖ 1%")
    data = json.dumps(event.pop("data")).encode()
    with consuming(source):
        wait_until(lambda: broker.sessions)
        broker.publish(data, "application/json", **event)
        wait_until(lambda: broker.acknowledged)
    process_messages_and_refold()
    message = InboundMessage.objects.get()
    assert (message.state, message.detail) == ("applied", "")
    assert message.dedupe_key == "/test SÖ 1%"


def test_a_message_that_is_delivered_again_is_stored_once(
    broker: MqttBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source(broker)
    acknowledge, drops = MqttSession.acknowledge, [True]

    def drop_first(session: MqttSession, messages: Sequence[Any]) -> None:
        if drops.pop() if drops else False:
            broker.drop_connections()
        acknowledge(session, messages)

    monkeypatch.setattr(MqttSession, "acknowledge", drop_first)
    with worker():
        wait_until(lambda: broker.sessions)
        publish(broker, "SO-1")
        wait_until(lambda: broker.acknowledged)
    assert InboundMessage.objects.count() == 1
    assert MessageKey.objects.get().duplicate_count == 1
    assert connection_of(source).connection_count == 2


def test_a_message_that_cannot_be_stored_is_acknowledged_and_listed(broker: MqttBroker) -> None:
    source = add_source(broker)
    with consuming(source):
        wait_until(lambda: broker.sessions)
        broker.publish(b"")
        publish(broker, "SO-1")
        wait_until(lambda: len(broker.acknowledged) == 2)
    assert UnstoredRequest.objects.get().reason == "it has no body"
    assert InboundMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"password": "wrong"}, "refuses access: the user or the password is wrong"),
        ({"name": "secret/#"}, "refuses the topic 'secret/#': the user has no right"),
    ],
)
def test_why_nothing_is_received_is_in_words(
    broker: MqttBroker, changes: dict[str, str], error: str
) -> None:
    source = add_source(broker, **changes)
    with consuming(source):
        wait_until(lambda: Source.objects.get().queue_error)
    assert Source.objects.get().queue_error == f"127.0.0.1:{broker.port} {error}"
    assert try_queue(source).error == f"127.0.0.1:{broker.port} {error}"


def test_a_test_of_the_connection_leaves_the_session(broker: MqttBroker) -> None:
    source = add_source(broker)
    trial = try_queue(source)
    assert (trial.waiting_count, trial.error) == (None, "")
    assert not broker.sessions
