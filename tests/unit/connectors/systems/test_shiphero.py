"""ShipHero: times without a zone, legacy fields, and messages without a time."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, Flag, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.shiphero.connector import ShipHero
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"
BODY = '{"webhook_type": "Größe"}'.encode()
ORDER_NUMBERS = {"order_number": "SO-1", "order_id": 77}


def parse(kind: str, body: dict[str, Any], **config: str) -> ParseResult:
    raw = json.dumps({"webhook_type": kind, **body}).encode()
    return ShipHero({"source": "wms", **config}).parse(RawMessage(raw, {}, NOW))


def shipped(**more: Any) -> dict[str, Any]:
    lines = [{"id": "L-1", "sku": "A", "quantity": 2}]
    inner = {"shipment_id": 5, "created_at": "2026-03-04 10:00:00", "line_items": lines}
    return {"test": "0", "fulfillment": {**ORDER_NUMBERS, **inner, **more}}


def label(number: str, **more: Any) -> dict[str, Any]:
    return {"shipping_label": {"tracking_number": number, "carrier": "UPS", **more}}


class TestShipHeroSignature:
    def test_its_own_signature_is_accepted_during_rotation(self) -> None:
        for secret, other in ((SECRET, OLD), (OLD, SECRET)):
            headers = ShipHero({}).build_signed_headers(BODY, secret, NOW)
            signed = WebhookRequest("POST", "/", {}, headers, BODY)
            assert is_accepted(ShipHero({}), signed, [SECRET, OLD], NOW)
            assert not is_accepted(ShipHero({}), signed, [other], NOW)

    def test_other_bytes_and_other_secrets_are_rejected(self) -> None:
        headers = ShipHero({}).build_signed_headers(BODY, SECRET, NOW)
        for body, secrets in ((BODY + b" ", [SECRET]), (BODY, [OLD]), (b"", [SECRET]), (BODY, [])):
            with pytest.raises(InvalidSignature):
                ShipHero({}).verify(WebhookRequest("POST", "/", {}, headers, body), secrets, NOW)

    @pytest.mark.parametrize("given", [None, "", "größe", "===", "AAAA", "\ud800"])
    def test_a_missing_or_invalid_signature_is_rejected(self, given: str | None) -> None:
        headers = {} if given is None else {"x-shiphero-hmac-sha256": given}
        with pytest.raises(InvalidSignature):
            ShipHero({}).verify(WebhookRequest("POST", "/", {}, headers, BODY), [SECRET], NOW)

    def test_the_dedupe_key_is_the_message_id(self) -> None:
        request = WebhookRequest("POST", "/", {}, {"x-shiphero-message-id": "m-1"}, BODY)
        assert ShipHero({}).dedupe_key(request) == "m-1"

    def test_the_success_response_is_as_documented(self) -> None:
        reply = ShipHero({}).success_response()
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert json.loads(reply.body) == {"code": "200", "Message": "Success"}


class TestNumbers:
    @pytest.mark.parametrize(
        ("setting", "scheme", "issuer"),
        [
            ("", IdentifierScheme.ORDER_NUMBER, "wms"),
            ("sales_order@erp", IdentifierScheme.SALES_ORDER, "erp"),
        ],
    )
    def test_the_order_number_range_is_a_setting(
        self, setting: str, scheme: IdentifierScheme, issuer: str
    ) -> None:
        (event,) = parse("Order Canceled", ORDER_NUMBERS, order_number=setting).events
        first, second = event.objects[0].identifiers
        assert (first.scheme, first.issuer, first.value) == (scheme, issuer, "SO-1")
        assert (second.scheme, second.issuer, second.value) == (
            IdentifierScheme.SOURCE_ID,
            "wms",
            "77",
        )

    def test_the_partner_order_id_is_weak_beside_other_numbers(self) -> None:
        for partner, count in (("SO-1", 2), ("4711", 3)):
            (event,) = parse(
                "Order Canceled", {**ORDER_NUMBERS, "partner_order_id": partner}
            ).events
            numbers = event.objects[0].identifiers
            assert len(numbers) == count
            assert count == 2 or not numbers[-1].strong

    @pytest.mark.parametrize("number", [None, "", "N/A", "0", "-"])
    def test_a_message_without_an_order_is_an_error(self, number: str | None) -> None:
        with pytest.raises(PayloadError) as caught:
            parse("Order Canceled", {"order_number": number, "order_id": number})
        assert caught.value.reason is ParkReason.REFERENCE


class TestTimes:
    def test_times_are_in_the_zone_of_the_account_and_flagged(self) -> None:
        for zone, hour in (("", 10), ("America/Chicago", 16)):
            (event,) = parse("Shipment Update", shipped(), zone=zone).events
            assert event.occurred_at == datetime(2026, 3, 4, hour, tzinfo=UTC)
            assert event.flags == (Flag.ZONE_ASSUMED,)

    def test_a_cancellation_has_no_time(self) -> None:
        (event,) = parse(
            "Order Canceled", {**ORDER_NUMBERS, "fulfillment-status": "canceled"}
        ).events
        assert (event.type, event.occurred_at) == (EventType.ORDER_CANCELLED, None)


class TestAllocation:
    def body(self, reference: int, **more: Any) -> dict[str, Any]:
        lines = [{"id": 1, "sku": "A", "quantity": 3}]
        at = {"allocated_at": "2026-03-02T10:00:00", "allocation_reference": reference}
        return {**ORDER_NUMBERS, **at, "line_items": lines, **more}

    def test_each_allocation_has_its_own_quantities(self) -> None:
        (first,), (second,) = (
            parse("Order Allocated", self.body(reference)).events for reference in (1, 2)
        )
        assert first.type is EventType.LINE_ALLOCATED
        assert first.lines[0].quantities == {Measure.ALLOCATED: Decimal(3)}
        assert {first.scope, second.scope} == {"allocation 1", "allocation 2"}

    def test_a_deallocation_sets_only_its_own_allocation_to_zero(self) -> None:
        (event,) = parse("Order Deallocated", self.body(1)).events
        assert (event.type, event.scope) == (EventType.LINE_DEALLOCATED, "allocation 1")
        assert event.lines[0].quantities == {Measure.ALLOCATED: Decimal(0)}

    def test_a_deallocation_without_lines_withdraws_the_allocation(self) -> None:
        (allocated,) = parse("Order Allocated", self.body(1)).events
        (event,) = parse("Order Deallocated", self.body(1, line_items=[])).events
        assert event.corrects == (allocated.key,)


class TestPickingAndPacking:
    def test_each_order_of_a_tote_has_its_own_event(self) -> None:
        items = [{"id": 1, "sku": "A", "quantity": 2}]
        other = {"order_number": "SO-2", "order_id": 78}
        orders = [{**ORDER_NUMBERS, "items": items}, {**other, "items": items}]
        events = parse("Tote Complete", {"totes": [{"tote_id": 5, "orders": orders}]}).events
        assert [e.type for e in events] == [EventType.PICK_COMPLETED] * 2
        assert len({e.key for e in events}) == 2
        assert events[0].lines[0].quantities == {Measure.PICKED: Decimal(2)}

    def test_an_empty_tote_is_an_error(self) -> None:
        with pytest.raises(PayloadError):
            parse("Tote Complete", {"totes": []})

    def test_packing_is_reported_with_or_without_quantities(self) -> None:
        items: list[dict[str, Any]] = [{"id": 1, "sku": "A", "quantity": 2}]
        (event,) = parse("Order Packed Out", {**ORDER_NUMBERS, "items": items}).events
        assert event.type is EventType.PACK_COMPLETED
        assert event.lines[0].quantities == {Measure.PACKED: Decimal(2)}
        (event,) = parse(
            "Order Packed Out", {**ORDER_NUMBERS, "items": [{"id": 1, "sku": "A"}]}
        ).events
        assert (event.type, event.lines) == (EventType.PACK_COMPLETED, ())

    def test_a_label_is_not_a_shipment(self) -> None:
        (event,) = parse("Package Added", {**ORDER_NUMBERS, "package_id": 3, **label("1Z1")}).events
        assert event.type is EventType.LABEL_CREATED


class TestShipments:
    def tracking(self, **more: Any) -> list[str]:
        (event,) = parse("Shipment Update", shipped(**more)).events
        parcels = [ref for ref in event.objects if ref.kind is ObjectKind.PACKAGE]
        return [parcel.identifiers[0].value for parcel in parcels]

    def test_labels_inside_packages_override_legacy_fields(self) -> None:
        packages = [label("1Z1"), label("1Z2"), label("1Z2")]
        assert self.tracking(tracking_number="LEGACY", packages=packages) == ["1Z1", "1Z2"]
        assert self.tracking(tracking_number="LEGACY") == ["LEGACY"]

    @pytest.mark.parametrize("number", [None, "", "Pickup", "N/A", "0"])
    def test_a_placeholder_is_not_a_tracking_number(self, number: str | None) -> None:
        assert self.tracking(tracking_number=number) == []

    def test_a_shipment_has_its_own_key_and_quantities(self) -> None:
        (event,) = parse("Shipment Update", shipped()).events
        assert event.type is EventType.SHIPMENT_CONFIRMED
        assert (event.key, event.scope) == ("shipment 5 confirmed", "shipment 5")
        assert event.lines[0].quantities == {Measure.SHIPPED: Decimal(2)}

    def test_a_negative_quantity_is_an_error(self) -> None:
        lines = [{"id": "L-1", "sku": "A", "quantity": -2}]
        with pytest.raises(PayloadError) as caught:
            parse("Shipment Update", shipped(line_items=lines))
        assert caught.value.reason is ParkReason.QUANTITY


class TestReturns:
    def test_a_return_has_the_received_quantity(self) -> None:
        items = [{"id": 1, "sku": "A", "quantity": 3, "quantity_received": 1}]
        body = {**ORDER_NUMBERS, "return_id": 9, "status": "complete", "items": items}
        (event,) = parse("Return Update", body).events
        assert (event.type, event.scope) == (EventType.RETURN_RECEIVED, "return 9")
        assert event.lines[0].quantities == {Measure.RETURNED: Decimal(1)}


class TestShipHeroIgnoredMessages:
    @pytest.mark.parametrize(
        "kind",
        ["Inventory Update", "Inventory Change", "PO Update", "Capture Payment", "Print Barcode"],
    )
    def test_ignored_types_have_a_reason(self, kind: str) -> None:
        parsed = parse(kind, {})
        assert parsed.events == ()
        assert parsed.ignored.startswith(f"{kind}: ")

    @pytest.mark.parametrize("flag", ["1", 1, True])
    def test_test_messages_are_ignored_unless_enabled(self, flag: object) -> None:
        body = {**shipped(), "test": flag}
        assert "test" in parse("Shipment Update", body).ignored
        assert parse("Shipment Update", body, test_traffic="yes").events

    def test_an_unknown_type_is_unmapped_with_an_order_and_an_error_without(self) -> None:
        (event,) = parse("Order Quarantined", ORDER_NUMBERS).events
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "Order Quarantined")
        with pytest.raises(PayloadError) as caught:
            parse("Weather Update", {})
        assert caught.value.reason is ParkReason.MAPPING
