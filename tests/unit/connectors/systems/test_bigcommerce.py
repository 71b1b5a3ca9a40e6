"""BigCommerce: statuses, webhooks of both generations, and polling over HTTP."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import Attribute, EventType
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.bigcommerce.connector import BigCommerce
from connectors.systems.bigcommerce.poll import ORDERS_PER_PAGE
from tests.builders.polls import (
    NOW,
    SECRETS,
    events_of_pages,
    keys_of_pages,
    poll_pages,
    poll_until_error,
)
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

START = datetime(2026, 3, 2, 10, tzinfo=UTC)


def order(number: int, minute: int = 0, status: int = 11, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "status_id": status,
        "status": "A name of the merchant",
        "date_created": format_datetime(START),
        "date_modified": format_datetime(START.replace(minute=minute)),
        "items_shipped": 0,
        "refunded_amount": "0.0000",
        "products": {"resource": f"/orders/{number}/products"},
    } | more


def webhook(scope: str, **data: Any) -> dict[str, Any]:
    return {"scope": scope, "hash": "h", "created_at": 1772446800, "data": data}


def parse(body: Any, **config: str) -> ParseResult:
    raw = RawMessage(json.dumps(body).encode(), {}, NOW)
    return BigCommerce({"source": "shop", **config}).parse(raw)


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


class TestBigCommerceStatuses:
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (0, []),
            (1, ["order.received", "order.changed"]),
            (2, ["order.received", "order.accepted"]),
            (3, ["order.received", "order.accepted"]),
            (4, ["order.received", "order.accepted"]),
            (5, ["order.received", "order.cancelled"]),
            (6, ["order.received", "order.rejected"]),
            (7, ["order.received", "order.changed"]),
            (8, ["order.received", "order.accepted", "shipment.available_for_pickup"]),
            (9, ["order.received", "order.accepted", "pack.completed"]),
            (10, ["order.received", "order.accepted"]),
            (11, ["order.received", "order.accepted"]),
            (12, ["order.received", "order.held"]),
            (13, ["order.received", "order.held"]),
            (14, ["order.received", "order.accepted"]),
            (15, ["order.received", "unmapped"]),
        ],
    )
    def test_each_status_id(self, status: int, expected: list[str]) -> None:
        assert types(parse(order(7, status=status))) == expected

    def test_an_order_that_was_only_set_to_shipped_has_no_quantities(self) -> None:
        result = parse(order(7, status=2, date_shipped=format_datetime(START)))
        assert types(result)[-1] == "shipment.confirmed"
        assert result.events[-1].lines == ()


class TestWebhooks:
    def test_a_webhook_that_names_an_order_makes_the_poll_due(self) -> None:
        for scope in ("store/order/created", "store/order/refund/created"):
            result = parse(webhook(scope, type="order", id=250))
            assert (result.events, result.poll_due) == ((), True)
            assert "the order is polled" in result.ignored

    def test_a_changed_status_is_an_event_and_makes_the_poll_due(self) -> None:
        status = {"previous_status_id": 11, "new_status_id": 9}
        result = parse(webhook("store/order/statusUpdated", type="order", id=250, status=status))
        assert types(result) == ["order.accepted", "pack.completed"]
        assert result.events[0].occurred_at == datetime(2026, 3, 2, 10, 20, tzinfo=UTC)
        assert result.poll_due

    def test_an_incomplete_order_has_no_events(self) -> None:
        status = {"previous_status_id": 11, "new_status_id": 0}
        assert not parse(webhook("store/order/statusUpdated", id=250, status=status)).events

    def test_a_deleted_shipment_is_void(self) -> None:
        result = parse(webhook("store/shipment/deleted", type="shipment", id=12, orderId=251))
        assert types(result) == ["shipment.void"]
        assert result.events[0].scope == "shipment 12"

    def test_other_webhooks_do_not_poll(self) -> None:
        result = parse(webhook("store/product/updated", type="product", id=1))
        assert (result.ignored, result.poll_due) == (
            "store/product/updated: not related to orders",
            False,
        )

    def test_signed_and_older_webhooks_are_verified(self) -> None:
        connector, body = BigCommerce({}), b"{}"
        signed = standard_webhooks.build_signature_headers(body, SECRETS[0], NOW, "m1")
        for headers in (signed, connector.build_signed_headers(body, SECRETS[0], NOW)):
            connector.verify(WebhookRequest("POST", "/", {}, headers, body), SECRETS, NOW)
        for headers in ({}, {"x-webhook-token": "wrong"}, {**signed, "webhook-id": "m2"}):
            with pytest.raises(InvalidSignature):
                connector.verify(WebhookRequest("POST", "/", {}, headers, body), SECRETS, NOW)

    def test_equal_hashes_of_different_scopes_are_different_messages(self) -> None:
        keys = {
            BigCommerce({}).dedupe_key(
                WebhookRequest("POST", "/", {}, {}, json.dumps(webhook(scope, id=1)).encode())
            )
            for scope in ("store/order/created", "store/order/updated")
        }
        assert len(keys) == 2


class StoreServer(VendorServer):
    """Answers as the API documents: 204 without a body for an empty list."""

    def __init__(self) -> None:
        super().__init__([])
        self.orders: list[dict[str, Any]] = []
        self.answers["/stores/s1/v2/orders"] = self.list_orders
        self.answers["/stores/s1/v2/orders/"] = self.details
        self.answers["/stores/s1/v3/orders/"] = self.refunds
        self.authorize = lambda request: request.headers.get("x-auth-token") == "t-1"

    def list_orders(self, request: VendorRequest) -> Answer:
        query = request.query
        assert query["sort"] == "date_modified:asc"
        rows = sorted(self.orders, key=lambda row: parsedate_to_datetime(row["date_modified"]))
        if since := query.get("min_date_modified"):
            start = parsedate_to_datetime(since)
            rows = [r for r in rows if parsedate_to_datetime(r["date_modified"]) >= start]
        size, page = int(query["limit"]), int(query["page"])
        rows = rows[(page - 1) * size : page * size]
        return Answer(200, rows) if rows else Answer(204, b"")

    def details(self, request: VendorRequest) -> Answer:
        number, name = request.path.split("/")[-2:]
        if name == "products":
            product = {"id": 90, "sku": "A", "quantity": 3, "type": "physical"}
            return Answer(200, [product])
        shipment = {"id": 5, "order_id": int(number), "date_created": format_datetime(START)}
        items = [{"order_product_id": 90, "quantity": 2}]
        more = {"tracking_number": "1Z5", "tracking_carrier": "ups", "items": items}
        return Answer(200, [shipment | more])

    def refunds(self, request: VendorRequest) -> Answer:
        number = int(request.path.split("/")[-3])
        items = [
            {"item_type": "PRODUCT", "item_id": 90, "quantity": 1},
            {"item_type": "SHIPPING", "item_id": number, "quantity": 1},
        ]
        refund = {"id": 3, "order_id": number, "created": "2026-03-05T08:00:00Z", "items": items}
        return Answer(200, {"data": [refund | {"total_amount": "9.50", "reason": "damaged"}]})


@pytest.fixture
def server(settings: Settings) -> Iterator[StoreServer]:
    running = StoreServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connect(server: StoreServer) -> BigCommerce:
    config = {"base_url": f"{server.url}/stores/s1", "access_token": "t-1", "source": "shop"}
    return BigCommerce(config)


class TestBigCommercePoll:
    def test_an_order_is_read_with_its_products_shipments_and_refunds(
        self, server: StoreServer
    ) -> None:
        server.orders = [order(7, status=3, items_shipped=2, refunded_amount="9.5000")]
        events = events_of_pages(connect(server), poll_pages(connect(server)))
        lines = {
            event.type: {
                m.value: int(q) for line in event.lines for m, q in line.quantities.items()
            }
            for event in events
            if event.lines
        }
        assert lines == {
            EventType.ORDER_RECEIVED: {"ordered": 3},
            EventType.SHIPMENT_CONFIRMED: {"shipped": 2},
            EventType.CREDIT_ISSUED: {"credited": 1},
        }
        shipped = next(e for e in events if e.type is EventType.SHIPMENT_CONFIRMED)
        assert shipped.lines[0].sku == "A"
        assert shipped.attributes[Attribute.CARRIER] == "ups"
        assert shipped.objects[2].identifiers[0].value == "1Z5"

    def test_an_empty_store_answers_204(self, server: StoreServer) -> None:
        assert keys_of_pages(poll_pages(connect(server))) == []

    def test_more_orders_than_fit_on_a_page_are_read_and_nothing_is_read_for_nothing(
        self, server: StoreServer
    ) -> None:
        count = ORDERS_PER_PAGE * 2 + 1
        server.orders = [order(n, n) for n in range(1, count + 1)]
        pages = poll_pages(connect(server))
        assert len(keys_of_pages(pages)) == count
        assert not [r for r in server.requests if r.path.endswith(("shipments", "refunds"))]
        server.requests.clear()
        server.orders.append(order(99, 50))
        keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
        assert keys[-1].startswith("orders 99 ")
        assert len(keys) == 7  # the overlap of five minutes

    def test_the_wait_of_a_429_is_in_milliseconds(self, server: StoreServer) -> None:
        server.orders = [order(1)]
        server.failures = [Answer(429, {}, {"X-Rate-Limit-Time-Reset-Ms": "12500"})]
        _, error = poll_until_error(connect(server))
        assert (error.status, error.retry_after) == (429, 12.5)
