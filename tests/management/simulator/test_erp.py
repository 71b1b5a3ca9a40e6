"""The ERP is polled as the vendor documents it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest

from connectors.sdk.connector import Answer, Message, PollError
from connectors.systems.business_central.connector import BusinessCentral
from tests.management.simulator.conftest import STARTED
from visibility.simulator.document_numbers import sales_order
from visibility.simulator.erp_feed import Feed
from visibility.simulator.erp_server import Server
from visibility.simulator.generator import HOUR, World
from visibility.simulator.model import Kind, when
from visibility.simulator.stream import Entry, Future, Past


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    feed = Feed(world)
    feed.fill(Past(world).rows)
    made = Server(feed, 0, "token-of-the-erp")
    made.start()
    yield made
    made.stop()


def get(server: Server, path: str, **headers: str) -> httpx2.Response:
    url = f"http://127.0.0.1:{server.port}/api/v2.0/companies(demo)/{path}"
    given = {"authorization": "Bearer token-of-the-erp", **headers}
    return httpx2.get(url, headers=given, timeout=10)


class Client:
    """The poller's client."""

    def get(self, url: str, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        found = httpx2.get(url, params=dict(params) or None, headers=dict(headers), timeout=10)
        return Answer(found.status_code, dict(found.headers), found.content)

    def post_form(self, url: str, *, data: Mapping[str, str]) -> Answer:
        raise AssertionError("no token is asked for")


def polled(server: Server, cursor: str, **more: str) -> tuple[list[Message], str]:
    base = f"http://127.0.0.1:{server.port}/api/v2.0/companies(demo)"
    connector = BusinessCentral({"source": "erp", "base_url": base, **more})
    found = []
    for page in connector.poll(Client(), cursor, [b"token-of-the-erp"]):
        cursor = page.cursor
        found += [Message(r.body, r.headers, when(STARTED)) for r in page.records]
    return found, cursor


def test_the_poller_reads_every_version_once_and_then_only_what_is_new(
    server: Server, world: World
) -> None:
    rows = Past(world).rows
    found, cursor = polled(server, "", page_size="100")
    assert len(found) == len(rows)
    assert server.feed.unread() == 0
    connector = BusinessCentral({"source": "erp", "web_orders": "shop"})
    parsed = [connector.parse(message) for message in found]
    assert not any(p.problems for p in parsed)
    assert {e.type.value for p in parsed for e in p.events} == {
        "order.received",
        "order.held",
        "order.released",
        "shipment.confirmed",
        "invoice.issued",
    }
    again, _ = polled(server, cursor, overlap_minutes="0")
    assert len(again) == 3


def test_rows_that_come_to_be_are_served_next(server: Server, world: World) -> None:
    _, cursor = polled(server, "")
    future = Future(world, Past(world).pending)
    entry = next(
        e for e in iter(lambda: future.pop(STARTED + HOUR, []), None) if _is_order(future, e)
    )
    server.feed.add(future.step(entry), entry.n, entry.place)
    found, _ = polled(server, cursor, overlap_minutes="0")
    number = sales_order(entry.n)
    assert any(json.loads(m.body)["number"] == number for m in found)


def _is_order(future: Future, entry: Entry) -> bool:
    return future.step(entry).kind in {Kind.ERP_OPEN, Kind.ERP_SHIPPED}


def test_a_page_links_to_the_next_and_keeps_filter_and_order(server: Server) -> None:
    first = get(
        server, "salesOrders?$orderby=lastModifiedDateTime,id", prefer="odata.maxpagesize=7"
    )
    rows = first.json()["value"]
    assert len(rows) == 7
    assert "salesOrderLines" not in rows[0]
    link = first.json()["@odata.nextLink"]
    assert "%24" not in link.split("?")[0]
    second: dict[str, Any] = httpx2.get(
        link, headers={"authorization": "Bearer token-of-the-erp"}
    ).json()
    seen = [row["lastModifiedDateTime"] for row in [*rows, *second["value"]]]
    assert seen == sorted(seen)
    since = seen[3]
    later = get(server, f"salesOrders?$filter=lastModifiedDateTime ge {since}").json()["value"]
    assert later[0]["lastModifiedDateTime"] == since


def test_without_the_token_nothing_is_told(server: Server) -> None:
    assert get(server, "salesOrders", authorization="Bearer other").status_code == 401
    assert get(server, "salesOrders", authorization="").status_code == 401


def test_what_is_not_there_or_not_understood_is_refused(server: Server) -> None:
    assert get(server, "vendors").status_code == 404
    assert get(server, "salesOrders?$filter=number eq 'x'").status_code == 400
    assert get(server, "salesOrders?$skiptoken=x").status_code == 400


def test_it_can_ask_for_patience(server: Server) -> None:
    server.throttle(1, wait=7)
    with pytest.raises(PollError) as caught:
        polled(server, "")
    assert caught.value.retry_after == 7
    assert polled(server, "")[0]
