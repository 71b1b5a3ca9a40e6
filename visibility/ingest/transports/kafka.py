"""Apache Kafka, with the optional library confluent-kafka."""

import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from connectors.sdk.settings import Setting, SettingType
from visibility.ingest.queue_headers import TooManyHeaders, build_headers
from visibility.ingest.transport import (
    CONNECT_SECONDS,
    PREFETCH,
    QueueFailed,
    QueueMessage,
    QueueOptions,
    QueueSession,
    Transport,
)
from visibility.outbound.address_guard import resolve_to_allowed_ip_addresses
from visibility.outbound.broker_socket import normalize_pem

LIBRARY = "confluent_kafka"
SASL, START = "queue.sasl", "queue.start"
TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
# What the library reads ahead, for all partitions together.
READ_AHEAD_KILOBYTES = 16_384
SESSION_MILLISECONDS = 10_000


class Kafka(Transport):
    """Apache Kafka. Each source is a consumer group; its offsets move after messages are stored."""

    code = "kafka"
    title = "Kafka"
    default_ports: ClassVar = {"kafka": 9092, "kafka+ssl": 9093}
    tls_schemes = frozenset({"kafka+ssl"})
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            SASL,
            "How the user signs in at Kafka, with SASL (default PLAIN).",
            SettingType.CHOICE,
            default="PLAIN",
            choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
            label="Sign-in at Kafka",
        ),
        Setting(
            START,
            "Where a consumer group begins that has read nothing yet: with the earliest message of "
            "the topic (default), or with the next new one (latest).",
            SettingType.CHOICE,
            default="earliest",
            choices=("earliest", "latest"),
            label="First message from Kafka",
        ),
    )

    def check_queue_name(self, name: str) -> None:
        """The characters that Kafka allows in topics."""
        if not TOPIC_NAME.fullmatch(name):
            raise ValueError("A topic has at most 249 letters, digits, dots, - and _.")

    def open(self, options: QueueOptions) -> "KafkaSession":
        """Join the consumer group."""
        session = KafkaSession(options)
        session.subscribe()
        return session

    def test(self, options: QueueOptions) -> int | None:
        """Ask for the topic and for its offsets, without joining the consumer group."""
        session = KafkaSession(options)
        try:
            return session.count_uncommitted()
        finally:
            session.close()


class KafkaSession(QueueSession):
    """A member of the consumer group of a source."""

    def __init__(self, options: QueueOptions) -> None:
        self._options = options
        self._library = _load_library()
        self._error = ""
        self._waiting: list[Any] = []
        self._is_paused = False
        self._committed: dict[tuple[str, int], int] = {}
        address = options.address
        resolve_to_allowed_ip_addresses(address.host, address.port)
        with self._failures_with_reasons():
            self._consumer = self._library.Consumer(self._configuration())
        try:
            with self._failures_with_reasons():
                self._partitions = self._check_topic_and_brokers()
        except BaseException:
            self.close()
            raise

    def subscribe(self) -> None:
        """Consume the topic."""
        with self._failures_with_reasons():
            self._consumer.subscribe([self._options.queue])

    def receive(self, seconds: float) -> Sequence[QueueMessage]:
        """Return what arrives."""
        with self._failures_with_reasons():
            raw, self._waiting, self._is_paused = self._waiting, [], False
            if not raw:
                first = self._consumer.poll(seconds)
                raw = [] if first is None else [first]
            if raw:
                raw += self._consumer.consume(PREFETCH - len(raw), 0)
        self._raise_if_failed(raw)
        return [_build_message(message) for message in raw]

    def wait(self, seconds: float) -> None:
        """Stay a member of the group, and fetch nothing."""
        with self._failures_with_reasons():
            assignment, self._is_paused = self._consumer.assignment(), True
            self._consumer.pause(assignment)
            message = self._consumer.poll(seconds)
            if message is not None:
                self._waiting.append(message)
            self._consumer.resume(assignment)
        self._raise_if_failed(self._waiting)

    def acknowledge(self, messages: Sequence[QueueMessage]) -> None:
        """Commit the offset after the last of these messages in each partition."""
        offsets: dict[tuple[str, int], int] = {}
        for message in messages:
            topic, partition, offset = message.receipt
            key = (topic, partition)
            offsets[key] = max(offset + 1, offsets.get(key, 0))
        self._commit({k: o for k, o in offsets.items() if o > self._committed.get(k, -1)})

    def reject(self, message: QueueMessage) -> None:
        """Move the offset past it: Kafka has no other way to say that it must not come again."""
        self.acknowledge([message])

    def waiting_count(self) -> int | None:
        """The lag of the partitions that this consumer reads.

        A fetch brings it along; while nothing is fetched, Kafka is asked for it.
        """
        with self._failures_with_reasons():
            positions = self._consumer.position(self._consumer.assignment())
            # A partition from which nothing came yet has no position.
            new = [position for position in positions if position.offset < 0]
            read = [position for position in positions if position.offset >= 0]
            committed = self._consumer.committed(new, CONNECT_SECONDS) if new else []
            if not positions:
                return None
            return sum(
                self._lag(position, cached=not self._is_paused) for position in (*read, *committed)
            )

    def count_uncommitted(self) -> int:
        """How many messages the group has not read, of all partitions."""
        topic, total = self._options.queue, 0
        with self._failures_with_reasons():
            wanted = [self._library.TopicPartition(topic, number) for number in self._partitions]
            for committed in self._consumer.committed(wanted, CONNECT_SECONDS):
                total += self._lag(committed, cached=False)
        return total

    def _lag(self, position: Any, *, cached: bool) -> int:
        """How many messages follow a position; without one, from where the group begins."""
        low, high = self._consumer.get_watermark_offsets(position, CONNECT_SECONDS, cached=cached)
        if high < 0:
            return 0  # nothing was fetched yet
        is_latest = self._options.values.text(START) == "latest"
        start = position.offset if position.offset >= 0 else (high if is_latest else low)
        return max(int(high) - max(int(start), 0), 0)

    def close(self) -> None:
        """Leave the group."""
        with suppress(Exception):
            self._consumer.close()

    def _commit(self, offsets: dict[tuple[str, int], int]) -> None:
        if not offsets:
            return
        with self._failures_with_reasons():
            results = self._consumer.commit(
                offsets=[
                    self._library.TopicPartition(topic, partition, offset)
                    for (topic, partition), offset in offsets.items()
                ],
                asynchronous=False,
            )
            for result in results:
                if result.error is not None:
                    raise self._library.KafkaException(result.error)
        self._committed |= offsets

    def _check_topic_and_brokers(self) -> list[int]:
        """Return the partitions. The library will connect to the brokers that Kafka names."""
        topic = self._options.queue
        metadata = self._consumer.list_topics(topic, timeout=CONNECT_SECONDS)
        for broker in metadata.brokers.values():
            resolve_to_allowed_ip_addresses(broker.host, broker.port)
        topic_metadata = metadata.topics[topic]
        if topic_metadata.error is not None:
            where = self._options.address.host_and_port
            raise QueueFailed(f"{where} refuses the topic {topic!r}: {topic_metadata.error.str()}")
        return sorted(topic_metadata.partitions)

    def _configuration(self) -> dict[str, Any]:
        options = self._options
        uses_tls = options.address.scheme in Kafka.tls_schemes
        ca, certificate, key = options.tls_texts
        security = ("SASL_" if options.user else "") + ("SSL" if uses_tls else "PLAINTEXT")
        configuration = {
            "bootstrap.servers": options.address.host_and_port,
            "group.id": options.client,
            "client.id": options.client,
            "security.protocol": security,
            "enable.auto.commit": False,
            "auto.offset.reset": options.values.text(START) or "earliest",
            "allow.auto.create.topics": False,
            "session.timeout.ms": SESSION_MILLISECONDS,
            "queued.max.messages.kbytes": READ_AHEAD_KILOBYTES,
            "socket.connection.setup.timeout.ms": int(CONNECT_SECONDS * 1_000),
            "error_cb": self._on_error,
            "log_level": 0,
        }
        if options.user:
            configuration |= {
                "sasl.mechanism": options.values.text(SASL) or "PLAIN",
                "sasl.username": options.user,
                "sasl.password": options.password,
            }
        for name, text in (
            ("ssl.ca.pem", ca),
            ("ssl.certificate.pem", certificate),
            ("ssl.key.pem", key),
        ):
            if text and uses_tls:
                configuration[name] = normalize_pem(text)
        return configuration

    def _on_error(self, error: Any) -> None:
        """The library reconnects by itself, but only a new session says so on the source."""
        ends_session = {
            self._library.KafkaError._ALL_BROKERS_DOWN,
            self._library.KafkaError._AUTHENTICATION,
            self._library.KafkaError._RESOLVE,
            self._library.KafkaError._SSL,
        }
        if error.fatal() or error.code() in ends_session:
            self._error = error.str()

    def _raise_if_failed(self, messages: Sequence[Any]) -> None:
        where = self._options.address.host_and_port
        for message in messages:
            if message.error() is not None:
                raise QueueFailed(f"{where} delivers no messages: {message.error().str()}")
        if self._error:
            raise QueueFailed(f"the connection to {where} failed: {self._error}")

    @contextmanager
    def _failures_with_reasons(self) -> Iterator[None]:
        try:
            yield
        except self._library.KafkaException as error:
            where = self._options.address.host_and_port
            reason = self._error or error.args[0].str()
            raise QueueFailed(f"the connection to {where} failed: {reason}") from None


def _load_library() -> Any:
    try:
        return importlib.import_module(LIBRARY)
    except ImportError:
        raise QueueFailed(
            "Kafka needs the library confluent-kafka on the server: pip install confluent-kafka"
        ) from None


def _build_message(raw: Any) -> QueueMessage:
    key = raw.key()
    pairs = [("kafka-topic", raw.topic()), *(raw.headers() or [])]
    pairs += [("kafka-key", key)] if key is not None else []
    try:
        headers, error = build_headers(pairs), ""
    except TooManyHeaders as caught:
        headers, error = {}, str(caught)
    origin = (raw.topic(), raw.partition(), raw.offset())
    identity = "{} {} {}".format(*origin)
    return QueueMessage(bytes(raw.value() or b""), headers, identity, origin, error)
