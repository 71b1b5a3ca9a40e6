"""Polls orders of BigCommerce (v2) with their products, shipments and refunds.

https://developer.bigcommerce.com/docs/rest-management/orders
"""

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.list_polling import ListPage, ListPollOptions, PolledList, Send, poll_lists
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import HeaderAuthorization
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
)
from connectors.systems.bigcommerce.orders import parse_date
from connectors.systems.bigcommerce.statuses import REFUNDED, SHIPPED

LIST = "x-bigcommerce-list"
OVERLAP = timedelta(minutes=5)
# Each order needs up to three more requests; the smallest budget is 150 in 30 seconds.
ORDERS_PER_PAGE = 20
DETAILS_PER_PAGE = 250


def poll_orders(settings: ParsedSettings, http: HttpClient, cursor: str) -> Iterator[PolledPage]:
    """Yield orders changed since the cursor."""
    try:
        base, token = settings.text("base_url").rstrip("/"), settings.text("access_token")
        since = parse_timestamp(settings.text("since"), "since", "UTC")
    except PayloadError as error:
        raise PollError(error.detail) from None
    if not base or not token:
        raise PollError("the settings base_url and access_token are required")
    details = _BigCommerceOrderDetails(base)
    orders = PolledList(
        "orders",
        details.build_list_request,
        _read_orders,
        lambda row: parse_date(row, "date_modified"),
        lambda row: f"{row.required_text('id')} {row.text_at('date_modified')}",
        details.complete,
        restarts_at_newest_change=True,
    )
    options = ListPollOptions(LIST, OVERLAP, since.time if since else None)
    requests = AuthorizedRequests(http, [HeaderAuthorization("x-auth-token", token)])
    return poll_lists(requests, [orders], cursor, options)


def _read_orders(response: HttpResponse, page: str) -> ListPage:
    rows = read_json_body_empty_list_if_204(response).as_list()
    return ListPage(rows, str(int(page or "1") + 1) if len(rows) >= ORDERS_PER_PAGE else "")


class _BigCommerceOrderDetails:
    """Requests what an order of the list only links to."""

    def __init__(self, base: str) -> None:
        self.base = base

    def build_list_request(self, since: datetime | None, page: str) -> HttpRequest:
        """Build the request for a page of orders."""
        query = {"sort": "date_modified:asc", "limit": str(ORDERS_PER_PAGE), "page": page or "1"}
        if since:
            query["min_date_modified"] = format_datetime(since)
        return self._get("/v2/orders", query)

    def complete(self, order: Node, send: Send) -> Generator[PolledPage, None, Any]:
        """Return the order with lists of products, shipments and refunds."""
        number, status = order.required_text("id"), order.text_at("status_id")
        if not number.isdecimal():
            raise PollError("an order has an id that is not a number")
        path = f"/v2/orders/{number}"
        value = order.value | {"products": (yield from self._all(f"{path}/products", send))}
        if order.decimal_at("items_shipped") or status in SHIPPED:
            value["shipments"] = yield from self._all(f"{path}/shipments", send)
        if order.decimal_at("refunded_amount") or status in REFUNDED:
            url = f"/v3/orders/{number}/payment_actions/refunds"
            document = read_json_body_empty_list_if_204((yield from send(self._get(url, {}))))
            value["refunds"] = [row.value for row in document.list_at("data")]
        return value

    def _all(self, path: str, send: Send) -> Generator[PolledPage, None, list[Any]]:
        rows: list[Any] = []
        for page in range(1, 21):
            query = {"limit": str(DETAILS_PER_PAGE), "page": str(page)}
            response = yield from send(self._get(path, query))
            new = [node.value for node in read_json_body_empty_list_if_204(response).as_list()]
            rows += new
            if len(new) < DETAILS_PER_PAGE:
                return rows
        raise PollError(f"{path} has more than {len(rows)} rows")

    def _get(self, path: str, query: dict[str, str]) -> HttpRequest:
        return HttpRequest("GET", f"{self.base}{path}", query, {"accept": "application/json"})
