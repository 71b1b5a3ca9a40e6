"""Polls orders over the GraphQL Admin API, with their fulfillments and refunds.

The details of an order, the lines of a fulfillment and of a refund are requests of their own: one
nested query for all of them would cost more than the 1000 points that a single query may cost.
https://shopify.dev/docs/api/usage/limits
"""

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_requests import build_graphql_request
from connectors.sdk.http_responses import read_graphql_body_or_raise_errors
from connectors.sdk.list_polling import ListPage, ListPollOptions, PolledList, Send, poll_lists
from connectors.sdk.oauth_authorization import OAuth2Authorization
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import BaseAuthorization, HeaderAuthorization
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollContext,
    PolledPage,
    PollError,
)

TOPIC = "x-shopify-topic"
TOKEN_HEADER = "x-shopify-access-token"  # noqa: S105  # the name of a header
OVERLAP = timedelta(minutes=5)
ORDERS_PER_PAGE = 10
MONEY = "{ shopMoney { amount currencyCode } }"
PAGE = "pageInfo { hasNextPage endCursor }"
LINES = f"""nodes {{ id sku title quantity currentQuantity unfulfilledQuantity requiresShipping
  originalUnitPriceSet {MONEY} }} {PAGE}"""
ORDERS = f"""query($first: Int!, $query: String, $after: String) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ id updatedAt }} {PAGE} }} }}"""
ORDER = f"""query($id: ID!, $names: Boolean!) {{ order(id: $id) {{
  id name test poNumber createdAt processedAt updatedAt cancelledAt cancelReason currencyCode
  displayFinancialStatus displayFulfillmentStatus
  currentTotalPriceSet {MONEY} customAttributes {{ key value }}
  customer @include(if: $names) {{ firstName lastName }}
  shippingAddress @include(if: $names) {{ company }}
  lineItems(first: 100) {{ {LINES} }}
  fulfillments(first: 100) {{ id name status displayStatus createdAt updatedAt
    trackingInfo(first: 20) {{ company number }} }}
  refunds(first: 50) {{ id createdAt note
    transactions(first: 5) {{ nodes {{ kind status amountSet {MONEY} }} }} }} }} }}"""
MORE_LINES = f"""query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Order {{
  list: lineItems(first: 100, after: $after) {{ {LINES} }} }} }} }}"""
FULFILLMENT_LINES = f"""query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Fulfillment {{
  list: fulfillmentLineItems(first: 200, after: $after) {{
    nodes {{ quantity lineItem {{ id }} }} {PAGE} }} }} }} }}"""
REFUND_LINES = f"""query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Refund {{
  list: refundLineItems(first: 200, after: $after) {{
    nodes {{ quantity restockType lineItem {{ id }} }} {PAGE} }} }} }} }}"""


def poll_orders(
    settings: ParsedSettings, http: HttpClient, cursor: str, context: PollContext
) -> Iterator[PolledPage]:
    """Yield orders changed since the cursor, as the API answers them."""
    try:
        base = settings.text("base_url").rstrip("/")
        authorization = _authorization(settings, base, context)
        since = parse_timestamp(settings.text("since"), "since", "UTC")
        details = _ShopifyOrderDetails(
            f"{base}/admin/api/{settings.text('api_version')}/graphql.json",
            with_names=settings.is_on("customer_names"),
        )
    except PayloadError as error:
        raise PollError(error.detail) from None
    if not base:
        raise PollError("the setting base_url is required")
    orders = PolledList(
        "orders/updated",
        details.build_list_request,
        _read_orders,
        lambda row: parse_timestamp(row.text_at("updatedAt"), "updatedAt"),
        lambda row: f"{row.required_text('id')} {row.text_at('updatedAt')}",
        details.complete,
        restarts_at_newest_change=True,
    )
    options = ListPollOptions(TOPIC, OVERLAP, since.time if since else None)
    return poll_lists(AuthorizedRequests(http, [authorization]), [orders], cursor, options)


def _authorization(settings: ParsedSettings, base: str, context: PollContext) -> BaseAuthorization:
    if token := settings.text("access_token"):
        return HeaderAuthorization(TOKEN_HEADER, token)
    form = {
        "client_id": settings.text("client_id"),
        "client_secret": settings.text("client_secret"),
    }
    if not all(form.values()):
        raise PollError("the setting access_token, or client_id and client_secret, is required")
    return OAuth2Authorization(
        f"{base}/admin/oauth/access_token", form, tokens=context.tokens, token_header=TOKEN_HEADER
    )


def _read_orders(response: HttpResponse, _page: str) -> ListPage:
    orders = _data(response).required_object("orders")
    return ListPage(orders.list_at("nodes"), _next_cursor(orders))


def _data(response: HttpResponse) -> Node:
    return read_graphql_body_or_raise_errors(response).required_object("data")


def _next_cursor(connection: Node) -> str:
    page = connection.required_object("pageInfo")
    return page.required_text("endCursor") if page.boolean_at("hasNextPage") else ""


class _ShopifyOrderDetails:
    """Requests the details of each order of a page."""

    def __init__(self, url: str, *, with_names: bool) -> None:
        self.url = url
        self.with_names = with_names

    def build_list_request(self, since: datetime | None, page: str) -> HttpRequest:
        """Build the request for a page of orders, which are sorted by their time of change."""
        variables: dict[str, Any] = {"first": ORDERS_PER_PAGE}
        if since:
            variables["query"] = f"updated_at:>='{since:%Y-%m-%dT%H:%M:%SZ}'"
        if page:
            variables["after"] = page
        return build_graphql_request(self.url, ORDERS, variables)

    def complete(self, row: Node, send: Send) -> Generator[PolledPage, None, Any]:
        """Return the order with all its lines, fulfillments and refunds."""
        variables = {"id": row.required_text("id"), "names": self.with_names}
        response = yield from send(build_graphql_request(self.url, ORDER, variables))
        order = _data(response).get("order")
        if not isinstance(order.value, dict):
            return row.value  # deleted since the list was read
        lines = order.required_object("lineItems")
        value = order.value
        if cursor := _next_cursor(lines):
            more = yield from self._all(MORE_LINES, variables["id"], cursor, send)
            value["lineItems"]["nodes"] += more
        for name, query, field in (
            ("fulfillments", FULFILLMENT_LINES, "fulfillmentLineItems"),
            ("refunds", REFUND_LINES, "refundLineItems"),
        ):
            for node in order.list_at(name):
                rows = yield from self._all(query, node.required_text("id"), "", send)
                node.value[field] = {"nodes": rows}
        return value

    def _all(
        self, query: str, node_id: object, cursor: str, send: Send
    ) -> Generator[PolledPage, None, list[Any]]:
        """Return all nodes of the connection `list`."""
        rows: list[Any] = []
        for _ in range(50):
            variables = {"id": node_id} | ({"after": cursor} if cursor else {})
            response = yield from send(build_graphql_request(self.url, query, variables))
            connection = _data(response).required_object("node").required_object("list")
            rows += [node.value for node in connection.list_at("nodes")]
            cursor = _next_cursor(connection)
            if not cursor:
                return rows
        raise PollError("a record has too many lines")
