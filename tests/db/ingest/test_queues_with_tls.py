"""Connections to brokers with TLS: the certificate is checked, and so is its name."""

import json
from collections import deque
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.builders.amqp_broker import PASSWORD, AmqpBroker
from tests.builders.localhost_certificate import certificate_and_server_context
from tests.builders.mqtt_broker import MqttBroker
from tests.builders.queue_sources import (
    add_queue_source,
    consuming,
    order_event,
    wait_until,
)
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import change_settings
from visibility.ingest.try_queue import try_queue
from visibility.models import InboundMessage, Source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("scheme", ["amqps", "mqtts"])
def test_a_broker_is_trusted_by_its_certificate_and_name(
    scheme: str, settings: Settings, tmp_path: Path
) -> None:
    certificate, context = certificate_and_server_context(tmp_path)
    running: AmqpBroker | MqttBroker = MqttBroker(tls=context)
    if scheme == "amqps":
        running = AmqpBroker(tls=context, queues={"orders": deque()})
    with running as broker:
        settings.OUTGOING_ALLOWED = [f"localhost:{broker.port}", f"127.0.0.1:{broker.port}"]
        url = f"{scheme}://localhost:{broker.port}"
        # A field of one line removes the line breaks.
        source = add_queue_source(
            "wms",
            url,
            "orders",
            user="throughline",
            password=PASSWORD,
            ca=certificate.replace("\n", ""),
        )
        with consuming(source):
            if isinstance(broker, MqttBroker):
                wait_until(lambda: broker.sessions)
                broker.publish(json.dumps(order_event("SO-1")).encode())
            else:
                broker.publish("orders", json.dumps(order_event("SO-1")).encode())
            wait_until(lambda: broker.acknowledged)
        assert InboundMessage.objects.count() == 1
        assert try_queue(source).error == ""
        # The key of a client certificate is longer than other settings.
        key = (tmp_path / "server.key").read_text()
        client = {"queue.certificate": certificate, "queue.certificate_key": key}
        change_settings(source, client, now=database_now())
        assert try_queue(Source.objects.get()).error == ""
        other_name = {"queue.url": f"{scheme}://127.0.0.1:{broker.port}"}
        change_settings(source, other_name, now=database_now())
        assert "TLS to 127.0.0.1" in try_queue(Source.objects.get()).error
        change_settings(source, {"queue.url": url, "queue.ca": ""}, now=database_now())
        error = try_queue(Source.objects.get()).error
        assert error == f"TLS to localhost:{broker.port} failed: self-signed certificate", error
