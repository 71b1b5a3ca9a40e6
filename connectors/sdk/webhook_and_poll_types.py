"""HTTP values that connectors work with: webhook requests, outgoing calls and poll results."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from connectors.sdk.sql_rows import ReadRows, RowQuery

TOO_MANY_REQUESTS = 429
# A system that asks for a longer pause is asked again after this.
MAX_RETRY_DELAY = timedelta(hours=1)


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
class HttpRequest:
    """An outgoing request. `query` is added to that of the URL; `body` is sent as it is.

    Names of headers are lower case. `http_requests.py` builds requests of the usual kinds.
    """

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def url_with_merged_query(self) -> str:
        """The URL as sent. A member of `query` replaces those of the same name in `url`."""
        if not self.query:
            return self.url
        address = urlsplit(self.url)
        old = [
            (name, text)
            for name, text in parse_qsl(address.query, keep_blank_values=True)
            if name not in self.query
        ]
        query = urlencode([*old, *self.query.items()], quote_via=quote, safe="")
        return address._replace(query=query).geturl()


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The response of a polled system."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient(Protocol):
    """The outgoing client for polling. It limits size and time and refuses blocked addresses."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response, whatever its status. Raises ConnectionError if there is none."""
        ...


class PollError(RuntimeError):
    """A poll failed.

    `retry_after`: the wait that the system asked for, in seconds or as the text of its Retry-After
    header. `status`: the HTTP status of its response, if it sent one.
    """

    def __init__(
        self, detail: str, *, retry_after: float | str | None = None, status: int | None = None
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.status = status


def poll_error_of_response(request: str, response: HttpResponse) -> PollError:
    """Return the error for a response with an error status. `request` names what was requested."""
    headers = {name.lower(): text for name, text in response.headers.items()}
    return PollError(
        f"{request} returned HTTP {response.status}",
        retry_after=headers.get("retry-after") or _seconds_until_budget_is_renewed(headers),
        status=response.status,
    )


def _seconds_until_budget_is_renewed(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a system names without Retry-After.

    BigCommerce names the milliseconds until the budget is renewed, Amazon the requests per second.
    https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits
    https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits
    """
    milliseconds = headers.get("x-rate-limit-time-reset-ms", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return int(milliseconds) / 1000
    try:
        rate = float(headers.get("x-amzn-ratelimit-limit", ""))
    except ValueError:
        return None
    return 1 / rate if math.isfinite(rate) and rate > 0 else None


def parse_retry_after(value: float | str | None, now: datetime) -> timedelta | None:
    """Return how long to wait, at most an hour, or None if no usable wait is given.

    RFC 9110 allows a number of seconds or an HTTP date. Zero, a negative number, a past date and
    anything else ask for no wait, so the usual pause applies.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until_http_date(str(value), now)
    if math.isnan(seconds) or seconds <= 0:
        return None
    return timedelta(seconds=min(seconds, MAX_RETRY_DELAY.total_seconds()))


def _seconds_until_http_date(text: str, now: datetime) -> float:
    """Return the seconds until an HTTP date; nan for any other text."""
    try:
        at = parsedate_to_datetime(text)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return math.nan


@dataclass(frozen=True, slots=True)
class OpenPackage:
    """A package that is under way: its tracking number, and its carrier if a source named it."""

    tracking_number: str
    carrier: str = ""


class TokenStore(Protocol):
    """Holds access tokens between polls, in memory, until they expire."""

    def token(self, key: str) -> str:
        """Return the token of this key, or "" if there is none or it has expired."""
        ...

    def store(self, key: str, token: str, seconds: float) -> None:
        """Hold a token for so many seconds."""
        ...

    def discard(self, key: str) -> None:
        """Remove the token of this key, because the system refused it."""
        ...


class NoTokenStore:
    """Holds nothing: each poll fetches a token."""

    def token(self, key: str) -> str:
        """Nothing."""
        return ""

    def store(self, key: str, token: str, seconds: float) -> None:
        """Do nothing."""

    def discard(self, key: str) -> None:
        """Do nothing."""


NO_TOKENS = NoTokenStore()


def read_no_rows(_query: RowQuery) -> Sequence[Mapping[str, Any]]:
    """Raise PollError: the caller has no access to databases."""
    raise PollError("databases cannot be read here")


# The dedupe keys of notices begin so, if their poller reads which records they name.
NOTICE_KEY = "notice "


@dataclass(frozen=True, slots=True)
class PollContext:
    """What the product knows at the time of a poll, for pollers that need more than a cursor.

    `open_packages(carriers, after)` returns packages whose carrier contains one of these lower-case
    texts or is unknown (no texts: all), ordered by number: first those later than `after`, then
    the others. The number of packages is limited, so a poller continues after the last one asked.
    `read_rows` reads rows of a database view. Raises ConnectionError or PollError.
    `notices(since)` returns the bodies of notices since that time, which are messages with a
    dedupe key that begins with `NOTICE_KEY`; their number is limited to the newest ones.
    """

    now: datetime
    open_packages: Callable[[Sequence[str], str], Sequence[OpenPackage]] = lambda *_: ()
    tokens: TokenStore = NO_TOKENS
    read_rows: ReadRows = read_no_rows
    notices: Callable[[datetime], Sequence[bytes]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class PolledRecord:
    """One row of a poll response. It is stored as a message of its own."""

    dedupe_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RenewedSecret:
    """A new value of a secret setting, such as a refresh token that the system replaced.

    It is stored only if the setting still has the `old` value: a person may have changed it.
    `lasts_seconds`: how long it is valid from now on, as the system says; None: unknown.
    """

    setting: str
    old: str = field(repr=False)
    new: str = field(repr=False)
    lasts_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PolledPage:
    """Rows of one poll response, and the cursor and secrets to store in the same transaction."""

    records: tuple[PolledRecord, ...]
    cursor: str
    renewed_secrets: tuple[RenewedSecret, ...] = ()
