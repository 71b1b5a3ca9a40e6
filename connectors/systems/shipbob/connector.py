"""ShipBob: signed webhooks of shipments, tracking and returns, and a poll of orders."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk import standard_webhooks
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting, page_size_setting
from connectors.sdk.request_authorization import bearer_authorization
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.shipbob.poll_orders import ClientWithUsualRetryHeader, poll_orders
from connectors.systems.shipbob.returns import return_events
from connectors.systems.shipbob.shipments import ShipBobShipmentReader

TOPIC = "x-webhook-topic"


@dataclass(frozen=True, slots=True)
class IgnoredTopic:
    """Topics that begin so, and why they give no events."""

    prefix: str
    reason: str


class ShipBob(Connector):
    """Shipments, tracking and returns of the 3PL ShipBob.

    Webhooks follow Standard Webhooks; their order is not guaranteed, so the newest state counts.
    "order.shipped" is sent when the label is printed, so it is a label. The goods left with the
    first report of the carrier. An exception of a shipment is a shortage in the warehouse.
    https://developer.shipbob.com/webhooks
    """

    slug = "shipbob"
    title = "ShipBob"
    role = SourceRole.THIRD_PARTY_LOGISTICS
    reception = "webhooks, and polled (orders)"
    polls = True
    poll_interval = timedelta(minutes=10)
    allows_short_secrets = True
    setup = (
        "ShipBob > Integrations > Webhooks (or POST /webhook of the API): subscribe the topics "
        "below with the webhook URL. Enter the secret of the answer as the secret of this source.\n"
        "For the poll: Integrations > API tokens, create a personal access token with the "
        "permissions below, and enter it as a setting."
    )
    topics = (
        "order.shipped",
        "order.delivered",
        "order.shipment.delivered",
        "order.shipment.exception",
        "order.shipment.on_hold",
        "order.shipment.cancelled",
        "order.shipment.tracking.updated",
        "order.shipment.tracking_received",
        "return.created, return.updated and return.completed",
    )
    permissions = ("orders_read", "returns_read", "webhooks_read and webhooks_write to subscribe")
    not_covered = (
        "Receiving of stock (wro.*), inventory and billing.",
        "Changes of addresses and of shipping services.",
        "Returns are read from webhooks only.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "order_number",
            "The number range of order_number, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders",
        ),
        Setting(
            "reference",
            "The number range of reference_id, such as web_order@shop.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of references",
        ),
        Setting(
            "api_token",
            "The personal access token. Needed to poll.",
            SettingType.SECRET,
            label="Personal access token",
        ),
        Setting(
            "channel_id",
            "The id of the channel whose orders are polled. Without it, all channels.",
            label="Channel id",
        ),
        first_poll_setting(
            "orders that were not changed since this date or time. Without it, it reads the last "
            "30 days"
        ),
        page_size_setting("orders", default=250, maximum=250),
        overlap_setting(10),
        Setting(
            "base_url",
            "The URL of the API with its version. Sandbox: https://sandbox-api.shipbob.com/2026-01.",
            SettingType.URL,
            default="https://api.shipbob.com/2026-01",
            label="URL of the API",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = standard_webhooks.HEADERS | {TOPIC}
    ignored_topics: ClassVar[tuple[IgnoredTopic, ...]] = (
        IgnoredTopic("wro.", "receiving of stock is of no order"),
        IgnoredTopic("billing.", "charges are of no order"),
        IgnoredTopic("order.shipment.address.", "addresses are not stored"),
        IgnoredTopic("order.shipment.shipping_service.", "the next state has the service"),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature headers; the timestamp must be within five minutes."""
        standard_webhooks.verify_signature(request.headers, request.body, secrets, now)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the three signature headers, with an id derived from the body."""
        message_id = f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
        return standard_webhooks.build_signature_headers(body, secret, now, message_id)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the webhook-id. It is the same on every retry."""
        return request.headers.get("webhook-id", "")

    def example_payload(self) -> bytes:
        """A label."""
        return (
            b'{"event_time": "2026-01-05T10:00:00.1234567Z", "order_id": 41, "reference_id": '
            b'"SO-1", "status": "LabelCreated", "tracking": {"carrier": "USPS", "carrier_service": '
            b'"ParcelSelect", "tracking_id": "9200000000000000000001"}}'
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a shipment, an order, a return, a tracking message, or a list of them."""
        topic = message.headers.get(TOPIC, "")
        for ignored in self.ignored_topics:
            if topic.startswith(ignored.prefix):
                return ParseResult(ignored=f"{topic}: {ignored.reason}")
        root = load_json(message.body)
        documents = root.as_list() if isinstance(root.value, list) else [root]
        if documents and all(_is_receiving(document) for document in documents):
            return ParseResult(ignored="receiving of stock is of no order")
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for document in documents:
            try:
                events += self._read_document(document, topic)
            except PayloadError as error:
                errors.append(error)
        if errors and not isinstance(root.value, list):
            raise errors[0]
        if not events and not errors:
            return ParseResult(ignored="no shipments yet" if documents else "empty list")
        return ParseResult(tuple(events), tuple(errors))

    def _read_document(self, document: Node, topic: str) -> list[CanonicalEvent]:
        reader = ShipBobShipmentReader(self.parsed_settings, self.source_slug)
        if topic.startswith("return.") or document.has_value("original_shipment_id"):
            return list(return_events(document, self.source_slug))
        if isinstance(document.get("shipments").value, list):
            return list(reader.order_events(document))
        if document.has_value("id") and document.has_value("order_id"):
            return list(reader.shipment_events(document, document))
        if isinstance(document.get("tracking").value, dict):
            return list(reader.tracking_events(document))
        raise PayloadError(
            ParkReason.MAPPING, document.path or "$", "no order, shipment, return or tracking"
        )

    def is_poll_configured(self) -> bool:
        """Whether the poller knows that a token is set: without one it is not started."""
        return bool(self.config.get("api_token"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield orders changed or tracked since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            token = values.text("api_token")
            if not token:
                raise PollError("the setting api_token is required")
            requests = AuthorizedRequests(
                ClientWithUsualRetryHeader(http), [bearer_authorization(token)]
            )
            return poll_orders(
                requests,
                CollectionCursors.parse(cursor, context.now),
                url=values.text("base_url").rstrip("/") + "/order",
                channel_id=values.text("channel_id"),
                page_size=values.integer("page_size"),
                overlap=timedelta(minutes=float(values.decimal("overlap_minutes"))),
                start=values.text("since"),
            )
        except PayloadError as error:
            raise PollError(error.detail) from None


def _is_receiving(document: Node) -> bool:
    """Whether a document is a receiving order (WRO), or a box of one."""
    keys = ("box_id", "inventory_quantities", "box_labels_uri")
    return any(document.has_value(key) for key in keys)
