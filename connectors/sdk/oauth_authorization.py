"""OAuth for outgoing requests: 2.0 (client credentials, refresh token) and 1.0a (HMAC-SHA256)."""

import base64
import hashlib
import json
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast
from urllib.parse import quote_plus

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from connectors.sdk.http_requests import FORM_TYPE, build_form_request
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import BaseAuthorization, with_header
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollError,
    RenewedSecret,
    TokenStore,
    poll_error_of_response,
)

# Error codes of RFC 6749, section 5.2.
OAUTH_ERROR = re.compile(r"[a-z_]{1,60}")
# A token is renewed before it expires, and after a day at the latest.
EXPIRY_MARGIN_SECONDS = 60.0
MAX_TOKEN_SECONDS = 86_400.0
MAX_REFRESH_TOKEN_SECONDS = 20 * 366 * 86_400.0


@dataclass(slots=True)
class RefreshToken:
    """A refresh token, and the secret setting that holds it. The system may replace it.

    `lasts_seconds`: how long a new one is valid, if the system does not say so; None: unknown.
    """

    setting: str
    value: str = field(repr=False)
    renewed: list[RenewedSecret] = field(default_factory=list)
    lasts_seconds: float | None = None

    def record_response(self, new: str, reported_seconds: float | None) -> None:
        """Use the token of a response, "" if it has none, and note how long it is valid."""
        old = self.value
        self.value = new or old
        if self.value != old:
            seconds = reported_seconds or self.lasts_seconds
            self.renewed.append(RenewedSecret(self.setting, old, self.value, seconds))
        elif reported_seconds:
            self.renewed.append(RenewedSecret(self.setting, old, old, reported_seconds))


@dataclass(slots=True)
class OAuth2Authorization(BaseAuthorization):
    """A bearer token from the token URL, fetched at the first request and after a refusal.

    `tokens` holds it until it expires, for the next polls.

    `form` has the members besides the grant type: client_id, client_secret and scope. With
    `refresh_token` the grant is refresh_token (RFC 6749, section 6), otherwise client_credentials
    (section 4.4). `client_in_header`: the client authenticates by HTTP Basic (section 2.3.1).
    """

    token_url: str
    form: Mapping[str, str] = field(repr=False)
    refresh_token: RefreshToken | None = None
    client_in_header: bool = False
    tokens: TokenStore = NO_TOKENS
    _token: str = field(default="", repr=False)

    def fetch_token_if_missing(self, http: HttpClient) -> None:
        """Fetch a token unless there is one. Raises PollError with the status of the response."""
        self._token = self._token or self.tokens.token(self._token_key())
        if self._token:
            return
        try:
            response = http.send(self._build_token_request())
        except ConnectionError as error:
            raise PollError(f"no response to the token request: {error}") from error
        if response.status != 200:
            raise _poll_error_with_oauth_error_code(response)
        document = read_json_body_empty_list_if_204(response)
        try:
            self._token = document.required_text("access_token")
            renewed = document.text_at("refresh_token")
        except PayloadError as error:
            raise PollError(f"the token response is invalid ({error})") from None
        if self.refresh_token:
            self.refresh_token.record_response(renewed, _refresh_token_seconds(document))
        if (seconds := _usable_seconds(document)) > 0:
            self.tokens.store(self._token_key(), self._token, seconds)

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the bearer token."""
        return with_header(request, "authorization", f"Bearer {self._token}")

    def discard_refused_token(self) -> None:
        """Forget the token, here and in the store."""
        self.tokens.discard(self._token_key())
        self._token = ""

    def take_renewed_secrets(self) -> tuple[RenewedSecret, ...]:
        """Return the new refresh tokens, once."""
        if self.refresh_token is None:
            return ()
        renewed, self.refresh_token.renewed = tuple(self.refresh_token.renewed), []
        return renewed

    def _token_key(self) -> str:
        """A digest of everything that the token depends on: other credentials have another key."""
        refresh_token = self.refresh_token.value if self.refresh_token else ""
        content = [self.token_url, sorted(self.form.items()), refresh_token, self.client_in_header]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _build_token_request(self) -> HttpRequest:
        form = {"grant_type": "client_credentials", **self.form}
        if self.refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": self.refresh_token.value}
        if not self.client_in_header:
            return build_form_request(self.token_url, form)
        client = quote_plus(form.pop("client_id")), quote_plus(form.pop("client_secret"))
        credentials = base64.b64encode(":".join(client).encode()).decode()
        request = build_form_request(self.token_url, form)
        return with_header(request, "authorization", f"Basic {credentials}")


def _refresh_token_seconds(token_response: Node) -> float | None:
    """How long the refresh token of a response is valid; None if the response does not say so.

    No standard defines the member. QuickBooks:
    https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0
    """
    for name in ("x_refresh_token_expires_in", "refresh_token_expires_in", "refresh_expires_in"):
        try:
            seconds = float(token_response.text_at(name))
        except (PayloadError, ValueError):
            continue
        if math.isfinite(seconds) and 0 < seconds < MAX_REFRESH_TOKEN_SECONDS:
            return seconds
    return None


def _usable_seconds(token_response: Node) -> float:
    """How long a token may be used: until shortly before it expires. 0 if that is unknown."""
    try:
        seconds = float(token_response.text_at("expires_in"))
    except (PayloadError, ValueError):
        return 0
    if not math.isfinite(seconds):
        return 0
    return min(seconds, MAX_TOKEN_SECONDS) - EXPIRY_MARGIN_SECONDS


def _poll_error_with_oauth_error_code(response: HttpResponse) -> PollError:
    """The error of a token response, with its code such as invalid_grant."""
    error = poll_error_of_response("the token request", response)
    try:
        code = read_json_body_empty_list_if_204(response).text_at("error")
    except (PollError, PayloadError):
        return error
    if not OAUTH_ERROR.fullmatch(code):
        return error
    return PollError(f"{error} ({code})", retry_after=error.retry_after, status=error.status)


@dataclass(slots=True)
class OAuth1Authorization(BaseAuthorization):
    """A signature by OAuth 1.0a (RFC 5849) with HMAC-SHA256, as NetSuite requires it.

    The body is signed only if it is a form (section 3.4.1.3.1).
    """

    consumer_key: str
    consumer_secret: str = field(repr=False)
    token: str
    token_secret: str = field(repr=False)
    now: datetime
    realm: str = ""

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the `Authorization` header, with a new nonce for each request."""
        sent = replace(request, url=request.url_with_merged_query, query={})
        client = Client(
            self.consumer_key,
            client_secret=self.consumer_secret,
            resource_owner_key=self.token,
            resource_owner_secret=self.token_secret,
            signature_method=SIGNATURE_HMAC_SHA256,
            realm=self.realm or None,
            nonce=secrets.token_hex(16),
            timestamp=str(int(self.now.timestamp())),
        )
        is_form = request.headers.get("content-type", "").startswith(FORM_TYPE)
        headers = {"Content-Type": FORM_TYPE} if is_form else {}
        body = request.body.decode() if is_form else None
        method = cast('Literal["GET", "POST"]', request.method)
        try:
            _, signed, _ = client.sign(sent.url, method, body=body, headers=headers)
        except ValueError as error:
            raise PollError(f"the request cannot be signed by OAuth 1: {error}") from None
        return with_header(sent, "authorization", signed["Authorization"])
