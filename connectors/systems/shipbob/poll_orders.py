"""Polls orders of ShipBob: those that changed, and those whose tracking changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors, row_to_record
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
)

# The filter of a change, and the times of a shipment that it is about.
FILTERS = {
    "LastUpdateStartDate": "last_update_at",
    "LastTrackingUpdateStartDate": "last_tracking_update_at",
}
FIRST_POLL = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ClientWithUsualRetryHeader:
    """Copies `x-retry-after`, which ShipBob sends in seconds with 429, to `retry-after`."""

    http: HttpClient

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response."""
        response = self.http.send(request)
        headers = {name.lower(): text for name, text in response.headers.items()}
        if "x-retry-after" not in headers or "retry-after" in headers:
            return response
        return replace(response, headers={**headers, "retry-after": headers["x-retry-after"]})


def poll_orders(
    requests: AuthorizedRequests,
    cursors: CollectionCursors,
    *,
    url: str,
    channel_id: str,
    page_size: int,
    overlap: timedelta,
    start: str,
) -> Iterator[PolledPage]:
    """Yield the pages of both filters. Raises PollError.

    Orders are sorted by their creation and not by their change, so the cursor of a filter advances
    after its last page. https://developer.shipbob.com/api/orders/get-orders
    """
    headers = {"accept": "application/json"}
    if channel_id:
        headers["shipbob_channel_id"] = channel_id
    for name, field in FILTERS.items():
        since = cursors.since(name, overlap, start) or cursors.now - FIRST_POLL
        begun, is_full = cursors.continue_or_begin_pass(name, since), True
        while is_full:
            page = int(begun.position or "1")
            query = {
                name: begun.since,
                "SortOrder": "Oldest",
                "Limit": str(page_size),
                "Page": str(page),
            }
            request = HttpRequest("GET", url, query, headers)
            response = yield from requests.send(lambda _, request=request: request, cursors.to_text)  # type: ignore[misc] # bound at once
            orders = _orders(read_json_body_empty_list_if_204(response))
            records = tuple(row_to_record("order", o, o.text_at("id")) for o in orders)
            is_full = len(orders) >= page_size
            cursors.record_page_of_pass(
                name,
                [_newest(order, field) for order in orders],
                position=str(page + 1) if is_full else "",
            )
            yield PolledPage(records, cursors.to_text())


def _orders(document: Node) -> list[Node]:
    try:
        orders = document.as_list()
        for order in orders:
            order.required_text("id")
    except PayloadError as error:
        raise PollError(f"the response is no list of orders ({error})") from None
    return orders


def _newest(order: Node, field: str) -> datetime | None:
    """Return the newest change of the shipments of an order."""
    try:
        times = [
            parse_timestamp(shipment.text_at(field), field, "UTC")
            for shipment in order.list_at("shipments")
        ]
    except PayloadError as error:
        raise PollError(str(error)) from None
    return max((known.time for known in times if known), default=None)
