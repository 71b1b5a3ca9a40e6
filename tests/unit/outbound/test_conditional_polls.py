"""Conditional polls over HTTP: 304 means nothing new, and never hides a row."""

import hashlib
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer
from tests.unit.connectors.sdk.manifest.samples import NOW, changed, connector
from visibility.outbound.http_client import OutgoingHttpClient

LIST = """
    get: "{$base_url}/orders"
    records: rows
    conditional: yes
"""
WITH_CURSOR = LIST + "    cursor: {field: changed, query: since}\n"
PAGES = LIST + '    next: {offset_query: offset, size: "2"}\n'


class VersionedList:
    """Answers a list with the ETag of its content, and 304 to the client that names it."""

    def __init__(self, vendor: VendorServer) -> None:
        self.vendor, self.fails_on_page = vendor, ""
        self.statuses: list[int] = []

    def __call__(self, request: VendorRequest) -> Answer:
        answer = self._answer(request)
        self.statuses.append(answer.status)
        return answer

    def _answer(self, request: VendorRequest) -> Answer:
        rows = [r for r in self.vendor.rows if r["changed"] >= request.query.get("since", "")]
        if "offset" in request.query:
            start = int(request.query["offset"])
            rows = rows[start : start + 2]
            if request.query["offset"] == self.fails_on_page:
                return Answer(500, {})
        version = f'"{hashlib.sha256(json.dumps(rows).encode()).hexdigest()}"'
        if request.headers.get("if-none-match") == version:
            return Answer(304, b"", {"etag": version})
        return Answer(200, {"rows": rows}, {"ETag": version})


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{number}", "number": f"S{number}", "changed": f"2026-03-02T10:0{number}:00Z"}


@pytest.fixture
def vendor(settings: Settings) -> Iterator[VendorServer]:
    server = VendorServer([row(1), row(2)])
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


@pytest.fixture
def orders(vendor: VendorServer) -> VersionedList:
    listed = VersionedList(vendor)
    vendor.answers["/orders"] = listed
    return listed


def poll(vendor: VendorServer, request: str, cursor: str = "") -> Iterator[PolledPage]:
    text = changed(
        (
            "receive: {webhook: {verify: {bearer: yes}}}\n",
            f"receive:\n  poll:\n    every: 5 min{request}",
        ),
        ("settings:\n", "settings:\n  base_url: {help: The URL., type: url}\n"),
    )
    system = connector(text, base_url=vendor.url)
    return system.poll_with_context(OutgoingHttpClient(), cursor, (b"s1",), PollContext(NOW))


def ids(pages: list[PolledPage]) -> list[str]:
    return [json.loads(record.body)["id"] for page in pages for record in page.records]


@pytest.mark.parametrize("request_", [LIST, WITH_CURSOR])
def test_an_unchanged_list_is_not_sent_and_a_changed_one_is(
    vendor: VendorServer, orders: VersionedList, request_: str
) -> None:
    cursor = ""
    for _ in range(2):  # the cursor moves after the first poll, so the second is another request
        (page,) = poll(vendor, request_, cursor)
        cursor = page.cursor
        if request_ == LIST:
            break
    before = len(orders.statuses)
    assert list(poll(vendor, request_, cursor)) == []
    assert orders.statuses[before:] == [304]
    vendor.rows.append(row(3))
    pages = list(poll(vendor, request_, cursor))
    assert "3" in ids(pages)
    assert orders.statuses[-1] == 200


def test_a_list_with_several_pages_is_always_read(
    vendor: VendorServer, orders: VersionedList
) -> None:
    vendor.rows.append(row(3))
    cursor = list(poll(vendor, PAGES))[-1].cursor
    # The first page stays as it is, and the new row is on the second.
    vendor.rows.append(row(4))
    assert ids(list(poll(vendor, PAGES, cursor))) == ["1", "2", "3", "4"]
    assert 304 not in orders.statuses


def test_a_failure_on_a_later_page_leaves_no_version_behind(
    vendor: VendorServer, orders: VersionedList
) -> None:
    vendor.rows.append(row(3))
    orders.fails_on_page = "2"
    pages: list[PolledPage] = []
    with pytest.raises(PollError, match="HTTP 500"):
        pages.extend(poll(vendor, PAGES))
    orders.fails_on_page = ""
    cursor = pages[-1].cursor if pages else ""
    assert ids(list(poll(vendor, PAGES, cursor))) == ["1", "2", "3"]


def test_304_to_a_request_without_condition_is_a_failure(vendor: VendorServer) -> None:
    vendor.answers["/orders"] = lambda _: Answer(304, b"")
    with pytest.raises(PollError, match="HTTP 304"):
        list(poll(vendor, LIST))


@pytest.mark.parametrize(
    ("text", "form", "sent"),
    [
        ("2026-03-02T10:01:30Z", "", "Mon, 02 Mar 2026 09:56:30 GMT"),
        ("/Date(1772445690000+0000)/", "iso", "2026-03-02T09:56:30"),
        ("Mon, 02 Mar 2026 11:01:30 +0100", "rfc3339", "2026-03-02T09:56:30Z"),
        ("1772445690", "unix", "1772445390"),
        ("1772445690123", "unix_ms", "1772445390000"),
    ],
)
def test_the_cursor_is_sent_in_a_header_in_the_form_of_the_system(
    vendor: VendorServer, text: str, form: str, sent: str
) -> None:
    vendor.rows = [row(1) | {"changed": text}]
    vendor.answers["/orders"] = lambda request: (
        Answer(304, b"")
        if "if-modified-since" in request.headers
        else Answer(200, {"rows": vendor.rows})
    )
    named = f", format: {form}" if form else ""
    request = LIST.replace(
        "conditional: yes",
        f"cursor: {{field: changed, header: If-Modified-Since, overlap: 5 min{named}}}",
    )
    (page,) = poll(vendor, request)
    assert ids([page]) == ["1"]
    assert list(poll(vendor, request, page.cursor)) == []
    assert vendor.requests[-1].headers["if-modified-since"] == sent
    if not form:
        assert parsedate_to_datetime(sent).second == 30


def test_the_start_of_a_cursor_is_sent_in_the_form_of_the_system(vendor: VendorServer) -> None:
    request = LIST.replace(
        "conditional: yes",
        'cursor: {field: changed, header: if-modified-since, start: "2026-01-01"}',
    )
    vendor.answers["/orders"] = lambda _: Answer(200, {"rows": []})
    list(poll(vendor, request))
    assert vendor.requests[-1].headers["if-modified-since"] == "Thu, 01 Jan 2026 00:00:00 GMT"
