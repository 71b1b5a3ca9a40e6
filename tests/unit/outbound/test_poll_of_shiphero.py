"""The ShipHero connector polls GraphQL over HTTP: pages, credits, tokens and event keys."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.connector import RawMessage
from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.shiphero.connector import ShipHero
from tests.builders.shiphero_server import ShipHeroServer
from tests.builders.vendor_server import Answer
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
def shiphero(settings: Settings) -> Iterator[ShipHeroServer]:
    server = ShipHeroServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def connector(server: ShipHeroServer, **config: str) -> ShipHero:
    settings = {"source": "wms", "base_url": server.url, "refresh_token": server.refresh_token}
    return ShipHero({**settings, "page_size": "2", "overlap_minutes": "0", **config})


def poll(
    server: ShipHeroServer, cursor: str = "", tokens: AccessTokens | None = None, **config: str
) -> Iterator[PolledPage]:
    context = PollContext(NOW, tokens=tokens or AccessTokens())
    return connector(server, **config).poll_with_context(OutgoingHttpClient(), cursor, [], context)


def ids(pages: list[PolledPage]) -> list[int]:
    return [json.loads(record.body)["legacy_id"] for page in pages for record in page.records]


def add_shipments(server: ShipHeroServer, *hours: int) -> None:
    for number, hour in enumerate(hours, len(server.connections["shipments"]) + 1):
        line = {"legacy_id": 1, "sku": "A", "partner_line_item_id": "SO-1-1"}
        label = {"tracking_number": f"1Z{number}", "carrier": "UPS", "status": "valid"}
        server.connections["shipments"].append(
            {
                "legacy_id": number,
                "created_date": f"2026-03-19T{hour:02}:00:00",
                "order": {"legacy_id": 77, "order_number": "SO-1"},
                "line_items": {"edges": [{"node": {"quantity": 2, "line_item": line}}]},
                "shipping_labels": [label],
            }
        )


def test_every_page_is_read_and_the_next_poll_continues(shiphero: ShipHeroServer) -> None:
    add_shipments(shiphero, 9, 14, 10, 11, 12)  # not sorted by time
    pages = list(poll(shiphero))
    assert ids(pages) == [1, 2, 3, 4, 5]
    add_shipments(shiphero, 15)
    assert ids(list(poll(shiphero, pages[-1].cursor))) == [2, 6]


def test_times_are_in_the_zone_of_the_account_in_both_directions(shiphero: ShipHeroServer) -> None:
    add_shipments(shiphero, 9)
    cursor = list(poll(shiphero, zone="America/Chicago"))[-1].cursor
    assert json.loads(cursor)["shipments"] == "2026-03-19T14:00:00.000000Z"
    list(poll(shiphero, cursor, zone="America/Chicago"))
    assert shiphero.variables[-2]["from"] == "2026-03-19T09:00:00"


def test_without_credits_the_round_waits_and_the_next_one_reads_the_next_page(
    shiphero: ShipHeroServer,
) -> None:
    add_shipments(shiphero, 9, 10, 11, 12, 13)
    shiphero.queries_left = 2
    stored: list[PolledPage] = []
    with pytest.raises(PollError, match="credits") as caught:
        stored.extend(poll(shiphero))
    assert (caught.value.status, caught.value.retry_after) == (429, "7")
    assert ids(stored) == [1, 2, 3, 4]
    shiphero.queries_left = None
    assert ids(list(poll(shiphero, stored[-1].cursor))) == [5]


def test_the_token_is_used_until_it_is_refused(shiphero: ShipHeroServer) -> None:
    add_shipments(shiphero, 9)
    tokens = AccessTokens()
    for _ in range(2):
        list(poll(shiphero, tokens=tokens))
    assert shiphero.access_tokens == ["access-1"]
    shiphero.access_tokens.append("issued to somebody else")
    assert ids(list(poll(shiphero, tokens=tokens))) == [1]
    with pytest.raises(PollError, match="HTTP 401"):
        list(poll(shiphero, refresh_token="wrong"))


def test_a_polled_shipment_is_the_fact_that_its_webhook_reports(shiphero: ShipHeroServer) -> None:
    add_shipments(shiphero, 9)
    (record,) = (record for page in poll(shiphero) for record in page.records)
    (polled,) = connector(shiphero).parse(RawMessage(record.body, record.headers, NOW)).events
    webhook = {
        "webhook_type": "Shipment Update",
        "fulfillment": {
            "shipment_id": 1,
            "order_number": "SO-1",
            "order_id": 77,
            "created_at": "2026-03-19 09:00:00",
            "line_items": [{"id": "SO-1-1", "shiphero_id": 1, "sku": "A", "quantity": 2}],
            "packages": [{"shipping_label": {"tracking_number": "1Z1", "carrier": "UPS"}}],
        },
    }
    raw = RawMessage(json.dumps(webhook).encode(), {}, NOW)
    (pushed,) = connector(shiphero).parse(raw).events
    assert polled == pushed


def test_only_cancelled_orders_of_the_changed_ones_are_events(shiphero: ShipHeroServer) -> None:
    for number, status in ((1, "fulfilled"), (2, "canceled")):
        shiphero.connections["orders"].append(
            {
                "legacy_id": number,
                "order_number": f"SO-{number}",
                "fulfillment_status": status,
                "updated_at": f"2026-03-19T1{number}:00:00",
            }
        )
    records = [record for page in poll(shiphero) for record in page.records]
    results = [connector(shiphero).parse(RawMessage(r.body, r.headers, NOW)) for r in records]
    assert [[event.type.value for event in result.events] for result in results] == [
        [],
        ["order.cancelled"],
    ]


def test_other_errors_and_wrong_pages_are_errors(shiphero: ShipHeroServer) -> None:
    errors = [{"code": 1, "message": "Unknown field"}]
    shiphero.answers["/graphql"] = lambda _: Answer(200, {"errors": errors})
    with pytest.raises(PollError, match="Unknown field"):
        list(poll(shiphero))
    page = {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}
    shiphero.answers["/graphql"] = lambda _: Answer(200, {"data": {"shipments": {"data": page}}})
    with pytest.raises(PollError, match="read already"):
        list(poll(shiphero))
