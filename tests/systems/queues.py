"""`make test-systems`: sources that receive from RabbitMQ and Mosquitto, which crash meanwhile.

Not a part of the suite, which needs no broker: pytest collects this file only by name. It starts
brokers of its own, on ports and in folders of its own, and fails where one cannot be installed.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import amqp
import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.new_product import new_product
from tests.builders.queue_sources import order_event
from tests.product import Product, free_port
from tests.systems.installing import install_program
from visibility.models import InboundMessage, Order, QueueConnection, Source

pytestmark = pytest.mark.django_db
MESSAGES = 2_000
PASSWORD = "correct-horse"
START_SECONDS = 60
TYPE = "application/cloudevents+json"


class Broker(ABC):
    """A broker as a process of its own, which can be killed and started again."""

    scheme = ""
    queue = ""
    # How many confirmed messages a crash may lose: the publisher sends them again.
    may_lose = 0

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """The command line, and the environment."""

    @abstractmethod
    def publisher(self) -> Any:
        """A context manager with a function that publishes a body, and returns once the broker
        has confirmed it. It raises if the broker crashes."""

    def start(self) -> None:
        command, environment = self.command()
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "broker.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self._process.poll() is None, (self.folder / "broker.log").read_text()[-3000:]
            with suppress(OSError, amqp.exceptions.AMQPError):
                self.prepare()
                return
            time.sleep(0.2)
        raise AssertionError((self.folder / "broker.log").read_text()[-3000:])

    def prepare(self) -> None:
        """Raise OSError until the broker answers."""
        socket.create_connection(("127.0.0.1", self.port), 1).close()

    def kill(self) -> None:
        """End the process and its children with SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class RabbitMq(Broker):
    """RabbitMQ with a durable queue. Its port mapper is a process of its own, too."""

    scheme, queue = "amqp", "orders"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        install_program("rabbitmq-server")
        self._mapper = install_program("epmd")
        self._mapper_port, self._distribution_port = free_port(), free_port()
        self._mapper_process: subprocess.Popen[bytes] | None = None

    def command(self) -> tuple[list[str], dict[str, str]]:
        folder, port = str(self.folder), str(self.port)
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{port}\n"
            f"default_user = throughline\ndefault_pass = {PASSWORD}\n"
            "disk_free_limit.absolute = 1MB\n"
        )
        (self.folder / "plugins").write_text("[].\n")
        environment = {
            **os.environ,
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_NODE_PORT": port,
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }
        # The wrapper in /usr/sbin changes to the account and the folders of the machine's broker.
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"], environment

    def start(self) -> None:
        if self._mapper_process is None:
            self._mapper_process = subprocess.Popen(
                [self._mapper, "-port", str(self._mapper_port), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
            )
        super().start()

    def stop(self) -> None:
        self.kill()
        if self._mapper_process is not None:
            self._mapper_process.terminate()
            self._mapper_process.wait(10)

    def prepare(self) -> None:
        with self.connection() as connection:
            connection.channel().queue_declare(self.queue, durable=True, auto_delete=False)

    def connection(self) -> Any:
        return amqp.Connection(
            f"127.0.0.1:{self.port}",
            userid="throughline",
            password=PASSWORD,
            connect_timeout=5,
            read_timeout=10,
            confirm_publish=True,
        )

    @contextmanager
    def publisher(self) -> Iterator[Any]:
        with self.connection() as connection:
            channel = connection.channel()

            def publish(body: bytes) -> None:
                message = amqp.Message(body, content_type=TYPE, delivery_mode=2)
                channel.basic_publish(message, routing_key=self.queue)

            yield publish


class Mosquitto(Broker):
    """Mosquitto. It confirms messages before they are on disk, where it writes every second."""

    scheme, queue, may_lose = "mqtt", "orders/#", MESSAGES

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = install_program("mosquitto")

    def command(self) -> tuple[list[str], dict[str, str]]:
        passwords = self.folder / "passwords"
        program = install_program("mosquitto_passwd")
        subprocess.run([program, "-b", "-c", str(passwords), "throughline", PASSWORD], check=True)
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {self.folder}/\nautosave_interval 1\n"
            "max_queued_messages 0\n" + ("user root\n" if os.getuid() == 0 else "")
        )
        return [self._server, "-c", str(self.folder / "mosquitto.conf")], dict(os.environ)

    def stop(self) -> None:
        self.kill()

    @contextmanager
    def publisher(self) -> Iterator[Any]:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, reconnect_on_failure=False)
        client.username_pw_set("throughline", PASSWORD)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = TYPE

        def publish(body: bytes) -> None:
            sent = client.publish("orders/new", body, qos=1, properties=properties)
            sent.wait_for_publish(5)
            if not sent.is_published():
                raise ConnectionError

        try:
            yield publish
        finally:
            client.disconnect()
            client.loop_stop()


@pytest.fixture(scope="module", params=[RabbitMq, Mosquitto])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    running = request.param(tmp_path_factory.mktemp("broker"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def product(
    broker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """A worker that receives from the broker."""
    folder = tmp_path_factory.mktemp("product")
    address = f"127.0.0.1:{broker.port}"
    with new_product(folder, django_db_blocker, ("worker",), OUTGOING_ALLOWED=address) as running:
        running.manage(
            *("source", "add", "wms", "--connector", "cloudevents", "--config"),
            *(f"queue.url={broker.scheme}://{address}", f"queue.name={broker.queue}"),
            *("queue.user=throughline", f"queue.password={PASSWORD}"),
        )
        yield running


def publish_all(broker: Any, bodies: list[bytes], confirmed: list[int]) -> None:
    """Publish each body until the broker has confirmed it, across its crashes."""
    index = 0
    while index < len(bodies):
        with suppress(OSError, amqp.exceptions.AMQPError, RuntimeError, ValueError):
            with broker.publisher() as publish:
                while index < len(bodies):
                    publish(bodies[index])
                    index += 1
                    confirmed[0] = max(index, confirmed[0])
            return
        index = max(0, index - broker.may_lose)
        time.sleep(0.2)


def wait_until(condition: Any, seconds: float, product: Product) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, product.log("worker")
        time.sleep(0.2)


def test_nothing_is_lost_and_nothing_is_doubled(broker: Any, product: Product) -> None:
    wait_until(lambda: QueueConnection.objects.get().connected_at, 30, product)
    bodies = [json.dumps(order_event(f"SO-{number}")).encode() for number in range(MESSAGES)]
    confirmed = [0]
    publisher = threading.Thread(target=publish_all, args=(broker, bodies, confirmed))
    publisher.start()
    try:
        wait_until(lambda: confirmed[0] > MESSAGES // 4, 120, product)
        broker.kill()
        wait_until(lambda: Source.objects.get().queue_error, 30, product)
        broker.start()
        wait_until(lambda: confirmed[0] > MESSAGES // 2, 120, product)
        product.kill("worker")
        taken_over_at = time.monotonic()
        product.start("worker")
        stored = InboundMessage.objects.count()
        wait_until(lambda: InboundMessage.objects.count() > stored, 60, product)
        print(f"taken over after {time.monotonic() - taken_over_at:.1f} s, with the start")
    finally:
        publisher.join(180)
    assert confirmed[0] == MESSAGES
    applied = InboundMessage.objects.filter(state="applied")
    wait_until(lambda: applied.count() >= MESSAGES, 180, product)
    keys = Counter(InboundMessage.objects.values_list("dedupe_key", flat=True))
    assert len(keys) == MESSAGES
    assert set(keys.values()) == {1}
    wait_until(lambda: Order.objects.count() == MESSAGES, 120, product)
    numbers = Counter(Order.objects.values_list("number", flat=True))
    assert numbers == Counter(f"SO-{number}" for number in range(MESSAGES))
    source = Source.objects.get()
    assert source.queue_error == ""
    assert source.recovered_at is not None
