"""A small broker that speaks AMQP 0-9-1 over TCP, for tests without RabbitMQ.

It has what a consumer needs: a login, existing queues, a prefetch, delivery, acknowledgement and
rejection. What is not acknowledged when a connection ends is delivered again, as RabbitMQ does.
`tests/systems/queues.py` runs against RabbitMQ itself.
"""

import socket
import ssl
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from amqp import serialization
from amqp.basic_message import Message
from amqp.serialization import dumps

FRAME_END = 0xCE
FRAME_MAX = 131_072
PASSWORD = "correct-horse"
CONNECTION, CHANNEL, QUEUE, BASIC = 10, 20, 50, 60


@dataclass
class MessageAtBroker:
    """A message in a queue of the broker."""

    body: bytes
    properties: dict[str, Any]
    redelivered: bool = False


@dataclass
class AmqpBroker:
    """Listens on `port` of the loopback address between `start` and `stop`."""

    user: str = "throughline"
    port: int = 0
    tls: ssl.SSLContext | None = None
    queues: dict[str, deque[MessageAtBroker]] = field(default_factory=dict)
    acknowledged: list[MessageAtBroker] = field(default_factory=list)
    rejected: list[MessageAtBroker] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    connections: "list[_AmqpClientConnection]" = field(default_factory=list)
    connection_count: int = 0
    _listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end all connections without a farewell, as a crash does."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.drop_connections()

    def drop_connections(self) -> None:
        """End all connections."""
        for connection in list(self.connections):
            connection.end()

    def publish(self, queue: str, body: bytes, **properties: Any) -> None:
        """Put a message into a queue."""
        with self.lock:
            self.queues[queue].append(MessageAtBroker(body, properties))
            for connection in self.connections:
                connection.deliver()

    @property
    def unacknowledged_count(self) -> int:
        """How many messages are delivered and not acknowledged."""
        with self.lock:
            return sum(len(connection.unacknowledged) for connection in self.connections)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            if self.tls is not None:
                try:
                    peer = self.tls.wrap_socket(peer, server_side=True)
                except OSError:
                    continue
            connection = _AmqpClientConnection(self, peer)
            with self.lock:
                self.connections.append(connection)
                self.connection_count += 1
            threading.Thread(target=connection.serve, daemon=True).start()


class _AmqpClientConnection:
    """One client."""

    def __init__(self, broker: AmqpBroker, peer: socket.socket) -> None:
        self.broker, self.peer = broker, peer
        self.unacknowledged: dict[int, tuple[str, MessageAtBroker]] = {}
        self.consumed, self.prefetch, self.next_tag = "", 0, 1

    def serve(self) -> None:
        with suppress(OSError, EOFError):
            assert self._read(8) == b"AMQP\x00\x00\x09\x01"
            self._send(0, CONNECTION, 10, "ooFSS", (0, 9, {"product": "test"}, "PLAIN", "en_US"))
            while True:
                kind, channel, size = struct.unpack(">BHI", self._read(7))
                payload = self._read(size)
                assert self._read(1)[0] == FRAME_END
                if kind == 1:
                    class_id, method_id = struct.unpack_from(">HH", payload)
                    with self.broker.lock:
                        self._answer(channel, class_id, method_id, payload[4:])
        self.end()

    def end(self) -> None:
        with suppress(OSError):
            self.peer.shutdown(socket.SHUT_RDWR)
        self.peer.close()
        with self.broker.lock:
            if self in self.broker.connections:
                self.broker.connections.remove(self)
            for _, (queue, message) in sorted(self.unacknowledged.items(), reverse=True):
                message.redelivered = True
                self.broker.queues[queue].appendleft(message)
            self.unacknowledged.clear()

    def deliver(self) -> None:
        """Send what waits, within the prefetch."""
        waiting = self.broker.queues.get(self.consumed)
        while waiting and len(self.unacknowledged) < self.prefetch:
            message = waiting.popleft()
            tag, self.next_tag = self.next_tag, self.next_tag + 1
            self.unacknowledged[tag] = (self.consumed, message)
            arguments = ("c1", tag, message.redelivered, "", self.consumed)
            with suppress(OSError):
                self._send(1, BASIC, 60, "sLbss", arguments)
                self._send_content(message)

    def _answer(self, channel: int, class_id: int, method_id: int, payload: bytes) -> None:
        broker = self.broker
        if (class_id, method_id) == (CONNECTION, 11):
            values = loads("FsSs", payload)
            if values[2].split("\0")[1:] != [broker.user, PASSWORD]:
                self._send(0, CONNECTION, 50, "BsBB", (403, "ACCESS_REFUSED", 10, 11))
            else:
                self._send(0, CONNECTION, 30, "BlB", (10, FRAME_MAX, 0))
        elif (class_id, method_id) == (CONNECTION, 40):
            self._send(0, CONNECTION, 41, "s", ("",))
        elif (class_id, method_id) == (CONNECTION, 50):
            self._send(0, CONNECTION, 51, "", ())
        elif (class_id, method_id) == (CHANNEL, 10):
            self._send(channel, CHANNEL, 11, "S", ("",))
        elif (class_id, method_id) == (CHANNEL, 40):
            self._send(channel, CHANNEL, 41, "", ())
        elif (class_id, method_id) == (QUEUE, 10):
            name = loads("Bs", payload)[1]
            if name not in broker.queues:
                arguments = (404, f"NOT_FOUND - no queue '{name}'", 50, 10)
                self._send(channel, CHANNEL, 40, "BsBB", arguments)
            else:
                self._send(channel, QUEUE, 11, "sll", (name, len(broker.queues[name]), 0))
        elif (class_id, method_id) == (BASIC, 10):
            self.prefetch = loads("lB", payload)[1]
            self._send(channel, BASIC, 11, "", ())
        elif (class_id, method_id) == (BASIC, 20):
            self.consumed = loads("Bs", payload)[1]
            self._send(channel, BASIC, 21, "s", ("c1",))
            self.deliver()
        elif (class_id, method_id) in {(BASIC, 80), (BASIC, 90)}:
            _, message = self.unacknowledged.pop(loads("L", payload)[0])
            (broker.acknowledged if method_id == 80 else broker.rejected).append(message)
            self.deliver()

    def _send(
        self, channel: int, class_id: int, method_id: int, types: str, values: tuple[Any, ...]
    ) -> None:
        arguments = bytes(dumps(types, values)) if types else b""
        self._send_frame(1, channel, struct.pack(">HH", class_id, method_id) + arguments)

    def _send_content(self, message: MessageAtBroker) -> None:
        content: Any = Message(b"", **message.properties)
        properties = bytes(content._serialize_properties())
        size = len(message.body)
        self._send_frame(2, 1, struct.pack(">HHQ", BASIC, 0, size) + properties)
        step = FRAME_MAX - 8
        for start in range(0, size, step):
            self._send_frame(3, 1, message.body[start : start + step])

    def _send_frame(self, kind: int, channel: int, payload: bytes) -> None:
        head = struct.pack(">BHI", kind, channel, len(payload))
        self.peer.sendall(head + payload + bytes([FRAME_END]))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            block = self.peer.recv(count - len(data))
            if not block:
                raise EOFError
            data += block
        return data


def loads(types: str, payload: bytes) -> list[Any]:
    """The first arguments of a method."""
    values: list[Any] = serialization.loads(types, payload, 0)[0]
    return values
