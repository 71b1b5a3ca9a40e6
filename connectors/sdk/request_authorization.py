"""How requests to a polled system are authorized: fixed credentials, tokens and signatures."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.webhook_and_poll_types import HttpClient, HttpRequest, RenewedSecret

# What the signed text of an HMAC may contain; see `HmacAuthorization`.
SIGNED_NAMES = frozenset(
    {"method", "url", "host", "path", "query", "path_and_query", "timestamp", "body", "body_sha256"}
)
SIGNED_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class BaseAuthorization:
    """Base class: requests without authorization. Subclasses authorize each request."""

    def fetch_token_if_missing(self, http: HttpClient) -> None:
        """Fetch what requests need, such as a token. Raises PollError."""

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Return the request with its authorization, ready to be sent."""
        return request

    def discard_refused_token(self) -> None:
        """Forget a token that the system refused, so that `prepare` fetches another one."""

    def take_renewed_secrets(self) -> tuple[RenewedSecret, ...]:
        """Return the secrets to store, once."""
        return ()


@dataclass(slots=True)
class HeaderAuthorization(BaseAuthorization):
    """A fixed header, such as an API key. `name` is lower case."""

    name: str
    value: str = field(repr=False)

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the header."""
        return with_header(request, self.name, self.value)


@dataclass(slots=True)
class QueryTokenAuthorization(BaseAuthorization):
    """A token in the query of the URL."""

    name: str
    value: str = field(repr=False)

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the token; it replaces one that a link to the next page contains."""
        return replace(request, query={**request.query, self.name: self.value})


def basic_authorization(user_and_password: str) -> BaseAuthorization:
    """Return HTTP Basic authorization for `user:password` (RFC 7617, UTF-8)."""
    credentials = base64.b64encode(user_and_password.encode()).decode()
    return HeaderAuthorization("authorization", f"Basic {credentials}")


def bearer_authorization(token: str) -> BaseAuthorization:
    """Return Bearer authorization (RFC 6750)."""
    return HeaderAuthorization("authorization", f"Bearer {token}")


@dataclass(slots=True)
class HmacAuthorization(BaseAuthorization):
    """A signature of each request in a header.

    `signed` is the text that is signed, with placeholders in braces: `method` (upper case), `url`
    (as sent), `host`, `path`, `query` (encoded, without `?`), `path_and_query`, `timestamp`, `body`
    and `body_sha256` (hexadecimal). `timestamp_form` is unix, unix_ms or rfc3339.
    """

    secret: bytes = field(repr=False)
    header: str
    signed: str
    now: datetime
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    timestamp_form: str = "unix"

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the signature, and the timestamp if a header is named for it."""
        sent = replace(request, url=request.url_with_merged_query, query={})
        timestamp = self._now_as_unix_or_rfc3339_text()
        digest = hmac.new(
            self.secret, fill_in_bytes_to_sign(self.signed, sent, timestamp), self.algorithm
        ).digest()
        signature = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()
        if self.timestamp_header:
            sent = with_header(sent, self.timestamp_header, timestamp)
        return with_header(sent, self.header, self.prefix + signature)

    def _now_as_unix_or_rfc3339_text(self) -> str:
        if self.timestamp_form == "rfc3339":
            return format_rfc3339(self.now)
        factor = 1000 if self.timestamp_form == "unix_ms" else 1
        return str(int(self.now.timestamp() * factor))


def fill_in_bytes_to_sign(signed: str, request: HttpRequest, timestamp: str) -> bytes:
    """Return the bytes to sign. `request.url` is the complete URL."""
    address = urlsplit(request.url)
    query = f"?{address.query}" if address.query else ""
    values = {
        "method": request.method.encode(),
        "url": request.url.encode(),
        "host": address.netloc.encode(),
        "path": address.path.encode(),
        "query": address.query.encode(),
        "path_and_query": f"{address.path}{query}".encode(),
        "timestamp": timestamp.encode(),
        "body": request.body,
        "body_sha256": hashlib.sha256(request.body).hexdigest().encode(),
    }
    pieces = SIGNED_PLACEHOLDER.split(signed)  # texts and names alternate
    return b"".join(
        values[piece] if index % 2 else piece.encode() for index, piece in enumerate(pieces)
    )


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    """Return the request with this header."""
    return replace(request, headers={**request.headers, name: value})
