"""Reads changed documents of the OData v2 services of SAP, with their items."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.changed_rows_polling import (
    ChangedRow,
    ChangeRange,
    poll_changed_rows,
    record_with_content_key,
)
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import HttpRequest, PolledPage, PollError
from connectors.systems.sap_s4hana.field_values import moment_at

# Documents without a time of change are not asked for.
FIRST_CHANGE = datetime(1970, 1, 1)  # noqa: DTZ001  # times of a poll have no zone
DAY = timedelta(days=1)
# What an entity has besides its fields: its address, and links that were not expanded.
METADATA, DEFERRED = "__metadata", "__deferred"


@dataclass(frozen=True, slots=True)
class ODataStream:
    """A collection: its service, its key, the field that says when a row changed, its items."""

    service: str
    collection: str
    key: str
    changed: str
    items: str
    has_time: bool = True


ORDERS = ODataStream(
    "API_SALES_ORDER_SRV", "A_SalesOrder", "SalesOrder", "LastChangeDateTime", "to_Item"
)
INVOICES = ODataStream(
    "API_BILLING_DOCUMENT_SRV", "A_BillingDocument", "BillingDocument", "LastChangeDateTime",
    "to_Item",
)  # fmt: skip
# The header of a delivery has the date of its change only, and none until the first change.
NEW_DELIVERIES, CHANGED_DELIVERIES = (
    ODataStream(
        "API_OUTBOUND_DELIVERY_SRV;v=0002", "A_OutbDeliveryHeader", "DeliveryDocument", field,
        "to_DeliveryDocumentItem", has_time=False,
    )
    for field in ("CreationDate", "LastChangeDate")
)  # fmt: skip
STREAMS: Mapping[str, ODataStream] = {
    f"{stream.collection} {stream.changed}": stream
    for stream in (ORDERS, INVOICES, NEW_DELIVERIES, CHANGED_DELIVERIES)
}
TIMED = tuple(name for name, stream in STREAMS.items() if stream.has_time)
DATED = tuple(name for name, stream in STREAMS.items() if not stream.has_time)


@dataclass(frozen=True, slots=True)
class DocumentPollOptions:
    """The URL that the services are below, rows per request, and where polls begin."""

    base_url: str
    page_size: int
    overlap: timedelta
    since: datetime | None


def poll_documents(
    requests: AuthorizedRequests, cursor: str, options: DocumentPollOptions
) -> Iterator[PolledPage]:
    """Yield changed orders, billing documents and deliveries. Raises PollError.

    Deliveries are read again from the day before the newest change on: their dates have no time.
    A row whose content is known is no new message.
    """

    def read(name: str, wanted: ChangeRange) -> list[ChangedRow]:
        return _read_rows(requests, STREAMS[name], wanted, options)

    for names, overlap in ((TIMED, options.overlap), (DATED, DAY)):
        for page in poll_changed_rows(
            names,
            cursor,
            read,
            page_size=options.page_size,
            overlap=overlap,
            since=options.since or FIRST_CHANGE,
        ):
            cursor = page.cursor
            yield page


def _read_rows(
    requests: AuthorizedRequests,
    stream: ODataStream,
    wanted: ChangeRange,
    options: DocumentPollOptions,
) -> list[ChangedRow]:
    """Return a page of rows. A server may divide it into smaller pages with `__next` links."""
    url = f"{options.base_url.rstrip('/')}/{stream.service}/{stream.collection}"
    query = _query(stream, wanted, options.page_size)
    rows: list[ChangedRow] = []
    visited: list[Mapping[str, str]] = []
    while query:
        if query in visited:
            raise PollError(f"the next link of {stream.collection} repeats a page")
        visited.append(query)
        request = HttpRequest("GET", url, query, {"accept": "application/json"})
        document = read_json_body_empty_list_if_204(requests.send_without_secret_renewal(request))
        try:
            page = document.required_object("d")
            if not page.has_value("results"):
                raise PollError(f"the response has no list of {stream.collection}")
            rows += [_changed_row(row, stream) for row in page.list_at("results")]
            link = page.text_at("__next")
        except PayloadError as error:
            raise PollError(f"the list of {stream.collection} is invalid ({error})") from None
        # Links may name a host that is not reachable from here. Only their query is used.
        query = dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
    return rows


def _query(stream: ODataStream, wanted: ChangeRange, size: int) -> dict[str, str]:
    conditions = []
    if wanted.start:
        conditions.append(f"{stream.changed} ge {_literal(wanted.start, stream)}")
    if wanted.end:
        conditions.append(f"{stream.changed} lt {_literal(wanted.end, stream)}")
    if wanted.after_id:
        conditions.append(f"{stream.key} gt '{wanted.after_id}'")
    by_time = f"{stream.changed},{stream.key}"
    return {
        "$filter": " and ".join(conditions),
        "$orderby": by_time if wanted.after_id is None else stream.key,
        "$expand": stream.items,
        "$top": str(size),
        "$format": "json",
    }


def _literal(moment: datetime, stream: ODataStream) -> str:
    """Return a time as OData v2 writes it. A date is not before that time: 00:00:01 is next day."""
    if stream.has_time:
        return f"datetimeoffset'{moment:%Y-%m-%dT%H:%M:%S}Z'"
    day = moment.replace(hour=0, minute=0, second=0)
    return f"datetime'{day + DAY if moment > day else day:%Y-%m-%dT%H:%M:%S}'"


def _changed_row(row: Node, stream: ODataStream) -> ChangedRow:
    number = row.required_text(stream.key)
    at = moment_at(row, stream.changed)
    if at is None:
        raise PollError(f"a row of {stream.collection} has no {stream.changed}")
    record = record_with_content_key(stream.collection, number, without_links(row.value))
    return ChangedRow(number, at.replace(tzinfo=None), record)


def without_links(value: Any) -> Any:
    """Return an entity without its address and without links to entities that were not read."""
    if isinstance(value, list):
        return [without_links(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_links(member)
        for name, member in value.items()
        if name != METADATA and not (isinstance(member, dict) and DEFERRED in member)
    }
