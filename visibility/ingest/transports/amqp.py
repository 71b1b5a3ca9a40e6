"""AMQP 0-9-1: RabbitMQ and compatible brokers."""

import ssl
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import amqp
from amqp.transport import TCPTransport

from visibility.ingest.queue_headers import TooManyHeaders, build_headers
from visibility.ingest.transport import (
    CONNECT_SECONDS,
    PREFETCH,
    QueueFailed,
    QueueMessage,
    QueueOptions,
    QueueSession,
    Transport,
    failure_of_socket_error,
)
from visibility.outbound.broker_socket import build_tls_context, open_broker_socket

HEARTBEAT_SECONDS = 20
# A broker that does not read may take so long.
WRITE_SECONDS = 20
MAX_NAME_BYTES = 255
# The properties of a message that connectors can read as headers.
PROPERTIES = (
    ("content-type", "content_type"),
    ("content-encoding", "content_encoding"),
    ("message-id", "message_id"),
    ("correlation-id", "correlation_id"),
    ("type", "type"),
    ("timestamp", "timestamp"),
)


class Amqp(Transport):
    """AMQP 0-9-1, as RabbitMQ speaks it. The path of the URL is the virtual host."""

    code = "amqp"
    title = "AMQP 0-9-1"
    default_ports: ClassVar = {"amqp": 5672, "amqps": 5671}
    tls_schemes = frozenset({"amqps"})
    has_path = True

    def check_queue_name(self, name: str) -> None:
        """A name has at most 255 bytes."""
        if len(name.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"The name is longer than {MAX_NAME_BYTES} bytes.")

    def open(self, options: QueueOptions) -> "AmqpSession":
        """Consume an existing queue; it is never created or changed."""
        return AmqpSession(options, consumes=True)

    def test(self, options: QueueOptions) -> int | None:
        """Ask for the queue, without consuming it."""
        session = AmqpSession(options, consumes=False)
        try:
            return session.waiting_count()
        finally:
            session.close()


class AmqpSession(QueueSession):
    """A channel with manual acknowledgement and a bounded prefetch."""

    def __init__(self, options: QueueOptions, *, consumes: bool) -> None:
        self._queue = options.queue
        self._arrived: deque[Any] = deque()
        self._ended = ""
        with _failures_with_reasons(options):
            self._connection = _open_connection(options)
        try:
            with _failures_with_reasons(options):
                self._channel = self._connection.channel()
                self._channel.auto_decode = False
                self._waiting = self._declare_passively()
                if consumes:
                    self._channel.basic_qos(0, PREFETCH, False)
                    self._channel.basic_consume(
                        self._queue, callback=self._arrived.append, on_cancel=self._on_cancel
                    )
        except BaseException:
            self.close()
            raise
        self._options = options

    def receive(self, seconds: float) -> Sequence[QueueMessage]:
        """Return what arrives; a message with too many headers is rejected at once."""
        if not self._arrived:
            self.wait(seconds)
        # More may have arrived with the first one.
        while self._arrived and len(self._arrived) < PREFETCH and self._drain(0.001):
            pass
        messages = []
        while self._arrived:
            messages.append(_build_message(self._arrived.popleft()))
        return messages

    def wait(self, seconds: float) -> None:
        """Read what the broker sends, and send heartbeats."""
        with _failures_with_reasons(self._options):
            self._connection.heartbeat_tick()
        self._drain(seconds)

    def _drain(self, seconds: float) -> bool:
        """Read one event, such as a message; return whether there was one."""
        with _failures_with_reasons(self._options):
            try:
                self._connection.drain_events(timeout=seconds)
            except TimeoutError:
                return False
        if self._ended:
            raise QueueFailed(self._ended)
        return True

    def acknowledge(self, messages: Sequence[QueueMessage]) -> None:
        """Acknowledge each: others of the same time may have been rejected."""
        with _failures_with_reasons(self._options):
            for message in messages:
                self._channel.basic_ack(message.receipt)

    def reject(self, message: QueueMessage) -> None:
        """Reject without a second delivery: to the dead-letter exchange, if there is one."""
        with _failures_with_reasons(self._options):
            self._channel.basic_reject(message.receipt, requeue=False)

    def waiting_count(self) -> int | None:
        """Return the messages that are ready; those already delivered here do not count."""
        with _failures_with_reasons(self._options):
            return self._declare_passively()

    def close(self) -> None:
        """Close the socket; what was not acknowledged is delivered again."""
        with suppress(Exception):
            self._connection.transport.sock.settimeout(1)
            self._connection.close()
        with suppress(Exception):
            self._connection.collect()

    def _declare_passively(self) -> int:
        """Return the number of ready messages. Raises NotFound if the queue does not exist."""
        declared: Any = self._channel.queue_declare(self._queue, passive=True)
        return int(declared.message_count)

    def _on_cancel(self, _tag: str) -> None:
        self._ended = f"the broker ended the consumer: the queue {self._queue} was removed"


class _GuardedTransport(TCPTransport):
    """The library's framing on a socket to a checked address."""

    tls: ssl.SSLContext | None = None
    guarded_host = ""
    guarded_port = 0

    def _connect(self, _host: str, _port: int, timeout: float) -> None:
        self.sock = open_broker_socket(self.guarded_host, self.guarded_port, seconds=timeout)

    def _setup_transport(self) -> None:
        """Start TLS. The library has set the options of the socket before."""
        if self.tls is not None and self.sock is not None:
            self.sock.settimeout(CONNECT_SECONDS)
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.guarded_host)
            self.sock.settimeout(None)
        super()._setup_transport()  # type: ignore[misc]  # not in the stubs


class _GuardedConnection(amqp.Connection):
    """A connection whose socket is opened by `_GuardedTransport`."""

    tls: ssl.SSLContext | None = None
    guarded_host = ""
    guarded_port = 0

    def Transport(  # the library's name
        self,
        host: str,
        connect_timeout: float | None,
        ssl: object = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> _GuardedTransport:
        timeouts = (connect_timeout, read_timeout, write_timeout)
        transport = _GuardedTransport(host, *timeouts, socket_settings, **options)
        transport.tls = self.tls
        transport.guarded_host, transport.guarded_port = self.guarded_host, self.guarded_port
        return transport


def _open_connection(options: QueueOptions) -> _GuardedConnection:
    address = options.address
    connection = _GuardedConnection(
        host="broker",  # only `guarded_host` is used
        userid=options.user or "guest",
        password=options.password or "guest",
        virtual_host=address.path or "/",
        connect_timeout=CONNECT_SECONDS,
        # Also the limits of the handshake: a server that says nothing is given up.
        read_timeout=HEARTBEAT_SECONDS * 2,
        write_timeout=WRITE_SECONDS,
        heartbeat=HEARTBEAT_SECONDS,
        client_properties={"product": "Throughline", "connection_name": options.client},
    )
    if address.scheme in Amqp.tls_schemes:
        connection.tls = build_tls_context(*options.tls_texts)
    connection.guarded_host, connection.guarded_port = address.host, address.port
    try:
        connection.connect()
    except BaseException:
        with suppress(Exception):
            connection.collect()
        raise
    return connection


def _build_message(raw: Any) -> QueueMessage:
    properties = raw.properties
    body = raw.body.encode() if isinstance(raw.body, str) else bytes(raw.body or b"")
    pairs = [
        ("amqp-routing-key", raw.delivery_info.get("routing_key", "")),
        *((name, properties[key]) for name, key in PROPERTIES if key in properties),
        *(properties.get("application_headers") or {}).items(),
    ]
    try:
        headers, error = build_headers(pairs), ""
    except TooManyHeaders as caught:
        headers, error = {}, str(caught)
    identity = str(properties.get("message_id") or "")
    return QueueMessage(body, headers, identity, raw.delivery_info["delivery_tag"], error)


@contextmanager
def _failures_with_reasons(options: QueueOptions) -> Iterator[None]:
    """Turn errors of the library into QueueFailed, for the page of the source."""
    where = options.address.host_and_port
    try:
        yield
    except QueueFailed:
        raise
    except amqp.exceptions.NotFound:
        raise QueueFailed(
            f"{where} has no queue {options.queue!r} in the virtual host "
            f"{options.address.path or '/'!r}"
        ) from None
    except amqp.exceptions.AccessRefused as error:
        raise QueueFailed(f"{where} refuses access: {error.reply_text or error}") from None
    except amqp.exceptions.AMQPError as error:
        raise QueueFailed(f"{where} ended the connection: {error}") from None
    except OSError as error:
        raise failure_of_socket_error(error, options.address) from None
