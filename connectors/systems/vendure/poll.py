"""Polls orders over the Admin API of Vendure, which is GraphQL.

https://docs.vendure.io/current/core/reference/graphql-api/admin/queries
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_requests import build_graphql_request
from connectors.sdk.http_responses import (
    read_graphql_body_or_raise_errors,
    read_json_body_empty_list_if_204,
)
from connectors.sdk.list_polling import (
    ListPage,
    ListPollOptions,
    PolledList,
    poll_lists,
    required_rows,
)
from connectors.sdk.payload import PayloadError
from connectors.sdk.request_authorization import (
    BaseAuthorization,
    HeaderAuthorization,
    with_header,
)
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollContext,
    PolledPage,
    PollError,
    TokenStore,
    poll_error_of_response,
)
from connectors.systems.vendure.orders import parse_time

LIST = "x-vendure-list"
OVERLAP = timedelta(minutes=5)
ORDERS_PER_PAGE = 50
# A session lasts a year; the token is requested more often, in case it was revoked.
SESSION_SECONDS = 3600.0
ORDERS = """query($options: OrderListOptions) { orders(options: $options) { totalItems items {
  id code state createdAt updatedAt orderPlacedAt currencyCode totalWithTax
  customer { id firstName lastName } billingAddress { company } shippingAddress { company }
  lines { id quantity orderPlacedQuantity productVariant { sku name } }
  fulfillments { id createdAt updatedAt state method trackingCode lines { orderLineId quantity } }
  payments { refunds { id createdAt total state reason lines { orderLineId quantity } } }
} } }"""
LOGIN = """mutation($username: String!, $password: String!) {
  login(username: $username, password: $password) { __typename
    ... on ErrorResult { errorCode message } } }"""


def poll_orders(
    settings: ParsedSettings, http: HttpClient, cursor: str, context: PollContext
) -> Iterator[PolledPage]:
    """Yield orders changed since the cursor."""
    try:
        base = settings.text("base_url").rstrip("/")
        since = parse_timestamp(settings.text("since"), "since", "UTC")
        url = f"{base}/admin-api"
        authorization = _authorization(settings, url, context.tokens)
        channel_token = settings.text("channel_token")
    except PayloadError as error:
        raise PollError(error.detail) from None
    if not base:
        raise PollError("the setting base_url is required")
    headers = {"vendure-token": channel_token} if channel_token else {}

    def build(start: datetime | None, page: str) -> HttpRequest:
        options: dict[str, object] = {
            "take": ORDERS_PER_PAGE,
            "skip": int(page or 0),
            "sort": {"updatedAt": "ASC"},
        }
        if start:
            # `after` excludes the time itself.
            after = f"{start - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
            options["filter"] = {"updatedAt": {"after": after}}
        return build_graphql_request(url, ORDERS, {"options": options}, headers=headers)

    orders = PolledList(
        "orders",
        build,
        _read,
        lambda row: parse_time(row, "updatedAt"),
        lambda row: f"{row.required_text('id')} {row.text_at('updatedAt')}",
        restarts_at_newest_change=True,
    )
    options = ListPollOptions(LIST, OVERLAP, since.time if since else None)
    requests = AuthorizedRequests(_ForbiddenAs401(http), [authorization])
    return poll_lists(requests, [orders], cursor, options)


def _read(response: HttpResponse, page: str) -> ListPage:
    data = read_graphql_body_or_raise_errors(response).required_object("data")
    orders = data.required_object("orders")
    rows, skipped = required_rows(orders, "items"), int(page or 0)
    more = bool(rows) and skipped + len(rows) < (orders.decimal_at("totalItems") or 0)
    return ListPage(rows, str(skipped + len(rows)) if more else "")


def _authorization(settings: ParsedSettings, url: str, tokens: TokenStore) -> BaseAuthorization:
    if key := settings.text("api_key"):
        return HeaderAuthorization("vendure-api-key", key)
    username, password = settings.text("username"), settings.text("password")
    if not (username and password):
        raise PollError("the setting api_key, or username and password, is required")
    return _SessionAuthorization(url, username, password, tokens)


@dataclass(slots=True)
class _SessionAuthorization(BaseAuthorization):
    """A session: the login answers its token in the header vendure-auth-token."""

    url: str
    username: str
    password: str = field(repr=False)
    tokens: TokenStore
    _token: str = field(default="", repr=False)

    def fetch_token_if_missing(self, http: HttpClient) -> None:
        """Log in unless there is a token. Raises PollError."""
        self._token = self._token or self.tokens.token(self._key())
        if self._token:
            return
        variables = {"username": self.username, "password": self.password}
        try:
            response = http.send(build_graphql_request(self.url, LOGIN, variables))
        except ConnectionError as error:
            raise PollError(f"no response to the login: {error}") from error
        if response.status != 200:
            raise poll_error_of_response("the login", response)
        read_graphql_body_or_raise_errors(response)
        headers = {name.lower(): text for name, text in response.headers.items()}
        self._token = headers.get("vendure-auth-token", "")
        if not self._token:
            raise PollError("the login was refused, or tokenMethod of the server is not bearer")
        self.tokens.store(self._key(), self._token, SESSION_SECONDS)

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the token."""
        return with_header(request, "authorization", f"Bearer {self._token}")

    def discard_refused_token(self) -> None:
        """Forget the token, here and in the store."""
        self.tokens.discard(self._key())
        self._token = ""

    def _key(self) -> str:
        return f"vendure {self.url} {self.username}"


@dataclass(frozen=True, slots=True)
class _ForbiddenAs401:
    """Answers 401 for the GraphQL error FORBIDDEN, which comes with HTTP 200: log in once more."""

    http: HttpClient

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response."""
        response = self.http.send(request)
        if response.status != 200 or b"FORBIDDEN" not in response.body:
            return response
        try:
            errors = read_json_body_empty_list_if_204(response).list_at("errors")
            codes = {error.required_object("extensions").text_at("code") for error in errors}
        except (PayloadError, PollError):
            return response
        return replace(response, status=401) if "FORBIDDEN" in codes else response
