"""Polls shipments and changed orders of ShipHero over GraphQL, within its credits."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import (
    CollectionCursors,
    parse_change_time,
    row_to_record,
)
from connectors.sdk.http_requests import build_graphql_request
from connectors.sdk.http_responses import (
    read_graphql_body_or_raise_errors,
    read_json_body_empty_list_if_204,
)
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    TOO_MANY_REQUESTS,
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
)
from connectors.systems.shiphero.polled_rows import COLLECTION

# https://developer.shiphero.com/getting-started/ (throttling and quotas)
NOT_ENOUGH_CREDITS = "30"
SECONDS = re.compile(r"[0-9]{1,6}")
FIRST_POLL = timedelta(days=30)
SHIPMENTS = """query($from: ISODateTime, $first: Int, $after: String) {
  shipments(date_from: $from) { complexity data(first: $first, after: $after) {
    edges { node {
      legacy_id created_date warehouse_id
      order { legacy_id order_number partner_order_id }
      line_items(first: 100) {
        edges { node { quantity line_item { legacy_id sku partner_line_item_id } } }
        pageInfo { hasNextPage }
      }
      shipping_labels { legacy_id status tracking_number carrier shipping_name shipping_method }
    } }
    pageInfo { hasNextPage endCursor }
  } } }"""
ORDERS = """query($from: ISODateTime, $first: Int, $after: String) {
  orders(updated_from: $from) { complexity data(first: $first, after: $after) {
    edges { node { legacy_id order_number partner_order_id fulfillment_status updated_at } }
    pageInfo { hasNextPage endCursor }
  } } }"""


@dataclass(frozen=True, slots=True)
class PolledConnection:
    """A connection: its name, its query, and the time of a row that the query filters by."""

    name: str
    query: str
    time_field: str


CONNECTIONS = (
    PolledConnection("shipments", SHIPMENTS, "created_date"),
    PolledConnection("orders", ORDERS, "updated_at"),
)


@dataclass(slots=True)
class ShipHeroPoller:
    """One poll of one account.

    Each query costs credits, which come back with time: with too few, ShipHero answers the error 30
    and how long to wait. The next round then continues with the next page.
    """

    requests: AuthorizedRequests
    cursors: CollectionCursors
    url: str
    zone: str
    page_size: int
    overlap: timedelta
    start: str = ""

    def pages(self) -> Iterator[PolledPage]:
        """Yield pages with the cursor to store in the same transaction. Raises PollError."""
        for connection in CONNECTIONS:
            name = connection.name
            since = self.cursors.since(name, self.overlap, self.start)
            begun = self.cursors.continue_or_begin_pass(
                name, since or self.cursors.now - FIRST_POLL
            )
            while name in self.cursors.passes:
                # In the zone of the account, as the times of the answers.
                local = parse_change_time(begun.since).astimezone(ZoneInfo(self.zone))
                variables: dict[str, Any] = {
                    "from": f"{local:%Y-%m-%dT%H:%M:%S}",
                    "first": self.page_size,
                }
                if begun.position:
                    variables["after"] = begun.position
                document = yield from self._ask(connection.query, variables)
                rows, position = self._read_page(document, connection, begun.position)
                records = tuple(
                    row_to_record(name, row, row.text_at("legacy_id"), headers={COLLECTION: name})
                    for row in rows
                )
                times = [self._time(row, connection.time_field) for row in rows]
                self.cursors.record_page_of_pass(name, times, position=position)
                yield PolledPage(records, self.cursors.to_text())

    def _ask(self, query: str, variables: dict[str, Any]) -> Generator[PolledPage, None, Node]:
        def build(_secret_index: int) -> HttpRequest:
            return build_graphql_request(self.url, query, variables)

        response = yield from self.requests.send(build, self.cursors.to_text)
        raise_if_credits_are_used_up(response)
        return read_graphql_body_or_raise_errors(response)

    def _read_page(
        self, document: Node, connection: PolledConnection, position: str
    ) -> tuple[list[Node], str]:
        """Return the rows and the cursor of the next page, or "" after the last one."""
        try:
            result = document.required_object("data").required_object(connection.name)
            data = result.required_object("data")
            rows = [edge.required_object("node") for edge in data.list_at("edges")]
            page = data.required_object("pageInfo")
            following = page.text_at("endCursor") if page.boolean_at("hasNextPage") else ""
            if page.boolean_at("hasNextPage") and following in {"", position}:
                raise PollError("the next page was read already")
        except PayloadError as error:
            raise PollError(f"the response is invalid ({error})") from None
        return rows, following

    def _time(self, row: Node, field: str) -> datetime | None:
        try:
            parsed = parse_timestamp(row.text_at(field), field, self.zone)
        except PayloadError as error:
            raise PollError(str(error)) from None
        return parsed.time if parsed else None


def raise_if_credits_are_used_up(response: HttpResponse) -> None:
    """Raise PollError with the pause that ShipHero asks for, such as "2 seconds"."""
    document = read_json_body_empty_list_if_204(response)
    try:
        errors = document.list_at("errors")
        codes = [error for error in errors if error.text_at("code") == NOT_ENOUGH_CREDITS]
        if not codes:
            return
        pause = SECONDS.search(codes[0].text_at("time_remaining"))
    except PayloadError:
        return  # read_graphql_body_or_raise_errors reports it
    raise PollError(
        "the credits of ShipHero are used up",
        retry_after=pause[0] if pause else None,
        status=TOO_MANY_REQUESTS,
    )
