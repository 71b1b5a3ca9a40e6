"""Walmart Marketplace: a status per unit of a line, and polling over HTTP."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import Attribute, CanonicalEvent
from connectors.sdk.settings import parse_and_check_settings
from connectors.systems.walmart.connector import Walmart
from tests.builders.polls import (
    NOW,
    MemoryTokens,
    keys_of_pages,
    poll_pages,
    poll_until_error,
)
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

START = datetime(2026, 3, 2, 10, tzinfo=UTC)


def milliseconds(minute: int = 0) -> int:
    return int(START.replace(minute=minute).timestamp()) * 1000


def state(status: str, units: int = 1, tracking: str = "", minute: int = 5) -> dict[str, Any]:
    info = {
        "shipDateTime": milliseconds(minute),
        "carrierName": {"carrier": "UPS", "otherCarrier": None},
        "methodCode": "Standard",
        "trackingNumber": tracking,
    }
    return {
        "status": status,
        "statusQuantity": {"unitOfMeasurement": "EACH", "amount": f"{units}"},
        "trackingInfo": info if tracking else None,
    }


def line(number: int, *states: dict[str, Any], minute: int = 10, units: int = 1) -> dict[str, Any]:
    return {
        "lineNumber": f"{number}",
        "item": {"sku": f"SKU-{number}", "productName": "Widget"},
        "charges": {"charge": [{"chargeAmount": {"currency": "USD", "amount": 6.46}, "tax": None}]},
        "orderLineQuantity": {"amount": f"{units}"},
        "statusDate": milliseconds(minute),
        "orderLineStatuses": {"orderLineStatus": list(states)},
        "refund": None,
    }


def order(number: str, *lines: dict[str, Any]) -> dict[str, Any]:
    return {
        "purchaseOrderId": number,
        "customerOrderId": f"2{number}",
        "orderDate": milliseconds(),
        "shippingInfo": {"estimatedShipDate": milliseconds(30), "postalAddress": {"name": "Ann"}},
        "orderLines": {"orderLine": list(lines)},
    }


def parse(body: Any) -> ParseResult:
    message = RawMessage(json.dumps(body).encode(), {}, NOW)
    return Walmart({"source": "walmart"}).parse(message)


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


def quantities(event: CanonicalEvent) -> dict[str, dict[str, int]]:
    return {
        row.line_id: {m.value: int(q) for m, q in row.quantities.items()} for row in event.lines
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Created", []),
        ("Acknowledged", ["order.accepted"]),
        ("Shipped", ["order.accepted", "shipment.confirmed"]),
        ("Delivered", ["order.accepted", "shipment.confirmed", "shipment.delivered"]),
        ("Cancelled", ["order.cancelled"]),
        ("Canceled", ["order.cancelled"]),
        ("Teleported", ["unmapped"]),
    ],
)
def test_each_status_of_a_line(status: str, expected: list[str]) -> None:
    result = parse(order("1", line(1, state(status, tracking="1Z1"))))
    assert types(result) == ["order.received", *expected]


def test_units_of_a_line_have_their_own_status() -> None:
    states = (
        state("Shipped", 2, "1Z1"),
        state("Delivered", 1, "1Z2", 7),
        state("Cancelled", 1),
        state("Acknowledged", 1),
    )
    result = parse(order("1", line(1, *states, units=5), line(2, state("Shipped", 1, "1Z1"))))
    by_key = {event.key: event for event in result.events}
    assert by_key["order 1 cancelled"].type.value == "order.changed"
    assert {key: quantities(event) for key, event in by_key.items() if event.lines} == {
        "order 1": {"1": {"ordered": 5}, "2": {"ordered": 1}},
        "order 1 cancelled": {"1": {"cancelled": 1}},
        "shipment 1 1Z1": {"1": {"shipped": 2}, "2": {"shipped": 1}},
        "shipment 1 1Z2": {"1": {"shipped": 1}},
        "shipment 1 1Z2 delivered": {"1": {"delivered": 1}},
    }
    shipped = by_key["shipment 1 1Z2"]
    assert shipped.occurred_at == START.replace(minute=7)
    assert shipped.objects[2].identifiers[0].value == "1Z2"
    assert shipped.attributes[Attribute.CARRIER] == "UPS"


def test_the_number_of_the_customer_is_weak_and_the_total_is_clear_for_single_units() -> None:
    (single,) = parse(order("1", line(1, state("Created")))).events
    assert [(i.value, i.strong) for i in single.objects[0].identifiers] == [
        ("1", True),
        ("21", False),
    ]
    assert single.attributes[Attribute.TOTAL] == "6.46"
    (several,) = parse(order("1", line(1, state("Created", 2), units=2))).events
    assert Attribute.TOTAL not in several.attributes


def test_a_refund_of_a_line_is_a_credit() -> None:
    body = order("1", line(1, state("Shipped", 1, "1Z1")))
    charge = {"charge": {"chargeAmount": {"currency": "USD", "amount": -6.46}}}
    refund = {"refundId": "R1", "refundCharges": {"refundCharge": [charge]}}
    body["orderLines"]["orderLine"][0]["refund"] = refund
    credit = parse(body).events[-1]
    assert (credit.type.value, credit.attributes[Attribute.TOTAL]) == ("credit.issued", "6.46")


class MarketplaceServer(VendorServer):
    """Answers token requests and order searches with a cursor, two orders on a page."""

    def __init__(self) -> None:
        super().__init__([])
        self.orders: list[dict[str, Any]] = []
        self.answers["/v3/orders"] = self.search
        self.answers["/v3/token"] = self._answer_token
        self.authorize = lambda request: (
            request.path == "/v3/token"
            or request.headers.get("wm_sec.access_token") in self.access_tokens[-1:]
        )

    def answer(self, request: VendorRequest) -> Answer:
        assert request.headers["wm_svc.name"] == "Walmart Marketplace"
        assert len(request.headers["wm_qos.correlation_id"]) == 36
        if request.path == "/v3/token":
            credentials = base64.b64encode(b"c:s").decode()
            assert request.headers["authorization"] == f"Basic {credentials}"
        else:
            assert "authorization" not in request.headers
        return super().answer(request)

    def search(self, request: VendorRequest) -> Answer:
        query = request.query
        start = int(query.get("soIndex", 0))
        since = datetime.fromisoformat(query["lastModifiedStartDate"]).timestamp() * 1000
        assert query["createdStartDate"] < query["lastModifiedStartDate"]
        rows = [
            row
            for row in self.orders
            if row["orderLines"]["orderLine"][0]["statusDate"] >= since
            and query["shipNodeType"] == "SellerFulfilled"
        ]
        meta: dict[str, Any] = {"totalCount": len(rows), "limit": 2}
        if start + 2 < len(rows):
            names = ("lastModifiedStartDate", "createdStartDate", "shipNodeType")
            members = "".join(f"&{name}={query[name]}" for name in names)
            meta["nextCursor"] = f"?limit=2&hasMoreElements=true&soIndex={start + 2}{members}"
        page = rows[start : start + 2]
        return Answer(200, {"list": {"meta": meta, "elements": {"order": page}}})


@pytest.fixture
def server(settings: Settings) -> Iterator[MarketplaceServer]:
    running = MarketplaceServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connect(server: MarketplaceServer, **config: str) -> Walmart:
    values = {"base_url": server.url, "client_id": "c", "client_secret": "s"}
    return Walmart(values | config)


def test_all_pages_are_read_and_the_next_poll_continues(server: MarketplaceServer) -> None:
    server.orders = [order(f"{n}", line(1, state("Created"), minute=n)) for n in range(5)]
    pages = poll_pages(connect(server))
    assert len(keys_of_pages(pages)) == 5
    server.orders.append(order("9", line(1, state("Created"), minute=40)))
    keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
    assert keys[-1].startswith("orders SellerFulfilled 9 ")


def test_an_expired_token_is_renewed(server: MarketplaceServer) -> None:
    server.orders, tokens = [order("1", line(1, state("Created")))], MemoryTokens()
    poll_pages(connect(server), tokens=tokens)
    server.access_tokens.append("another")
    assert keys_of_pages(poll_pages(connect(server), tokens=tokens))


def test_a_poll_interrupted_by_429_continues_with_its_cursor(server: MarketplaceServer) -> None:
    server.orders = [order(f"{n}", line(1, state("Created"), minute=n)) for n in range(5)]
    search = server.search

    def throttle(request: VendorRequest) -> Answer:
        server.failures = [Answer(429, {}, {"Retry-After": "3"})]
        return search(request)

    server.answers["/v3/orders"] = throttle
    pages, error = poll_until_error(connect(server))
    assert (error.status, error.retry_after) == (429, "3")
    server.answers["/v3/orders"] = search
    keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
    assert [key.split()[2] for key in keys] == ["2", "3", "4"]


def test_a_changed_order_without_a_new_time_is_another_message(server: MarketplaceServer) -> None:
    server.orders = [order("1", line(1, state("Created")))]
    before = keys_of_pages(poll_pages(connect(server)))
    server.orders[0]["orderLines"]["orderLine"][0]["refund"] = {"refundId": "R1"}
    assert keys_of_pages(poll_pages(connect(server))) != before


def test_kinds_of_ship_nodes_are_checked() -> None:
    (error,) = parse_and_check_settings(Walmart.settings, {"ship_nodes": "Drones"}).errors
    assert "'Drones' is not one of" in error.sentence
