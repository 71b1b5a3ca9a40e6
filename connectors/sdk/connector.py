"""The interface of a connector: verify a webhook, parse a message, poll a system."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from connectors.sdk.batch_contents import BatchContents, count_records_of_text_or_json
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.message_shape import MessageShape
from connectors.sdk.payload import PayloadError
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import ParsedSettings, Setting, parse_and_check_settings
from connectors.sdk.telemetry import TelemetryRecord
from connectors.sdk.text_shapes import xml_shape
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
    WebhookResponse,
)


class SourceRole(StrEnum):
    """The role of a system. Swimlanes and authority over data depend on it."""

    SHOP = "shop"
    EDI = "edi"
    CRM = "crm"
    ERP = "erp"
    WMS = "wms"
    THIRD_PARTY_LOGISTICS = "3pl"
    CARRIER = "carrier"
    FINANCE = "finance"
    OTHER = "other"

    @classmethod
    def from_stored(cls, text: str) -> "SourceRole":
        """Return the role, or OTHER for text that this version does not know."""
        try:
            return cls(text)
        except ValueError:
            return cls.OTHER


NO_EVENTS = "the message has no events"


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A stored message: raw body, stored headers (lower-case names) and time received."""

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ParseResult:
    """The result of parsing one message.

    `events` are applied even if there are errors, as with one bad document in a file. Errors park
    the message. `ignored` is the reason why a valid message has no events, or what an applied
    message says that is not understood; people read it on the message. `poll_due`: the message is
    a notice that something changed, without the change itself, so the source is polled at once.
    `telemetry`: what the message observed besides; see `telemetry.py`.
    """

    events: tuple[CanonicalEvent, ...] = ()
    errors: tuple[PayloadError, ...] = ()
    ignored: str = ""
    poll_due: bool = False
    telemetry: tuple[TelemetryRecord, ...] = ()

    def __post_init__(self) -> None:
        """Give a result that has nothing else the reason that it has no events."""
        if not (self.events or self.telemetry or self.errors or self.ignored):
            object.__setattr__(self, "ignored", NO_EVENTS)


class Connector(ABC):
    """Base class of connectors. A connector turns messages of one system into canonical events.

    A connector opens no files or sockets and reads neither the environment nor the clock. `config`
    holds the settings of the source as text; `config["source"]` is always the slug of the source,
    which is also the issuer of the source's own numbers.
    """

    slug: ClassVar[str]
    # Its version, which stored events name; empty: that of the product.
    release: ClassVar[str] = ""
    title: ClassVar[str]
    role: ClassVar[SourceRole]
    settings: ClassVar[tuple[Setting, ...]] = ()
    # Headers stored with the message (lower case). All others are dropped.
    stored_headers: ClassVar[frozenset[str]] = frozenset()
    polls: ClassVar[bool] = False
    # A stored header that webhooks have and polled rows do not, of connectors with both.
    webhook_header: ClassVar[str] = ""
    # How often a new source is polled; None: the default of the product.
    poll_interval: ClassVar[timedelta | None] = None
    # The vendor dictates the secret, so it may be shorter than 24 bytes.
    allows_short_secrets: ClassVar[bool] = False
    # The vendor requires an empty body with 401; other senders get problem details.
    has_empty_rejections: ClassVar[bool] = False
    # How messages arrive, for the table of connectors in README.md.
    reception: ClassVar[str] = ""
    # What to do at the vendor.
    setup: ClassVar[str] = ""
    # What the vendor's form asks for: the topics to subscribe to, and the permissions to grant.
    topics: ClassVar[tuple[str, ...]] = ()
    permissions: ClassVar[tuple[str, ...]] = ()
    # What the system can report and this connector does not read, in sentences.
    not_covered: ClassVar[tuple[str, ...]] = ()
    # Where its messages have a version, and which versions are supported.
    versions: ClassVar[tuple[VersionDeclaration, ...]] = ()
    # The steps derived from what the connector accepts; only shown without `setup`.
    derived_steps: ClassVar[tuple[str, ...]] = ()
    # How the text of a payload is encoded, unless the payload says so.
    payload_charset: ClassVar[str] = "utf-8"
    accepts_files: ClassVar[bool] = False
    accepts_webhooks: ClassVar[bool] = True
    # A path below the webhook URL to which senders also post. A stored message is answered with the
    # Location of its job below that path, and with `job_headers`. Empty: none.
    job_path: ClassVar[str] = ""
    job_headers: ClassVar[Mapping[str, str]] = {}
    # Only files whose name matches are read from a drop folder; empty: all files.
    file_pattern: ClassVar[str] = ""
    # Defaults of the settings of batches, such as batch_at, by name.
    batch_defaults: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: Mapping[str, str]) -> None:
        self.config = config

    @cached_property
    def parsed_settings(self) -> ParsedSettings:
        """The typed settings. Reading an invalid setting raises PayloadError."""
        return parse_and_check_settings(self.settings, self.config)

    @property
    def source_slug(self) -> str:
        """The slug of the source, which is the issuer of its own numbers."""
        return self.config.get("source", self.slug)

    def handshake(
        self, request: WebhookRequest, secrets: Sequence[bytes]
    ) -> WebhookResponse | None:
        """Return the response to a setup challenge, or None for an ordinary message."""
        return None

    def success_response(self) -> WebhookResponse | None:
        """Return the response the vendor requires after a message is stored; None: the default."""
        return None

    @abstractmethod
    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature. Raises InvalidSignature or MalformedSignatureHeader."""

    @abstractmethod
    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the vendor's delivery id, equal on retries; empty: a content hash is used."""

    def body_to_store(self, request: WebhookRequest) -> bytes:
        """Return the body with the secrets in it masked. Only vendors that send some need this."""
        return request.body

    def event_trace_headers(self, request: WebhookRequest) -> Mapping[str, str]:
        """Return the trace context inside the event as `ce-traceparent` and `ce-tracestate`."""
        return {}

    @abstractmethod
    def parse(self, message: RawMessage) -> ParseResult:
        """Return the canonical events of a message. Raises PayloadError to park it."""

    def batch_contents(self, message: RawMessage) -> BatchContents:
        """Count the records of a message that is a batch. Raises PayloadError."""
        return BatchContents(count_records_of_text_or_json(message.body))

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield pages of rows changed since `cursor` (empty: from the start). Raises PollError."""
        raise PollError(f"{self.title} does not support polling")

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield pages like `poll`, for connectors that need what the product knows."""
        return self.poll(http, cursor, secrets)

    def is_poll_configured(self) -> bool:
        """Whether the settings have everything that polling needs."""
        return self.polls

    @classmethod
    def is_webhook(cls, headers: Mapping[str, str]) -> bool:
        """Whether a message with these stored headers is certainly a verified webhook."""
        return not cls.polls or bool(cls.webhook_header and headers.get(cls.webhook_header))

    def webhook_url_query(self, secret: str) -> str:
        """Return what the webhook URL must end with, such as `?token=...`; usually nothing."""
        return ""

    def request_example(self, url: str) -> str:
        """Return shell commands that send a message as the vendor does; empty: unsigned ones do."""
        return ""

    def example_payload(self) -> bytes:
        """Return a small payload for an example request, or nothing."""
        return b""

    def message_shape(self, message: RawMessage) -> MessageShape | None:
        """Return which fields a message has that is no JSON, or None. Raises PayloadError."""
        is_xml = message.body.lstrip()[:1] == b"<"
        return xml_shape(message.body) if is_xml else None

    def guess_headers(self, body: bytes) -> Mapping[str, str]:
        """Guess headers, such as a topic, from a body. Used to try a payload without a request."""
        return {}

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the headers (lower case) this vendor sends with `body`; for examples and tests."""
        return {}
