"""CloudEvents, written by the reference library and read by us."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from connectors.sdk.auth import Unauthentic
from connectors.sdk.connector import Message, Parsed, Request
from connectors.sdk.events import CanonicalEvent, EventType
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.standard_webhooks import sign
from connectors.systems.cloudevents.connector import CloudEvents

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"


def event(**changes: Any) -> dict[str, Any]:
    found = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop/größe",
        "type": "order.received",
        "time": "2026-03-09T16:45:00Z",
        "data": {"order": {"number": "N-1"}},
    }
    return {name: text for name, text in {**found, **changes}.items() if text is not ...}


def parse(body: Any, headers: dict[str, str] | None = None, **config: str) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CloudEvents({"source": "ce", **config}).parse(Message(raw, headers or {}, NOW))


def problem(body: Any, **config: str) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse(body, None, **config)
    return caught.value


def written() -> CloudEvent:
    attributes = {
        "id": "e 1%",
        "source": "/shop/größe",
        "type": "order.received",
        "time": datetime(2026, 3, 9, 16, 45, tzinfo=UTC),
        "datacontenttype": "application/json",
        "specversion": "1.0",
    }
    return CloudEvent(attributes, {"order": {"number": "N-1"}})


def received(message: HTTPMessage) -> tuple[bytes, dict[str, str]]:
    body = message.body.encode() if isinstance(message.body, str) else message.body
    return body, {name.lower(): text for name, text in message.headers.items()}


def test_both_modes_of_the_reference_library_are_read_alike() -> None:
    found: list[CanonicalEvent] = []
    for message in (to_structured_event(written()), to_binary_event(written())):
        body, headers = received(message)
        found += parse(body, headers).events
        request = Request("POST", "/", {}, headers, body)
        assert CloudEvents({}).dedupe_key(request) == "/shop/größe e 1%"
    assert found[0] == found[1]
    assert found[0].key == "/shop/größe e 1%"
    assert found[0].occurred_at == datetime(2026, 3, 9, 16, 45, tzinfo=UTC)


def test_every_header_that_the_binary_mode_needs_is_kept() -> None:
    _, headers = received(to_binary_event(written()))
    assert set(headers) <= CloudEvents.kept_headers


def test_a_batch_has_no_key_of_its_own_and_may_be_empty() -> None:
    assert CloudEvents({}).dedupe_key(Request("POST", "/", {}, {}, b"[]")) == ""
    assert parse([]).ignored == "an empty batch"


def test_the_events_of_a_batch_stand_alone() -> None:
    parsed = parse([event(), 7, event(id="e-2", data={"order": "N/A"}), event(id="e-3")])
    assert [e.key for e in parsed.events] == ["/shop/größe e-1", "/shop/größe e-3"]
    assert [(p.reason, p.path) for p in parsed.problems] == [
        (Reason.SCHEMA, "[1]"),
        (Reason.REFERENCE, "[2].data"),
    ]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_attribute_is_named(name: str) -> None:
    error = problem(event(**{name: ...}))
    assert (error.reason, error.path) == (Reason.SCHEMA, name)


def test_another_version_is_refused() -> None:
    assert problem(event(specversion="0.3")).path == "specversion"


def test_without_a_time_the_event_has_none() -> None:
    assert parse(event(time=...)).events[0].occurred_at is None


def test_a_time_without_an_offset_needs_the_sources_zone() -> None:
    naive = event(time="2026-03-09T16:45:00")
    assert problem(naive).reason is Reason.TIMESTAMP
    (found,) = parse(naive, zone="America/Chicago").events
    assert found.occurred_at == datetime(2026, 3, 9, 21, 45, tzinfo=UTC)


def test_data_in_base64_is_decoded() -> None:
    (found,) = parse(event(data=..., data_base64="eyJvcmRlciI6ICJOLTcifQ==")).events
    assert found.objects[0].identifiers[0].value == "N-7"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": ..., "data_base64": "###"}, Reason.ENCODING),
        ({"data": ..., "data_base64": "AAEC", "datacontenttype": "image/png"}, Reason.MEDIA),
        ({"data": "<xml/>", "datacontenttype": "application/xml"}, Reason.MEDIA),
        ({"data": ...}, Reason.SCHEMA),
        ({"data": ..., "type": "com.example.other"}, Reason.MAPPING),
        ({"data": "<xml/>", "type": "com.example.other"}, Reason.MAPPING),
        ({"type": "unmapped", "data": {}}, Reason.MAPPING),
    ],
)
def test_data_that_can_not_be_read_has_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    assert problem(event(**changes)).reason is reason


def test_an_unknown_type_that_names_an_order_is_kept_as_unmapped() -> None:
    (found,) = parse(event(type="com.example.inspected")).events
    assert (found.type, found.raw_type) == (EventType.UNMAPPED, "com.example.inspected")


def test_a_prefix_is_taken_off_the_type() -> None:
    prefixed = event(type="com.acme.order.received")
    assert parse(prefixed, prefix="com.acme.").events[0].type is EventType.ORDER_RECEIVED
    assert parse(prefixed).events[0].type is EventType.UNMAPPED


def test_corrections_are_scoped_like_the_keys_they_withdraw() -> None:
    first = parse(event()).events[0]
    again = parse(event(id="e-2", data={"order": "N-1", "corrects": ["e-1"]})).events[0]
    assert again.corrects == (first.key,)


def test_one_event_on_each_line_is_read_when_declared() -> None:
    lines = b"\n".join(json.dumps(event(id=f"e-{n}")).encode() for n in range(3)) + b"\n\n"
    assert problem(lines).reason is Reason.SYNTAX
    assert len(parse(lines, {"content-type": "application/x-ndjson"}).events) == 3
    assert CloudEvents({}).infer_headers(lines) == {"content-type": "application/x-ndjson"}


class TestAuthentication:
    def request(self, **headers: str) -> Request:
        return Request("POST", "/", {}, headers, b"{}")

    def test_a_bearer_token_of_any_secret_is_accepted(self) -> None:
        for secret in (SECRET, OLD):
            headers = dict(CloudEvents({}).sign(b"{}", secret, NOW))
            CloudEvents({}).verify(self.request(**headers), [SECRET, OLD], NOW)

    def test_a_standard_webhooks_signature_is_accepted(self) -> None:
        headers = dict(sign(b"{}", SECRET, NOW, "msg_1"))
        CloudEvents({}).verify(self.request(**headers), [OLD, SECRET], NOW)
        with pytest.raises(Unauthentic):
            CloudEvents({}).verify(self.request(**headers), [OLD], NOW)

    @pytest.mark.parametrize("text", ["", "Bearer", "Bearer wrong", "Bearer größe", "Basic eA=="])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(Unauthentic):
            CloudEvents({}).verify(self.request(authorization=text), [SECRET], NOW)


class TestHandshake:
    def ask(self, origin: str, method: str = "OPTIONS", **config: str) -> Any:
        headers = {"webhook-request-origin": origin} if origin else {}
        request = Request(method, "/", {}, headers, b"")
        return CloudEvents(config).handshake(request, [SECRET])

    def test_a_sender_that_asks_is_let_in(self) -> None:
        reply = self.ask("shop.example.com")
        assert reply.status == 200
        assert reply.headers == {
            "allow": "POST",
            "webhook-allowed-origin": "shop.example.com",
            "webhook-allowed-rate": "*",
        }

    def test_only_named_origins_are_let_in_where_there_are_any(self) -> None:
        assert self.ask("shop.example.com", origins="shop.example.com, x").status == 200
        assert self.ask("evil.example.com", origins="shop.example.com").status == 403

    @pytest.mark.parametrize("origin", ["a\r\nset-cookie: x", "größe", "x" * 300])
    def test_an_origin_is_never_echoed_into_other_headers(self, origin: str) -> None:
        assert self.ask(origin).status == 403

    def test_what_is_no_handshake_is_left_alone(self) -> None:
        assert self.ask("") is None
        assert self.ask("shop.example.com", method="POST") is None
