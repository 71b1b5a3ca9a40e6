"""Polls the REST API of Adobe Commerce by `searchCriteria` on the time of change.

https://developer.adobe.com/commerce/webapi/rest/use-rest/performing-searches/
"""

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.list_polling import (
    ListPage,
    ListPollOptions,
    PolledList,
    Send,
    poll_lists,
    required_rows,
)
from connectors.sdk.oauth_authorization import OAuth1Authorization, OAuth2Authorization
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import BaseAuthorization, bearer_authorization
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
from connectors.systems.adobe_commerce.documents import parse_utc

ENTITY = "x-adobe-commerce-entity"
OVERLAP = timedelta(minutes=5)
ORDER_FIELDS = (
    "entity_id,increment_id,customer_id,"
    "items[item_id,parent_item_id,product_type,is_virtual,sku,name,price]"
)


def poll_commerce(
    settings: ParsedSettings, http: HttpClient, cursor: str, context: PollContext
) -> Iterator[PolledPage]:
    """Yield orders, shipments, invoices and credit memos changed since the cursor."""
    try:
        base = settings.text("base_url").rstrip("/")
        authorization = _authorization(settings, context)
        size = settings.integer("page_size")
        since = parse_timestamp(settings.text("since"), "since", "UTC")
    except PayloadError as error:
        raise PollError(error.detail) from None
    if not base:
        raise PollError("the setting base_url is required")
    details = _AdobeOrderDetails(base)
    lists = [
        _build_list(base, "orders", size, None),
        *(_build_list(base, n, size, details) for n in ("shipments", "invoices", "creditmemos")),
    ]
    options = ListPollOptions(ENTITY, OVERLAP, since.time if since else None)
    return poll_lists(AuthorizedRequests(http, [authorization]), lists, cursor, options)


def _authorization(settings: ParsedSettings, context: PollContext) -> BaseAuthorization:
    if settings.text("client_id"):
        form = {
            "client_id": settings.text("client_id"),
            "client_secret": settings.text("client_secret"),
            "scope": settings.text("scope"),
        }
        return OAuth2Authorization(settings.text("token_url"), form, tokens=context.tokens)
    token = settings.text("access_token")
    if not token:
        raise PollError("the setting access_token is required")
    if not settings.text("consumer_key"):
        return bearer_authorization(token)
    return OAuth1Authorization(
        settings.text("consumer_key"),
        settings.text("consumer_secret"),
        token,
        settings.text("access_token_secret"),
        context.now,
    )


class _AdobeOrderDetails:
    """The items of orders, each requested once per poll. Other documents do not name parents."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.orders: dict[str, Any] = {}

    def complete(self, row: Node, send: Send) -> Generator[PolledPage, None, Any]:
        """Return the document with its `order`; without it if the order does not exist."""
        number = row.text_at("order_id")
        if number and number.isalnum() and number not in self.orders:
            url = f"{self.base}/orders/{number}"
            try:
                response = yield from send(HttpRequest("GET", url, {"fields": ORDER_FIELDS}))
            except PollError as error:
                if error.status != 404:
                    raise
                self.orders[number] = None
            else:
                self.orders[number] = read_json_body_empty_list_if_204(response).value
        order = self.orders.get(number)
        return row.value | ({"order": order} if order else {})


def _build_list(base: str, name: str, size: int, details: _AdobeOrderDetails | None) -> PolledList:
    def build(since: datetime | None, page: str) -> HttpRequest:
        query = {
            "searchCriteria[sortOrders][0][field]": "updated_at",
            "searchCriteria[sortOrders][0][direction]": "ASC",
            "searchCriteria[sortOrders][1][field]": "entity_id",
            "searchCriteria[sortOrders][1][direction]": "ASC",
            "searchCriteria[pageSize]": str(size),
            "searchCriteria[currentPage]": page or "1",
        }
        if since:
            member = "searchCriteria[filter_groups][0][filters][0]"
            query |= {
                f"{member}[field]": "updated_at",
                f"{member}[value]": f"{since:%Y-%m-%d %H:%M:%S}",
                f"{member}[condition_type]": "gteq",
            }
        return HttpRequest("GET", f"{base}/{name}", query, {"accept": "application/json"})

    def read(response: HttpResponse, page: str) -> ListPage:
        document = read_json_body_empty_list_if_204(response)
        total = document.decimal_at("total_count")
        number = int(page or "1")
        has_no_rows = total == 0 and not document.has_value("items")
        rows = [] if has_no_rows else required_rows(document, "items")
        if total is not None and (
            total > (number - 1) * size if not rows else number == 1 and len(rows) > total
        ):
            raise PollError(f"the list of {name} has {len(rows)} rows of {total}: a contradiction")
        # A page beyond the last one has the rows of the last page, so the total decides.
        more = bool(rows) and total is not None and number * size < total
        return ListPage(rows, str(number + 1) if more else "")

    return PolledList(
        name,
        build,
        read,
        lambda row: parse_utc(row, "updated_at"),
        lambda row: f"{row.required_text('entity_id')} {row.text_at('updated_at')}",
        details.complete if details else None,
        restarts_at_newest_change=True,
    )
