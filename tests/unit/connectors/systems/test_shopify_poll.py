"""Shopify: polling over the GraphQL Admin API, and facts that a webhook reported as well."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.connector import RawMessage
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import CanonicalEvent
from connectors.systems.shopify.connector import Shopify
from tests.builders.polls import (
    NOW,
    MemoryTokens,
    events_of_pages,
    keys_of_pages,
    poll_pages,
    poll_until_error,
)
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

GRAPHQL = "/admin/api/2026-07/graphql.json"
THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 450,
            "throttleStatus": {"currentlyAvailable": 50, "restoreRate": 50.0},
        }
    },
}


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


def line(number: int, quantity: int = 2, left: int = 2) -> dict[str, Any]:
    return {
        "id": gid("LineItem", number),
        "sku": f"SKU-{number}",
        "title": "Widget",
        "quantity": quantity,
        "currentQuantity": quantity,
        "unfulfilledQuantity": left,
        "requiresShipping": True,
        "originalUnitPriceSet": money("9.5"),
    }


def order(number: int, minute: int = 0, **more: Any) -> dict[str, Any]:
    at = f"2026-03-02T10:{minute:02}:00Z"
    return {
        "id": gid("Order", number),
        "name": f"#{number}",
        "test": False,
        "createdAt": "2026-03-02T10:00:00Z",
        "processedAt": "2026-03-02T10:00:00Z",
        "updatedAt": at,
        "currencyCode": "USD",
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "currentTotalPriceSet": money("19.0"),
        "customAttributes": [],
        "customer": {"firstName": "Ann", "lastName": "Lee"},
        "lines": [line(1)],
        "fulfillments": [],
        "refunds": [],
    } | more


class ShopServer(VendorServer):
    """Answers the queries of the poll; a connection has at most two nodes on a page."""

    def __init__(self) -> None:
        super().__init__([])
        self.orders: list[dict[str, Any]] = []
        self.nested: dict[str, list[dict[str, Any]]] = {}
        self.names: list[bool] = []
        self.answers[GRAPHQL] = self.graphql
        self.answers["/admin/oauth/access_token"] = self._answer_token
        self.authorize = lambda request: request.headers.get("x-shopify-access-token") == "shpat_1"

    def graphql(self, request: VendorRequest) -> Answer:
        document = json.loads(request.body)
        query, variables = document["query"], document["variables"]
        after = int(variables.get("after") or 0)
        if "sortKey: UPDATED_AT" in query:
            rows = sorted(self.orders, key=lambda row: row["updatedAt"])
            if text := variables.get("query"):
                assert text.startswith("updated_at:>='")
                rows = [row for row in rows if row["updatedAt"] >= text[14:-1]]
            nodes = [{"id": row["id"], "updatedAt": row["updatedAt"]} for row in rows]
            return self.data({"orders": self.connection(nodes, after, 2)})
        if "order(id: $id)" in query:
            self.names.append(variables["names"])
            (row,) = [row for row in self.orders if row["id"] == variables["id"]]
            lines = self.connection(row["lines"], 0, 2)
            return self.data({"order": {**row, "lineItems": lines, "lines": None}})
        rows = self.nested.get(variables["id"], [])
        if "... on Order" in query:
            (row,) = [row for row in self.orders if row["id"] == variables["id"]]
            rows = row["lines"]
        return self.data({"node": {"list": self.connection(rows, after, 2)}})

    def connection(self, nodes: list[Any], after: int, size: int) -> dict[str, Any]:
        page = nodes[after : after + size]
        info = {"hasNextPage": after + size < len(nodes), "endCursor": str(after + len(page))}
        return {"nodes": page, "pageInfo": info}

    def data(self, data: dict[str, Any]) -> Answer:
        return Answer(200, {"data": data})


@pytest.fixture
def server(settings: Settings) -> Iterator[ShopServer]:
    running = ShopServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connect(server: ShopServer, **config: str) -> Shopify:
    values = {"source": "shop", "base_url": server.url}
    if "client_id" not in config:
        values["access_token"] = "shpat_1"
    return Shopify(values | config)


def content(event: CanonicalEvent) -> str:
    return sha256_hex(to_canonical_json(event))


SHIPPED = order(
    1001,
    30,
    displayFinancialStatus="PARTIALLY_REFUNDED",
    displayFulfillmentStatus="PARTIALLY_FULFILLED",
    lines=[line(1, 3, 1)],
    fulfillments=[
        {
            "id": gid("Fulfillment", 5),
            "name": "#1001.1",
            "status": "SUCCESS",
            "displayStatus": "IN_TRANSIT",
            "createdAt": "2026-03-02T10:20:00Z",
            "updatedAt": "2026-03-02T10:25:00Z",
            "trackingInfo": [
                {"company": "UPS", "number": "1Z1"},
                {"company": "UPS", "number": "1Z2"},
            ],
        }
    ],
    refunds=[
        {
            "id": gid("Refund", 6),
            "createdAt": "2026-03-02T10:30:00Z",
            "note": "damaged",
            "transactions": {
                "nodes": [{"kind": "REFUND", "status": "SUCCESS", "amountSet": money("9.5")}]
            },
        }
    ],
)
NESTED = {
    gid("Fulfillment", 5): [{"quantity": 2, "lineItem": {"id": gid("LineItem", 1)}}],
    gid("Refund", 6): [
        {"quantity": 1, "restockType": "NO_RESTOCK", "lineItem": {"id": gid("LineItem", 1)}}
    ],
}
# The same fulfillment as its webhook reports it.
WEBHOOK = {
    "id": 5,
    "order_id": 1001,
    "name": "#1001.1",
    "status": "success",
    "created_at": "2026-03-02T10:20:00Z",
    "updated_at": "2026-03-02T10:25:00Z",
    "tracking_company": "UPS",
    "tracking_numbers": ["1Z1", "1Z2"],
    "shipment_status": "in_transit",
    "line_items": [
        {"id": 1, "sku": "SKU-1", "title": "Widget", "quantity": 2, "price": "9.50",
         "requires_shipping": True}
    ],
}  # fmt: skip


def test_the_poll_and_the_webhook_report_one_fact(server: ShopServer) -> None:
    server.orders, server.nested = [SHIPPED], NESTED
    polled = events_of_pages(connect(server), poll_pages(connect(server)))
    message = RawMessage(
        json.dumps(WEBHOOK).encode(), {"x-shopify-topic": "fulfillments/update"}, NOW
    )
    pushed = connect(server).parse(message).events
    assert {content(event) for event in pushed} <= {content(event) for event in polled}
    assert [event.type.value for event in pushed] == ["shipment.confirmed", "shipment.in_transit"]


def test_an_order_has_its_lines_state_and_refunds(server: ShopServer) -> None:
    server.orders, server.nested = [SHIPPED], NESTED
    events = events_of_pages(connect(server), poll_pages(connect(server)))
    assert [event.type.value for event in events] == [
        "order.received", "order.accepted", "order.changed", "shipment.confirmed",
        "shipment.in_transit", "credit.issued",
    ]  # fmt: skip
    received, credit = events[0], events[-1]
    assert {a.value: text for a, text in received.attributes.items()} == {
        "channel": "web", "currency": "USD", "total": "19.00", "customer_name": "Ann Lee",
        "status": "partial",
    }  # fmt: skip
    numbers = [i.value for i in received.objects[0].identifiers]
    assert numbers == ["1001", "#1001"]
    assert {a.value: text for a, text in credit.attributes.items()} == {
        "reason": "damaged", "total": "9.5", "currency": "USD",
    }  # fmt: skip


def test_all_pages_of_orders_and_lines_are_read(server: ShopServer) -> None:
    lines = [line(n) for n in range(1, 6)]
    server.orders = [order(n, n % 2, lines=lines) for n in range(1, 6)]
    pages = poll_pages(connect(server))
    assert len(keys_of_pages(pages)) == 5
    received = [
        e for e in events_of_pages(connect(server), pages) if e.type.value == "order.received"
    ]
    assert [len(event.lines) for event in received] == [5] * 5
    server.orders.append(order(9, 40))
    keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
    assert keys[-1].split()[1] == gid("Order", 9)


def test_a_throttled_poll_waits_until_the_budget_holds_the_cost(server: ShopServer) -> None:
    server.orders = [order(n, n) for n in range(1, 5)]
    first = server.graphql

    def throttle_second_page(request: VendorRequest) -> Answer:
        answer = first(request)
        if len(server.requests) == 3:
            server.failures = [Answer(200, THROTTLED)]
        return answer

    server.answers[GRAPHQL] = throttle_second_page
    pages, error = poll_until_error(connect(server))
    assert (error.status, error.retry_after) == (429, 8.0)
    server.answers[GRAPHQL] = first
    keys = keys_of_pages(pages) + keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
    assert len(set(keys)) == 4


def test_a_token_of_the_dev_dashboard_is_renewed(server: ShopServer) -> None:
    server.authorize = lambda request: (
        request.path.endswith("access_token")
        or request.headers.get("x-shopify-access-token") in server.access_tokens[-1:]
    )
    server.orders, tokens = [order(1)], MemoryTokens()
    config = {"client_id": "c", "client_secret": "s"}
    poll_pages(connect(server, **config), tokens=tokens)
    server.access_tokens.append("another")
    assert keys_of_pages(poll_pages(connect(server, **config), tokens=tokens))


def test_names_of_customers_are_only_asked_for_if_they_may_be(server: ShopServer) -> None:
    server.orders = [order(1)]
    poll_pages(connect(server, customer_names="no"))
    assert server.names == [False]


def test_an_order_deleted_during_the_poll_is_ignored() -> None:
    body = json.dumps({"id": gid("Order", 1), "updatedAt": "2026-03-02T10:00:00Z"}).encode()
    result = Shopify({}).parse(RawMessage(body, {"x-shopify-topic": "orders/updated"}, NOW))
    assert result.ignored == "the order was deleted after it had changed"
