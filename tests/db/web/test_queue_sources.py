"""A queue is set up, tested and shown in the browser and over the API."""

from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.amqp_broker import PASSWORD, AmqpBroker
from tests.builders.localhost_certificate import certificate_and_server_context
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest.queue_connections import claim_due_queues, record_connected
from visibility.ingest.source_secrets import decrypt_secrets
from visibility.models import AuditEntry, QueueConnection, Source
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
API = "/api/v1/sources"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR)


@pytest.fixture
def broker(settings: Settings) -> Iterator[AmqpBroker]:
    with AmqpBroker(queues={"orders": deque()}) as running:
        settings.OUTGOING_ALLOWED = [f"127.0.0.1:{running.port}"]
        yield running


def form(broker: AmqpBroker, **changes: str) -> dict[str, str]:
    fields = {
        "slug": "wms",
        "queue.url": f"amqp://127.0.0.1:{broker.port}",
        "queue.name": "orders",
        "queue.user": "throughline",
        "queue.password": PASSWORD,
    }
    return fields | {name.replace("__", "."): text for name, text in changes.items()}


def test_a_queue_is_connected_and_tested_in_the_browser(
    integrator: Client, broker: AmqpBroker
) -> None:
    page = integrator.get("/sources/new/cloudevents").content.decode()
    assert "Receive from a queue (AMQP, MQTT, Kafka)" in page
    page = integrator.post("/sources/new/cloudevents", form(broker)).content.decode()
    assert "The queue is read from now on." in page
    source = Source.objects.get()
    assert "queue.password" not in source.config
    sealed = {s.setting: s.value for s in decrypt_secrets(source.sealed_secrets)}
    assert sealed["queue.password"] == PASSWORD
    broker.publish("orders", b"{}")
    page = integrator.post("/sources/wms/test-queue").content.decode()
    assert "1 message waits in the queue. None was taken." in page
    broker.stop()
    page = integrator.post("/sources/wms/test-queue").content.decode()
    assert "failed: Connection refused." in page
    assert AuditEntry.objects.filter(action="source.test_queue").count() == 2


def test_the_page_and_the_api_show_the_connection(integrator: Client, broker: AmqpBroker) -> None:
    integrator.post("/sources/new/cloudevents", form(broker))
    assert "not connected yet" in integrator.get("/sources/wms").content.decode()
    now = database_now()
    (claimed,) = claim_due_queues(now, limit=1)
    record_connected(claimed, now=now)
    QueueConnection.objects.update(waiting_count=1_329, counted_at=now, connection_count=3)
    page = integrator.get("/sources/wms").content.decode()
    assert f"orders at 127.0.0.1:{broker.port}" in page
    assert "connected since" in page
    assert "1,329 messages" in page
    assert "2 reconnects since the settings were changed" in page
    queue = integrator.get(f"{API}/wms/health").json()["queue"]
    assert (queue["name"], queue["waiting_count"], queue["reconnect_count"]) == ("orders", 1329, 2)
    assert queue["connected_at"]
    # The process that consumed it died.
    QueueConnection.objects.update(due_at=now - timedelta(seconds=1))
    assert integrator.get(f"{API}/wms/health").json()["queue"]["connected_at"] is None


def test_a_queue_is_set_up_and_tested_over_the_api(integrator: Client, broker: AmqpBroker) -> None:
    fields = form(broker)
    body = {"slug": fields.pop("slug"), "connector": "cloudevents", "settings": fields}
    answer = integrator.post(API, body, "application/json")
    assert answer.status_code == 201, answer.content
    answer = integrator.post(f"{API}/wms/test-queue", {}, "application/json")
    assert answer.json() == {"waiting_count": 0, "error": ""}
    settings = integrator.get(f"{API}/wms/settings").json()["settings"]
    by_name = {setting["name"]: setting for setting in settings}
    assert by_name["queue.password"]["value"] is None
    assert by_name["queue.password"]["is_set"]
    change = {"settings": {"queue.url": None}}
    answer = integrator.patch(f"{API}/wms/settings", change, "application/json")
    assert answer.status_code == 400, answer.content
    assert "Enter it too" in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "name", "sentence"),
    [
        ({"queue__url": "http://mq.example.com"}, "queue.url", "starts with one of amqp://"),
        ({"queue__url": "amqp://a:b@mq.example.com"}, "queue.url", "in their own settings"),
        ({"queue__url": "amqp://mq.example.com:25"}, "queue.url", "Port 25 is not allowed"),
        ({"queue__url": "mqtt://mq.example.com/x"}, "queue.url", "has no path"),
        ({"queue__url": ""}, "queue.url", "Enter it too"),
        ({"queue__name": ""}, "queue.name", "Enter the queue or topic"),
        ({"queue__name": "x" * 256}, "queue.name", "longer than 255 bytes"),
        ({"queue__mqtt_version": "5"}, "queue.mqtt_version", "AMQP 0-9-1 has no such setting"),
        ({"queue__ca": "not PEM"}, "queue.ca", "not valid"),
        (
            {"queue__url": "mqtt://mq.example.com", "queue__name": "a/#/b"},
            "queue.name",
            "# is the last level",
        ),
        (
            {"queue__url": "kafka://mq.example.com", "queue__name": "a b"},
            "queue.name",
            "A topic has at most 249",
        ),
    ],
)
def test_invalid_settings_are_explained_where_they_are_entered(
    integrator: Client, broker: AmqpBroker, changes: dict[str, str], name: str, sentence: str
) -> None:
    fields = form(broker, **changes)
    answer = integrator.post("/sources/new/cloudevents", fields)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    config = [f"{n}={text}" for n, text in fields.items() if n != "slug"]
    with pytest.raises(CommandError, match=name):
        call_command("source", "add", "wms", "--connector", "cloudevents", "--config", *config)
    assert not Source.objects.exists()


def test_a_removed_queue_is_consumed_no_longer(integrator: Client, broker: AmqpBroker) -> None:
    integrator.post("/sources/new/cloudevents", form(broker))
    removed = dict.fromkeys((*form(broker), "queue.password"), "")
    del removed["slug"]
    change = {"settings": removed}
    answer = integrator.patch(f"{API}/wms/settings", change, "application/json")
    assert answer.status_code == 200, answer.content
    assert claim_due_queues(database_now(), limit=1) == []
    assert integrator.get(f"{API}/wms/health").json()["queue"] is None
    assert "Test queue" not in integrator.get("/sources/wms?tab=requests").content.decode()


def test_a_certificate_of_several_lines_is_unchanged_when_the_form_is_saved(
    integrator: Client, broker: AmqpBroker, tmp_path: Path
) -> None:
    certificate, _ = certificate_and_server_context(tmp_path)
    url = f"amqps://localhost:{broker.port}"
    # A browser sends the lines of a text with CR LF.
    entered = certificate.replace("\n", "\r\n")
    fields = form(broker, queue__url=url, queue__ca=entered)
    integrator.post("/sources/new/cloudevents", fields)
    assert Source.objects.get().config["queue.ca"] == certificate.strip()
    session = QueueConnection.objects.get().session
    del fields["slug"], fields["queue.password"]
    assert integrator.post("/sources/wms/settings", fields).status_code == 302
    assert QueueConnection.objects.get().session == session
    assert not AuditEntry.objects.filter(action="source.set").exists()
