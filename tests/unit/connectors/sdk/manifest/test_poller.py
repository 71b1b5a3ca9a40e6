"""Polls declared in manifests: pages, cursor, authorization, budget and open packages."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.catalog import shipped_connectors
from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    HttpResponse,
    OpenPackage,
    PollContext,
    PolledPage,
    PollError,
    parse_retry_after,
)
from tests.unit.connectors.sdk.manifest.samples import NOW, changed, connector

Answer = HttpResponse | Callable[[Mapping[str, str]], HttpResponse]
POLL = """receive:
  poll:
    every: 5 min
    get: "{$base_url}/orders"
    auth: {bearer: "{$secret}"}
    query: {order: asc}
    cursor: {field: changed, query: since, overlap: 10 min}
"""

LINKS = {
    "Link": '<https://erp.test/orders?p=0>; rel="prev", <https://erp.test/orders?p=2>; rel="next"'
}


class PreparedHttp:
    """Returns prepared responses and records the requests."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.bodies: list[Any] = []
        self.forms: list[dict[str, str]] = []

    def _answer(self) -> HttpResponse:
        answer = self.answers.pop(0)
        if isinstance(answer, HttpResponse):
            return answer
        return HttpResponse(200, {}, json.dumps(answer).encode())

    def send(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith("/token"):
            self.forms.append(dict(parse_qsl(request.body.decode())))
            token = {"access_token": f"t{len(self.forms)}"}
            return HttpResponse(200, {}, json.dumps(token).encode())
        self.requests.append((request.url, dict(request.query), dict(request.headers)))
        if request.body:
            self.bodies.append(json.loads(request.body))
        return self._answer()


def manifest(next_page: str = "", poll: str = POLL) -> str:
    return changed(
        ("receive: {webhook: {verify: {bearer: yes}}}\n", poll + next_page),
        ("settings:\n", "settings:\n  base_url: {help: The URL., type: url}\n"),
    )


def poll(
    text: str,
    http: PreparedHttp,
    cursor: str = "",
    secrets: Sequence[bytes] = (b"s1", b"s2"),
    now: datetime = NOW,
) -> list[PolledPage]:
    system = connector(text, base_url="https://erp.test")
    return list(system.poll_with_context(http, cursor, secrets, PollContext(now)))


def row(number: int, minute: int) -> dict[str, Any]:
    return {
        "id": number,
        "number": f"S{number}",
        "changed": f"2026-03-02T10:{minute:02}:00",
        "v": 0.10,
    }


def test_rows_become_messages_and_the_cursor_is_the_newest_change() -> None:
    http = PreparedHttp([row(1, 1), row(2, 5)])
    (page,) = poll(manifest(), http)
    assert json.loads(page.records[0].body)["number"] == "S1"
    assert b"0.1" in page.records[0].body
    assert http.requests[0][0] == "https://erp.test/orders"
    assert http.requests[0][1] == {"order": "asc"}
    assert http.requests[0][2]["authorization"] == "Bearer s1"
    http = PreparedHttp([])
    (empty,) = poll(manifest(), http, page.cursor)
    assert http.requests[0][1]["since"] == "2026-03-02T09:55:00"
    assert empty.cursor == page.cursor


def test_a_row_dated_far_ahead_does_not_move_the_cursor_past_later_changes() -> None:
    ahead = row(2, 5) | {"changed": "2099-01-01T00:00:00"}
    (page,) = poll(manifest(), PreparedHttp([row(1, 1), ahead]))
    assert len(page.records) == 2
    assert json.loads(page.cursor)["since"] == "2026-03-02T10:01:00"


def test_half_a_surrogate_pair_is_replaced() -> None:
    broken = HttpResponse(200, {}, b'[{"id": 1, "v": 0.10, "text": "x\\ud800y"}]')
    (page,) = poll(manifest(), PreparedHttp(broken))
    assert page.records[0].body == b'{"id":1,"v":0.10,"text":"x?y"}'


def test_an_empty_response_is_an_error() -> None:
    with pytest.raises(PollError, match="empty"):
        poll(manifest(), PreparedHttp(HttpResponse(200, {}, b" ")))
    assert poll(manifest(), PreparedHttp(HttpResponse(204, {}, b"")))[0].records == ()


def test_equal_rows_have_equal_keys_and_changed_rows_do_not() -> None:
    (first,) = poll(manifest(), PreparedHttp([row(1, 1)]))
    (second,) = poll(manifest(), PreparedHttp([row(1, 1), row(1, 2)]))
    assert first.records[0].dedupe_key == second.records[0].dedupe_key
    assert second.records[0].dedupe_key != second.records[1].dedupe_key


@pytest.mark.parametrize(
    ("next_page", "first", "second_request"),
    [
        (
            "    next: {link_header: yes}\n",
            HttpResponse(
                200,
                LINKS,
                json.dumps([row(1, 1)]).encode(),
            ),
            ("https://erp.test/orders?p=2", {}),
        ),
        (
            "    next: {url_field: next}\n    records: rows\n",
            {"rows": [row(1, 1)], "next": "/orders?p=2"},
            ("https://erp.test/orders?p=2", {}),
        ),
        (
            "    next: {cursor_field: page.next, cursor_query: after}\n    records: rows[]\n",
            {"rows": [row(1, 1)], "page": {"next": "c2"}},
            ("https://erp.test/orders", {"order": "asc", "after": "c2"}),
        ),
        (
            '    next: {page_query: page, size: "1"}\n',
            [row(1, 1)],
            ("https://erp.test/orders", {"order": "asc", "page": "2"}),
        ),
        (
            '    next: {offset_query: offset, size: "1"}\n',
            [row(1, 1)],
            ("https://erp.test/orders", {"order": "asc", "offset": "1"}),
        ),
    ],
)
def test_each_kind_of_paging(
    next_page: str, first: Any, second_request: tuple[str, dict[str, str]]
) -> None:
    http = PreparedHttp(first, {"rows": []} if "rows" in next_page else [])
    pages = poll(manifest(next_page), http)
    assert http.requests[1][:2] == second_request
    assert len(http.requests) == 2
    assert [len(page.records) for page in pages] == [1, 0]


def cursors(pages: Iterable[PolledPage]) -> list[str]:
    return [json.loads(page.cursor)["since"][11:16] for page in pages]


def test_rows_out_of_order_move_the_cursor_only_at_the_end() -> None:
    text = manifest('    next: {page_query: page, size: "2"}\n')
    newest_first: tuple[Any, ...] = [row(1, 5), row(2, 4)], [row(3, 3), row(4, 2)], []
    assert cursors(poll(text, PreparedHttp(*newest_first))) == ["", "", "10:05"]
    oldest_first: tuple[Any, ...] = [row(1, 1), row(2, 2)], [row(3, 3), row(4, 6)], []
    pages = poll(text, PreparedHttp(*oldest_first))
    assert cursors(pages) == ["10:02", "10:06", "10:06"]
    # The overlap repeats older rows, which are no sign of another order.
    repeated = [row(3, 3), row(4, 6)], [row(5, 7)]
    assert cursors(poll(text, PreparedHttp(*repeated), pages[-1].cursor)) == ["10:06", "10:07"]


def test_asking_again_from_the_newest_change_misses_no_row() -> None:
    text = manifest('    next: {from_newest: yes, size: "2"}\n')
    http = PreparedHttp([row(1, 1), row(2, 2)], [row(2, 2), row(3, 3)], [row(3, 3)])
    pages = poll(text, http)
    assert [r[1].get("since", "")[11:] for r in http.requests] == ["", "10:01:59", "10:02:59"]
    assert json.loads(pages[-1].cursor)["since"] == "2026-03-02T10:03:00"
    stuck = PreparedHttp([row(1, 1), row(2, 1)], [row(1, 1), row(2, 1)])
    with pytest.raises(PollError, match="2 or more rows have the same time of change"):
        poll(text, stuck)


def test_a_full_page_inside_the_overlap_skips_no_row_of_the_overlap() -> None:
    text = manifest('    next: {from_newest: yes, size: "2"}\n')
    cursor = poll(text, PreparedHttp([row(9, 30)]))[-1].cursor
    http = PreparedHttp([row(1, 21), row(2, 22)], [row(2, 22), row(3, 25)], [row(3, 25)])
    pages = poll(text, http, cursor)
    since = [request[1]["since"][11:] for request in http.requests]
    assert since == ["10:20:00", "10:21:59", "10:24:59"]
    assert json.loads(pages[-1].cursor)["since"] == "2026-03-02T10:30:00"


def test_a_failure_keeps_the_stored_pages_and_names_the_wait() -> None:
    text = manifest('    next: {page_query: page, size: "1"}\n')
    http = PreparedHttp([row(1, 1)], HttpResponse(429, {"Retry-After": "7"}, b""))
    system = connector(text, base_url="https://erp.test")
    pages = system.poll_with_context(http, "", [b"s"], PollContext(NOW))
    assert json.loads(next(pages).cursor)["since"].startswith("2026-03-02T10:01")
    with pytest.raises(PollError, match="HTTP 429") as caught:
        next(pages)
    assert parse_retry_after(caught.value.retry_after, NOW) == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (HttpResponse(200, {}, b"{"), "not valid JSON"),
        (HttpResponse(200, {}, b"7"), "expected an object"),
        (HttpResponse(404, {}, b""), "HTTP 404"),
        ([{"changed": "yesterday"}], "is not a date and time"),
        ([{"changed": {"a": 1}}], "expected text"),
    ],
)
def test_unusable_answers_are_poll_errors(answer: Any, message: str) -> None:
    with pytest.raises(PollError, match=message):
        poll(manifest(), PreparedHttp(answer))


def test_a_next_link_to_another_host_or_to_a_read_page_is_refused() -> None:
    text = manifest("    next: {url_field: next}\n    records: rows\n")
    for link in ("https://evil.test/orders", "http://erp.test/orders"):
        with pytest.raises(PollError, match="another host"):
            poll(text, PreparedHttp({"rows": [], "next": link}))
    with pytest.raises(PollError, match="read already"):
        poll(text, PreparedHttp(*[{"rows": [], "next": "/orders?p=2"}] * 3))


def test_an_invalid_cursor_is_an_error() -> None:
    for cursor in ("x", "[]", "{}"):
        with pytest.raises(PollError, match="stored cursor is invalid"):
            poll(manifest(), PreparedHttp([]), cursor)


def test_the_other_secret_is_used_after_401() -> None:
    http = PreparedHttp(HttpResponse(401, {}, b""), [])
    poll(manifest(), http)
    assert [r[2]["authorization"] for r in http.requests] == ["Bearer s1", "Bearer s2"]


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("{basic: 'u:{$secret}'}", ("authorization", "Basic dTpzMQ==")),
        ("{header: {name: X-Key, value: '{$secret}'}}", ("x-key", "s1")),
    ],
)
def test_other_authorizations(auth: str, expected: tuple[str, str]) -> None:
    http = PreparedHttp([])
    poll(manifest(poll=POLL.replace('{bearer: "{$secret}"}', auth)), http)
    assert http.requests[0][2][expected[0]] == expected[1]


NO_RESULTS: dict[str, Any] = {"output": {"completeTrackResults": []}}
FEDEX = {"source": "fedex", "client_id": "c1", "base_url": "https://fedex.test"}


def poll_fedex(
    http: PreparedHttp, packages: Sequence[OpenPackage], cursor: str = "", now: datetime = NOW
) -> list[PolledPage]:
    system = shipped_connectors()["fedex"](FEDEX)
    context = PollContext(now, lambda *_: packages)
    return list(system.poll_with_context(http, cursor, [b"s1"], context))


def packages(count: int) -> list[OpenPackage]:
    return [OpenPackage(f"{number:012}", "FedEx") for number in range(count)]


def asked(http: PreparedHttp) -> list[list[str]]:
    return [
        [i["trackingNumberInfo"]["trackingNumber"] for i in body["trackingInfo"]]
        for body in http.bodies
    ]


def test_open_packages_are_asked_for_thirty_at_a_time() -> None:
    result = {"trackingNumberInfo": {"trackingNumber": "000000000000"}, "scanEvents": []}
    answer = {"output": {"completeTrackResults": [{"trackResults": [result]}]}}
    http = PreparedHttp(answer, NO_RESULTS)
    pages = poll_fedex(http, packages(40))
    assert [len(numbers) for numbers in asked(http)] == [30, 10]
    assert http.bodies[0]["includeDetailedScans"] is True
    assert http.forms == [
        {"grant_type": "client_credentials", "client_id": "c1", "client_secret": "s1"}
    ]
    assert [r[2]["authorization"] for r in http.requests] == ["Bearer t1"] * 2
    assert sum(len(page.records) for page in pages) == 1
    assert not poll_fedex(PreparedHttp(), [])


def test_a_round_that_stopped_at_its_limit_is_continued_to_the_end_of_the_pass() -> None:
    http = PreparedHttp(*[NO_RESULTS] * 7)
    context = PollContext(NOW, lambda *_: packages(90))
    system = shipped_connectors()["fedex"](FEDEX)
    started = system.poll_with_context(http, "", [b"s1"], context)
    cursor = [next(started) for _ in range(4)][-1].cursor  # two pages for each request
    numbers = [p.tracking_number for p in packages(90)]
    remaining = poll_fedex(http, packages(90), cursor)
    assert asked(http) == [numbers[:30], numbers[30:60], numbers[60:]]
    shrunk = poll_fedex(http, packages(20), cursor)
    assert asked(http)[3:] == [numbers[:20]]
    poll_fedex(http, packages(90), remaining[-1].cursor)
    assert asked(http)[4:] == [numbers[:30], numbers[30:60], numbers[60:]]
    assert remaining[-1].cursor not in {cursor, shrunk[-1].cursor}


def test_packages_of_the_carrier_are_requested_from_the_last_number_on() -> None:
    requests: list[tuple[tuple[str, ...], str]] = []

    def open_packages(carriers: Sequence[str], after: str) -> Sequence[OpenPackage]:
        requests.append((tuple(carriers), after))
        return packages(1)

    cursor = json.dumps({"since": "", "number": "000000000007", "window": "", "calls": 0})
    system = shipped_connectors()["fedex"](FEDEX)
    context = PollContext(NOW, open_packages)
    list(system.poll_with_context(PreparedHttp(NO_RESULTS), cursor, [b"s1"], context))
    carriers = ("fedex", "fdeg", "fdxe", "fxfe", "federal express")
    assert requests == [(carriers, "000000000007")]


def test_the_budget_holds_over_polls_and_the_next_poll_continues() -> None:
    half_used = json.dumps(
        {"since": "", "number": f"{29:012}", "window": "2026-06-01T00:00:00.000000Z", "calls": 499}
    )
    http = PreparedHttp(NO_RESULTS)
    pages = poll_fedex(http, packages(90), half_used, NOW + timedelta(hours=1))
    assert asked(http) == [[p.tracking_number for p in packages(90)[30:60]]]
    later = PreparedHttp(*[NO_RESULTS] * 3)
    assert not poll_fedex(later, packages(90), pages[-1].cursor, NOW + timedelta(hours=23))
    assert not later.requests
    poll_fedex(later, packages(90), pages[-1].cursor, NOW + timedelta(hours=24))
    assert [numbers[0] for numbers in asked(later)] == [f"{n:012}" for n in (60, 0, 30)]


def test_a_failed_call_counts_for_the_budget() -> None:
    system = shipped_connectors()["fedex"](FEDEX)
    pages = system.poll_with_context(
        PreparedHttp(HttpResponse(503, {}, b"")),
        "",
        [b"s1"],
        PollContext(NOW, lambda *_: packages(1)),
    )
    assert json.loads(next(pages).cursor)["calls"] == 1
    with pytest.raises(PollError):
        next(pages)
