"""A small broker that speaks MQTT 5 over TCP, for tests without Mosquitto.

It has what a subscriber needs: a login, persistent sessions, and delivery with QoS 1. What is not
acknowledged when a connection ends is delivered again. `tests/systems/queues.py` runs against
Mosquitto itself.
"""

import socket
import ssl
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PASSWORD = "correct-horse"
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
NOT_AUTHORIZED, BAD_PASSWORD = 0x87, 0x86


@dataclass
class SessionAtBroker:
    """What the broker holds for a client id, also while it is not connected."""

    topic: str = ""
    waiting: "deque[tuple[bytes, Properties]]" = field(default_factory=deque)


@dataclass
class MqttBroker:
    """Listens on `port` of the loopback address between `start` and `stop`."""

    user: str = "throughline"
    port: int = 0
    tls: ssl.SSLContext | None = None
    refused_topic: str = ""
    sessions: dict[str, SessionAtBroker] = field(default_factory=dict)
    acknowledged: list[bytes] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    connections: "list[_MqttClientConnection]" = field(default_factory=list)
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

    def publish(self, body: bytes, content_type: str = "", **user_properties: str) -> None:
        """Give a message to every session."""
        properties = Properties(PacketTypes.PUBLISH)
        if content_type:
            properties.ContentType = content_type
        for name, text in user_properties.items():
            properties.UserProperty = (name, text)
        with self.lock:
            for session in self.sessions.values():
                session.waiting.append((body, properties))
            for connection in self.connections:
                connection.deliver()

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
            connection = _MqttClientConnection(self, peer)
            with self.lock:
                self.connections.append(connection)
            threading.Thread(target=connection.serve, daemon=True).start()


class _MqttClientConnection:
    """One client."""

    def __init__(self, broker: MqttBroker, peer: socket.socket) -> None:
        self.broker, self.peer = broker, peer
        self.session: SessionAtBroker | None = None
        self.unacknowledged: dict[int, tuple[bytes, Properties]] = {}
        self.next_id, self.limit, self.is_subscribed = 1, 0, False

    def serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                (first,) = self._read(1)
                payload = self._read(self._read_length())
                with self.broker.lock:
                    if not self._answer(first >> 4, payload):
                        break
        self.end()

    def end(self) -> None:
        with suppress(OSError):
            self.peer.shutdown(socket.SHUT_RDWR)
        self.peer.close()
        with self.broker.lock:
            if self in self.broker.connections:
                self.broker.connections.remove(self)
            if self.session is not None:
                self.session.waiting.extendleft(
                    message for _, message in sorted(self.unacknowledged.items(), reverse=True)
                )
            self.unacknowledged.clear()

    def deliver(self) -> None:
        """Send what waits, within the limit of the client."""
        while (
            self.is_subscribed
            and self.session is not None
            and self.session.waiting
            and len(self.unacknowledged) < self.limit
        ):
            body, properties = message = self.session.waiting.popleft()
            identifier, self.next_id = self.next_id, self.next_id + 1
            self.unacknowledged[identifier] = message
            head = _text("orders/new") + struct.pack(">H", identifier) + properties.pack()
            with suppress(OSError):
                self._send(PUBLISH << 4 | 2, head + body)

    def _answer(self, kind: int, payload: bytes) -> bool:
        if kind == CONNECT:
            return self._accept_client(payload)
        if kind == SUBSCRIBE:
            topic = _read_text(payload, 3)[0]  # after the identifier and no properties
            refused = topic == self.broker.refused_topic
            code = NOT_AUTHORIZED if refused else 1
            self._send(0x90, payload[:2] + bytes([0, code]))
            if not refused and self.session is not None:
                self.session.topic, self.is_subscribed = topic, True
                self.deliver()
        elif kind == PUBACK:
            body, _ = self.unacknowledged.pop(struct.unpack_from(">H", payload)[0])
            self.broker.acknowledged.append(body)
            self.deliver()
        elif kind == PINGREQ:
            self._send(0xD0, b"")
        return kind != DISCONNECT

    def _accept_client(self, payload: bytes) -> bool:
        assert payload[:7] == b"\x00\x04MQTT\x05"
        clean_start = bool(payload[7] & 2)
        properties = Properties(PacketTypes.CONNECT)
        _, length = properties.unpack(payload[10:])
        client, at = _read_text(payload, 10 + length)
        user, at = _read_text(payload, at)
        password, at = _read_text(payload, at)
        if (user, password) != (self.broker.user, PASSWORD):
            self._send(0x20, bytes([0, BAD_PASSWORD, 0]))
            return False
        self.limit = getattr(properties, "ReceiveMaximum", 0)
        if clean_start:
            self.broker.sessions.pop(client, None)
        self.session = self.broker.sessions.get(client, SessionAtBroker())
        if getattr(properties, "SessionExpiryInterval", 0):
            self.broker.sessions[client] = self.session
        self._send(0x20, bytes([0, 0, 0]))
        return True

    def _send(self, first: int, payload: bytes) -> None:
        length, digits = len(payload), b""
        while True:
            length, digit = divmod(length, 128)
            digits += bytes([digit | (0x80 if length else 0)])
            if not length:
                break
        self.peer.sendall(bytes([first]) + digits + payload)

    def _read_length(self) -> int:
        length = shift = 0
        while True:
            (digit,) = self._read(1)
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return length

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            block = self.peer.recv(count - len(data))
            if not block:
                raise EOFError
            data += block
        return data


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _read_text(payload: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", payload, at)
    end: Any = at + 2 + length
    return payload[at + 2 : end].decode(), end
