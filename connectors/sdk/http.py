"""HTTP values that connectors work with: webhook requests, outgoing calls and poll results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, Protocol


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """An incoming request. Header names are lower case; `body` holds the raw bytes."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """A connector-specific response to a webhook: a handshake or a vendor's acknowledgment."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The response of a polled system."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient(Protocol):
    """The outgoing client for polling. It limits size and time and refuses blocked addresses."""

    def get(
        self, url: str, *, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> HttpResponse:
        """Return the response, whatever its status. Raises ConnectionError if there is none."""
        ...

    def post_json(
        self, url: str, *, content: bytes, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> HttpResponse:
        """Post a JSON document. Raises ConnectionError."""
        ...

    def post_form(self, url: str, *, data: Mapping[str, str]) -> HttpResponse:
        """Post a form, as OAuth token requests need. Raises ConnectionError."""
        ...


class PollError(RuntimeError):
    """A poll failed. `retry_after` is the wait that the system asked for, in seconds."""

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class OpenPackage:
    """A package that is under way: its tracking number, and its carrier if a source named it."""

    tracking_number: str
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class PollContext:
    """What the product knows at the time of a poll, for pollers that need more than a cursor."""

    now: datetime
    open_packages: Callable[[], Sequence[OpenPackage]] = tuple


@dataclass(frozen=True, slots=True)
class PolledRecord:
    """One row of a poll response. It is stored as a message of its own."""

    dedupe_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolledPage:
    """Rows of one poll response, and the cursor to store in the same transaction."""

    records: tuple[PolledRecord, ...]
    cursor: str


def raise_http_error(request: str, response: HttpResponse) -> NoReturn:
    """Raise PollError for an HTTP error, with Retry-After if it is a number of seconds."""
    headers = {name.lower(): text for name, text in response.headers.items()}
    try:
        retry_after = max(float(headers.get("retry-after", "")), 0.0)
    except ValueError:
        retry_after = None
    raise PollError(f"{request} returned HTTP {response.status}", retry_after=retry_after)
