"""ShipBob: labels are no shipments, the newest state counts, and seven digits of a second."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, EventType, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.shipbob.connector import ShipBob
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"whsec_bmV3LXNlY3JldC1vZi10aGlzLXNvdXJjZQ==", b"whsec_b2xkLXNlY3JldC1vZi10aGlz"


def parse(document: Any, topic: str = "", **config: str) -> ParseResult:
    raw = json.dumps(document).encode()
    headers = {"x-webhook-topic": topic} if topic else {}
    return ShipBob({"source": "3pl", **config}).parse(RawMessage(raw, headers, NOW))


def shipment(status: str, detail: str = "", updated: str = "10:00", **more: Any) -> dict[str, Any]:
    own = {"id": 5, "order_id": 7, "reference_id": "SO-1", "status": status}
    times = {
        "created_date": "2026-03-04T08:00:00Z",
        "last_update_at": f"2026-03-04T{updated}:00Z",
        "last_tracking_update_at": f"2026-03-04T{updated}:00Z",
    }
    details = [{"name": detail}] if detail else []
    return {**own, **times, "status_details": details, **more}


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


def newest(*events: CanonicalEvent) -> dict[str, CanonicalEvent]:
    best: dict[str, CanonicalEvent] = {}
    for event in events:
        if event.key not in best or event.revision > best[event.key].revision:
            best[event.key] = event
    return best


class TestShipBobSignature:
    def test_its_own_signature_is_accepted_for_five_minutes(self) -> None:
        headers = ShipBob({}).build_signed_headers(b"{}", SECRET, NOW)
        signed = WebhookRequest("POST", "/", {}, headers, b"{}")
        assert is_accepted(ShipBob({}), signed, [OLD, SECRET], NOW)
        assert not is_accepted(ShipBob({}), signed, [OLD], NOW)
        assert not is_accepted(ShipBob({}), signed, [SECRET], NOW + timedelta(minutes=6))
        assert ShipBob({}).dedupe_key(signed) == headers["webhook-id"]

    def test_a_request_without_a_signature_is_rejected(self) -> None:
        with pytest.raises(InvalidSignature):
            ShipBob({}).verify(WebhookRequest("POST", "/", {}, {}, b"{}"), [SECRET], NOW)


class TestStatesOfShipments:
    @pytest.mark.parametrize(
        ("status", "detail", "expected"),
        [
            ("Processing", "", ["order.released"]),
            ("Processing", "Picked", ["order.released", "pick.completed"]),
            ("Completed", "Labeled", ["order.released", "shipment.label_created"]),
            ("OnHold", "InvalidAddress", ["order.held"]),
            ("On Hold", "InvalidAddress", ["order.held"]),
            ("Exception", "OutOfStock", ["line.backordered"]),
            ("Cancelled", "", ["order.cancelled"]),
            ("CleanSweeped", "", ["unmapped"]),
            ("Completed", "Teleported", ["order.released", "unmapped"]),
        ],
    )
    def test_each_status_and_detail_has_its_events(
        self, status: str, detail: str, expected: list[str]
    ) -> None:
        assert types(parse(shipment(status, detail))) == expected

    def test_a_printed_label_is_no_shipment_until_the_carrier_reports(self) -> None:
        done = {"actual_fulfillment_date": "2026-03-04T09:00:00Z"}
        labelled = parse(shipment("Completed", "AwaitingCarrierScan", **done), "order.shipped")
        assert types(labelled) == ["order.released", "pack.completed", "shipment.label_created"]
        assert "shipment.confirmed" in types(parse(shipment("Completed", "InTransit", **done)))

    def test_the_goods_left_with_the_earliest_report_whatever_arrives_last(self) -> None:
        first = parse(shipment("Completed", "InTransit", "10:00")).events
        later = parse(shipment("Completed", "Delivered", "20:00")).events
        for events in ((*first, *later), (*later, *first)):
            confirmed = newest(*events)["shipment 5 confirmed"]
            assert confirmed.occurred_at == datetime(2026, 3, 4, 10, tzinfo=UTC)

    def test_a_hold_ends_with_a_newer_state_and_not_with_an_older_one(self) -> None:
        on_hold = parse(shipment("OnHold", updated="12:00")).events
        released = parse(shipment("Processing", updated="13:00")).events
        older = parse(shipment("Processing", updated="11:00")).events
        state = "shipment 5 state"
        assert newest(*on_hold, *older)[state].type is EventType.ORDER_HELD
        assert newest(*on_hold, *released)[state].type is EventType.ORDER_RELEASED
        assert newest(*released, *on_hold)[state].type is EventType.ORDER_RELEASED

    def test_the_delivery_has_the_time_of_the_delivery(self) -> None:
        document = shipment("Completed", "Delivered", delivery_date="2026-03-04T09:12:00Z")
        delivered = parse(document).events[-1]
        assert delivered.type is EventType.DELIVERED
        assert delivered.occurred_at == datetime(2026, 3, 4, 9, 12, tzinfo=UTC)


class TestQuantities:
    def test_products_have_their_quantity_and_bundles_their_items(self) -> None:
        bundle = [{"id": 1, "name": "A", "quantity": 2}, {"id": 2, "name": "B", "quantity": 4}]
        products = [
            {"id": 10, "sku": "X", "quantity": 3},
            {"id": 11, "sku": "Y", "inventory_items": [{"id": 9, "quantity": 1.5}]},
            {"id": 12, "sku": "KIT", "inventory_items": bundle},
        ]
        (event,) = parse(shipment("Cancelled", products=products)).events
        assert [(line.line_id, line.sku, dict(line.quantities)) for line in event.lines] == [
            ("10", "X", {Measure.CANCELLED: Decimal(3)}),
            ("11", "Y", {Measure.CANCELLED: Decimal("1.5")}),
            ("inventory 1", "A", {Measure.CANCELLED: Decimal(2)}),
            ("inventory 2", "B", {Measure.CANCELLED: Decimal(4)}),
        ]
        with pytest.raises(PayloadError, match="negative"):
            parse(shipment("Cancelled", products=[{"id": 1, "quantity": -1}]))


class TestOtherMessages:
    def test_a_tracking_message_names_the_package_and_seven_digits_are_read(self) -> None:
        message = {
            "event_time": "2025-10-23T15:55:09.3614767Z",
            "order_id": 7,
            "status": "OutForDelivery",
            "tracking": {"tracking_id": "92", "carrier": "USPS"},
        }
        (event,) = parse(message, "order.shipment.tracking.updated").events
        assert event.type is EventType.OUT_FOR_DELIVERY
        assert event.occurred_at == datetime(2025, 10, 23, 15, 55, 9, 361476, tzinfo=UTC)
        with pytest.raises(PayloadError, match="no tracking number"):
            parse({**message, "tracking": {"tracking_id": "N/A"}})

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("AwaitingArrival", "return.authorized"),
            ("Arrived", "return.received"),
            ("Completed", "return.received"),
            ("Cancelled", "unmapped"),
        ],
    )
    def test_a_return_is_received_once_it_arrived(self, status: str, expected: str) -> None:
        document = {"id": 3, "status": status, "insert_date": "2026-03-10T10:00:00Z"}
        assert types(parse(document, "return.updated")) == [expected]

    @pytest.mark.parametrize("topic", ["wro.completed", "billing.charge.created"])
    def test_topics_of_no_order_are_ignored(self, topic: str) -> None:
        assert parse({"id": 1}, topic).ignored.startswith(topic)
