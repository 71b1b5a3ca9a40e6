"""Amazon Selling Partner API: notifications, orders, MCF, vendor orders, and polling over HTTP."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, Measure
from connectors.sdk.settings import parse_and_check_settings
from connectors.sdk.webhook_and_poll_types import PollError, WebhookRequest
from connectors.systems.amazon_sp_api.connector import AmazonSellingPartner
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

NUMBER = "902-1000001-2000001"


def parse(body: Any, **config: str) -> ParseResult:
    message = RawMessage(json.dumps(body).encode(), {}, NOW)
    return AmazonSellingPartner({"source": "amazon", **config}).parse(message)


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


def quantities(event: CanonicalEvent) -> dict[str, dict[str, int]]:
    return {
        line.line_id: {m.value: int(q) for m, q in line.quantities.items()} for line in event.lines
    }


def notification(kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "EventTime": "2026-03-02T10:00:00.109Z",
        "Payload": {name: content},
        "NotificationMetadata": {"NotificationId": "n-1"},
    }


def order_change(status: str = "Unshipped", **item: Any) -> dict[str, Any]:
    row = {"OrderItemId": "71", "SellerSKU": "A", "Quantity": "10", "QuantityShipped": 0} | item
    summary = {
        "OrderStatus": status,
        "PurchaseDate": "2026-03-01T10:00:00Z",
        "OrderItems": [row],
    }
    trigger = {
        "TimeOfOrderChange": "2026-03-02T09:00:00Z",
        "ChangeReason": "Buyer Requested Cancel",
    }
    return notification(
        "ORDER_CHANGE",
        "OrderChangeNotification",
        AmazonOrderId=NUMBER,
        OrderChangeTrigger=trigger,
        Summary=summary,
    )


def order_2026(number: str, minute: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "orderId": number,
        "createdTime": "2026-03-01T10:00:00Z",
        "lastUpdatedTime": f"2026-03-02T10:{minute:02}:00Z",
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED"},
        "orderItems": [
            {
                "orderItemId": "71",
                "quantityOrdered": 3,
                "product": {"sellerSku": "A", "title": "Widget"},
                "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 3},
            }
        ],
    } | more


class TestAmazonNotifications:
    def test_a_buyer_who_asks_to_cancel_has_not_cancelled(self) -> None:
        result = parse(order_change(IsBuyerRequestedCancel=True))
        assert types(result) == ["order.received", "order.accepted", "order.changed"]
        assert result.events[2].key == f"order {NUMBER} buyer asks to cancel"

    def test_both_spellings_and_the_envelope_of_eventbridge_are_read(self) -> None:
        pascal = order_change()

        def camel(value: Any) -> Any:
            if isinstance(value, dict):
                return {name[0].lower() + name[1:]: camel(item) for name, item in value.items()}
            return [camel(item) for item in value] if isinstance(value, list) else value

        expected = parse(pascal).events
        assert parse(camel(pascal)).events == expected
        event = {"version": "0", "detail-type": "ORDER_CHANGE", "detail": pascal}
        assert parse(event).events == expected
        request = WebhookRequest("POST", "/", {}, {}, json.dumps(event).encode())
        assert AmazonSellingPartner({}).dedupe_key(request) == "n-1"

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("Pending", None),
            ("PendingAvailability", None),
            ("Unshipped", "order.accepted"),
            ("PartiallyShipped", "order.accepted"),
            ("PARTIALLY_SHIPPED", "order.accepted"),
            ("Shipped", "order.accepted"),
            ("InvoiceUnconfirmed", "order.accepted"),
            ("Canceled", "order.cancelled"),
            ("CANCELLED", "order.cancelled"),
            ("Unfulfillable", "shipment.exception"),
            ("AwaitingMagic", "unmapped"),
        ],
    )
    def test_the_status_of_an_order(self, status: str, expected: str | None) -> None:
        assert types(parse(order_change(status))) == ["order.received", *filter(None, [expected])]

    def test_shipped_units_are_counted_once_whatever_reports_them(self) -> None:
        pushed = parse(order_change("Shipped", QuantityShipped=2)).events[-1]
        packages = [
            {
                "packageReferenceId": f"P{n}",
                "shipTime": f"2026-03-02T08:0{n}:00Z",
                "trackingNumber": f"1Z{n}",
                "packageStatus": {"status": "IN_TRANSIT", "detailedStatus": "OUT_FOR_DELIVERY"},
            }
            for n in (1, 2)
        ]
        order = order_2026(NUMBER, packages=packages)
        order["orderItems"][0]["fulfillment"] = {"quantityFulfilled": 2}
        result = parse(order)
        polled = next(event for event in result.events if event.scope)
        assert (pushed.key, pushed.scope) == (polled.key, polled.scope)
        assert quantities(polled) == {"71": {"shipped": 2}}
        assert types(result).count("shipment.confirmed") == 3
        assert types(result).count("shipment.out_for_delivery") == 2
        assert sum(bool(event.lines) for event in result.events) == 2  # ordered and shipped

    def test_an_order_is_delivered_when_all_its_packages_are(self) -> None:
        order = order_2026(NUMBER)
        order["orderItems"][0]["fulfillment"] = {"quantityFulfilled": 3}
        connector, statuses = AmazonSellingPartner({"source": "amazon"}), []
        for second in ("IN_TRANSIT", "DELIVERED"):
            order["packages"] = [
                {
                    "packageReferenceId": f"P{n}",
                    "shipTime": "2026-03-02T08:00:00Z",
                    "trackingNumber": f"1Z{n}",
                    "packageStatus": {"status": status},
                }
                for n, status in ((1, "DELIVERED"), (2, second))
            ]
            timeline = fold_messages(connector, order)
            delivered = timeline.lines[0].quantities[Measure.DELIVERED]
            statuses.append((timeline.status.value, int(delivered)))
        assert statuses == [("shipped", 0), ("delivered", 3)]

    def test_a_refund_is_a_credit_and_other_transactions_are_ignored(self) -> None:
        content = {
            "RelatedIdentifiers": [
                {"RelatedIdentifierName": "OrderId", "RelatedIdentifierValue": NUMBER}
            ],
            "PostedDate": "2026-03-02T10:00:00Z",
            "TotalAmount": {"CurrencyAmount": 10, "CurrencyCode": "USD"},
        }
        name = "TransactionUpdateNotification"
        refund = notification("TRANSACTION_UPDATE", name, TransactionType="Refund", **content)
        assert types(parse(refund)) == ["credit.issued"]
        other = notification("TRANSACTION_UPDATE", name, TransactionType="Shipment", **content)
        assert "only refunds" in parse(other).ignored

    def test_an_unknown_notification_about_an_order_is_unmapped(self) -> None:
        result = parse(notification("ORDER_GIFT", "GiftNotification", AmazonOrderId=NUMBER))
        assert types(result) == ["unmapped"]
        assert "not related" in parse(notification("LISTINGS", "X", ASIN="B0")).ignored

    def test_the_api_destination_authenticates_by_a_bearer_token(self) -> None:
        connector = AmazonSellingPartner({})
        headers = connector.build_signed_headers(b"", SECRETS[0], NOW)
        connector.verify(WebhookRequest("POST", "/", {}, headers, b""), SECRETS, NOW)
        with pytest.raises(InvalidSignature):
            connector.verify(WebhookRequest("POST", "/", {}, {}, b""), SECRETS, NOW)


def test_items_are_cancelled_by_the_seller_and_not_by_the_request_of_the_buyer() -> None:
    order = order_2026(NUMBER)
    item = order["orderItems"][0]
    item["cancellation"] = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "late"}}
    assert "order X cancelled units" not in [
        e.key.replace(NUMBER, "X") for e in parse(order).events
    ]
    item["cancellation"]["cancellationExecution"] = {"cancelledBy": "MERCHANT"}
    item["fulfillment"] = {"quantityFulfilled": 0, "quantityUnfulfilled": 0}
    cancelled = [e for e in parse(order).events if e.key.endswith("cancelled units")]
    assert quantities(cancelled[0]) == {"71": {"cancelled": 3}}


class TestMultiChannel:
    ORDER = {  # not changed
        "fulfillmentOrder": {
            "sellerFulfillmentOrderId": "M-1",
            "displayableOrderId": "#1001",
            "receivedDate": "2026-03-02T10:00:00Z",
            "statusUpdatedDate": "2026-03-03T10:00:00Z",
            "fulfillmentOrderStatus": "COMPLETE_PARTIALLED",
        },
        "fulfillmentOrderItems": [
            {"sellerFulfillmentOrderItemId": "1", "sellerSku": "A", "quantity": "3",
             "cancelledQuantity": 1}
        ],
        "fulfillmentShipments": [
            {
                "amazonShipmentId": "S1",
                "fulfillmentShipmentStatus": "SHIPPED",
                "shippingDate": "2026-03-03T09:00:00Z",
                "fulfillmentShipmentItem": [
                    {"sellerFulfillmentOrderItemId": "1", "sellerSku": "A", "quantity": 2}
                ],
                "fulfillmentShipmentPackage": [
                    {"packageNumber": 1, "trackingNumber": "TBA1", "carrierCode": "Amazon"},
                    {"packageNumber": 2, "trackingNumber": "TBA1", "carrierCode": "Amazon"},
                ],
            }
        ],
    }  # fmt: skip

    def test_the_displayable_order_id_is_the_order_of_another_channel(self) -> None:
        result = parse({"payload": self.ORDER}, displayable_orders="web_order@shop")
        numbers = [
            (i.scheme.value, i.value, i.issuer) for i in result.events[0].objects[0].identifiers
        ]
        assert numbers == [("source_id", "M-1", "amazon"), ("web_order", "#1001", "shop")]
        assert types(result) == [
            "order.received", "order.changed", "order.released", "shipment.confirmed",
        ]  # fmt: skip
        assert [quantities(e) for e in result.events if e.lines] == [
            {"1": {"ordered": 3}},
            {"1": {"cancelled": 1}},
            {"1": {"shipped": 2}},
        ]
        assert len(result.events[-1].objects) == 3  # two packages with one tracking number

    def test_a_notification_of_a_shipment_replaces_no_quantities(self) -> None:
        shipment = {"FulfillmentShipmentStatus": "SHIPPED", "AmazonShipmentId": "S1"}
        result = parse(
            notification(
                "FULFILLMENT_ORDER_STATUS",
                "FulfillmentOrderStatusNotification",
                SellerFulfillmentOrderId="M-1",
                FulfillmentOrderStatus="PROCESSING",
                FulfillmentShipment=shipment,
            )
        )
        assert types(result) == ["order.released", "shipment.confirmed"]
        polled = parse({"payload": self.ORDER}).events[-1]
        assert (result.events[-1].scope, result.events[-1].key) != (polled.scope, polled.key)

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("EVENT_101", "shipment.label_created"),
            ("EVENT_102", "shipment.picked_up"),
            ("EVENT_202", "shipment.in_transit"),
            ("EVENT_301", "shipment.delivered"),
            ("EVENT_302", "shipment.out_for_delivery"),
            ("EVENT_304", "shipment.attempted"),
            ("EVENT_404", "shipment.exception"),
            ("EVENT_306", "unmapped"),
        ],
    )
    def test_scans_of_a_package(self, code: str, expected: str) -> None:
        scan = {"eventDate": "2026-03-03T10:00:00Z", "eventCode": code}
        payload = {"trackingNumber": "TBA1", "carrierCode": "A", "trackingEvents": [scan]}
        assert types(parse({"payload": payload})) == [expected]


class TestVendor:
    def item(self, number: str, ordered: int, accepted: int, received: int) -> dict[str, Any]:
        def amount(value: int) -> dict[str, Any]:
            return {"amount": value, "unitOfMeasure": "Cases", "unitSize": 12}

        return {
            "itemSequenceNumber": number,
            "vendorProductIdentifier": "A",
            "orderedQuantity": amount(ordered),
            "acknowledgedQuantity": {
                "acceptedQuantity": amount(accepted),
                "rejectedQuantity": amount(ordered - accepted),
            },
            "receivingStatus": {
                "receivedQuantity": amount(received),
                "lastReceiveDate": "2026-03-05T10:00:00Z",
            },
        }

    @pytest.mark.parametrize(
        ("received", "last"), [(4, "order.changed"), (8, "shipment.delivered")]
    )
    def test_what_amazon_acknowledged_and_received(self, received: int, last: str) -> None:
        order = {
            "purchaseOrderNumber": "2ABC",
            "purchaseOrderStatus": "OPEN",
            "purchaseOrderDate": "2026-03-01T10:00:00Z",
            "itemStatus": [self.item("1", 10, 8, received)],
        }
        result = parse({"payload": {"ordersStatus": [order]}}, vendor_customer="C-7")
        assert types(result) == ["order.received", "order.accepted", last]
        (first, *_) = result.events
        assert (first.lines[0].unit, first.lines[0].pieces_per_unit) == ("CA", Decimal(12))
        po = first.objects[0].identifiers[0]
        assert (po.scheme.value, po.issuer, po.strong) == ("customer_po", "C-7", True)
        assert quantities(result.events[1]) == {"1": {"cancelled": 2}}

    def test_a_shipment_of_two_orders(self) -> None:
        def order(number: str) -> dict[str, Any]:
            item = {"itemSequenceNumber": "001", "shippedQuantity": {"amount": 4}}
            return {"purchaseOrderNumber": number, "items": [item]}

        sscc = {"containerIdentificationType": "SSCC"}
        shipment = {
            "vendorShipmentIdentifier": "S1",
            "currentShipmentStatus": "Shipped",
            "shipmentConfirmDate": "2026-03-04T10:00:00Z",
            "purchaseOrders": [order("2ABC"), order("2ABD")],
            "containers": [
                {"containerIdentifiers": [{**sscc, "containerIdentificationNumber": number}],
                 "trackingNumber": "1Z1"}
                for number in ("003400000000000013", "003400000000000020")
            ],
        }  # fmt: skip
        (event,) = parse({"payload": {"shipments": [shipment]}}).events
        assert [(line.line_id, line.order_index) for line in event.lines] == [("1", 0), ("1", 1)]
        numbers = [[i.value for i in ref.identifiers] for ref in event.objects[3:]]
        assert numbers == [["1Z1", "003400000000000013"], ["003400000000000020"]]


class SellingPartnerServer(VendorServer):
    """Answers LWA token requests and the lists, two orders on a page."""

    def __init__(self) -> None:
        super().__init__([])
        self.orders: list[dict[str, Any]] = []
        self.refresh_token = "Atzr|1"
        self.answers["/orders/2026-01-01/orders"] = self.search_orders
        self.answers["/orders/v0/orders"] = self.orders_v0
        self.answers["/orders/v0/orders/"] = self.items_v0
        self.answers["/fba/outbound/2020-07-01/fulfillmentOrders"] = self.fulfillment_orders
        self.answers["/fba/outbound/2020-07-01/fulfillmentOrders/"] = lambda _: Answer(
            200, {"payload": TestMultiChannel.ORDER}
        )
        self.authorize = lambda request: (
            request.headers.get("x-amz-access-token") in self.access_tokens[-1:]
        )

    def _answer_token(self, request: VendorRequest) -> Answer:
        """LWA returns the refresh token unchanged."""
        assert b"refresh_token=Atzr%7C1" in request.body
        self.access_tokens.append(f"Atza|{len(self.access_tokens) + 1}")
        token = {"access_token": self.access_tokens[-1], "refresh_token": "Atzr|1"}
        return Answer(200, token | {"token_type": "bearer", "expires_in": 3600})

    def search_orders(self, request: VendorRequest) -> Answer:
        query = request.query
        assert query["marketplaceIds"] == "ATVPDKIKX0DER"
        assert "PACKAGES" in query["includedData"].split(",")
        rows = [row for row in self.orders if row["lastUpdatedTime"] >= query["lastUpdatedAfter"]]
        token = query.get("paginationToken", f"{query['lastUpdatedAfter']} 0")
        since, _, start = token.rpartition(" ")
        if since != query["lastUpdatedAfter"]:
            return Answer(400, {"errors": [{"code": "InvalidInput"}]})
        end = int(start) + 2
        document: dict[str, Any] = {"orders": rows[int(start) : end]}
        if end < len(rows):
            document["pagination"] = {"nextToken": f"{since} {end}"}
        return Answer(200, document)

    def orders_v0(self, request: VendorRequest) -> Answer:
        order = {
            "AmazonOrderId": NUMBER,
            "OrderStatus": "Shipped",
            "PurchaseDate": "2026-03-01T10:00:00Z",
            "LastUpdateDate": "2026-03-02T10:00:00Z",
        }
        return Answer(200, {"payload": {"Orders": [order]}})

    def items_v0(self, request: VendorRequest) -> Answer:
        number = int(request.query.get("NextToken", "1"))
        item = {"OrderItemId": f"{number}", "QuantityOrdered": 2, "QuantityShipped": number}
        more = {"NextToken": "2"} if number == 1 else {}
        return Answer(200, {"payload": {"AmazonOrderId": NUMBER, "OrderItems": [item], **more}})

    def fulfillment_orders(self, request: VendorRequest) -> Answer:
        row = TestMultiChannel.ORDER["fulfillmentOrder"]
        return Answer(200, {"payload": {"fulfillmentOrders": [row], "nextToken": None}})


@pytest.fixture
def server(settings: Settings) -> Iterator[SellingPartnerServer]:
    running = SellingPartnerServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connect(server: SellingPartnerServer, **config: str) -> AmazonSellingPartner:
    values = {
        "source": "amazon",
        "base_url": server.url,
        "token_url": f"{server.url}/token",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "Atzr|1",
    }
    return AmazonSellingPartner(values | config)


class TestAmazonPoll:
    def test_all_pages_are_read_and_the_token_is_used_until_it_expires(
        self, server: SellingPartnerServer
    ) -> None:
        server.orders = [order_2026(f"902-{n}", n) for n in range(5)]
        tokens = MemoryTokens()
        pages = poll_pages(connect(server), tokens=tokens)
        assert len(keys_of_pages(pages)) == 5
        server.orders.append(order_2026("902-9", 50))
        keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor, tokens=tokens))
        assert keys[-1].split()[1] == "902-9"
        assert len(server.access_tokens) == 1
        server.access_tokens.append("another")
        poll_pages(connect(server), pages[-1].cursor, tokens=tokens)
        assert len(server.access_tokens) == 3

    def test_the_first_poll_reads_thirty_days(self, server: SellingPartnerServer) -> None:
        poll_pages(connect(server))
        assert server.requests[-1].query["lastUpdatedAfter"] == "2026-02-08T12:00:00Z"

    def test_a_poll_interrupted_by_429_continues_with_its_page(
        self, server: SellingPartnerServer
    ) -> None:
        server.orders = [order_2026(f"902-{n}", n) for n in range(5)]
        search = server.search_orders

        def throttle(request: VendorRequest) -> Answer:
            server.failures = [Answer(429, {}, {"x-amzn-RateLimit-Limit": "0.0056"})]
            return search(request)

        server.answers["/orders/2026-01-01/orders"] = throttle
        pages, error = poll_until_error(connect(server))
        assert error.status == 429
        assert round(float(error.retry_after or 0)) == 179
        server.answers["/orders/2026-01-01/orders"] = search
        keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
        assert [key.split()[1] for key in keys] == ["902-2", "902-3", "902-4"]

    def test_an_expired_page_token_is_dropped(self, server: SellingPartnerServer) -> None:
        server.orders = [order_2026("902-1", 1)]
        state = {"since": "2026-03-01T00:00:00.000000Z", "page": "2026-02-01T00:00:00Z 2"}
        cursor = json.dumps({"orders": state})
        pages, error = poll_until_error(connect(server), cursor)
        assert error.status == 400
        assert keys_of_pages(poll_pages(connect(server), pages[-1].cursor))

    def test_items_of_v0_and_details_of_mcf_are_requested(
        self, server: SellingPartnerServer
    ) -> None:
        connector = connect(server, lists="orders_v0, mcf")
        events = events_of_pages(connector, poll_pages(connector))
        by_key = {event.key: quantities(event) for event in events if event.lines}
        assert by_key[f"order {NUMBER}"] == {"1": {"ordered": 2}, "2": {"ordered": 2}}
        assert by_key[f"order {NUMBER} shipped"] == {"1": {"shipped": 1}, "2": {"shipped": 2}}
        assert by_key["shipment S1"] == {"1": {"shipped": 2}}

    def test_settings_are_checked(self, server: SellingPartnerServer) -> None:
        settings = AmazonSellingPartner.settings
        (error,) = parse_and_check_settings(settings, {"lists": "orders, invoices"}).errors
        assert "'invoices' is not one of" in error.sentence
        with pytest.raises(PollError, match="refresh_token are required"):
            poll_pages(connect(server, refresh_token=""))
