"""The base class of transports: how a source receives messages from a broker."""

import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connectors.sdk.settings import ParsedSettings, Setting
from visibility.outbound.address_guard import ForbiddenAddress
from visibility.outbound.broker_socket import BrokerAddress

# So many messages are taken from a broker before they are stored and acknowledged.
PREFETCH = 100
CONNECT_SECONDS = 10.0


class QueueFailed(ConnectionError):
    """The broker cannot be reached, refuses, or has ended the connection; the text says why."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message of a broker, not yet acknowledged.

    `headers` have lower-case names. `identity` is the same when the broker delivers the message
    again, and differs between messages; empty if the broker has none. `receipt` is what the
    transport needs to acknowledge it. `error`: why it cannot be stored; usually empty.
    """

    body: bytes
    headers: Mapping[str, str]
    identity: str = ""
    receipt: Any = field(default=None, compare=False)
    error: str = ""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What a connection needs: the address, the name of the queue or topic, and the settings.

    `client`: the name by which the broker knows this source.
    """

    address: BrokerAddress
    queue: str
    client: str
    values: ParsedSettings

    @property
    def user(self) -> str:
        """The user; empty for none."""
        return self.values.text("queue.user")

    @property
    def password(self) -> str:
        """The password; empty for none."""
        return self.values.text("queue.password")

    @property
    def tls_texts(self) -> tuple[str, str, str]:
        """The CA certificate, the client certificate and its key, in PEM."""
        names = ("queue.ca", "queue.certificate", "queue.certificate_key")
        ca, certificate, key = map(self.values.text, names)
        return ca, certificate, key


class QueueSession(ABC):
    """An open connection that consumes one queue. All methods raise QueueFailed."""

    @abstractmethod
    def receive(self, seconds: float) -> Sequence[QueueMessage]:
        """Return the messages that arrive within this time: at once if there are some.

        At most `PREFETCH` messages are unacknowledged.
        """

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Keep the connection open for this time, without returning messages."""

    @abstractmethod
    def acknowledge(self, messages: Sequence[QueueMessage]) -> None:
        """Tell the broker that these messages are stored."""

    @abstractmethod
    def reject(self, message: QueueMessage) -> None:
        """Tell the broker that this message can never be stored: it must not come again."""

    def waiting_count(self) -> int | None:
        """Return how many messages wait at the broker, or None if it does not tell."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Close the connection. Never raises. Unacknowledged messages stay at the broker."""


class Transport(ABC):
    """A protocol of message brokers. The URL of a source chooses it by its scheme."""

    code: ClassVar[str]
    title: ClassVar[str]
    # The default port of each scheme, and the schemes that use TLS.
    default_ports: ClassVar[Mapping[str, int]]
    tls_schemes: ClassVar[frozenset[str]]
    # Settings that only this transport has. Their names start with `queue.`
    settings: ClassVar[tuple[Setting, ...]] = ()
    # Whether the URL may have a path.
    has_path: ClassVar[bool] = False

    @abstractmethod
    def check_queue_name(self, name: str) -> None:
        """Raise ValueError if no queue or topic can have this name."""

    @abstractmethod
    def open(self, options: QueueOptions) -> QueueSession:
        """Connect and consume. Raises QueueFailed, ForbiddenAddress and OSError."""

    @abstractmethod
    def test(self, options: QueueOptions) -> int | None:
        """Connect, check that the queue exists, and take nothing; return how many messages wait.

        None: the broker does not tell. Raises as `open` does.
        """


def failure_of_socket_error(error: OSError, address: BrokerAddress) -> ConnectionError:
    """Return an error whose text says what failed, for the page of the source."""
    where = address.host_and_port
    if isinstance(error, QueueFailed | ForbiddenAddress):
        return error
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason or error
        return QueueFailed(f"TLS to {where} failed: {reason}")
    if isinstance(error, TimeoutError):
        return QueueFailed(f"{where} does not answer")
    if isinstance(error, ConnectionError) and error.errno is None:
        return error  # such as a name that cannot be resolved
    return QueueFailed(f"the connection to {where} failed: {error.strerror or error}")
