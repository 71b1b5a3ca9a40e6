"""CloudEvents: events written by the reference library, batches and errors."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, EventType
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.standard_webhooks import build_signature_headers
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.cloudevents.connector import CloudEvents
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"


def event(**changes: Any) -> dict[str, Any]:
    attributes = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop/größe",
        "type": "order.received",
        "time": "2026-03-09T16:45:00Z",
        "data": {"order": {"number": "N-1"}},
    }
    return {name: text for name, text in {**attributes, **changes}.items() if text is not ...}


def parse(body: Any, headers: dict[str, str] | None = None, **config: str) -> ParseResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CloudEvents({"source": "ce", **config}).parse(RawMessage(raw, headers or {}, NOW))


@pytest.mark.parametrize("channel", ["portal", "field", "inside sales"])
def test_an_order_captured_offline_has_its_own_time_channel_and_person(channel: str) -> None:
    data = {
        "order": {"number": "F-881", "channel": channel},
        "attributes": {"detail": "entered by J. Ruiz"},
    }
    (received,) = parse(event(time="2026-03-06T15:20:00-06:00", data=data)).events
    assert received.occurred_at == datetime(2026, 3, 6, 21, 20, tzinfo=UTC)  # before NOW
    assert {name.value: text for name, text in received.attributes.items()} == {
        "channel": channel,
        "detail": "entered by J. Ruiz",
    }
    assert received.flags == ()


def parse_error(body: Any, **config: str) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse(body, None, **config)
    return caught.value


def reference_event() -> CloudEvent:
    attributes = {
        "id": "e 1%",
        "source": "/shop/größe",
        "type": "order.received",
        "time": datetime(2026, 3, 9, 16, 45, tzinfo=UTC),
        "datacontenttype": "application/json",
        "specversion": "1.0",
    }
    return CloudEvent(attributes, {"order": {"number": "N-1"}})


def body_and_headers(message: HTTPMessage) -> tuple[bytes, dict[str, str]]:
    body = message.body.encode() if isinstance(message.body, str) else message.body
    return body, {name.lower(): text for name, text in message.headers.items()}


def test_structured_and_binary_mode_give_the_same_event() -> None:
    events: list[CanonicalEvent] = []
    for message in (to_structured_event(reference_event()), to_binary_event(reference_event())):
        body, headers = body_and_headers(message)
        events += parse(body, headers).events
        request = WebhookRequest("POST", "/", {}, headers, body)
        assert CloudEvents({}).dedupe_key(request) == "/shop/größe e 1%"
    assert events[0] == events[1]
    assert events[0].key == "/shop/größe e 1%"
    assert events[0].occurred_at == datetime(2026, 3, 9, 16, 45, tzinfo=UTC)


def test_double_quoted_headers_of_older_senders_are_read() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": '"e \\"1\\" %25"',
        "ce-source": '"/shop"',
        "ce-type": "order.received",
        "ce-time": '"2026-03-09T16:45:00Z"',
    }
    body = b'{"order": {"number": "N-1"}}'
    (event,) = parse(body, headers).events
    assert event.key == '/shop e "1" %'
    assert event.occurred_at == datetime(2026, 3, 9, 16, 45, tzinfo=UTC)
    assert CloudEvents({}).dedupe_key(WebhookRequest("POST", "/", {}, headers, body)) == event.key


def test_every_header_of_binary_mode_is_stored() -> None:
    _, headers = body_and_headers(to_binary_event(reference_event()))
    assert set(headers) <= CloudEvents.stored_headers


def test_a_batch_has_no_dedupe_key_and_may_be_empty() -> None:
    assert CloudEvents({}).dedupe_key(WebhookRequest("POST", "/", {}, {}, b"[]")) == ""
    assert parse([]).ignored == "empty batch"


def test_an_invalid_event_does_not_affect_the_batch() -> None:
    parsed = parse([event(), 7, event(id="e-2", data={"order": "N/A"}), event(id="e-3")])
    assert [e.key for e in parsed.events] == ["/shop/größe e-1", "/shop/größe e-3"]
    assert [(p.reason, p.path) for p in parsed.errors] == [
        (ParkReason.SCHEMA, "[1]"),
        (ParkReason.REFERENCE, "[2].data"),
    ]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_attribute_is_named_in_the_error(name: str) -> None:
    error = parse_error(event(**{name: ...}))
    assert (error.reason, error.path) == (ParkReason.SCHEMA, name)


def test_another_version_is_rejected() -> None:
    assert parse_error(event(specversion="0.3")).path == "specversion"


def test_an_event_without_a_time_is_accepted() -> None:
    assert parse(event(time=...)).events[0].occurred_at is None


def test_a_time_without_an_offset_needs_the_zone_setting() -> None:
    naive = event(time="2026-03-09T16:45:00")
    assert parse_error(naive).reason is ParkReason.TIMESTAMP
    (parsed_event,) = parse(naive, zone="America/Chicago").events
    assert parsed_event.occurred_at == datetime(2026, 3, 9, 21, 45, tzinfo=UTC)


def test_base64_data_is_decoded() -> None:
    (parsed_event,) = parse(event(data=..., data_base64="eyJvcmRlciI6ICJOLTcifQ==")).events
    assert parsed_event.objects[0].identifiers[0].value == "N-7"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": ..., "data_base64": "###"}, ParkReason.ENCODING),
        ({"data": ..., "data_base64": "AAEC", "datacontenttype": "image/png"}, ParkReason.MEDIA),
        ({"data": "<xml/>", "datacontenttype": "application/xml"}, ParkReason.MEDIA),
        ({"data": ...}, ParkReason.SCHEMA),
        ({"data": ..., "type": "com.example.other"}, ParkReason.MAPPING),
        ({"data": "<xml/>", "type": "com.example.other"}, ParkReason.MAPPING),
        ({"type": "unmapped", "data": {}}, ParkReason.MAPPING),
    ],
)
def test_invalid_data_has_its_reason(changes: dict[str, Any], reason: ParkReason) -> None:
    assert parse_error(event(**changes)).reason is reason


def test_an_unknown_type_with_an_order_is_unmapped() -> None:
    (parsed_event,) = parse(event(type="com.example.inspected")).events
    assert (parsed_event.type, parsed_event.raw_type) == (
        EventType.UNMAPPED,
        "com.example.inspected",
    )


def test_the_prefix_is_removed_from_the_type() -> None:
    prefixed = event(type="com.acme.order.received")
    assert parse(prefixed, prefix="com.acme.").events[0].type is EventType.ORDER_RECEIVED
    assert parse(prefixed).events[0].type is EventType.UNMAPPED


def test_corrections_are_scoped_like_the_keys_they_withdraw() -> None:
    first = parse(event()).events[0]
    correction = parse(event(id="e-2", data={"order": "N-1", "corrects": ["e-1"]})).events[0]
    assert correction.corrects == (first.key,)


def test_json_lines_are_read_if_the_content_type_says_so() -> None:
    lines = b"\n".join(json.dumps(event(id=f"e-{n}")).encode() for n in range(3)) + b"\n\n"
    assert parse_error(lines).reason is ParkReason.SYNTAX
    assert len(parse(lines, {"content-type": "application/x-ndjson"}).events) == 3
    assert CloudEvents({}).guess_headers(lines) == {"content-type": "application/x-ndjson"}


class TestAuthentication:
    def request(self, **headers: str) -> WebhookRequest:
        return WebhookRequest("POST", "/", {}, headers, b"{}")

    def test_a_bearer_token_of_any_secret_is_accepted(self) -> None:
        for secret, other in ((SECRET, OLD), (OLD, SECRET)):
            bearer = self.request(**CloudEvents({}).build_signed_headers(b"{}", secret, NOW))
            assert is_accepted(CloudEvents({}), bearer, [SECRET, OLD], NOW)
            assert not is_accepted(CloudEvents({}), bearer, [other], NOW)

    def test_a_standard_webhooks_signature_is_accepted(self) -> None:
        headers = dict(build_signature_headers(b"{}", SECRET, NOW, "msg_1"))
        CloudEvents({}).verify(self.request(**headers), [OLD, SECRET], NOW)
        with pytest.raises(InvalidSignature):
            CloudEvents({}).verify(self.request(**headers), [OLD], NOW)

    @pytest.mark.parametrize("text", ["", "Bearer", "Bearer wrong", "Bearer größe", "Basic eA=="])
    def test_anything_else_is_rejected(self, text: str) -> None:
        with pytest.raises(InvalidSignature):
            CloudEvents({}).verify(self.request(authorization=text), [SECRET], NOW)


class TestHandshake:
    def handshake(self, origin: str, method: str = "OPTIONS", **config: str) -> Any:
        headers = {"webhook-request-origin": origin} if origin else {}
        request = WebhookRequest(method, "/", {}, headers, b"")
        return CloudEvents(config).handshake(request, [SECRET])

    def test_any_origin_is_allowed_by_default(self) -> None:
        reply = self.handshake("shop.example.com")
        assert reply.status == 200
        assert reply.headers == {
            "allow": "POST",
            "webhook-allowed-origin": "shop.example.com",
            "webhook-allowed-rate": "*",
        }

    def test_only_configured_origins_are_allowed(self) -> None:
        assert self.handshake("shop.example.com", origins="shop.example.com, x").status == 200
        assert self.handshake("evil.example.com", origins="shop.example.com").status == 403

    @pytest.mark.parametrize("origin", ["a\r\nset-cookie: x", "größe", "x" * 300])
    def test_an_origin_is_never_echoed_into_other_headers(self, origin: str) -> None:
        assert self.handshake(origin).status == 403

    def test_other_requests_are_not_handshakes(self) -> None:
        assert self.handshake("") is None
        assert self.handshake("shop.example.com", method="POST") is None
