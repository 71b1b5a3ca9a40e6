"""CloudEvents 1.0 over HTTP: structured, binary and batched mode, and JSON lines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from connectors.sdk import event_parser, standard_webhooks, telemetry_parser
from connectors.sdk import trace_context as trace
from connectors.sdk.auth import build_bearer_header
from connectors.sdk.check_schema_version import SCHEMA_VERSION, check_schema_version
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.parse_event_references import parse_references
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.telemetry import TelemetryRecord
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import WebhookRequest, WebhookResponse
from connectors.systems.cloudevents.decode_event import (
    decode_header,
    parse_json_data,
    structured_mode_data,
)

# Larger documents are parsed again instead of cached.
MAX_CACHED_BYTES = 65_536
ParsedEvent = CanonicalEvent | TelemetryRecord
ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "dataschema")


class CloudEvents(Connector):
    """CloudEvents with Throughline event types and Throughline event data.

    `source` and `id` identify an event. Senders authenticate by a bearer token or by the headers of
    Standard Webhooks.

    Portals, field sales and inside sales send orders in this way. `order.channel` is their channel,
    `time` is when a person entered the order, even if the device was offline and sends it days
    later, and `attributes.detail` says who entered it:

        {"specversion": "1.0", "id": "tablet-12/881", "source": "/field-sales",
         "type": "order.received", "time": "2026-03-06T15:20:00-06:00",
         "data": {"order": {"number": "F-881", "channel": "field", "customer": "C20010"},
                  "lines": [{"line_id": "1", "sku": "WID-100", "ordered": 12}],
                  "attributes": {"detail": "entered by J. Ruiz, offline"}}}
    """

    _cached_document: tuple[bytes, Any] | None = None
    slug = "cloudevents"
    title = "CloudEvents"
    role = SourceRole.OTHER
    reception = (
        "`POST /hooks/<source>` or `/api/v1/events` with a bearer token; single, batch, NDJSON"
    )
    setup = (
        "Let the sending system POST each CloudEvent to the webhook URL, with the header "
        "Authorization: Bearer and the secret of this source.\n"
        "Senders of Standard Webhooks sign with the secret instead."
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "The person who did something has no member of its own: attributes.detail is free text, "
        "which only people with the permission to see contacts get.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        *event_parser.SETTINGS,
        Setting(
            "origins",
            "Allowed WebHook-Request-Origin values, comma-separated (default any).",
            label="Allowed webhook origins",
        ),
        Setting(
            "rate",
            "Allowed requests per minute in the handshake (default: no limit).",
            SettingType.INTEGER,
            minimum=1,
            label="Allowed requests per minute",
        ),
    )
    versions = (SCHEMA_VERSION,)
    stored_headers: ClassVar[frozenset[str]] = (
        frozenset({"content-type", *(f"ce-{name}" for name in ATTRIBUTES)})
        | standard_webhooks.HEADERS
        | standard_webhooks.SVIX_HEADERS
    )

    def handshake(
        self, request: WebhookRequest, secrets: Sequence[bytes]
    ) -> WebhookResponse | None:
        """Answer the abuse-protection handshake (OPTIONS with WebHook-Request-Origin)."""
        origin = request.headers.get("webhook-request-origin", "")
        if request.method != "OPTIONS" or not origin:
            return None
        allowed = self.parsed_settings.list_of_texts("origins")
        printable = origin.isascii() and origin.isprintable() and len(origin) <= 255
        if not printable or (allowed and origin not in allowed):
            return WebhookResponse(403)
        headers = {
            "allow": "POST",
            "webhook-allowed-origin": origin,
            "webhook-allowed-rate": str(self.parsed_settings.integer("rate") or "*"),
        }
        return WebhookResponse(200, headers=headers)

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check a bearer token or a Standard Webhooks signature."""
        standard_webhooks.verify_token_or_signature(request.headers, request.body, secrets, now)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token."""
        return {**build_bearer_header(secret), "content-type": "application/cloudevents+json"}

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"specversion": "1.0", "id": "1", "source": "/example", '
            b'"type": "order.received", "time": "2026-01-05T10:00:00Z", '
            b'"data": {"order": {"number": "SO-1"}}}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return source and id of a single event; "" for a batch."""
        headers = request.headers
        if headers.get("ce-id") and headers.get("ce-source"):
            sender, event_id = (decode_header(headers[n]) for n in ("ce-source", "ce-id"))
            return f"{sender} {event_id}"
        try:
            root = self._parse_cached_json(request.body)
            return f"{root.required_text('source')} {root.required_text('id')}"
        except PayloadError:
            return ""

    def event_trace_headers(self, request: WebhookRequest) -> Mapping[str, str]:
        """Return the distributed-tracing attributes from the headers or the event."""
        names = (trace.EVENT_TRACEPARENT_HEADER, trace.EVENT_TRACESTATE_HEADER)
        given = {n: decode_header(request.headers[n]) for n in names if n in request.headers}
        if given or b'"traceparent"' not in request.body:
            return given
        try:
            root = self._parse_cached_json(request.body)
            return {n: root.text_at(n.removeprefix("ce-")) for n in names}
        except PayloadError:
            return {}

    def guess_headers(self, body: bytes) -> Mapping[str, str]:
        """Guess application/x-ndjson if the body has several JSON objects on lines."""
        lines = [line for line in body.splitlines() if line.strip()]
        is_json_lines = len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines)
        return {"content-type": "application/x-ndjson"} if is_json_lines else {}

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse each event separately, so that an invalid event does not affect the others."""
        events: list[CanonicalEvent] = []
        telemetry: list[TelemetryRecord] = []
        errors: list[PayloadError] = []
        readers = list(self._yield_parser_per_event(message))
        for reader in readers:
            try:
                parsed = reader()
            except PayloadError as error:
                errors.append(error)
                continue
            if isinstance(parsed, TelemetryRecord):
                telemetry.append(parsed)
            else:
                events.append(parsed)
        if len(readers) == 1 and errors:
            raise errors[0]
        return ParseResult(
            tuple(events),
            tuple(errors),
            "" if readers else "empty batch",
            telemetry=tuple(telemetry),
        )

    def _yield_parser_per_event(self, message: RawMessage) -> Iterator[Callable[[], ParsedEvent]]:
        """Yield one callable per event, so that each can fail alone.

        A JSON array is a batch, whatever its content type.
        """
        if message.headers.get("ce-specversion") or message.headers.get("ce-id"):
            yield partial(self._parse_binary_mode_event, message)
            return
        if message.headers.get("content-type", "").partition(";")[0] == "application/x-ndjson":
            for line_number, line in enumerate(message.body.splitlines(), 1):
                if line.strip():
                    yield partial(self._parse_json_line, line, line_number, message.headers)
            return
        root = self._parse_cached_json(message.body)
        for node in root.as_list() if isinstance(root.value, list) else [root]:
            yield partial(self._parse_event, node, node, message.headers)

    def _parse_cached_json(self, body: bytes) -> Node:
        """Parse the body. The last result is cached: key, trace and events use the same bytes."""
        cached = self._cached_document
        if cached is None or cached[0] is not body:
            cached = (body, load_json(body).value)
            self._cached_document = cached if len(body) < MAX_CACHED_BYTES else None
        return Node(cached[1], "", [False])

    def _parse_json_line(
        self, line: bytes, line_number: int, headers: Mapping[str, str]
    ) -> ParsedEvent:
        try:
            root = self._parse_cached_json(line)
            return self._parse_event(root, root, headers)
        except PayloadError as error:
            path = f"line {line_number} {error.path}".strip()
            raise PayloadError(error.reason, path, error.detail) from None

    def _parse_binary_mode_event(self, message: RawMessage) -> ParsedEvent:
        """Parse binary mode: encoded attributes in `ce-` headers, the body is the data."""
        attributes = {n: decode_header(message.headers.get(f"ce-{n}", "")) for n in ATTRIBUTES}
        content = message.headers.get("content-type", "")
        envelope = Node({n: t for n, t in attributes.items() if t}, "", [False])
        return self._parse_event(
            envelope, lambda: parse_json_data(message.body, content), message.headers
        )

    def _parse_event(
        self, envelope: Node, data: Node | Callable[[], Node], headers: Mapping[str, str]
    ) -> ParsedEvent:
        if not isinstance(envelope.value, dict):
            raise PayloadError(ParkReason.SCHEMA, envelope.path or "$", "expected an event object")
        version = envelope.required_text("specversion")
        event_id, sender, type_name = (envelope.required_text(n) for n in ("id", "source", "type"))
        if version != "1.0":
            version_path = envelope.get("specversion").path
            raise PayloadError(
                ParkReason.SCHEMA, version_path, f"expected 1.0, got {version[:20]!r}"
            )
        schema = envelope.get("dataschema")
        check_schema_version(schema.as_text(), schema.path)
        time, path = envelope.get("time"), envelope.get("type").path
        try:
            data_node = structured_mode_data(data) if isinstance(data, Node) else data()
        except PayloadError:
            if event_parser.event_type_of_name_or_none(type_name, self.parsed_settings) is None:
                raise event_parser.unknown_type_without_object_error(type_name, path) from None
            raise
        zone = self.parsed_settings.text("zone") or None
        at = parse_timestamp(time.as_text(), time.path, zone)
        prefix = self.parsed_settings.text("prefix")
        if observed := telemetry_parser.telemetry_kind_of_name_or_none(type_name, prefix):
            return telemetry_parser.parse_telemetry(
                data_node,
                kind=observed,
                key=f"{sender} {event_id}",
                at=at,
                zone=zone,
                objects=parse_references(
                    data_node, self.parsed_settings, self.source_slug, credit=False
                ).objects,
                headers=_trace_headers_of_event(envelope) or headers,
            )
        return event_parser.parse_event(
            data_node,
            type_name=type_name,
            path=path,
            key=event_id,
            at=at,
            settings=self.parsed_settings,
            source=self.source_slug,
            key_prefix=f"{sender} ",
        )


def _trace_headers_of_event(envelope: Node) -> Mapping[str, str]:
    """The trace of one event of a batch; empty if it has none of its own."""
    text = envelope.text_at("traceparent")
    return {trace.EVENT_TRACEPARENT_HEADER: text} if text else {}
