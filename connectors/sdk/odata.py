"""Reading OData v4 collections by their modification time: pages, cursor, token, plain refusals."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit

import orjson

from connectors.sdk.connector import Answer, Http, Page, PollError, Record
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.timestamps import instant

MODIFIED = "lastModifiedDateTime"


@dataclass(frozen=True, slots=True)
class Stream:
    """One collection, with the lines that are to come along."""

    name: str
    expand: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is asked for at once, how far back, and which header names the collection."""

    page_size: int
    overlap: timedelta
    header: str
    since: str = ""


@dataclass(slots=True)
class Session:
    """Requests with a bearer token; it is renewed once when the system calls it expired."""

    http: Http
    secrets: Sequence[bytes]
    host: tuple[str, str]
    token_url: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    _token: str = ""
    _place: int = 0  # which secret is the token, where the secret itself is one

    def get(self, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """The answer to a GET, if it is 200. Raises PollError."""
        answer = self._ask(url, params, headers)
        if answer.status == 401:
            self._token, self._place = "", self._place + 1
            answer = self._ask(url, params, headers)
        if answer.status != 200:
            _refused("the collection", answer)
        return answer

    def _ask(self, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if urlsplit(url)[:2] != self.host:
            raise PollError("the next page is on another host")
        bearer = {"authorization": f"Bearer {self._bearer()}", **headers}
        try:
            return self.http.get(url, params=params, headers=bearer)
        except ConnectionError as error:
            raise PollError(f"no answer: {error}") from error

    def _bearer(self) -> str:
        if not self._token:
            self._token = self._renew() if self.token_url else self._secret(self._place)
        return self._token

    def _secret(self, place: int) -> str:
        if not self.secrets:
            raise PollError("the source has no secret")
        return self.secrets[place % len(self.secrets)].decode("utf-8", "replace")

    def _renew(self) -> str:
        """OAuth client credentials; while a secret is being rotated the second one counts too."""
        for place in range(max(len(self.secrets), 1)):
            try:
                answer = self.http.post_form(
                    self.token_url, data={**self.form, "client_secret": self._secret(place)}
                )
            except ConnectionError as error:
                raise PollError(f"no answer from the token address: {error}") from error
            if answer.status == 200:
                return _document(answer).text("access_token") or _refused("the token", answer)
        return _refused("the token", answer)


def poll(
    session: Session, base_url: str, streams: Sequence[Stream], cursor: str, *, options: Options
) -> Iterator[Page]:
    """Every page of every stream, with the cursor that may be stored together with its rows.

    The cursor is the newest modification time seen of each stream. It comes from the data only and
    moves only with rows: an error, a foreign page or rows out of order leave it where it was.
    """
    seen = _seen(cursor)
    for stream in streams:
        for records, newest in _pages(session, base_url, stream, seen.get(stream.name), options):
            if newest:
                seen[stream.name] = newest
            yield Page(records, json.dumps(seen, sort_keys=True))


def _pages(
    session: Session, base_url: str, stream: Stream, after: str | None, options: Options
) -> Iterator[tuple[tuple[Record, ...], str]]:
    params = {"$orderby": f"{MODIFIED},id"}
    if after or options.since:
        start = _moment(after) - options.overlap if after else _moment(options.since)
        params["$filter"] = (
            f"{MODIFIED} ge {start:%Y-%m-%dT%H:%M:%S}.{start.microsecond // 1000:03}Z"
        )
    if stream.expand:
        params["$expand"] = stream.expand
    url, read, newest = f"{base_url.rstrip('/')}/{stream.name}", set[str](), after or ""
    rows: list[Node] = []
    while url:
        read.add(url)
        headers = {"accept": "application/json", "prefer": f"odata.maxpagesize={options.page_size}"}
        document = _document(session.get(url, params, headers))
        before, rows = rows, _rows(document, stream)
        if rows and [row.value for row in rows] == [row.value for row in before]:
            raise PollError("the next page is the page before it once more")
        newest = _newest(before[-1:], rows, newest)
        yield tuple(_record(row, stream, options) for row in rows), newest
        url, params = document.text("@odata.nextLink"), {}
        if url in read:
            raise PollError("the answer names itself as its next page")


def _seen(cursor: str) -> dict[str, str]:
    if not cursor:
        return {}
    try:
        found = json.loads(cursor)
        for at in found.values():
            _moment(at)
    except (ValueError, AttributeError):
        raise PollError("the stored cursor can't be read") from None
    return {str(name): str(at) for name, at in found.items()}


def _moment(text: str) -> datetime:
    try:
        moment = instant(text, MODIFIED)
    except PayloadError as error:
        raise PollError(str(error)) from None
    if moment is None:
        raise PollError(f"{MODIFIED} is empty")
    return moment.at


def _document(answer: Answer) -> Node:
    """The JSON object of an answer; anything else is no answer."""
    try:
        document = load_json(answer.body, max_keys=1_000_000)
    except PayloadError as error:
        raise PollError(f"the answer is not JSON ({error})") from None
    if not isinstance(document.value, dict):
        raise PollError("the answer is not an object")
    return document


def _rows(document: Node, stream: Stream) -> list[Node]:
    try:
        if not document.has("value"):
            raise PollError(f"the answer has no list of {stream.name}")
        rows = document.items("value")
        for row in rows:
            row.need("id")
    except PayloadError as error:
        raise PollError(f"the list of {stream.name} can't be read ({error})") from None
    return rows


def _newest(last: Sequence[Node], rows: Sequence[Node], newest: str) -> str:
    """The newest modification time after these rows, which follow `last` in the order asked for."""
    before: datetime | None = None
    best = _moment(newest) if newest else None
    for row in (*last, *rows):
        text = row.text(MODIFIED)
        if not text or text.startswith("0001-01-01"):
            continue  # the system's word for "never"
        at = _moment(text)
        if before is not None and at < before:
            raise PollError(f"the rows are not in the order of {MODIFIED}")
        before = at
        if best is None or at > best:
            best, newest = at, text
    return newest


def _record(row: Node, stream: Stream, options: Options) -> Record:
    parts = (stream.name, row.text("id"), row.text(MODIFIED), row.text("@odata.etag"))
    return Record(" ".join(filter(None, parts)), _written(row.value), {options.header: stream.name})


def _written(value: Any) -> bytes:
    """The row as JSON again; decimals keep every digit they came with."""
    return orjson.dumps(value, default=lambda number: orjson.Fragment(format(number, "f")))


def _refused(what: str, answer: Answer) -> NoReturn:
    """The error for an answer that is none; it carries Retry-After where it is a number."""
    headers = {name.lower(): text for name, text in answer.headers.items()}
    try:
        wait = max(float(headers.get("retry-after", "")), 0.0)
    except ValueError:
        wait = None
    raise PollError(f"{what} was answered with {answer.status}", retry_after=wait)
