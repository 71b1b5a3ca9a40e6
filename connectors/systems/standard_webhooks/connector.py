"""Standard Webhooks: signed JSON with a type, a timestamp and Throughline event data."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connectors.sdk import event_parser, standard_webhooks
from connectors.sdk.check_schema_version import SCHEMA_VERSION, check_schema_version
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.payload import load_json
from connectors.sdk.settings import Setting
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import WebhookRequest


class StandardWebhooks(Connector):
    """Any sender of Standard Webhooks (or Svix) with body {"type", "timestamp", "data"}.

    `whsec_` secrets are base64, `whpk_` is an Ed25519 public key, any other secret is plain text.
    """

    slug = "standard_webhooks"
    title = "Standard Webhooks"
    role = SourceRole.OTHER
    reception = "signed webhooks of any sender"
    setup = (
        "In the sending system, add an endpoint with the webhook URL.\n"
        "Enter the signing secret (whsec_...) that it shows as the secret of this source, or enter "
        "the secret of this source there."
    )
    not_covered = (
        "Bodies with other members than those of Throughline events: describe the system with a "
        "manifest.",
    )
    settings: ClassVar[tuple[Setting, ...]] = event_parser.SETTINGS
    versions = (replace(SCHEMA_VERSION, header=""),)
    stored_headers: ClassVar[frozenset[str]] = (
        standard_webhooks.HEADERS | standard_webhooks.SVIX_HEADERS
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature headers; the timestamp must be within five minutes."""
        standard_webhooks.verify_signature(request.headers, request.body, secrets, now)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the three signature headers, with an id derived from the body."""
        return standard_webhooks.build_signature_headers(
            body, secret, now, _message_id_from_body_hash(body)
        )

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"type": "order.received", "timestamp": "2026-01-05T10:00:00Z", '
            b'"data": {"order": {"number": "SO-1"}}}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the webhook-id. It is the same on every retry."""
        return standard_webhooks.webhook_or_svix_header(request.headers, "id")

    def guess_headers(self, body: bytes) -> Mapping[str, str]:
        """Return an id derived from the body."""
        return {"webhook-id": _message_id_from_body_hash(body)}

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a single event."""
        root = load_json(message.body)
        check_schema_version(root.text_at("dataschema"), "dataschema")
        event = event_parser.parse_event(
            root.get("data"),
            type_name=root.required_text("type"),
            path="type",
            key=standard_webhooks.webhook_or_svix_header(message.headers, "id")
            or _message_id_from_body_hash(message.body),
            at=parse_timestamp(
                root.text_at("timestamp"), "timestamp", self.parsed_settings.text("zone") or None
            ),
            settings=self.parsed_settings,
            source=self.source_slug,
        )
        return ParseResult((event,))


def _message_id_from_body_hash(body: bytes) -> str:
    return f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
