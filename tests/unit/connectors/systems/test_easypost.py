"""EasyPost: complete lists of scans in each message, and NFKD-normalized secrets."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.catalog import shipped_connectors
from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, Flag, IdentifierScheme, ObjectKind
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from tests.unit.connectors.signatures import is_accepted

EasyPost = shipped_connectors()["easypost"]
NOW = datetime(2026, 4, 1, tzinfo=UTC)
BODY = '{"id": "evt_1", "object": "Event", "note": "Größe"}'.encode()
# The same secret in composed and in decomposed Unicode form.
COMPOSED = "cl\N{LATIN SMALL LETTER E WITH ACUTE}-of-this-source"
DECOMPOSED = "cle\N{COMBINING ACUTE ACCENT}-of-this-source"
OLD = b"old-secret-of-this-source"


def request(body: bytes = BODY, **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebhookRequest("POST", "/", {}, named, body)


def parse(body: Any, **config: str) -> ParseResult:
    raw = json.dumps(body).encode()
    return EasyPost({"source": "carrier", **config}).parse(RawMessage(raw, {}, NOW))


def scan(status: str = "in_transit", code: str = "DP", **more: Any) -> dict[str, Any]:
    return {"status": status, "datetime": "2026-03-04T10:00:00Z", "carrier_code": code, **more}


def tracker(*scans: dict[str, Any], **more: Any) -> dict[str, Any]:
    details = {"id": "trk_1", "tracking_code": "1Z1", "tracking_details": list(scans)}
    return {"object": "Tracker", "updated_at": "2026-03-04T12:00:00Z", **details, **more}


class TestEasyPostSignature:
    def digest(self, secret: str) -> str:
        return hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()

    @pytest.mark.parametrize("secret", [COMPOSED, DECOMPOSED])
    def test_the_secret_is_decomposed_before_signing(self, secret: str) -> None:
        given = f"hmac-sha256-hex={self.digest(DECOMPOSED)}"
        EasyPost({}).verify(request(x_hmac_signature=given), [secret.encode()], NOW)
        other = f"hmac-sha256-hex={self.digest(COMPOSED)}"
        with pytest.raises(InvalidSignature):
            EasyPost({}).verify(request(x_hmac_signature=other), [secret.encode()], NOW)

    def test_its_own_signature_is_accepted_with_any_active_secret(self) -> None:
        system = EasyPost({})
        secrets = {COMPOSED.encode(), OLD, b"\xff" * 24}
        for secret in secrets:
            signed = WebhookRequest(
                "POST", "/", {}, system.build_signed_headers(BODY, secret, NOW), BODY
            )
            assert is_accepted(system, signed, [*secrets], NOW)
            assert not is_accepted(system, signed, [*secrets - {secret}], NOW)

    def test_other_bytes_are_rejected(self) -> None:
        headers = EasyPost({}).build_signed_headers(BODY, OLD, NOW)
        for body in (BODY + b"\n", BODY.replace(b"_1", b"_2"), b""):
            with pytest.raises(InvalidSignature):
                EasyPost({}).verify(WebhookRequest("POST", "/", {}, headers, body), [OLD], NOW)

    @pytest.mark.parametrize(
        "given", ["", "größe", "hmac-sha256-hex=", "hmac-sha256-hex=größe", "sha1=00", "none"]
    )
    def test_any_other_header_is_rejected(self, given: str) -> None:
        bare = (
            EasyPost({}).build_signed_headers(BODY, OLD, NOW)["x-hmac-signature"].partition("=")[2]
        )
        for header in (given, bare, f"hmac-sha1-hex={bare}"):
            with pytest.raises(InvalidSignature):
                EasyPost({}).verify(request(x_hmac_signature=header), [OLD], NOW)
        with pytest.raises(InvalidSignature):
            EasyPost({}).verify(request(), [OLD], NOW)


class TestEasyPostDedupeKey:
    def test_the_dedupe_key_is_the_event_id(self) -> None:
        assert EasyPost({}).dedupe_key(request()) == "evt_1"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": "trk_1", "object": "Tracker"}'])
    def test_other_bodies_have_no_dedupe_key(self, body: bytes) -> None:
        assert EasyPost({}).dedupe_key(request(body)) == ""


class TestScans:
    @pytest.mark.parametrize(
        ("scan_body", "event_type"),
        [
            (scan("pre_transit", "OC"), EventType.LABEL_CREATED),
            (scan("in_transit", "AR"), EventType.IN_TRANSIT),
            (scan("in_transit", "PU"), EventType.PICKED_UP),
            (scan("in_transit", "", status_detail="picked_up"), EventType.PICKED_UP),
            (scan("in_transit", "", status_detail="delayed"), EventType.DELAYED),
            (scan("out_for_delivery", "OD"), EventType.OUT_FOR_DELIVERY),
            (scan("available_for_pickup", "HL"), EventType.AVAILABLE_FOR_PICKUP),
            (scan("delivered", "PU"), EventType.DELIVERED),
            (scan("return_to_sender", "RS"), EventType.SHIPMENT_RETURNED),
            (scan("failure", "DE"), EventType.SHIPMENT_EXCEPTION),
            (scan("cancelled", "CA"), EventType.SHIPMENT_VOID),
            (scan("unknown", "WX"), EventType.UNMAPPED),
            (scan("error", ""), EventType.UNMAPPED),
            (scan("teleported", ""), EventType.UNMAPPED),
        ],
    )
    def test_carrier_statuses_are_mapped(
        self, scan_body: dict[str, Any], event_type: EventType
    ) -> None:
        (event,) = parse(tracker(scan_body)).events
        assert event.type is event_type
        if event_type is EventType.UNMAPPED:
            assert event.raw_type == scan_body["status"]

    def test_a_repeated_scan_has_an_equal_event(self) -> None:
        first, second = scan(), scan("delivered", "DL", datetime="2026-03-05T10:00:00Z")
        before, after = parse(tracker(first)).events, parse(tracker(first, second)).events
        assert after[0] == before[0]
        assert len({event.key for event in after}) == 2

    def test_a_bare_tracker_equals_a_tracker_in_an_event(self) -> None:
        event = {"object": "Event", "description": "tracker.created", "result": tracker(scan())}
        assert parse(event).events == parse(tracker(scan())).events

    def test_a_reference_is_an_order_number_only_if_configured(self) -> None:
        body = tracker(scan(), reference="SO-1", shipment_id="shp_1")
        (event,) = parse(body).events
        assert [ref.kind for ref in event.objects] == [ObjectKind.SHIPMENT, ObjectKind.PACKAGE]
        (event,) = parse(body, reference="sales_order@erp").events
        (number,) = event.objects[0].identifiers
        assert (number.scheme, number.issuer, number.value) == (
            IdentifierScheme.SALES_ORDER,
            "erp",
            "SO-1",
        )
        (event,) = parse({**body, "reference": "TBD"}, reference="sales_order@erp").events
        assert event.objects[0].kind is ObjectKind.SHIPMENT

    @pytest.mark.parametrize(
        ("status", "event_type"),
        [
            ("delivered", EventType.DELIVERED),
            ("return_to_sender", EventType.SHIPMENT_RETURNED),
            ("cancelled", EventType.SHIPMENT_VOID),
        ],
    )
    def test_final_status_of_a_tracker_without_scans_is_an_event(
        self, status: str, event_type: EventType
    ) -> None:
        (event,) = parse(tracker(status=status)).events
        assert (event.type, event.flags) == (event_type, (Flag.TIME_OF_REPORT,))
        assert event.occurred_at == datetime(2026, 3, 4, 12, tzinfo=UTC)

    def test_each_estimate_is_an_event_until_delivery(self) -> None:
        body = tracker(status="in_transit", est_delivery_date="2026-03-06T00:00:00Z")
        (first,), (later,) = (
            parse({**body, "updated_at": f"2026-03-0{day}T08:00:00Z"}).events for day in (4, 5)
        )
        assert (first.type, first.attributes) == (EventType.ETA_UPDATED, later.attributes)
        assert first.key != later.key
        ended = parse({**body, "status": "delivered"}).events
        assert [event.type for event in ended] == [EventType.DELIVERED]

    def test_replaced_characters_are_flagged(self) -> None:
        (event,) = parse(tracker(scan(message="left \0 at door"))).events
        assert "sanitized" in event.flags

    @pytest.mark.parametrize("at", [None, "", "soon", "1999-01-01T00:00:00Z"])
    def test_a_scan_without_a_time_is_an_error(self, at: str | None) -> None:
        with pytest.raises(PayloadError):
            parse(tracker(scan(datetime=at)))

    @pytest.mark.parametrize("code", [None, "", "N/A", "0", "Pickup"])
    def test_a_tracker_without_a_number_is_an_error(self, code: str | None) -> None:
        with pytest.raises(PayloadError) as caught:
            parse(tracker(scan(), tracking_code=code))
        assert caught.value.reason is ParkReason.REFERENCE


class TestEasyPostIgnoredMessages:
    def test_test_trackers_are_ignored_unless_enabled(self) -> None:
        assert "test" in parse(tracker(scan(), mode="test")).ignored
        assert parse(tracker(scan(), mode="test"), test_traffic="yes").events

    @pytest.mark.parametrize(
        "body",
        [
            {"events": [{"id": "evt_1"}], "has_more": False},
            {"object": "Event", "description": "batch.updated", "result": {"id": "batch_1"}},
            tracker(),
        ],
    )
    def test_ignored_bodies_have_a_reason(self, body: dict[str, Any]) -> None:
        parsed = parse(body)
        assert parsed.events == ()
        assert " " in parsed.ignored
