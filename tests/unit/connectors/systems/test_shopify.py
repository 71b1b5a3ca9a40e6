"""Shopify: repeated reports by several topics, fulfillments, refunds and test traffic."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.shopify.connector import Shopify
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"
BODY = '{"id": 1, "note": "Größe"}'.encode()


def parse(body: Any, topic: str = "", **config: str) -> ParseResult:
    raw = json.dumps(body).encode()
    headers = {"x-shopify-topic": topic} if topic else {}
    return Shopify({"source": "shop", **config}).parse(RawMessage(raw, headers, NOW))


def events(body: Any, topic: str = "", **config: str) -> tuple[CanonicalEvent, ...]:
    return parse(body, topic, **config).events


def item(line_id: int = 11, quantity: int = 5, **more: Any) -> dict[str, Any]:
    return {"id": line_id, "sku": f"A-{line_id}", "quantity": quantity, "price": "2.50", **more}


def order(**more: Any) -> dict[str, Any]:
    return {
        "id": 900719925474099301,
        "name": "#1001",
        "order_number": 1001,
        "created_at": "2026-03-02T09:00:00-06:00",
        "updated_at": "2026-03-02T09:00:05-06:00",
        "financial_status": "pending",
        "line_items": [item()],
        **more,
    }


def fulfillment(status: str = "success", **more: Any) -> dict[str, Any]:
    return {
        "id": 51,
        "order_id": 900719925474099301,
        "status": status,
        "created_at": "2026-03-03T09:00:00-06:00",
        "updated_at": "2026-03-03T09:00:00-06:00",
        "tracking_numbers": ["1Z1"],
        "line_items": [item(quantity=2)],
        **more,
    }


class TestShopifySignature:
    def test_its_own_signature_is_accepted_during_rotation(self) -> None:
        for secret, other in ((SECRET, OLD), (OLD, SECRET)):
            headers = Shopify({}).build_signed_headers(BODY, secret, NOW)
            signed = WebhookRequest("POST", "/", {}, headers, BODY)
            assert is_accepted(Shopify({}), signed, [SECRET, OLD], NOW)
            assert not is_accepted(Shopify({}), signed, [other], NOW)

    def test_other_bytes_and_other_secrets_are_rejected(self) -> None:
        headers = Shopify({}).build_signed_headers(BODY, SECRET, NOW)
        for body, secrets in ((BODY + b" ", [SECRET]), (BODY, [OLD]), (b"", [SECRET]), (BODY, [])):
            with pytest.raises(InvalidSignature):
                Shopify({}).verify(WebhookRequest("POST", "/", {}, headers, body), secrets, NOW)

    @pytest.mark.parametrize("given", [None, "", "größe", "===", "AAAA", "\ud800"])
    def test_a_missing_or_invalid_signature_is_rejected(self, given: str | None) -> None:
        headers = {} if given is None else {"x-shopify-hmac-sha256": given}
        with pytest.raises(InvalidSignature):
            Shopify({}).verify(WebhookRequest("POST", "/", {}, headers, BODY), [SECRET], NOW)

    def test_the_dedupe_key_is_the_webhook_id(self) -> None:
        headers = {"x-shopify-webhook-id": "w-1", "x-shopify-event-id": "e-1"}
        assert Shopify({}).dedupe_key(WebhookRequest("POST", "/", {}, headers, BODY)) == "w-1"
        assert Shopify({}).dedupe_key(WebhookRequest("POST", "/", {}, {}, BODY)) == ""


class TestShopifyOrders:
    def test_an_order_is_identified_by_id_and_name(self) -> None:
        (event,) = events(order())
        (ref,) = event.objects
        assert [(i.scheme, i.value, i.issuer) for i in ref.identifiers] == [
            (IdentifierScheme.SOURCE_ID, "900719925474099301", "shop"),
            (IdentifierScheme.WEB_ORDER, "#1001", "shop"),
        ]
        assert event.type is EventType.ORDER_RECEIVED
        assert event.occurred_at == datetime(2026, 3, 2, 15, tzinfo=UTC)
        assert event.lines[0].quantities == {Measure.ORDERED: Decimal(5)}
        assert event.lines[0].price == Decimal("2.5")

    def test_an_order_number_other_than_the_name_is_weak(self) -> None:
        (event,) = events(order(name="EU-X"))
        numbers = {i.scheme: i.strong for i in event.objects[0].identifiers}
        assert numbers[IdentifierScheme.ORDER_NUMBER] is False

    def test_a_purchase_order_is_strong_only_with_its_customer(self) -> None:
        notes = [{"name": "erp", "value": "C10001"}]
        body = order(po_number="4711", note_attributes=notes)
        for config, expected in (
            ({}, ("", False)),
            ({"customer_attribute": "erp"}, ("C10001", True)),
        ):
            (event,) = events(body, **config)
            (po,) = [
                i for i in event.objects[0].identifiers if i.scheme is IdentifierScheme.CUSTOMER_PO
            ]
            assert (po.issuer, po.strong) == expected

    def test_a_later_snapshot_has_a_higher_revision_in_any_offset(self) -> None:
        first, second = order(), order(updated_at="2026-03-02T15:00:06-00:00")
        (before,), (after,) = events(first), events(second)
        assert before.key == after.key
        assert before.revision < after.revision

    @pytest.mark.parametrize("topic", ["orders/create", "orders/paid", "orders/updated"])
    def test_all_topics_of_a_change_give_equal_events(self, topic: str) -> None:
        body = order(financial_status="paid", fulfillments=[fulfillment()])
        assert events(body, topic) == events({"order": body})

    def test_a_fulfillment_webhook_equals_the_fulfillment_in_the_order(self) -> None:
        inside = events(order(fulfillments=[fulfillment()]))[-1]
        (alone,) = events(fulfillment(), "fulfillments/create")
        assert inside == alone

    def test_only_paid_orders_are_accepted(self) -> None:
        types = {
            status: [e.type for e in events(order(financial_status=status))][1:]
            for status in ("pending", "authorized", "voided", "paid")
        }
        assert types.pop("paid") == [EventType.ORDER_ACCEPTED]
        assert not any(types.values())

    def test_fulfilled_and_closed_do_not_mean_delivered(self) -> None:
        body = order(fulfillment_status="fulfilled", closed_at="2026-03-05T09:00:00-06:00")
        assert [e.type for e in events(body)] == [EventType.ORDER_RECEIVED]

    def test_a_cancellation_has_time_and_reason(self) -> None:
        at = "2026-03-02T18:00:00-06:00"
        *_, event = events(order(cancelled_at=at, cancel_reason="fraud"))
        assert (event.type, event.attributes[Attribute.REASON]) == (
            EventType.ORDER_CANCELLED,
            "fraud",
        )
        assert event.occurred_at == datetime(2026, 3, 3, tzinfo=UTC)

    def test_removed_quantities_are_cancelled_and_returned_ones_are_not(self) -> None:
        refund = {"id": 9, "refund_line_items": [
            {"line_item_id": 11, "quantity": 1, "restock_type": "return"}
        ]}  # fmt: skip
        line = item(current_quantity=2)
        all_events = events(
            order(line_items=[line], refunds=[refund], fulfillments=[fulfillment()])
        )
        (changed,) = [e for e in all_events if e.type is EventType.ORDER_CHANGED]
        assert changed.lines[0].quantities == {Measure.CANCELLED: Decimal(2)}
        unchanged = events(order(line_items=[item(current_quantity=5)]))
        assert [e.type for e in unchanged] == [EventType.ORDER_RECEIVED]


ALL_SENT = {"fulfillable_quantity": 0, "fulfillment_status": "fulfilled"}


def refund(refund_id: int, restock_type: str, quantity: int = 1) -> dict[str, Any]:
    lines = [{"line_item_id": 11, "quantity": quantity, "restock_type": restock_type}]
    return {
        "id": refund_id,
        "order_id": 900719925474099301,
        "created_at": "2026-03-04T09:00:00-06:00",
        "refund_line_items": lines,
    }


def quantities_by_type(all_events: Sequence[CanonicalEvent]) -> dict[str, dict[str, int]]:
    """{event type: {measure: quantity}} of the events that cancel, return or credit."""
    return {
        event.type.value: {m.value: int(q) for m, q in event.lines[0].quantities.items()}
        for event in all_events
        if event.type in {EventType.ORDER_CHANGED, EventType.CREDIT_ISSUED} and event.lines
    }


class TestRemovedUnits:
    """What was removed and not sent is cancelled; what was sent and removed came back."""

    @pytest.mark.parametrize(
        ("line", "refunds", "expected"),
        [
            # Two of five are sent. The line is fulfilled, so the other three are cancelled.
            (
                {"current_quantity": 2, **ALL_SENT},
                [refund(9, "no_restock", 3)],
                {"order.changed": {"cancelled": 3}, "credit.issued": {"cancelled": 3}},
            ),
            # One of the three is still to be sent.
            (
                {"current_quantity": 3, "fulfillable_quantity": 1, "fulfillment_status": "partial"},
                [refund(9, "no_restock", 2)],
                {"order.changed": {"cancelled": 2}, "credit.issued": {"cancelled": 2}},
            ),
            # One that was sent, and all three others.
            (
                {"current_quantity": 1, **ALL_SENT},
                [refund(9, "no_restock", 4)],
                {
                    "order.changed": {"cancelled": 3},
                    "credit.issued": {"cancelled": 3, "credited": 1},
                },
            ),
            # A fulfillable quantity of 0 on hold says nothing.
            (
                {"current_quantity": 3, "fulfillable_quantity": 0, "fulfillment_status": "partial"},
                [refund(9, "cancel", 2)],
                {"order.changed": {"cancelled": 2}, "credit.issued": {"cancelled": 2}},
            ),
            (
                {"current_quantity": 4, "fulfillable_quantity": 3},
                [refund(9, "return", 1)],
                {"credit.issued": {"credited": 1}},
            ),
            # Returned in an exchange without a refund.
            (
                {"current_quantity": 3, "fulfillable_quantity": 3},
                [],
                {"order.changed": {"returned": 2}},
            ),
        ],
    )  # fmt: skip
    def test_removed_units_are_cancelled_or_returned(
        self, line: dict[str, Any], refunds: list[dict[str, Any]], expected: dict[str, Any]
    ) -> None:
        body = order(line_items=[item(**line)], refunds=refunds, fulfillments=[fulfillment()])
        assert quantities_by_type(events(body)) == expected

    def test_split_refund_replaces_that_of_its_own_webhook(self) -> None:
        line = item(current_quantity=2, fulfillable_quantity=0, fulfillment_status="fulfilled")
        body = order(
            line_items=[line], refunds=[refund(9, "no_restock", 3)], fulfillments=[fulfillment()]
        )
        (alone,) = events(refund(9, "no_restock", 3), "refunds/create")
        inside = events(body)[-1]
        assert (inside.key, inside.scope) == (alone.key, alone.scope)
        assert inside.revision > alone.revision
        (alone,) = events(refund(9, "return"), "refunds/create")
        assert events(order(refunds=[refund(9, "return")]))[-1] == alone

    def test_later_snapshot_without_removals_takes_them_back(self) -> None:
        removed = order(
            line_items=[item(current_quantity=4)], updated_at="2026-03-03T09:00:00-06:00"
        )
        restored = order(updated_at="2026-03-04T09:00:00-06:00")
        (first,) = [e for e in events(removed) if e.type is EventType.ORDER_CHANGED]
        (second,) = [e for e in events(restored) if e.type is EventType.ORDER_CHANGED]
        assert Measure.CANCELLED in first.complete_measures
        assert Measure.CANCELLED in second.complete_measures
        assert second.lines == ()

    def test_line_that_requires_no_shipping_is_no_goods(self) -> None:
        lines = [item(), item(12, requires_shipping=False), item(13, requires_shipping=True)]
        (event,) = events(order(line_items=lines))
        assert [line.is_goods for line in event.lines] == [True, False, True]


class TestFulfillments:
    @pytest.mark.parametrize("status", ["pending", "open", "error", "failure"])
    def test_an_unshipped_fulfillment_is_ignored(self, status: str) -> None:
        parsed = parse(fulfillment(status), "fulfillments/create")
        assert (parsed.events, status in parsed.ignored) == ((), True)
        assert len(events(order(fulfillments=[fulfillment(status)]))) == 1

    def test_a_cancelled_fulfillment_voids_its_own_shipment(self) -> None:
        (confirmed,) = events(fulfillment(), "fulfillments/create")
        (void,) = events(fulfillment("cancelled"), "fulfillments/update")
        assert (void.type, void.scope) == (EventType.SHIPMENT_VOID, confirmed.scope)

    def test_an_unknown_status_is_unmapped(self) -> None:
        (event,) = events(fulfillment("teleported"), "fulfillments/update")
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "teleported")

    @pytest.mark.parametrize("number", ["Pickup", "N/A", "0", "", "-"])
    def test_a_placeholder_is_not_a_tracking_number(self, number: str) -> None:
        body = fulfillment(tracking_numbers=[number, "1Z2", "1Z2"])
        (event,) = events(body, "fulfillments/create")
        parcels = [ref for ref in event.objects if ref.kind is ObjectKind.PACKAGE]
        assert [p.identifiers[0].value for p in parcels] == ["1Z2"]

    def test_the_carrier_status_is_an_event_of_its_own(self) -> None:
        _, event = events(fulfillment(shipment_status="out_for_delivery"), "fulfillments/update")
        assert event.type is EventType.OUT_FOR_DELIVERY
        assert event.flags == (Flag.TIME_OF_REPORT,)
        assert not event.lines

    @pytest.mark.parametrize(
        ("status", "event_type"),
        [
            ("label_printed", EventType.LABEL_CREATED),
            ("in_transit", EventType.IN_TRANSIT),
            ("attempted_delivery", EventType.ATTEMPTED),
            ("ready_for_pickup", EventType.AVAILABLE_FOR_PICKUP),
            ("delivered", EventType.DELIVERED),
            ("delayed", EventType.DELAYED),
            ("failure", EventType.SHIPMENT_EXCEPTION),
            ("beamed", EventType.UNMAPPED),
        ],
    )
    def test_carrier_statuses_are_mapped(self, status: str, event_type: EventType) -> None:
        body = {"id": 1, "order_id": 2, "fulfillment_id": 3, "status": status}
        (event,) = events({**body, "happened_at": "2026-03-04T09:00:00-06:00"})
        assert (event.type, event.raw_type) == (event_type, status)

    def test_a_negative_quantity_is_an_error(self) -> None:
        with pytest.raises(PayloadError) as caught:
            parse(fulfillment(line_items=[item(quantity=-1)]), "fulfillments/create")
        assert caught.value.reason is ParkReason.QUANTITY


class TestHolds:
    @pytest.mark.parametrize(
        ("action", "event_type"),
        [
            ("placed_on_hold", EventType.ORDER_HELD),
            ("hold_released", EventType.ORDER_HOLD_RELEASED),
        ],
    )
    def test_a_hold_and_its_release(self, action: str, event_type: EventType) -> None:
        body = {"id": 1, "order_id": 2, "status": "open", "updated_at": "2026-03-04T09:00:00Z"}
        (event,) = events(body, f"fulfillment_orders/{action}")
        assert event.type is event_type
        assert event.scope == "fulfillment order 1"  # an order may have several

    def test_a_packing_assignment_is_ignored(self) -> None:
        body = {"id": 1, "order_id": 2, "status": "open"}
        assert " " in parse(body, "fulfillment_orders/moved").ignored


class TestRefunds:
    def test_a_refund_has_its_own_quantities(self) -> None:
        body = {
            "id": 93,
            "order_id": 2,
            "created_at": "2026-03-09T09:00:00-06:00",
            "refund_line_items": [{"line_item_id": 11, "quantity": 2, "line_item": item()}],
        }
        (event,) = events(body, "refunds/create")
        assert (event.type, event.scope) == (EventType.CREDIT_ISSUED, "refund 93")
        assert event.lines[0].line_id == "11"
        assert event.lines[0].quantities == {Measure.CREDITED: Decimal(2)}
        (inside,) = events(order(id=2, refunds=[body]))[1:]
        assert inside == event


class TestShopifyIgnoredMessages:
    def test_test_orders_are_ignored_unless_enabled(self) -> None:
        assert parse(order(test=True)).ignored == "test order (test: true)"
        assert parse(order(test=True), test_traffic="yes").events

    @pytest.mark.parametrize(
        "topic",
        ["customers/redact", "shop/redact", "order_transactions/create", "orders/delete",
         "products/update", "inventory_levels/update"],
    )  # fmt: skip
    def test_ignored_topics_have_a_reason(self, topic: str) -> None:
        parsed = parse({"id": 1}, topic)
        assert parsed.events == ()
        assert " " in parsed.ignored

    def test_an_unknown_topic_is_unmapped_with_an_order_and_an_error_without(self) -> None:
        (event,) = events({"id": 1, "order_id": 2}, "returns/approve")
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "returns/approve")
        with pytest.raises(PayloadError) as caught:
            parse({"id": 1}, "discs/burnt")
        assert caught.value.reason is ParkReason.MAPPING


class TestWithoutHeaders:
    @pytest.mark.parametrize(
        ("body", "family"),
        [
            ({"order": {"id": 1}}, "orders"),
            ({"fulfillment": {"id": 1}}, "fulfillments"),
            ({"refund": {"id": 1}}, "refunds"),
            ({"transactions": []}, "order_transactions"),
            (order(), "orders"),
            (fulfillment(), "fulfillments"),
            ({"refund_line_items": [], "transactions": []}, "refunds"),
            ({"happened_at": "2026-03-04"}, "fulfillment_events"),
        ],
    )
    def test_the_topic_is_guessed_from_the_body(self, body: dict[str, Any], family: str) -> None:
        topic = Shopify({}).guess_headers(json.dumps(body).encode())["x-shopify-topic"]
        assert topic.partition("/")[0] == family


class TestRefundedAmount:
    """A refund of an amount has no lines; the transactions tell how much."""

    def refund_of_amount(self, *transactions: dict[str, Any]) -> CanonicalEvent:
        body = {**refund(9, "return"), "refund_line_items": [], "transactions": [*transactions]}
        (event,) = events(body, "refunds/create")
        return event

    def test_amount_is_the_sum_of_the_successful_refunds(self) -> None:
        first = {"kind": "refund", "status": "success", "amount": "15.00", "currency": "USD"}
        failed = {**first, "status": "failure", "amount": "99.00"}
        void = {**first, "kind": "void", "amount": "7.00"}
        event = self.refund_of_amount(first, {**first, "amount": "2.50"}, failed, void)
        assert event.attributes[Attribute.TOTAL] == "17.5"
        assert event.attributes[Attribute.CURRENCY] == "USD"

    def test_refund_with_its_amount_replaces_the_pending_one(self) -> None:
        done = {"kind": "refund", "status": "success", "amount": "15.00", "currency": "USD"}
        pending = self.refund_of_amount({**done, "status": "pending"})
        assert Attribute.TOTAL not in pending.attributes
        assert pending.key == self.refund_of_amount(done).key
        assert pending.revision < self.refund_of_amount(done).revision

    def test_amounts_in_several_currencies_are_not_added(self) -> None:
        done = {"kind": "refund", "status": "success", "amount": "15.00", "currency": "USD"}
        event = self.refund_of_amount(done, {**done, "currency": "CAD"})
        assert Attribute.TOTAL not in event.attributes
