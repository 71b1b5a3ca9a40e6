"""The ShipBob connector polls over HTTP: changes, tracking, pages and limits."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.shipbob.connector import ShipBob
from tests.builders.shipbob_server import TOKEN, ShipBobServer
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
def shipbob(settings: Settings) -> Iterator[ShipBobServer]:
    server = ShipBobServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def poll(server: ShipBobServer, cursor: str = "", **config: str) -> Iterator[PolledPage]:
    settings = {"source": "3pl", "base_url": server.url, "api_token": TOKEN, "page_size": "2"}
    system = ShipBob({**settings, "overlap_minutes": "0", **config})
    return system.poll_with_context(OutgoingHttpClient(), cursor, [], PollContext(NOW))


def ids(pages: list[PolledPage]) -> list[int]:
    return [json.loads(record.body)["id"] for page in pages for record in page.records]


def test_all_pages_are_read_and_the_cursor_is_the_newest_change(shipbob: ShipBobServer) -> None:
    # The order that changed last was created first.
    shipbob.add(1, "2026-03-19T10:00:00.1234567+00:00")
    for number in range(2, 6):
        shipbob.add(number, f"2026-03-18T10:0{number}:00+00:00")
    cursor = list(poll(shipbob))[-1].cursor
    shipbob.requests.clear()
    shipbob.add(6, "2026-03-19T10:00:01+00:00")
    shipbob.add(7, "2026-03-18T11:00:00+00:00")
    assert ids(list(poll(shipbob, cursor))) == [6]
    starts = [request.query.get("LastUpdateStartDate") for request in shipbob.requests]
    assert starts[0] == "2026-03-19T10:00:00.123456Z"


def test_scans_of_the_carrier_are_read_although_the_order_did_not_change(
    shipbob: ShipBobServer,
) -> None:
    shipbob.add(1, "2026-03-10T10:00:00+00:00", tracked="2026-03-18T10:00:00+00:00")
    cursor = list(poll(shipbob))[-1].cursor
    shipbob.orders.clear()
    shipbob.add(1, "2026-03-10T10:00:00+00:00", tracked="2026-03-19T08:00:00+00:00")
    assert ids(list(poll(shipbob, cursor))) == [1]


def test_the_first_poll_reads_thirty_days_or_since_the_setting(shipbob: ShipBobServer) -> None:
    shipbob.add(1, "2026-02-01T10:00:00+00:00")
    shipbob.add(2, "2026-03-01T10:00:00+00:00")
    assert ids(list(poll(shipbob))) == [2]
    assert ids(list(poll(shipbob, since="2026-01-15"))) == [1, 2]


def test_after_a_limit_the_next_round_continues_with_the_next_page(shipbob: ShipBobServer) -> None:
    for number in range(1, 6):
        shipbob.add(number, f"2026-03-18T10:0{number}:00+00:00")
    shipbob.calls_left = 2
    stored: list[PolledPage] = []
    with pytest.raises(PollError) as caught:
        stored.extend(poll(shipbob))
    assert (caught.value.status, caught.value.retry_after) == (429, "11")
    shipbob.calls_left = None
    assert ids(stored) == [1, 2, 3, 4]
    assert ids(list(poll(shipbob, stored[-1].cursor))) == [5]


def test_the_channel_is_named_and_a_wrong_token_is_an_error(shipbob: ShipBobServer) -> None:
    list(poll(shipbob, channel_id="7"))
    assert shipbob.requests[0].headers["shipbob_channel_id"] == "7"
    with pytest.raises(PollError, match="HTTP 401"):
        list(poll(shipbob, api_token="wrong"))
