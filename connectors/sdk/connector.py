"""What every connector offers: verify, name, read, and for pollers ask."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError


class Role(StrEnum):
    """What part a system plays; lanes and authority follow it."""

    SHOP = "shop"
    EDI = "edi"
    CRM = "crm"
    ERP = "erp"
    WMS = "wms"
    THIRD_PARTY_LOGISTICS = "3pl"
    CARRIER = "carrier"
    FINANCE = "finance"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are lower case; `body` is the raw bytes."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the connector's own (a handshake, a vendor-specific acknowledgement)."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A kept message: the raw body, the kept headers (lower case), when it was received."""

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a message says.

    `events` apply. `problems` park the message with their reasons although the events beside them
    apply (one bad document in a file). `ignored` says why a message rightly says nothing.
    """

    events: tuple[CanonicalEvent, ...] = ()
    problems: tuple[PayloadError, ...] = ()
    ignored: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A system's answer to a poll."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """The outgoing client a poller is given: limited, timed, and only to allowed addresses."""

    def get(self, url: str, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """The answer whatever its status; raises ConnectionError when there is none."""
        ...

    def post_form(self, url: str, *, data: Mapping[str, str]) -> Answer:
        """A form post (OAuth token requests)."""
        ...


class PollError(RuntimeError):
    """The system did not answer as documented. `retry_after` in seconds where it said so."""

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Record:
    """One row a poll brought: it is kept as a message of its own."""

    dedupe_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows and the cursor to store together with them. `more`: ask again at once."""

    records: tuple[Record, ...]
    cursor: str
    more: bool = False


class Connector(ABC):
    """One outside system: its words in, our words out.

    A connector opens nothing, reads no environment and asks no clock. `config` holds the source's
    settings as text; `config["source"]` is always the source's own slug, the issuer of its numbers.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    role: ClassVar[Role]
    # What a person needs to know to connect it: name of the setting -> what it means.
    settings: ClassVar[Mapping[str, str]] = {}
    # Headers kept with the message (lower case); all others are dropped.
    kept_headers: ClassVar[frozenset[str]] = frozenset()
    # Whether the sender signs; one that can't must be given an unguessable URL.
    polls: ClassVar[bool] = False
    files: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, str]) -> None:
        self.config = config

    @property
    def source(self) -> str:
        """The slug of the source: whose number range its own numbers are."""
        return self.config.get("source", self.slug)

    def handshake(self, request: Request, secrets: Sequence[bytes]) -> Reply | None:
        """The answer to a set-up challenge, or None for an ordinary message."""
        return None

    def acknowledge(self) -> Reply | None:
        """The body the vendor insists on after a message was kept; None for ours."""
        return None

    @abstractmethod
    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """Raise Unauthentic unless a secret signed these bytes; Malformed for bad headers."""

    @abstractmethod
    def dedupe_key(self, request: Request) -> str:
        """The vendor's id of this delivery, the same on a retry; empty: the content decides."""

    def trace(self, request: Request) -> Mapping[str, str]:
        """The trace that the event itself names, as headers `ce-traceparent`, `ce-tracestate`."""
        return {}

    @abstractmethod
    def parse(self, message: Message) -> Parsed:
        """The canonical events of a message. Raises PayloadError to park it."""

    def poll(self, http: Http, cursor: str, secrets: Sequence[bytes]) -> Iterator[Page]:
        """Pages of what changed since `cursor` (empty: from the start). Raises PollError."""
        raise PollError(f"{self.title} is not polled")

    def infer_headers(self, body: bytes) -> Mapping[str, str]:
        """Headers the body lets one guess (a topic), for trying a payload without a request."""
        return {}

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Headers a sender of this vendor puts on `body` (lower case); for examples, tests."""
        return {}
