"""Polls the Selling Partner API: orders, multi-channel fulfillment and Vendor Central.

https://developer-docs.amazon.com/sp-api/docs/orders-api
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.list_polling import (
    ListPage,
    ListPollOptions,
    PolledList,
    Send,
    poll_lists,
    query_of,
    required_rows,
)
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollContext,
    PolledPage,
    PollError,
)

LIST = "x-amazon-list"
TOKEN_HEADER = "x-amz-access-token"  # noqa: S105  # the name of a header
# Amazon lists changes with a delay, and accepts no time within the last two minutes.
OVERLAP = timedelta(minutes=10)
FIRST_POLL = timedelta(days=30)
OUTBOUND = "/fba/outbound/2020-07-01/fulfillmentOrders"


@dataclass(frozen=True, slots=True)
class ListOfAmazon:
    """A list of the API: names of its query, its rows, and its next page."""

    path: str
    since: str
    rows: str
    changed: tuple[str, ...]
    number: str
    token_query: str = "nextToken"  # noqa: S105  # the name of a query member
    pagination: str = ""
    token: str = "nextToken"  # noqa: S105  # the name of a member
    in_payload: bool = True


LISTS: Mapping[str, ListOfAmazon] = {
    "orders": ListOfAmazon(
        "/orders/2026-01-01/orders",
        "lastUpdatedAfter",
        "orders",
        ("lastUpdatedTime",),
        "orderId",
        token_query="paginationToken",  # noqa: S106  # the name of a query member
        pagination="pagination",
        in_payload=False,
    ),
    "orders_v0": ListOfAmazon(
        "/orders/v0/orders",
        "LastUpdatedAfter",
        "Orders",
        ("LastUpdateDate",),
        "AmazonOrderId",
        token_query="NextToken",  # noqa: S106  # the name of a query member
        token="NextToken",  # noqa: S106  # the name of a member
    ),
    "mcf": ListOfAmazon(
        OUTBOUND,
        "queryStartDate",
        "fulfillmentOrders",
        ("statusUpdatedDate", "receivedDate"),
        "sellerFulfillmentOrderId",
    ),
    "vendor_orders": ListOfAmazon(
        "/vendor/orders/v1/purchaseOrdersStatus",
        "updatedAfter",
        "ordersStatus",
        ("lastUpdatedDate", "purchaseOrderDate"),
        "purchaseOrderNumber",
        pagination="pagination",
    ),
    "vendor_shipments": ListOfAmazon(
        "/vendor/shipping/v1/shipments",
        "shipmentConfirmedAfter",
        "shipments",
        ("shipmentConfirmDate", "transactionDate"),
        "vendorShipmentIdentifier",
        pagination="pagination",
    ),
}


def poll_amazon(
    settings: ParsedSettings, http: HttpClient, cursor: str, context: PollContext
) -> Iterator[PolledPage]:
    """Yield what changed in the chosen lists since the cursor."""
    try:
        base = settings.text("base_url").rstrip("/")
        refresh = settings.text("refresh_token")
        form = {
            "client_id": settings.text("client_id"),
            "client_secret": settings.text("client_secret"),
        }
        since = parse_timestamp(settings.text("since"), "since", "UTC")
        token_url, markets = settings.text("token_url"), settings.text("marketplaces")
        included = settings.text("included_data")
        names = settings.list_of_texts("lists")
    except PayloadError as error:
        raise PollError(error.detail) from None
    if not (refresh and all(form.values())):
        raise PollError("the settings client_id, client_secret and refresh_token are required")
    authorization = OAuth2Authorization(
        token_url,
        form,
        RefreshToken("refresh_token", refresh),
        tokens=context.tokens,
        token_header=TOKEN_HEADER,
    )
    queries: Mapping[str, Mapping[str, str]] = {
        "orders": query_of(marketplaceIds=markets, includedData=included, maxResultsPerPage="100"),
        "orders_v0": query_of(MarketplaceIds=markets, MaxResultsPerPage="20"),
        "vendor_orders": {"limit": "100"},
        "vendor_shipments": {"limit": "50"},
    }
    lists = [_build_list(base, name, queries.get(name, {})) for name in names]
    first = since.time if since else context.now - FIRST_POLL
    options = ListPollOptions(LIST, OVERLAP, first)
    return poll_lists(AuthorizedRequests(http, [authorization]), lists, cursor, options)


def _build_list(base: str, name: str, query: Mapping[str, str]) -> PolledList:
    amazon = LISTS[name]

    def build(since: datetime | None, page: str) -> HttpRequest:
        members = {**query, amazon.since: f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else ""}
        members |= {amazon.token_query: page} if page else {}
        return _get(f"{base}{amazon.path}", members)

    def read(response: HttpResponse, _page: str) -> ListPage:
        document = read_json_body_empty_list_if_204(response)
        payload = document.required_object("payload") if amazon.in_payload else document
        pages = payload.get(amazon.pagination) if amazon.pagination else payload
        token = pages.text_at(amazon.token) if isinstance(pages.value, dict) else ""
        return ListPage(required_rows(payload, amazon.rows), token)

    def changed_at(row: Node) -> ParsedTime | None:
        for field in amazon.changed:
            if parsed := parse_timestamp(row.text_at(field), field):
                return parsed
        return None

    complete: Mapping[str, Callable[[Node, Send], Generator[PolledPage, None, Any]]] = {
        "orders_v0": _Details(base).complete_v0,
        "mcf": _Details(base).complete_mcf,
    }
    return PolledList(
        name,
        build,
        read,
        changed_at,
        lambda row: f"{row.required_text(amazon.number)} {_last_change(row, amazon)}",
        complete.get(name),
    )


def _last_change(row: Node, amazon: ListOfAmazon) -> str:
    return next(filter(None, (row.text_at(field) for field in amazon.changed)), "")


class _Details:
    """Requests what a list leaves out."""

    def __init__(self, base: str) -> None:
        self.base = base

    def complete_v0(self, row: Node, send: Send) -> Generator[PolledPage, None, Any]:
        """Return an order with `OrderItems`."""
        number = quote(row.required_text("AmazonOrderId"), safe="")
        items: list[Any] = []
        token = ""
        for _ in range(50):
            url = f"{self.base}/orders/v0/orders/{number}/orderItems"
            response = yield from send(_get(url, query_of(NextToken=token)))
            payload = read_json_body_empty_list_if_204(response).required_object("payload")
            items += [node.value for node in payload.list_at("OrderItems")]
            token = payload.text_at("NextToken")
            if not token:
                return row.value | {"OrderItems": items}
        raise PollError("an order has too many items")

    def complete_mcf(self, row: Node, send: Send) -> Generator[PolledPage, None, Any]:
        """Return a fulfillment order with its items and shipments."""
        number = quote(row.required_text("sellerFulfillmentOrderId"), safe="")
        response = yield from send(_get(f"{self.base}{OUTBOUND}/{number}", {}))
        return read_json_body_empty_list_if_204(response).required_object("payload").value


def _get(url: str, query: Mapping[str, str]) -> HttpRequest:
    return HttpRequest("GET", url, query, {"accept": "application/json"})
