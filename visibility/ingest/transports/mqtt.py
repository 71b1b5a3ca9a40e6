"""MQTT 5 and 3.1.1: Mosquitto, EMQX, HiveMQ, RabbitMQ and compatible brokers."""

import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from socket import socket
from typing import Any, ClassVar

from paho.mqtt.client import Client, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

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
    failure_of_socket_error,
)
from visibility.outbound.broker_socket import build_tls_context, open_broker_socket

VERSION = "queue.mqtt_version"
MQTT_5, MQTT_311 = "5", "3.1.1"
KEEPALIVE_SECONDS = 20
# The broker keeps the session, and what it has not delivered, without end.
SESSION_NEVER_EXPIRES = 0xFFFFFFFF
AT_LEAST_ONCE = 1
# Retained messages come with a new subscription, not with each connection.
RETAINED_IF_NEW = 1
FIRST_FAILURE_CODE = 0x80
MAX_TOPIC_BYTES = 65_535
SHARED = "$share/"


class Mqtt(Transport):
    """MQTT with QoS 1 and a persistent session: the broker holds messages while nobody reads."""

    code = "mqtt"
    title = "MQTT"
    default_ports: ClassVar = {"mqtt": 1883, "mqtts": 8883}
    tls_schemes = frozenset({"mqtts"})
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            VERSION,
            "The version of MQTT (default 5). Only version 5 has headers.",
            SettingType.CHOICE,
            default=MQTT_5,
            choices=(MQTT_5, MQTT_311),
            label="MQTT version",
        ),
    )

    def check_queue_name(self, name: str) -> None:
        """A topic filter: `+` and `#` stand for whole levels, `#` only for the last ones."""
        if len(name.encode()) > MAX_TOPIC_BYTES:
            raise ValueError("The topic filter is too long.")
        levels = name.split("/")
        if any("#" in level and (level != "#" or level is not levels[-1]) for level in levels):
            raise ValueError("In a topic filter, # is the last level and has no other characters.")
        if any("+" in level and level != "+" for level in levels):
            raise ValueError("In a topic filter, + has no other characters between the slashes.")

    def open(self, options: QueueOptions) -> "MqttSession":
        """Resume the session of this client, or start it."""
        return MqttSession(options)

    def test(self, options: QueueOptions) -> int | None:
        """Connect and subscribe as another client, so that the session stays as it is."""
        MqttSession(options, is_test=True).close()
        return None


class MqttSession(QueueSession):
    """A connection that acknowledges each message after it was stored."""

    def __init__(self, options: QueueOptions, *, is_test: bool = False) -> None:
        self._options = options
        self._is_v5 = options.values.text(VERSION) != MQTT_311
        self._is_test = is_test
        self._arrived: deque[MQTTMessage] = deque()
        self._answers: dict[str, int] = {}
        self._client = self._build_client()
        try:
            with self._failures_with_reasons():
                self._connect()
                # A test must not take messages from the members of a shared subscription.
                if not (is_test and options.queue.startswith(SHARED)):
                    self._subscribe()
        except BaseException:
            self.close()
            raise

    def receive(self, seconds: float) -> Sequence[QueueMessage]:
        """Return what arrives."""
        until = time.monotonic() + seconds
        while not self._arrived and (left := until - time.monotonic()) > 0:
            self._loop(left)
        # More may have arrived with the first one.
        count = 0
        while count < len(self._arrived) < PREFETCH:
            count = len(self._arrived)
            self._loop(0)
        messages = [_build_message(raw) for raw in self._arrived]
        self._arrived.clear()
        return messages

    def wait(self, seconds: float) -> None:
        """Answer the broker. It sends no more than the unacknowledged messages it may."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._loop(left)

    def acknowledge(self, messages: Sequence[QueueMessage]) -> None:
        """Acknowledge each."""
        for message in messages:
            identifier, qos = message.receipt
            self._client.ack(identifier, qos)
        self._loop(0)

    def reject(self, message: QueueMessage) -> None:
        """Acknowledge it: MQTT has no other way to say that it must not come again."""
        self.acknowledge([message])

    def close(self) -> None:
        """Disconnect. The broker keeps the session."""
        with suppress(Exception):
            self._client.disconnect()
            self._client.loop(0)
        with suppress(Exception):
            if (connected := self._client.socket()) is not None:
                connected.close()

    def _build_client(self) -> "_GuardedClient":
        options = self._options
        suffix = f"-test-{secrets.token_hex(4)}" if self._is_test else ""
        # In version 5, a parameter of the connection says whether the session starts empty.
        session = {} if self._is_v5 else {"clean_session": self._is_test}
        client = _GuardedClient(
            CallbackAPIVersion.VERSION2,
            client_id=options.client + suffix,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
            **session,  # type: ignore[arg-type]  # a boolean
        )
        client.connect_timeout = CONNECT_SECONDS
        if options.user:
            client.username_pw_set(options.user, options.password or None)
        if options.address.scheme in Mqtt.tls_schemes:
            client.tls_set_context(build_tls_context(*options.tls_texts))
        client.on_connect = lambda _c, _u, _f, code, _p: self._record("connect", code.value)
        client.on_subscribe = lambda _c, _u, _m, codes, _p: self._record(
            "subscribe", max(code.value for code in codes)
        )
        client.on_message = lambda _c, _u, message: self._arrived.append(message)
        return client

    def _record(self, name: str, code: int) -> None:
        self._answers[name] = code

    def _connect(self) -> None:
        address = self._options.address
        parameters: dict[str, Any] = {}
        if self._is_v5:
            properties = Properties(PacketTypes.CONNECT)
            properties.ReceiveMaximum = PREFETCH
            properties.SessionExpiryInterval = 0 if self._is_test else SESSION_NEVER_EXPIRES
            parameters = {"clean_start": self._is_test, "properties": properties}
        self._client.connect(address.host, address.port, keepalive=KEEPALIVE_SECONDS, **parameters)
        code = self._await_answer("connect")
        if code:
            raise QueueFailed(f"{address.host_and_port} refuses access: {_reason(code)}")

    def _subscribe(self) -> None:
        queue, where = self._options.queue, self._options.address.host_and_port
        if self._is_v5:
            choice = SubscribeOptions(qos=AT_LEAST_ONCE, retainHandling=RETAINED_IF_NEW)
            self._client.subscribe(queue, options=choice)
        else:
            self._client.subscribe(queue, AT_LEAST_ONCE)
        code = self._await_answer("subscribe")
        if code >= FIRST_FAILURE_CODE:
            raise QueueFailed(f"{where} refuses the topic {queue!r}: {_reason(code)}")
        if code < AT_LEAST_ONCE:
            raise QueueFailed(f"{where} offers {queue!r} without acknowledgement (QoS 0) only")

    def _await_answer(self, name: str) -> int:
        until = time.monotonic() + CONNECT_SECONDS
        while name not in self._answers:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._loop(left)
        return self._answers[name]

    def _loop(self, seconds: float) -> None:
        with self._failures_with_reasons():
            result = self._client.loop(seconds)
        # A refused connection is closed at once: its answer says more.
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS and not self._answers.get("connect"):
            where = self._options.address.host_and_port
            reason = error_string(result).rstrip(".").lower()
            raise QueueFailed(f"the connection to {where} ended: {reason}")

    @contextmanager
    def _failures_with_reasons(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failure_of_socket_error(error, self._options.address) from None


class _GuardedClient(Client):
    """A client that connects to checked addresses only."""

    def _create_socket_connection(self) -> socket:
        return open_broker_socket(self._host, self._port, seconds=CONNECT_SECONDS)


def _build_message(raw: MQTTMessage) -> QueueMessage:
    properties = getattr(raw, "properties", None)
    pairs: list[tuple[str, Any]] = [("mqtt-topic", raw.topic)]
    if properties is not None:
        pairs += list(getattr(properties, "UserProperty", None) or [])
        content_type = getattr(properties, "ContentType", None)
        pairs += [("content-type", content_type)] if content_type else []
    try:
        headers, error = build_headers(pairs, bare_cloudevents=True), ""
    except TooManyHeaders as caught:
        headers, error = {}, str(caught)
    return QueueMessage(bytes(raw.payload), headers, "", (raw.mid, raw.qos), error)


# The reasons of MQTT 5 and of MQTT 3.1.1 that an administrator can correct.
REASONS = {
    1: "it does not speak this version of MQTT",
    2: "it does not accept this client id",
    3: "it is not available",
    4: "the user or the password is wrong",
    5: "the user has no right",
    0x80: "it gives no reason",
    0x84: "it does not speak this version of MQTT",
    0x85: "it does not accept this client id",
    0x86: "the user or the password is wrong",
    0x87: "the user has no right",
    0x88: "it is not available",
    0x8C: "it needs another way to sign in",
    0x8F: "the topic filter is not valid",
    0x97: "a quota is exceeded",
    0x9F: "it limits how often clients connect",
    0xA2: "it does not offer wildcards",
}


def _reason(code: int) -> str:
    return REASONS.get(code, f"code {code}")
