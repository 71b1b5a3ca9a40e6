"""ShipHero: warehouse webhooks. `webhook_type` in the body is the message type."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, check_base64_signature, hmac_sha256
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.payload import load_json
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import WebhookRequest, WebhookResponse
from connectors.systems.shiphero.webhook_events import WebhookEventReader

SIGNATURE = "x-shiphero-hmac-sha256"
MESSAGE_ID = "x-shiphero-message-id"


class ShipHero(Connector):
    """Allocation, picking, packing and shipping in ShipHero warehouses.

    Times have no zone, and some messages have no time. Use the fields inside `packages[]`; those
    beside it are legacy. A tracking number may be text such as "Pickup". Each reallocation has a
    new reference.
    https://developer.shiphero.com/webhooks
    """

    slug: ClassVar[str] = "shiphero"
    title: ClassVar[str] = "ShipHero"
    role: ClassVar[SourceRole] = SourceRole.WMS
    reception = "webhooks"
    setup = (
        "For each type of event, call the GraphQL mutation webhook_create with the webhook URL.\n"
        "Its answer contains shared_signature_secret: enter it as the secret of this source."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "order_number",
            "The number range of order_number, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders",
        ),
        Setting(
            "zone",
            "The IANA time zone of the account.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone of the account",
        ),
        Setting(
            "warehouse.<id>",
            "The name of the warehouse with this warehouse_id.",
            label="Name of a warehouse",
        ),
        Setting(
            "test_traffic",
            "Set to yes to also process messages marked as test.",
            SettingType.BOOLEAN,
            label="Process test messages",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE, MESSAGE_ID})
    ignored_types: ClassVar[Mapping[str, str]] = {
        "Inventory Update": "stock levels are not tracked",
        "Inventory Change": "stock levels are not tracked",
        "Automation Rules": "automation rules do not change the order status",
        "PO Update": "purchase orders are not customer orders",
        "Capture Payment": "payments are read from the finance system",
        "Generate Label": "a requested label has not been created yet",
        "Print Barcode": "printed barcodes do not change the order status",
        "Tote Cleared": "emptied totes do not change the order status",
        "Shipment ASN": "shipments are read from Shipment Update",
    }

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the base64 HMAC-SHA256 of the raw body."""
        signature = request.headers.get(SIGNATURE, "")
        if not signature:
            raise InvalidSignature("the signature is missing")
        check_base64_signature(signature, secrets, request.body)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as ShipHero does."""
        return {SIGNATURE: base64.b64encode(hmac_sha256(secret, body)).decode()}

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"webhook_type": "Order Allocated", "order_number": "SO-1", "order_id": 1, '
            b'"allocated_at": "2026-01-05T10:00:00", "line_items": []}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the message id of ShipHero."""
        return request.headers.get(MESSAGE_ID, "")

    def success_response(self) -> WebhookResponse:
        """Return the response that the ShipHero documentation requires."""
        return WebhookResponse(200, b'{"code": "200", "Message": "Success"}', "application/json")

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse by `webhook_type`. An unknown type becomes an unmapped event of its order."""
        body = load_json(message.body)
        kind = body.required_text("webhook_type")
        if kind in self.ignored_types:
            return ParseResult(ignored=f"{kind}: {self.ignored_types[kind]}")
        if body.boolean_at("test") and not self.parsed_settings.is_on("test_traffic"):
            return ParseResult(ignored="test message (test: 1)")
        events = WebhookEventReader(self.parsed_settings, self.source_slug).read_events(kind, body)
        return ParseResult(flag_if_sanitized(tuple(events), sanitized=body.was_sanitized))
