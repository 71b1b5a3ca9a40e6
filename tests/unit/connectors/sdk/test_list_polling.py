"""Poll lists: cursors, pages that shift, repeated pages, and rounds that end early."""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.list_polling import ListPage, ListPollOptions, PolledList, Send, poll_lists
from connectors.sdk.payload import Node
from connectors.sdk.request_authorization import BaseAuthorization
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
    poll_error_of_response,
)
from tests.builders.polls import keys_of_pages

OPTIONS = ListPollOptions("x-list", timedelta(minutes=5))
Answers = Callable[[HttpRequest], Any]


class Responses:
    """An HTTP client whose answers are JSON documents."""

    def __init__(self, answer: Answers) -> None:
        self.answer = answer
        self.queries: list[dict[str, str]] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.queries.append(dict(request.query))
        return HttpResponse(200, {}, json.dumps(self.answer(request)).encode())


def rows_list(*, shifting: bool = False) -> PolledList:
    def build(since: datetime | None, page: str) -> HttpRequest:
        text = f"{since:%H:%M}" if since else ""
        return HttpRequest("GET", "https://shop.example.com", {"since": text, "page": page})

    def read(response: HttpResponse, page: str) -> ListPage:
        document = read_json_body_empty_list_if_204(response)
        return ListPage(document.list_at("rows"), document.text_at("next"))

    return PolledList(
        "rows",
        build,
        read,
        lambda row: parse_timestamp(row.text_at("at"), "at"),
        lambda row: row.required_text("id"),
        restarts_at_newest_change=shifting,
    )


def poll(http: Responses, cursor: str = "", *, shifting: bool = False) -> list[PolledPage]:
    return list(start_poll(http, cursor, shifting=shifting))


def start_poll(
    http: Responses, cursor: str = "", *, shifting: bool = False
) -> Iterator[PolledPage]:
    requests = AuthorizedRequests(http, [BaseAuthorization()])
    return poll_lists(requests, [rows_list(shifting=shifting)], cursor, OPTIONS)


def row(number: int, minute: int) -> dict[str, str]:
    return {"id": f"{number}", "at": f"2026-03-02T10:{minute:02}:00Z"}


def test_the_newest_change_is_where_the_next_round_starts() -> None:
    http = Responses(lambda _: {"rows": [row(1, 20), row(2, 10)]})
    cursor = poll(http)[-1].cursor
    assert json.loads(cursor) == {"rows": {"newest": "2026-03-02T10:20:00.000000Z"}}
    poll(http, cursor)
    assert http.queries[-1] == {"since": "10:15", "page": ""}


def test_a_round_that_ends_early_continues_at_its_page() -> None:
    pages = {"": "b", "b": "c", "c": ""}

    def answer(request: HttpRequest) -> dict[str, Any]:
        page = request.query["page"]
        return {"rows": [row(len(page) + ord(page or "a"), 30)], "next": pages[page]}

    http = Responses(answer)
    first = list(islice(start_poll(http), 2))
    second = poll(http, first[-1].cursor)
    assert [query["page"] for query in http.queries] == ["", "b", "c"]
    assert len(keys_of_pages([*first, *second])) == 3
    assert "page" not in json.loads(second[-1].cursor)["rows"]


@pytest.mark.parametrize("shifting", [True, False])
def test_rows_with_many_details_are_handed_over_before_the_page_ends(*, shifting: bool) -> None:
    def complete(row: Node, send: Send) -> Generator[PolledPage, None, Any]:
        for _ in range(20):
            yield from send(HttpRequest("GET", "https://shop.example.com", {"detail": "1"}))
        return row.value

    http = Responses(lambda _: {"rows": [row(n, n) for n in range(1, 6)]})
    polled = replace(rows_list(shifting=shifting), complete=complete)
    pages, requests = [], []
    for page in poll_lists(AuthorizedRequests(http, [BaseAuthorization()]), [polled], "", OPTIONS):
        pages.append(page)
        requests.append(len(http.queries))
    assert [len(page.records) for page in pages] == [2, 2, 1]
    assert max(b - a for a, b in zip([0, *requests], requests, strict=False)) <= 60
    # An interrupted round continues at the newest change, if the rows are ordered by it.
    state = json.loads(pages[0].cursor)["rows"]
    assert state.get("since", "") == ("2026-03-02T10:02:00.000000Z" if shifting else "")


def test_pages_that_shift_are_asked_from_the_newest_change() -> None:
    def answer(request: HttpRequest) -> dict[str, Any]:
        minute = int(request.query["since"][3:] or 0)
        return {"rows": [row(minute, minute + 1)], "next": "2" if minute < 3 else ""}

    http = Responses(answer)
    poll(http, shifting=True)
    assert http.queries == [
        {"since": "", "page": ""},
        {"since": "10:01", "page": ""},
        {"since": "10:02", "page": ""},
        {"since": "10:03", "page": ""},
    ]


def test_a_page_that_names_itself_as_the_next_is_an_error() -> None:
    with pytest.raises(PollError, match="the list of rows repeats a page"):
        poll(Responses(lambda _: {"rows": [], "next": "x"}))


@pytest.mark.parametrize(
    "cursor", ["{", "[]", '{"rows": 1}', '{"rows": {"newest": "x"}}', '{"rows": {"other": "x"}}']
)
def test_an_invalid_cursor_is_an_error(cursor: str) -> None:
    with pytest.raises(PollError):
        poll(Responses(lambda _: {"rows": []}), cursor)


def test_an_invalid_row_is_an_error() -> None:
    with pytest.raises(PollError, match="the list of rows is invalid"):
        poll(Responses(lambda _: {"rows": [{"id": "1", "at": "yesterday"}]}))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, "7"),
        ({"X-Rate-Limit-Time-Reset-Ms": "1500"}, 1.5),
        ({"x-amzn-RateLimit-Limit": "0.5"}, 2.0),
        ({"x-amzn-RateLimit-Limit": "0"}, None),
        ({"x-amzn-RateLimit-Limit": "nan"}, None),
        ({"X-Rate-Limit-Time-Reset-Ms": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_system_asks_for(headers: dict[str, str], wait: float | str | None) -> None:
    assert poll_error_of_response("it", HttpResponse(429, headers, b"")).retry_after == wait
