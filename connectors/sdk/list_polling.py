"""Poll lists of records by the time of their change: pages, resumption, and the cursor."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.encode_json import encode_json
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    HttpResponse,
    PolledPage,
    PolledRecord,
    PollError,
)

# Rows with details are handed over after so many requests: the poller limits those of a page.
REQUESTS_PER_PAGE = 40
# How a system answers a page token that it no longer knows.
EXPIRED_PAGE = (400, 404, 410)

# Sends a request: `response = yield from send(request)`.
Send = Callable[[HttpRequest], Generator[PolledPage, None, HttpResponse]]


@dataclass(frozen=True, slots=True)
class ListPage:
    """Rows of one response, and the number or token of the next page; "" if it is the last."""

    rows: Sequence[Node]
    next_page: str = ""


@dataclass(frozen=True, slots=True)
class PolledList:
    """A list of records that can be asked for what changed since a time.

    `build(since, page)` returns the request: `since` is in UTC, or None to read from the start;
    `page` is "" for the first page. `read(response, page)` returns its rows. `changed_at` returns
    when a row changed, `key` what identifies this version of it. `complete` returns the value to
    store, for rows whose details need requests of their own. With `restarts_at_newest_change` the
    rows come oldest change first and pages shift while rows change: the next page is asked from the
    newest change, and a page number is only used within one time.
    """

    name: str
    build: Callable[[datetime | None, str], HttpRequest]
    read: Callable[[HttpResponse, str], ListPage]
    changed_at: Callable[[Node], ParsedTime | None]
    key: Callable[[Node], str]
    complete: Callable[[Node, Send], Generator[PolledPage, None, Any]] | None = None
    restarts_at_newest_change: bool = False


@dataclass(frozen=True, slots=True)
class ListPollOptions:
    """The header with the name of the list, the overlap, and where the first poll starts."""

    header: str
    overlap: timedelta
    first: datetime | None = None


@dataclass(slots=True)
class _ListState:
    """`newest`: the newest change read. `since` and `page`: where an unfinished run continues."""

    newest: str = ""
    since: str = ""
    page: str = ""

    def as_dict(self) -> dict[str, str]:
        values = {"newest": self.newest, "since": self.since, "page": self.page}
        return {name: text for name, text in values.items() if text}


def poll_lists(
    requests: AuthorizedRequests,
    lists: Sequence[PolledList],
    cursor: str,
    options: ListPollOptions,
) -> Iterator[PolledPage]:
    """Yield the pages of each list, with the cursor to store in the same transaction.

    The cursor has the newest change of each list, and the page at which an interrupted run
    continues. A page token that has expired is dropped, so that the next poll begins at `since`.
    Raises PollError.
    """
    states = _parse_cursor(cursor)
    sent = 0

    def stored() -> str:
        return json.dumps({n: s.as_dict() for n, s in states.items()}, sort_keys=True)

    def send(request: HttpRequest) -> Generator[PolledPage, None, HttpResponse]:
        nonlocal sent
        sent += 1
        return requests.send(lambda _: request, stored)

    def is_page_full() -> bool:
        nonlocal sent
        is_full = sent >= REQUESTS_PER_PAGE
        sent = 0 if is_full else sent
        return is_full

    for polled in lists:
        state = states.setdefault(polled.name, _ListState())
        try:
            yield from _poll_list(polled, state, send, stored, is_page_full, options)
        except PollError as error:
            if state.page and error.status in EXPIRED_PAGE:
                state.page = ""
                yield PolledPage((), stored())
            raise
        except PayloadError as error:
            raise PollError(f"the list of {polled.name} is invalid ({error})") from None


def _poll_list(
    polled: PolledList,
    state: _ListState,
    send: Send,
    stored: Callable[[], str],
    is_page_full: Callable[[], bool],
    options: ListPollOptions,
) -> Iterator[PolledPage]:
    if not state.page and not state.since:
        start = _parse_time(state.newest) - options.overlap if state.newest else options.first
        state.since = format_rfc3339(start) if start else ""
    visited: set[tuple[str, str]] = set()
    while True:
        if (state.since, state.page) in visited:
            raise PollError(f"the list of {polled.name} repeats a page")
        visited.add((state.since, state.page))
        since = _parse_time(state.since) if state.since else None
        response = yield from send(polled.build(since, state.page))
        page = polled.read(response, state.page)
        records: list[PolledRecord] = []
        for index, row in enumerate(page.rows):
            if is_page_full():
                _move_on(polled, state, ListPage(page.rows[:index], state.page), since)
                yield PolledPage(tuple(records), stored())
                records = []
            records.append((yield from _record(polled, row, send, options)))
            at = polled.changed_at(row)
            if at and (not state.newest or at.time > _parse_time(state.newest)):
                state.newest = format_rfc3339(at.time)
        if page.next_page:
            _move_on(polled, state, page, since)
        else:
            state.since = state.page = ""
        yield PolledPage(tuple(records), stored())
        if not page.next_page:
            return


def _move_on(polled: PolledList, state: _ListState, page: ListPage, since: datetime | None) -> None:
    """Set where the list continues: at its next page, or at the newest change of this one."""
    state.page = page.next_page
    if polled.restarts_at_newest_change and state.newest:
        changes = [at.time for row in page.rows if (at := polled.changed_at(row))]
        if changes and (since is None or max(changes) > since):
            state.since, state.page = format_rfc3339(max(changes)), ""


def _record(
    polled: PolledList, row: Node, send: Send, options: ListPollOptions
) -> Generator[PolledPage, None, PolledRecord]:
    value = (yield from polled.complete(row, send)) if polled.complete else row.value
    key = f"{polled.name} {polled.key(row)}"
    return PolledRecord(key, encode_json(value), {options.header: polled.name})


def newest_change(cursor: str, name: str) -> datetime | None:
    """Return the newest change that was read from a list; None before. Raises PollError."""
    state = _parse_cursor(cursor).get(name)
    return _parse_time(state.newest) if state and state.newest else None


def _parse_cursor(cursor: str) -> dict[str, _ListState]:
    if not cursor:
        return {}
    try:
        states = {
            str(name): _ListState(**{key: str(text) for key, text in state.items()})
            for name, state in json.loads(cursor).items()
        }
        for state in states.values():
            for text in filter(None, (state.newest, state.since)):
                _parse_time(text)
    except (ValueError, AttributeError, TypeError):
        raise PollError("the stored cursor is invalid") from None
    return states


def _parse_time(text: str) -> datetime:
    parsed = parse_timestamp(text, "cursor")
    if parsed is None:
        raise PollError("the stored cursor is invalid")
    return parsed.time


def required_rows(document: Node, name: str) -> list[Node]:
    """Return the list at `name`. Raises PollError if the response has none."""
    if not document.has_value(name):
        raise PollError(f"the response has no list {name}")
    return document.list_at(name)


def query_of(**values: object) -> Mapping[str, str]:
    """Return the members of a query that are not blank, as text."""
    return {name: str(value) for name, value in values.items() if value not in ("", None)}
