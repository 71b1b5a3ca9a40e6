"""ShipHero: warehouse webhooks, by `webhook_type` in the body, and a poll that fills their gaps."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, check_base64_signature, hmac_sha256
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from connectors.sdk.payload import PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
    WebhookResponse,
)
from connectors.systems.shiphero.poll_shipments import ShipHeroPoller
from connectors.systems.shiphero.polled_rows import COLLECTION, as_webhook_body
from connectors.systems.shiphero.webhook_events import WebhookEventReader

SIGNATURE = "x-shiphero-hmac-sha256"
MESSAGE_ID = "x-shiphero-message-id"


class ShipHero(Connector):
    """Allocation, picking, packing and shipping in ShipHero warehouses.

    Times have no zone, and some messages have no time. Use the fields inside `packages[]`; those
    beside it are legacy. A tracking number may be text such as "Pickup". Each reallocation has a
    new reference. Deliveries of webhooks are not guaranteed: the poll reads shipments and
    cancelled orders, which have the same event keys.
    https://developer.shiphero.com/webhooks
    """

    slug: ClassVar[str] = "shiphero"
    title: ClassVar[str] = "ShipHero"
    role: ClassVar[SourceRole] = SourceRole.WMS
    reception = "webhooks, and polled (shipments, cancelled orders)"
    polls = True
    poll_interval = timedelta(minutes=15)
    setup = (
        "For each type of event, call the GraphQL mutation webhook_create with the webhook URL.\n"
        "Its answer contains shared_signature_secret: enter it as the secret of this source.\n"
        "For the poll, enter the refresh token of a developer user: ShipHero > My account > "
        "Third-party developer."
    )
    topics = (
        "Order Allocated, Order Deallocated",
        "Tote Complete, Order Packed Out, Package Added",
        "Shipment Update, Order Canceled, Return Update",
    )
    not_covered = (
        "Inventory, purchase orders and captured payments.",
        "Holds of orders, which webhooks do not report.",
        "The poll reads neither allocations, picks and packs nor returns.",
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
        Setting(
            "refresh_token",
            "The refresh token of a developer user. Needed to poll.",
            SettingType.SECRET,
        ),
        first_poll_setting(
            "what was not changed since this date or time. Without it, it reads the last 30 days"
        ),
        Setting(
            "page_size",
            "The number of rows per query. More rows cost more credits.",
            SettingType.INTEGER,
            default="25",
            minimum=1,
            maximum=100,
            label="Rows per request",
        ),
        overlap_setting(15),
        Setting(
            "base_url",
            "The URL of the API.",
            SettingType.URL,
            default="https://public-api.shiphero.com",
            label="URL of the API",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE, MESSAGE_ID, COLLECTION})
    webhook_header = SIGNATURE
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
        if collection := message.headers.get(COLLECTION, ""):
            reported = as_webhook_body(collection, body)
            if reported is None:
                return ParseResult(ignored="the order is not cancelled; its shipments are polled")
            body = reported
        kind = body.required_text("webhook_type")
        if kind in self.ignored_types:
            return ParseResult(ignored=f"{kind}: {self.ignored_types[kind]}")
        if body.boolean_at("test") and not self.parsed_settings.is_on("test_traffic"):
            return ParseResult(ignored="test message (test: 1)")
        events = WebhookEventReader(self.parsed_settings, self.source_slug).read_events(kind, body)
        return ParseResult(flag_if_sanitized(tuple(events), sanitized=body.was_sanitized))

    def is_poll_configured(self) -> bool:
        """Whether a refresh token is set."""
        return bool(self.config.get("refresh_token"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield shipments and changed orders since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            base_url = values.text("base_url").rstrip("/")
            token = values.text("refresh_token")
            if not token:
                raise PollError("the setting refresh_token is required")
            authorization = OAuth2Authorization(
                f"{base_url}/auth/refresh",
                {},
                RefreshToken("refresh_token", token),
                is_json=True,
                tokens=context.tokens,
            )
            poller = ShipHeroPoller(
                AuthorizedRequests(http, [authorization]),
                CollectionCursors.parse(cursor, context.now),
                f"{base_url}/graphql",
                values.text("zone"),
                values.integer("page_size"),
                timedelta(minutes=float(values.decimal("overlap_minutes"))),
                values.text("since"),
            )
        except PayloadError as error:
            raise PollError(error.detail) from None
        return poller.pages()
