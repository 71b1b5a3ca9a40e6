"""Polls invoices, credit notes and payments of a Xero organization."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors, row_to_record, rows_or_error
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import HttpRequest, PolledPage, PollError
from connectors.systems.xero.json_dates import changed_at

# The types of documents of sales. Payments of all documents are read; their invoices tell them
# apart.
CONDITIONS = {"Invoices": 'Type=="ACCREC"', "CreditNotes": 'Type=="ACCRECCREDIT"', "Payments": ""}
IDS = {"Invoices": "InvoiceID", "CreditNotes": "CreditNoteID", "Payments": "PaymentID"}
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class XeroPollOptions:
    """What to read: the API, the organization (tenant), the collections and how many rows."""

    base_url: str
    tenant_id: str
    collections: tuple[str, ...]
    page_size: int
    overlap: timedelta
    start: str


@dataclass(frozen=True, slots=True)
class XeroPagePosition:
    """A page: number `page` of the rows changed since `since` (None: of all rows)."""

    since: datetime | None
    page: int = 1


def poll_documents(
    requests: AuthorizedRequests, cursors: CollectionCursors, options: XeroPollOptions
) -> Iterator[PolledPage]:
    """Yield the pages of every collection, oldest change first. Raises PollError.

    The header If-Modified-Since asks for changes, to the second, in UTC:
    https://developer.xero.com/documentation/api/accounting/requests-and-responses
    Rows that change while pages are read move to the end, and the rows behind them move up. So the
    next page is the first one since the newest change, unless a page is full of one second.
    """
    for name in options.collections:
        position: XeroPagePosition | None = XeroPagePosition(
            cursors.since(name, options.overlap, options.start)
        )
        while position:
            request = _build_request(name, position, options)
            response = yield from requests.send(lambda _, request=request: request, cursors.to_text)  # type: ignore[misc] # bound at once
            rows = rows_or_error(read_json_body_empty_list_if_204(response), name)
            times = [_change_time(row) for row in rows]
            cursors.advance(name, times)
            records = tuple(
                row_to_record(name, row, row.text_at(IDS[name]), row.text_at("UpdatedDateUTC"))
                for row in rows
            )
            yield PolledPage(records, cursors.to_text())
            position = _next_position(position, times, options.page_size)


def _build_request(
    collection: str, position: XeroPagePosition, options: XeroPollOptions
) -> HttpRequest:
    query = {
        "page": str(position.page),
        "pageSize": str(options.page_size),
        "order": "UpdatedDateUTC ASC",
    }
    if CONDITIONS[collection]:
        query["where"] = CONDITIONS[collection]
    headers = {"accept": "application/json", "xero-tenant-id": options.tenant_id}
    if position.since:
        headers["if-modified-since"] = f"{position.since:%Y-%m-%dT%H:%M:%S}"
    return HttpRequest("GET", f"{options.base_url.rstrip('/')}/{collection}", query, headers)


def _next_position(
    position: XeroPagePosition, times: list[datetime | None], page_size: int
) -> XeroPagePosition | None:
    """Return the next page, or None after a page that is not full."""
    if len(times) < page_size:
        return None
    known = [at for at in times if at is not None]
    newest = max(known).replace(microsecond=0) - SECOND if known else None
    if newest is not None and (position.since is None or newest > position.since):
        return XeroPagePosition(newest)
    return XeroPagePosition(position.since, position.page + 1)


def _change_time(row: Node) -> datetime | None:
    try:
        return changed_at(row)
    except PayloadError as error:
        raise PollError(str(error)) from None
