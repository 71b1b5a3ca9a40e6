"""Polls orders of Walmart Marketplace.

https://developer.walmart.com/us-marketplace/reference/getallorders
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qsl
from uuid import uuid4

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.encode_json import encode_json
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.list_polling import (
    ListPage,
    ListPollOptions,
    PolledList,
    poll_lists,
    query_of,
)
from connectors.sdk.oauth_authorization import OAuth2Authorization
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
from connectors.systems.walmart.json_fields import list_in, parse_milliseconds

LIST = "x-walmart-list"
TOKEN_HEADER = "wm_sec.access_token"  # noqa: S105  # the name of a header
OVERLAP = timedelta(minutes=15)
# Orders of the last 180 days are available, and only those of a week unless a date is given.
OLDEST = timedelta(days=179)
FIRST_POLL = timedelta(days=30)


def poll_orders(
    settings: ParsedSettings, http: HttpClient, cursor: str, context: PollContext
) -> Iterator[PolledPage]:
    """Yield orders changed since the cursor."""
    try:
        base = settings.text("base_url").rstrip("/")
        form = {
            "client_id": settings.text("client_id"),
            "client_secret": settings.text("client_secret"),
        }
        since = parse_timestamp(settings.text("since"), "since", "UTC")
        node_types = settings.list_of_texts("ship_nodes")
        market = settings.text("market")
    except PayloadError as error:
        raise PollError(error.detail) from None
    if not all(form.values()):
        raise PollError("the settings client_id and client_secret are required")
    headers = _service_headers(market)
    authorization = OAuth2Authorization(
        f"{base}/v3/token",
        form,
        client_in_header=True,
        tokens=context.tokens,
        token_header=TOKEN_HEADER,
        token_request_headers=headers,
    )
    oldest = context.now - OLDEST
    lists = [_build_list(base, kind, headers, oldest) for kind in node_types]
    first = since.time if since else context.now - FIRST_POLL
    options = ListPollOptions(LIST, OVERLAP, max(first, oldest))
    return poll_lists(AuthorizedRequests(http, [authorization]), lists, cursor, options)


def _service_headers(market: str) -> dict[str, str]:
    """The headers that every request needs; the correlation id is new for each poll."""
    return {
        "wm_svc.name": "Walmart Marketplace",
        "wm_qos.correlation_id": str(uuid4()),
        "accept": "application/json",
        **({"wm_market": market} if market else {}),
    }


def _build_list(base: str, kind: str, headers: dict[str, str], oldest: datetime) -> PolledList:
    url = f"{base}/v3/orders"

    def build(since: datetime | None, page: str) -> HttpRequest:
        # `nextCursor` is a complete query: ?limit=100&hasMoreElements=true&soIndex=...
        if page:
            return HttpRequest("GET", url, dict(parse_qsl(page.lstrip("?"))), headers)
        query = query_of(
            shipNodeType=kind,
            limit=100,
            createdStartDate=f"{oldest:%Y-%m-%dT%H:%M:%SZ}",
            lastModifiedStartDate=f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else "",
        )
        return HttpRequest("GET", url, query, headers)

    return PolledList(f"orders {kind}", build, _read, last_change, _version)


def _read(response: HttpResponse, _page: str) -> ListPage:
    document = read_json_body_empty_list_if_204(response)
    orders = document.required_object("list")
    cursor = orders.required_object("meta").text_at("nextCursor")
    return ListPage(list_in(orders, "elements", "order"), cursor)


def last_change(order: Node) -> ParsedTime | None:
    """Return the newest time of a status of its lines, or else when it was ordered."""
    times = [parse_milliseconds(n, "statusDate") for n in list_in(order, "orderLines", "orderLine")]
    return max(filter(None, times), default=parse_milliseconds(order, "orderDate"))


def _version(order: Node) -> str:
    """The id and a digest: a refund changes an order without a new time."""
    digest = hashlib.sha256(encode_json(order.value)).hexdigest()[:16]
    return f"{order.required_text('purchaseOrderId')} {digest}"
