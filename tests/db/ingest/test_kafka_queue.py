"""A source receives from a Kafka topic; the mock cluster of librdkafka speaks the real protocol."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import Producer
from pytest_django.fixtures import Settings

from tests.builders.queue_sources import (
    add_queue_source,
    connection_of,
    consuming,
    order_event,
    wait_until,
)
from visibility.ingest import queue_connections, receive_from_queue
from visibility.ingest.transports import kafka
from visibility.ingest.try_queue import try_queue
from visibility.models import InboundMessage, Source, UnstoredRequest
from visibility.pipeline.job_functions import process_messages_and_refold

pytestmark = pytest.mark.django_db(transaction=True)
TOPIC = "orders"
STRUCTURED = [("content-type", "application/cloudevents+json")]


@dataclass
class KafkaCluster:
    """A mock cluster with a topic of four partitions, and a producer of it."""

    producer: Any
    address: str

    def publish(self, body: bytes | None, headers: list[tuple[str, str]], *, key: str = "") -> None:
        """Publish and wait until the cluster has confirmed it."""
        self.producer.produce(TOPIC, body, key=key or None, headers=headers)
        assert self.producer.flush(10) == 0

    def publish_order(self, number: str) -> None:
        self.publish(json.dumps(order_event(number)).encode(), STRUCTURED, key=number)


@pytest.fixture
def cluster(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaCluster]:
    monkeypatch.setattr(queue_connections, "FIRST_RETRY", timedelta(seconds=0.3))
    monkeypatch.setattr(receive_from_queue, "RENEW_SECONDS", 0.3)
    producer = Producer({"test.mock.num.brokers": "2", "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers.values()
    addresses = [f"{broker.host}:{broker.port}" for broker in brokers]
    settings.OUTGOING_ALLOWED = addresses
    yield KafkaCluster(producer, addresses[0])
    producer.flush(1)


def add_source(cluster: KafkaCluster, **changes: str) -> Source:
    return add_queue_source("wms", f"kafka://{cluster.address}", TOPIC, **changes)


def test_messages_of_all_partitions_are_stored_once(cluster: KafkaCluster) -> None:
    for number in range(250):  # more than are taken at once
        cluster.publish_order(f"SO-{number}")
    source = add_source(cluster)
    assert try_queue(source).waiting_count == 250
    with consuming(source):
        wait_until(lambda: InboundMessage.objects.count() == 250, 30)
        wait_until(lambda: connection_of(source).waiting_count == 0)
    assert try_queue(source).waiting_count == 0
    process_messages_and_refold()
    assert InboundMessage.objects.filter(state="applied").count() == 250
    # Another session continues after the committed offsets.
    cluster.publish_order("SO-250")
    with consuming(source):
        wait_until(lambda: InboundMessage.objects.count() == 251, 30)
    assert connection_of(source).connection_count == 2


def test_a_cloudevent_in_binary_mode_has_its_attributes_in_headers(cluster: KafkaCluster) -> None:
    event = order_event("SÖ 1%")
    data = json.dumps(event.pop("data")).encode()
    headers = [("content-type", "application/json"), *((f"ce_{n}", t) for n, t in event.items())]
    cluster.publish(data, headers)
    with consuming(add_source(cluster)):
        wait_until(lambda: InboundMessage.objects.count() == 1, 30)
    process_messages_and_refold()
    message = InboundMessage.objects.get()
    assert (message.state, message.detail) == ("applied", "")
    assert message.dedupe_key == "/test SÖ 1%"


def test_a_message_that_was_stored_but_not_committed_at_kafka_is_stored_once(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source(cluster)
    acknowledge = kafka.KafkaSession.acknowledge
    monkeypatch.setattr(kafka.KafkaSession, "acknowledge", lambda _session, _messages: None)
    # Without an id of the sender: the topic, partition and offset identify it.
    cluster.publish(b'{"picked": true}', [], key="a")
    with consuming(source):
        wait_until(lambda: InboundMessage.objects.count() == 1, 30)
    monkeypatch.setattr(kafka.KafkaSession, "acknowledge", acknowledge)
    cluster.publish(b'{"picked": true}', [], key="a")
    with consuming(source):
        wait_until(lambda: InboundMessage.objects.count() == 2, 30)
        wait_until(lambda: connection_of(source).waiting_count == 0)
    assert InboundMessage.objects.count() == 2


def test_a_message_without_a_body_is_passed_and_listed(cluster: KafkaCluster) -> None:
    source = add_source(cluster)
    cluster.publish(None, [], key="a")
    cluster.publish(b"{}", [], key="a")
    with consuming(source):
        wait_until(lambda: InboundMessage.objects.count() == 1, 30)
    assert UnstoredRequest.objects.get().reason == "it has no body"
    assert try_queue(source).waiting_count == 0


def test_nothing_is_fetched_while_too_many_messages_wait(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive_from_queue, "MAX_WAITING", 1)
    source = add_source(cluster)
    cluster.publish_order("SO-1")
    with consuming(source):
        wait_until(lambda: connection_of(source).paused_reason, 30)
        # The next one is taken, and not stored; those after it are not even taken.
        cluster.publish_order("SO-2")
        time.sleep(2)
        for number in range(3, 7):
            cluster.publish_order(f"SO-{number}")
        wait_until(lambda: connection_of(source).waiting_count == 4, 30)
        assert InboundMessage.objects.count() == 1
        monkeypatch.setattr(receive_from_queue, "MAX_WAITING", 20_000)
        wait_until(lambda: InboundMessage.objects.count() == 6, 30)
    assert try_queue(source).waiting_count == 0


def test_the_brokers_that_kafka_names_are_checked_too(
    cluster: KafkaCluster, settings: Settings
) -> None:
    settings.OUTGOING_ALLOWED = [cluster.address]
    error = try_queue(add_source(cluster)).error
    assert "is not a public address" in error
    assert cluster.address not in error


def test_a_topic_that_does_not_exist_and_a_missing_library_are_in_words(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source(cluster)
    monkeypatch.setattr(kafka, "LIBRARY", "no_such_library")
    with consuming(source):
        wait_until(lambda: Source.objects.get().queue_error)
    assert "Kafka needs the library confluent-kafka" in Source.objects.get().queue_error
