"""Polls orders of Extensiv by their last change, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors, row_to_record
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import HttpRequest, PolledPage, PollError
from connectors.systems.extensiv.hal_documents import (
    ORDERS,
    embedded_list,
    with_camel_case_names,
)

COLLECTION = "orders"
# What an order is sent with.
DETAIL, ITEM_DETAIL = "SavedElements,OrderItems,Packages", "All"
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class OrderPollOptions:
    """What to read: the URL of orders, the customer, the zone of times, and how many rows."""

    url: str
    customer_id: str
    zone: str
    page_size: int
    overlap: timedelta
    start: str


@dataclass(frozen=True, slots=True)
class OrderPagePosition:
    """A page: number `page` of the orders changed since `since` (None: of all orders)."""

    since: datetime | None
    page: int = 1


def poll_orders(
    requests: AuthorizedRequests, cursors: CollectionCursors, options: OrderPollOptions
) -> Iterator[PolledPage]:
    """Yield pages, oldest change first. Raises PollError.

    Orders that change while pages are read move to the end. So the next page is the first one since
    the newest change, unless a page is full of one second.
    """
    position: OrderPagePosition | None = OrderPagePosition(
        cursors.since(COLLECTION, options.overlap, options.start)
    )
    while position:
        request = _build_request(position, options)
        response = yield from requests.send(lambda _, request=request: request, cursors.to_text)  # type: ignore[misc] # bound at once
        document = with_camel_case_names(read_json_body_empty_list_if_204(response))
        try:
            orders = embedded_list(document, ORDERS, "resourceList")
            if orders is None and document.decimal_at("totalResults") != 0:
                raise PollError("the response has no orders")
            orders = orders or []
            times = [_changed_at(order, options.zone) for order in orders]
            records = tuple(
                row_to_record(
                    "order", order, order.required_object("readOnly").required_text("orderId")
                )
                for order in orders
            )
        except PayloadError as error:
            raise PollError(f"the response is invalid ({error})") from None
        cursors.advance(COLLECTION, times)
        yield PolledPage(records, cursors.to_text())
        position = _next_position(position, times, options.page_size)


def _build_request(position: OrderPagePosition, options: OrderPollOptions) -> HttpRequest:
    """RQL joins conditions by semicolons; times have no zone, as in the answers."""
    conditions = []
    if position.since:
        local = position.since.astimezone(ZoneInfo(options.zone))
        conditions.append(f"ReadOnly.LastModifiedDate=ge={local:%Y-%m-%dT%H:%M:%S}")
    if options.customer_id:
        conditions.append(f"ReadOnly.CustomerIdentifier.Id=={options.customer_id}")
    query = {
        "pgsiz": str(options.page_size),
        "pgnum": str(position.page),
        "sort": "ReadOnly.LastModifiedDate",
        "detail": DETAIL,
        "itemdetail": ITEM_DETAIL,
    }
    if conditions:
        query["rql"] = ";".join(conditions)
    return HttpRequest("GET", options.url, query, {"accept": "application/hal+json"})


def _changed_at(order: Node, zone: str) -> datetime | None:
    facts = order.required_object("readOnly")
    path = facts.get("lastModifiedDate").path
    parsed = parse_timestamp(facts.text_at("lastModifiedDate"), path, zone)
    return parsed.time if parsed else None


def _next_position(
    position: OrderPagePosition, times: list[datetime | None], page_size: int
) -> OrderPagePosition | None:
    """Return the next page, or None after a page that is not full."""
    if len(times) < page_size:
        return None
    known = [at for at in times if at is not None]
    newest = max(known).replace(microsecond=0) if known else None
    if newest is not None and (position.since is None or newest > position.since):
        return OrderPagePosition(newest)
    return OrderPagePosition(position.since, position.page + 1)
