"""The simulated ERP behaves as the Business Central API is documented."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from connectors.sdk.connector import RawMessage
from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from connectors.systems.business_central.connector import BusinessCentral
from tests.unit.simulator.conftest import STARTED
from visibility.simulator.document_numbers import sales_order_number
from visibility.simulator.erp_rows_by_modification_time import ErpFeed
from visibility.simulator.erp_server import ErpServer
from visibility.simulator.generator import HOUR, SimulatedWorld
from visibility.simulator.past_and_live_streams import LiveStream, PastStream, ScheduledStep
from visibility.simulator.simulated_order import StepKind, to_datetime


@pytest.fixture
def server(world: SimulatedWorld) -> Iterator[ErpServer]:
    feed = ErpFeed(world)
    feed.add_rows(PastStream(world).rows)
    running = ErpServer(feed, 0, "token-of-the-erp")
    running.start()
    yield running
    running.stop()


def get(server: ErpServer, path: str, **headers: str) -> httpx2.Response:
    url = f"http://127.0.0.1:{server.port}/api/v2.0/companies(demo)/{path}"
    sent_headers = {"authorization": "Bearer token-of-the-erp", **headers}
    return httpx2.get(url, headers=sent_headers, timeout=10)


class PollingClient:
    """The HTTP client of the poller."""

    def send(self, request: HttpRequest) -> HttpResponse:
        assert request.method == "GET"
        response = httpx2.get(
            request.url_with_merged_query, headers=dict(request.headers), timeout=10
        )
        return HttpResponse(response.status_code, dict(response.headers), response.content)


def poll_all(server: ErpServer, cursor: str, **more: str) -> tuple[list[RawMessage], str]:
    base = f"http://127.0.0.1:{server.port}/api/v2.0/companies(demo)"
    connector = BusinessCentral({"source": "erp", "base_url": base, **more})
    messages = []
    for page in connector.poll(PollingClient(), cursor, [b"token-of-the-erp"]):
        cursor = page.cursor
        messages += [RawMessage(r.body, r.headers, to_datetime(STARTED)) for r in page.records]
    return messages, cursor


@pytest.mark.slow
def test_poller_reads_every_row_version_once_and_then_only_new_rows(
    server: ErpServer, world: SimulatedWorld
) -> None:
    rows = PastStream(world).rows
    messages, cursor = poll_all(server, "", page_size="100")
    assert len(messages) == len(rows)
    assert server.feed.unread_count() == 0
    connector = BusinessCentral({"source": "erp", "web_orders": "shop"})
    parsed = [connector.parse(message) for message in messages]
    assert not any(p.errors for p in parsed)
    assert {e.type.value for p in parsed for e in p.events} == {
        "order.received",
        "order.held",
        "order.released",
        "shipment.confirmed",
        "invoice.issued",
    }
    repeated, _ = poll_all(server, cursor, overlap_minutes="0")
    assert len(repeated) == 3


@pytest.mark.slow
def test_new_rows_are_served_by_the_next_poll(server: ErpServer, world: SimulatedWorld) -> None:
    _, cursor = poll_all(server, "")
    future = LiveStream(world, PastStream(world).pending)
    entry = next(
        e
        for e in iter(lambda: future.pop_due_step(STARTED + HOUR, []), None)
        if _is_order(future, e)
    )
    server.feed.add_row(future.step_of_entry(entry), entry.n, entry.step_index)
    messages, _ = poll_all(server, cursor, overlap_minutes="0")
    number = sales_order_number(entry.n)
    assert any(json.loads(m.body)["number"] == number for m in messages)


def _is_order(future: LiveStream, entry: ScheduledStep) -> bool:
    return future.step_of_entry(entry).kind in {StepKind.ERP_OPEN, StepKind.ERP_SHIPPED}


def test_page_links_to_next_page_with_same_filter_and_order(server: ErpServer) -> None:
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
    modified = [row["lastModifiedDateTime"] for row in [*rows, *second["value"]]]
    assert modified == sorted(modified)
    since = modified[3]
    later = get(server, f"salesOrders?$filter=lastModifiedDateTime ge {since}").json()["value"]
    assert later[0]["lastModifiedDateTime"] == since


def test_request_without_valid_token_gets_401(server: ErpServer) -> None:
    assert get(server, "salesOrders", authorization="Bearer other").status_code == 401
    assert get(server, "salesOrders", authorization="").status_code == 401


def test_unknown_collection_gets_404_and_invalid_query_gets_400(server: ErpServer) -> None:
    assert get(server, "vendors").status_code == 404
    assert get(server, "salesOrders?$filter=number eq 'x'").status_code == 400
    assert get(server, "salesOrders?$skiptoken=x").status_code == 400
