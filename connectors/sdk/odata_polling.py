"""Poll OData v4 collections by modification time: paging and cursor."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.encode_json import encode_json
from connectors.sdk.oauth_authorization import OAuth2Authorization
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.request_authorization import BaseAuthorization, bearer_authorization
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    HttpRequest,
    HttpResponse,
    PolledPage,
    PolledRecord,
    PollError,
    TokenStore,
    poll_error_of_response,
)

MODIFIED_FIELD = "lastModifiedDateTime"


@dataclass(frozen=True, slots=True)
class ODataCollection:
    """A collection, and the navigation property of its lines to expand."""

    name: str
    expand: str = ""


@dataclass(frozen=True, slots=True)
class ODataPollOptions:
    """Page size, overlap, start date, and the header that carries the collection name."""

    page_size: int
    overlap: timedelta
    header: str
    since: str = ""


@dataclass(slots=True)
class ODataSession:
    """Authorized requests to one host. Other hosts must not get the token."""

    requests: AuthorizedRequests
    host: tuple[str, str]

    def get(self, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> HttpResponse:
        """Return the 200 response to a GET. Raises PollError."""
        if urlsplit(url)[:2] != self.host:
            raise PollError("the next link points to another host")
        response = self.requests.send_without_secret_renewal(
            HttpRequest("GET", url, params, headers)
        )
        if response.status != 200:
            raise poll_error_of_response("the collection request", response)
        return response


def oauth2_or_bearer_auth_per_secret(
    secrets: Sequence[bytes],
    token_url: str,
    form: Mapping[str, str],
    tokens: TokenStore = NO_TOKENS,
) -> list[BaseAuthorization]:
    """Return an authorization per secret: a client secret for the token URL, or else a token.

    Raises PollError if the source has no secret.
    """
    texts = [secret.decode("utf-8", "replace") for secret in secrets]
    if not texts:
        raise PollError("this source has no secret")
    if not token_url:
        return [bearer_authorization(text) for text in texts]
    return [
        OAuth2Authorization(token_url, {**form, "client_secret": text}, tokens=tokens)
        for text in texts
    ]


def poll(
    session: ODataSession,
    base_url: str,
    streams: Sequence[ODataCollection],
    cursor: str,
    *,
    options: ODataPollOptions,
) -> Iterator[PolledPage]:
    """Yield every page of every stream, with the cursor to store in the same transaction.

    The cursor holds the newest modification time of each stream. Only rows advance it: an error, a
    link to another host or rows out of order leave it unchanged.
    """
    cursors = _parse_cursor(cursor)
    for stream in streams:
        for records, newest in _read_collection_pages(
            session, base_url, stream, cursors.get(stream.name), options
        ):
            if newest:
                cursors[stream.name] = newest
            yield PolledPage(records, json.dumps(cursors, sort_keys=True))


def _read_collection_pages(
    session: ODataSession,
    base_url: str,
    stream: ODataCollection,
    modified_since: str | None,
    options: ODataPollOptions,
) -> Iterator[tuple[tuple[PolledRecord, ...], str]]:
    params = {"$orderby": f"{MODIFIED_FIELD},id"}
    if modified_since or options.since:
        start = (
            _parse_modification_time(modified_since) - options.overlap
            if modified_since
            else _parse_modification_time(options.since)
        )
        params["$filter"] = (
            f"{MODIFIED_FIELD} ge {start:%Y-%m-%dT%H:%M:%S}.{start.microsecond // 1000:03}Z"
        )
    if stream.expand:
        params["$expand"] = stream.expand
    url, visited, newest = f"{base_url.rstrip('/')}/{stream.name}", set[str](), modified_since or ""
    rows: list[Node] = []
    while url:
        visited.add(url)
        headers = {"accept": "application/json", "prefer": f"odata.maxpagesize={options.page_size}"}
        document = _parse_response(session.get(url, params, headers))
        previous_rows, rows = rows, _response_rows(document, stream)
        if rows and [row.value for row in rows] == [row.value for row in previous_rows]:
            raise PollError("the next page repeats the previous page")
        newest = _newest_modification_time(previous_rows[-1:], rows, newest)
        yield tuple(_row_to_record(row, stream, options) for row in rows), newest
        url, params = document.text_at("@odata.nextLink"), {}
        if url in visited:
            raise PollError("the next link points to a page that was read already")


def _parse_cursor(cursor: str) -> dict[str, str]:
    if not cursor:
        return {}
    try:
        cursors = json.loads(cursor)
        for at in cursors.values():
            _parse_modification_time(at)
    except (ValueError, AttributeError):
        raise PollError("the stored cursor is invalid") from None
    return {str(name): str(at) for name, at in cursors.items()}


def _parse_modification_time(text: str) -> datetime:
    try:
        parsed = parse_timestamp(text, MODIFIED_FIELD)
    except PayloadError as error:
        raise PollError(str(error)) from None
    if parsed is None:
        raise PollError(f"{MODIFIED_FIELD} is empty")
    return parsed.time


def _parse_response(response: HttpResponse) -> Node:
    """Parse a response as a JSON object. Raises PollError for anything else."""
    try:
        document = load_json(response.body, max_keys=1_000_000)
    except PayloadError as error:
        raise PollError(f"the response is not valid JSON ({error})") from None
    if not isinstance(document.value, dict):
        raise PollError("the response is not a JSON object")
    return document


def _response_rows(document: Node, stream: ODataCollection) -> list[Node]:
    try:
        if not document.has_value("value"):
            raise PollError(f"the response has no list of {stream.name}")
        rows = document.list_at("value")
        for row in rows:
            row.required_text("id")
    except PayloadError as error:
        raise PollError(f"the list of {stream.name} is invalid ({error})") from None
    return rows


def _newest_modification_time(last: Sequence[Node], rows: Sequence[Node], newest: str) -> str:
    """Return the newest modification time. Raises PollError if rows are out of order."""
    previous: datetime | None = None
    newest_time = _parse_modification_time(newest) if newest else None
    for row in (*last, *rows):
        text = row.text_at(MODIFIED_FIELD)
        if not text or text.startswith("0001-01-01"):
            continue  # 0001-01-01 means never modified
        at = _parse_modification_time(text)
        if previous is not None and at < previous:
            raise PollError(f"the rows are not ordered by {MODIFIED_FIELD}")
        previous = at
        if newest_time is None or at > newest_time:
            newest_time, newest = at, text
    return newest


def _row_to_record(row: Node, stream: ODataCollection, options: ODataPollOptions) -> PolledRecord:
    key_fields = (
        stream.name,
        row.text_at("id"),
        row.text_at(MODIFIED_FIELD),
        row.text_at("@odata.etag"),
    )
    return PolledRecord(
        " ".join(filter(None, key_fields)), encode_json(row.value), {options.header: stream.name}
    )
