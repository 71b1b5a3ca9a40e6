"""Polls orders over the Admin API of Vendure, which is GraphQL.

https://docs.vendure.io/current/core/reference/graphql-api/admin/queries
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.encode_json import encode_json
from connectors.sdk.http_requests import build_graphql_request
from connectors.sdk.http_responses import (
    read_graphql_body_or_raise_errors,
    read_json_body_empty_list_if_204,
)
from connectors.sdk.list_polling import (
    ListPage,
    ListPollOptions,
    PolledList,
    newest_change,
    poll_lists,
    required_rows,
)
from connectors.sdk.payload import Node, PayloadError, load_json
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
    PolledRecord,
    PollError,
    TokenStore,
    poll_error_of_response,
)
from connectors.systems.vendure.orders import order_of_notice, parse_time

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
  payments { refunds { id createdAt updatedAt total state reason lines { orderLineId quantity } } }
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
        _key,
        restarts_at_newest_change=True,
    )
    options = ListPollOptions(LIST, OVERLAP, since.time if since else None)
    requests = AuthorizedRequests(_ForbiddenAs401(http), [authorization])
    yield from _poll_noticed_orders(requests, url, headers, cursor, context)
    yield from poll_lists(requests, [orders], cursor, options)


def _poll_noticed_orders(
    requests: AuthorizedRequests,
    url: str,
    headers: Mapping[str, str],
    cursor: str,
    context: PollContext,
) -> Iterator[PolledPage]:
    """Yield the orders that notices named since the newest change that was read.

    A refund, or the delivery of one of several fulfillments, does not change its order, so the
    list of changed orders does not have it.
    """
    newest = newest_change(cursor, "orders")
    if newest is None:
        return  # the first poll reads all orders
    named: dict[str, set[str]] = {"id": set(), "code": set()}
    for body in context.notices(newest - OVERLAP):
        try:
            field, text = order_of_notice(load_json(body))
        except PayloadError:  # a complete order whose webhook id looks like that of a notice
            continue
        named[field].add(text)
    for field, texts in named.items():
        ordered = sorted(texts)
        for start in range(0, len(ordered), ORDERS_PER_PAGE):
            batch = ordered[start : start + ORDERS_PER_PAGE]
            options = {"take": ORDERS_PER_PAGE, "filter": {field: {"in": batch}}}
            request = build_graphql_request(url, ORDERS, {"options": options}, headers=headers)
            response = yield from requests.send(partial(_same, request), lambda: cursor)
            try:
                rows = _read(response, "").rows
                records = [
                    PolledRecord(f"orders {_key(r)}", encode_json(r.value), {LIST: "orders"})
                    for r in rows
                ]
            except PayloadError as error:
                raise PollError(f"the list of orders is invalid ({error})") from None
            yield PolledPage(tuple(records), cursor)


def _same(request: HttpRequest, _secret: int) -> HttpRequest:
    return request


def _key(row: Node) -> str:
    """The order, and its newest change: fulfillments and refunds change without their order."""
    refunds = [refund for pay in row.list_at("payments") for refund in pay.list_at("refunds")]
    nodes = [row, *row.list_at("fulfillments"), *refunds]
    changes = [node.text_at("updatedAt") for node in nodes]
    return f"{row.required_text('id')} {max(changes)}"


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
