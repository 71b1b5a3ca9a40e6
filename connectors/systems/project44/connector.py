"""project44: webhooks with the history of truckload and LTL shipments."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk.auth import (
    InvalidSignature,
    bearer_token,
    build_bearer_header,
    check_token_matches_a_secret,
)
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.payload import load_json
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.project44.references import ShipmentReferences
from connectors.systems.project44.shipment_events import history_events
from connectors.systems.project44.truckload_stops import truckload_events

BASIC, BEARER, HEADER = "basic", "bearer", "header"


class Project44(Connector):
    """Truckload and LTL shipments of the freight platform project44.

    Each message repeats all events of a shipment; each event has its own key, so a repeated list
    changes nothing. A truckload is delivered when it leaves its last stop, other shipments with
    DELIVERY. What happens at stops between them leaves the shipment in transit, because it does
    not say which orders were unloaded. Events about the tracking itself change nothing.
    https://developers.project44.com/guides/shippers/visibility/ltl/appendix
    https://support.p-44.com/hc/en-us/articles/16959116737181-Truckload-Notifications
    """

    slug = "project44"
    title = "project44"
    role = SourceRole.CARRIER
    reception = "webhooks"
    allows_short_secrets = True
    setup = (
        "Set up the webhook URL with project44: PUT /api/v4/webhooks with payloadFormat JSON, "
        "method POST and an authentication; your representative at project44 completes it. The "
        "public guide names API_KEY, a key in a header; ask for basic or a fixed bearer token if "
        "you prefer them. Enter the same value as the secret of this source: the key, "
        "user:password, or the token.\n"
        "Enter the number ranges of your bills of lading and orders: they connect shipments of "
        "project44 with those of your warehouse and ERP."
    )
    topics = (
        "The tracking history of shipments (unified API), for truckload and LTL; or",
        "Truckload notifications. Their shipments have other ids: choose one of the two.",
    )
    permissions = ("None. project44 sends to the webhook URL and is not polled.",)
    not_covered = (
        "OAuth 2.0 for webhooks. project44 signs nothing: only the credentials show the sender.",
        "Which orders were unloaded at a stop between the first and the last.",
        "Arrivals and loading at the first stop, positions, temperatures and documents.",
        "Events about the tracking itself, such as TRACKING_FAILED and MISSING_CARRIER.",
        "INFO, geofence, customs, ocean, air and rail events: they are unmapped and can be mapped.",
        "The older LTL messages with status and reason codes, which project44 has deprecated.",
        "project44 describes DELIVERY of a truckload as being delivered; it counts as delivered.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "authentication",
            "How project44 authenticates: with a key in a header, basic, or bearer.",
            SettingType.CHOICE,
            default=HEADER,
            choices=(BASIC, BEARER, HEADER),
            label="Authentication",
        ),
        Setting(
            "header",
            "The name of the header with the key, for the authentication by a header.",
            default="x-api-key",
            label="Header with the key",
        ),
        Setting(
            "bill_of_lading",
            "The number range of bills of lading, such as shipment@wms. Without it, they only help "
            "to find shipments.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of bills of lading",
        ),
        Setting(
            "order_number",
            "The number range of identifiers of type ORDER, such as sales_order@erp. Without it, "
            "they only help to find orders.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders",
        ),
        Setting(
            "reference",
            "The number range of customer references, such as sales_order@erp. Without it, they "
            "only help to find orders.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of references",
        ),
        Setting(
            "zone",
            "The IANA time zone of times without an offset.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone",
        ),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the credentials. Raises InvalidSignature."""
        token = self._given_token(request.headers)
        if not token:
            raise InvalidSignature("the credentials are missing")
        check_token_matches_a_secret(token, secrets)

    def _given_token(self, headers: Mapping[str, str]) -> str:
        kind = self.parsed_settings.text("authentication")
        if kind == HEADER:
            return headers.get(self._header_name(), "").strip()
        if kind == BEARER:
            return bearer_token(headers)
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if scheme.lower() != BASIC:
            return ""
        try:
            return base64.b64decode(text.strip().encode("ascii"), validate=True).decode()
        except (UnicodeError, binascii.Error):
            raise InvalidSignature("the credentials are not valid base64") from None

    def _header_name(self) -> str:
        return self.parsed_settings.text("header").strip().lower()

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the credentials as project44 sends them."""
        kind = self.parsed_settings.text("authentication")
        if kind == HEADER:
            return {self._header_name(): secret.decode("utf-8", "replace")}
        if kind == BEARER:
            return build_bearer_header(secret)
        return {"authorization": f"Basic {base64.b64encode(secret).decode()}"}

    def example_payload(self) -> bytes:
        """A shipment that was picked up."""
        return (
            b'{"shipment": {"id": "5a0c1b1e-0000-4000-8000-000000000001", "identifiers": '
            b'[{"type": "BILL_OF_LADING", "value": "BOL-1"}, {"type": "PRO", "value": "100200"}]}, '
            b'"events": [{"type": "PICKED_UP", "dateTime": "2026-01-05T10:00:00-0600"}]}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return nothing: messages have no id, so their content identifies them."""
        return ""

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a tracking history, or a truckload notification with `latestStopStatuses`."""
        body = load_json(message.body)
        shipment = body.required_object("shipment")
        references = ShipmentReferences(self.parsed_settings, self.source_slug)
        is_truckload = body.has_value("latestStopStatuses") or shipment.has_value("shipmentStops")
        read = truckload_events if is_truckload else history_events
        zone = self.parsed_settings.text("zone")
        read_events = tuple(read(body, references.of_shipment(shipment), zone))
        events = flag_if_sanitized(read_events, sanitized=body.was_sanitized)
        if not events:
            return ParseResult(ignored="nothing happened to the goods yet")
        return ParseResult(events)
