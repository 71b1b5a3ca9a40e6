"""Vendure: states of orders and fulfillments, notices of a plugin, and polling over HTTP."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import Attribute, CanonicalEvent, Measure
from connectors.sdk.webhook_and_poll_types import (
    NOTICE_KEY,
    PollError,
    WebhookRequest,
)
from connectors.systems.vendure.connector import Vendure
from connectors.systems.vendure.poll import ORDERS_PER_PAGE
from tests.builders.polls import (
    NOW,
    SECRETS,
    MemoryTokens,
    events_of_pages,
    fold_messages,
    keys_of_pages,
    poll_pages,
    poll_until_error,
)
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer


def order(number: int, minute: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{number}",
        "code": f"CODE{number}",
        "state": "PaymentSettled",
        "createdAt": "2026-03-02T09:00:00.000Z",
        "orderPlacedAt": "2026-03-02T10:00:00.000Z",
        "updatedAt": f"2026-03-02T10:{minute:02}:00.000Z",
        "currencyCode": "USD",
        "totalWithTax": 1980,
        "lines": [
            {"id": "7", "quantity": 2, "orderPlacedQuantity": 3,
             "productVariant": {"sku": "A", "name": "Widget"}}
        ],
        "fulfillments": [],
        "payments": [],
    } | more  # fmt: skip


def fulfillment(state: str, minute: int) -> dict[str, Any]:
    return {
        "id": "5",
        "state": state,
        "method": "UPS",
        "trackingCode": "1Z5",
        "updatedAt": f"2026-03-03T10:{minute:02}:00.000Z",
        "lines": [{"orderLineId": "7", "quantity": 2}],
    }


def parse(body: Any, **config: str) -> ParseResult:
    message = RawMessage(json.dumps(body).encode(), {}, NOW)
    return Vendure({"source": "shop", **config}).parse(message)


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


def quantities(event: CanonicalEvent) -> dict[str, dict[str, int]]:
    return {
        line.line_id: {m.value: int(q) for m, q in line.quantities.items()} for line in event.lines
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("PaymentAuthorized", "order.changed"),
        ("PaymentSettled", "order.accepted"),
        ("PartiallyShipped", "order.accepted"),
        ("Shipped", "order.accepted"),
        ("PartiallyDelivered", "order.accepted"),
        ("Delivered", "order.accepted"),
        ("Modifying", "order.held"),
        ("ArrangingAdditionalPayment", "order.held"),
        ("Cancelled", "order.cancelled"),
        ("InspectedByOwner", "unmapped"),
    ],
)
def test_the_state_of_an_order(state: str, expected: str) -> None:
    assert types(parse(order(1, state=state)))[:2] == ["order.received", expected]


@pytest.mark.parametrize("state", ["Draft", "AddingItems", "ArrangingPayment"])
def test_a_cart_is_not_an_order(state: str) -> None:
    result = parse({"order": order(1, state=state)})
    assert (result.events, result.ignored) == ((), "a cart or a draft, not an order yet")


def test_units_that_were_cancelled_and_amounts() -> None:
    received, _, changed = parse(order(1)).events
    assert quantities(received) == {"7": {"ordered": 3}}
    assert quantities(changed) == {"7": {"cancelled": 1}}
    assert received.attributes[Attribute.TOTAL] == "19.8"
    (first, *_) = parse(order(1), money_decimals="3").events
    assert first.attributes[Attribute.TOTAL] == "1.98"


def test_a_delivered_fulfillment_leaves_the_time_when_it_was_shipped() -> None:
    shipped = parse(order(1, fulfillments=[fulfillment("Shipped", 5)])).events[-1]
    confirmed, delivered = parse(order(1, fulfillments=[fulfillment("Delivered", 9)])).events[-2:]
    assert quantities(shipped) == {"7": {"shipped": 2}}
    assert (confirmed.key, confirmed.scope) == (shipped.key, shipped.scope)
    assert confirmed.revision < shipped.revision
    assert delivered.type.value == "shipment.delivered"
    assert shipped.objects[2].identifiers[0].value == "1Z5"


def test_the_shipped_units_of_a_delivered_fulfillment_are_delivered() -> None:
    before = order(1, fulfillments=[fulfillment("Shipped", 5)])
    after = order(1, fulfillments=[fulfillment("Delivered", 9)])
    timeline = fold_messages(Vendure({"source": "shop"}), before, after)
    (shipment,) = timeline.shipments
    assert shipment.shipped_at == datetime(2026, 3, 3, 10, 5, tzinfo=UTC)
    assert shipment.delivered_at == datetime(2026, 3, 3, 10, 9, tzinfo=UTC)
    assert timeline.lines[0].quantities[Measure.DELIVERED] == 2


def test_a_cancelled_fulfillment_is_void_and_an_unknown_state_is_unmapped() -> None:
    assert types(parse(order(1, fulfillments=[fulfillment("Cancelled", 5)])))[-1] == "shipment.void"
    assert types(parse(order(1, fulfillments=[fulfillment("Lost", 5)])))[-1] == "unmapped"
    assert "shipment.confirmed" not in types(
        parse(order(1, fulfillments=[fulfillment("Pending", 5)]))
    )


def test_a_settled_refund_is_a_credit() -> None:
    refund = {"id": "3", "createdAt": "2026-03-04T10:00:00Z", "total": 990, "state": "Settled",
              "lines": [{"orderLineId": "7", "quantity": 1}]}  # fmt: skip
    credit = parse(order(1, payments=[{"refunds": [refund]}])).events[-1]
    assert (credit.type.value, credit.attributes[Attribute.TOTAL]) == ("credit.issued", "9.9")
    assert quantities(credit) == {"7": {"credited": 1}}
    pending = parse(order(1, payments=[{"refunds": [refund | {"state": "Pending"}]}]))
    assert "credit.issued" not in types(pending)


@pytest.mark.parametrize("body", [{"orderId": "1"}, {"order": {"id": "1", "state": "Shipped"}}])
def test_a_webhook_that_names_an_order_makes_the_poll_due(body: dict[str, Any]) -> None:
    result = parse(body)
    assert (result.events, result.poll_due) == ((), True)


def test_a_webhook_needs_the_secret() -> None:
    connector = Vendure({})
    headers = connector.build_signed_headers(b"{}", SECRETS[0], NOW)
    connector.verify(WebhookRequest("POST", "/", {}, headers, b"{}"), SECRETS, NOW)
    with pytest.raises(InvalidSignature):
        connector.verify(WebhookRequest("POST", "/", {}, {}, b"{}"), SECRETS, NOW)


class AdminServer(VendorServer):
    """Answers the Admin API: FORBIDDEN comes with HTTP 200, the token of a login in a header."""

    def __init__(self) -> None:
        super().__init__([])
        self.orders: list[dict[str, Any]] = []
        self.password = "p"
        self.answers["/admin-api"] = self.graphql

    def graphql(self, request: VendorRequest) -> Answer:
        document = json.loads(request.body)
        variables = document["variables"]
        if "login(" in document["query"]:
            if variables["password"] != self.password:
                result = {"__typename": "InvalidCredentialsError"}
                return Answer(200, {"data": {"login": result}})
            self.access_tokens.append(f"session-{len(self.access_tokens) + 1}")
            headers = {"vendure-auth-token": self.access_tokens[-1]}
            return Answer(200, {"data": {"login": {"__typename": "CurrentUser"}}}, headers)
        if request.headers.get("vendure-api-key") != "k-1" and not self.has_current_token(request):
            error = {"message": "not authorized", "extensions": {"code": "FORBIDDEN"}}
            return Answer(200, {"data": None, "errors": [error]})
        options = variables["options"]
        for field in ("id", "code"):
            if field in options.get("filter", {}):
                named = options["filter"][field]["in"]
                items = [row for row in self.orders if row[field] in named]
                return Answer(200, {"data": {"orders": {"totalItems": len(items), "items": items}}})
        assert options["sort"] == {"updatedAt": "ASC"}
        after = options.get("filter", {"updatedAt": {"after": ""}})["updatedAt"]["after"]
        rows = sorted(self.orders, key=lambda row: row["updatedAt"])
        rows = [row for row in rows if row["updatedAt"] > after]
        items = rows[options["skip"] :][: options["take"]]
        return Answer(200, {"data": {"orders": {"totalItems": len(rows), "items": items}}})


@pytest.fixture
def server(settings: Settings) -> Iterator[AdminServer]:
    running = AdminServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connect(server: AdminServer, **config: str) -> Vendure:
    values = {"source": "shop", "base_url": server.url}
    return Vendure(values | (config or {"api_key": "k-1"}))


def test_all_pages_are_read_and_the_next_poll_continues(server: AdminServer) -> None:
    count = ORDERS_PER_PAGE * 2 + 10
    server.orders = [order(n, n // 4) for n in range(1, count + 1)]
    pages = poll_pages(connect(server))
    assert len(keys_of_pages(pages)) == count
    assert "order.received" in {e.type.value for e in events_of_pages(connect(server), pages)}
    server.orders.append(order(999, 50))
    keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
    assert keys[-1].startswith("orders 999 ")


def test_orders_that_changed_at_one_time_are_paged(server: AdminServer) -> None:
    server.orders = [order(n) for n in range(1, ORDERS_PER_PAGE * 3)]
    assert len(keys_of_pages(poll_pages(connect(server)))) == len(server.orders)


@pytest.mark.parametrize("notice", [{"orderId": 2}, {"order": {"id": "2"}}, {"orderCode": "CODE2"}])
def test_a_refund_that_does_not_change_its_order_is_read_after_a_notice(
    server: AdminServer, notice: dict[str, Any]
) -> None:
    server.orders = [order(1, minute=30), order(2, minute=1)]
    cursor = poll_pages(connect(server))[-1].cursor
    assert not [k for k in keys_of_pages(poll_pages(connect(server), cursor)) if " 2 " in k]
    refund = {"id": "3", "createdAt": "2026-03-04T10:00:00Z", "updatedAt": "2026-03-04T10:00:00Z",
              "total": 990, "state": "Settled", "lines": []}  # fmt: skip
    server.orders[1]["payments"] = [{"refunds": [refund]}]
    bodies = [json.dumps(notice).encode()] * 2
    pages = poll_pages(connect(server), cursor, notices=bodies)
    assert keys_of_pages(pages)[0] == "orders 2 2026-03-04T10:00:00Z"
    assert "credit.issued" in [e.type.value for e in events_of_pages(connect(server), pages)]


def test_a_fulfillment_that_changes_without_its_order_is_another_version(
    server: AdminServer,
) -> None:
    server.orders = [order(1, fulfillments=[fulfillment("Shipped", 5)])]
    pages = poll_pages(connect(server))
    server.orders = [order(1, fulfillments=[fulfillment("Delivered", 9)])]
    repeated = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
    assert repeated
    assert repeated != keys_of_pages(pages)


def test_notices_about_one_order_are_messages_of_their_own() -> None:
    def key(body: dict[str, Any], **headers: str) -> str:
        request = WebhookRequest("POST", "/", {}, headers, json.dumps(body).encode())
        return Vendure({}).dedupe_key(request)

    first, second = key({"orderId": "1"}), key({"orderId": "1"})
    assert first != second
    assert first.startswith(NOTICE_KEY)
    assert key({"order": order(1)}) == ""
    assert key({"orderId": "1"}, **{"webhook-id": "w1"}) == f"{NOTICE_KEY}w1"


def test_a_session_that_ended_is_opened_by_another_login(server: AdminServer) -> None:
    server.orders, tokens = [order(1)], MemoryTokens()
    config = {"username": "u", "password": "p"}
    poll_pages(connect(server, **config), tokens=tokens)
    assert keys_of_pages(poll_pages(connect(server, **config), tokens=tokens))
    assert len(server.access_tokens) == 1
    server.access_tokens.append("ended")
    assert keys_of_pages(poll_pages(connect(server, **config), tokens=tokens))


def test_a_refused_login_and_429_are_poll_errors(server: AdminServer) -> None:
    with pytest.raises(PollError, match="the login was refused"):
        poll_pages(connect(server, username="u", password="wrong"))
    server.failures = [Answer(429, {}, {"Retry-After": "9"})]
    _, error = poll_until_error(connect(server))
    assert (error.status, error.retry_after) == (429, "9")
