"""Amazon Selling Partner API: polling, and notifications from SQS or EventBridge."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import bearer_token, build_bearer_header, check_token_matches_a_secret
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.settings import Setting
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    WebhookRequest,
)
from connectors.systems.amazon_sp_api.fields import object_or_empty, with_lower_case_names
from connectors.systems.amazon_sp_api.multi_channel import MultiChannelReader
from connectors.systems.amazon_sp_api.notifications import notification_events
from connectors.systems.amazon_sp_api.orders import AmazonOrderReader
from connectors.systems.amazon_sp_api.poll import LIST, poll_amazon
from connectors.systems.amazon_sp_api.settings import SETTINGS
from connectors.systems.amazon_sp_api.vendor import VendorReader

# Members of a document that contain records of one kind.
LISTS_OF_RECORDS = ("orders", "ordersstatus", "shipments")


class AmazonSellingPartner(Connector):
    """Amazon orders, multi-channel fulfillment (MCF) and purchase orders of Vendor Central.

    A buyer who asks to cancel has not cancelled: the seller or Amazon decides. Amazon reports how
    many units of an item were shipped in total; the quantities of packages are not added to that.
    """

    slug: ClassVar[str] = "amazon_sp_api"
    title: ClassVar[str] = "Amazon Selling Partner API"
    role: ClassVar[SourceRole] = SourceRole.SHOP
    reception = "polled (orders, MCF, vendor orders), and notifications of SQS or EventBridge"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "Seller Central or Vendor Central > Apps and Services > Develop Apps: create a private "
        "application, authorize it, and enter its LWA client id, client secret and refresh token "
        "as settings.\n"
        "For notifications: create a destination and subscriptions with the Notifications API. "
        "From EventBridge, add an API destination with the webhook URL and the authorization "
        "header Bearer and the secret of this source. From SQS, read the queue with a queue "
        "connection of this source."
    )
    topics: ClassVar[tuple[str, ...]] = (
        "ORDER_CHANGE",
        "FULFILLMENT_ORDER_STATUS",
        "FBA_OUTBOUND_SHIPMENT_STATUS",
        "TRANSACTION_UPDATE",
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "Inventory and Order Tracking, for orders.",
        "Amazon Fulfillment, for MCF.",
        "Direct-to-Consumer Shipping (restricted), only for names of buyers.",
        "Vendor: Vendor Orders and Vendor Shipping.",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Reports, settlements and feeds are not read.",
        "The Orders API v0 has no packages, so its shipments have no tracking numbers.",
        "Cancelled items have the quantity 0 in v0, so cancelled units are not counted there.",
        "Prices and delivery windows of purchase orders of Vendor Central are not read.",
    )
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    stored_headers: ClassVar[frozenset[str]] = frozenset({LIST})

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the bearer token of the API destination."""
        check_token_matches_a_secret(bearer_token(request.headers), secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token."""
        return build_bearer_header(secret)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the notification id: queues deliver at least once."""
        try:
            root = _document(request.body)
            root = object_or_empty(root, "detail") if root.has_value("detail") else root
            return object_or_empty(root, "notificationmetadata").text_at("notificationid")
        except PayloadError:
            return ""

    def example_payload(self) -> bytes:
        """A changed order."""
        return (
            b'{"NotificationType": "ORDER_CHANGE", "EventTime": "2026-01-05T10:00:00Z", "Payload": '
            b'{"OrderChangeNotification": {"AmazonOrderId": "902-1000000-2000000", "Summary": '
            b'{"OrderStatus": "Unshipped", "PurchaseDate": "2026-01-05T09:00:00Z", "OrderItems": '
            b'[{"OrderItemId": "71", "SellerSKU": "DEMO-1", "Quantity": 2, "QuantityShipped": 0}]'
            b'}}}, "NotificationMetadata": {"NotificationId": "n-1"}}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the credentials are set."""
        names = ("client_id", "client_secret", "refresh_token")
        return all(self.config.get(name) for name in names)

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield what changed in the chosen lists since the cursor."""
        return poll_amazon(self.parsed_settings, http, cursor, context)

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a notification, a record of the poll, or a response of the API."""
        root = _document(message.body)
        node = object_or_empty(root, "detail") if root.has_value("detail") else root
        if node.has_value("notificationtype"):
            result = notification_events(node, self.parsed_settings, self.source_slug)
            return ParseResult(
                flag_if_sanitized(result.events, sanitized=root.was_sanitized),
                ignored=result.ignored,
            )
        payload = node.get("payload")
        node = payload if isinstance(payload.value, dict) else node
        name = next((name for name in LISTS_OF_RECORDS if node.has_value(name)), "")
        records = node.list_at(name) if name else [node]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for record in records:
            try:
                events += self._record_events(record)
            except PayloadError as error:
                errors.append(error)
        if errors and len(records) == 1:
            raise errors[0]
        ignored = "" if events or errors else "nothing was shipped or ordered yet"
        sanitized = flag_if_sanitized(events, sanitized=root.was_sanitized)
        return ParseResult(sanitized, tuple(errors), ignored)

    def _record_events(self, record: Node) -> Iterable[CanonicalEvent]:
        values = (self.parsed_settings, self.source_slug)
        channels, vendor, orders = (
            MultiChannelReader(*values),
            VendorReader(*values),
            AmazonOrderReader(*values),
        )
        inner = record.get("order") if isinstance(record.value, dict) else record
        record = inner if isinstance(inner.value, dict) else record
        readers: Mapping[str, Callable[[Node], Iterable[CanonicalEvent]]] = {
            "fulfillmentorder": channels.fulfillment_order_events,
            "trackingevents": channels.tracking_events,
            "purchaseordernumber": vendor.purchase_order_events,
            "vendorshipmentidentifier": vendor.shipment_events,
            "amazonorderid": orders.order_v0_events,
            "orderid": orders.order_2026_events,
        }
        for name, read in readers.items():
            if record.has_value(name):
                return list(read(record))
        detail = "not an order, a shipment or a notification of Amazon"
        raise PayloadError(ParkReason.MAPPING, record.path or "$", detail)


def _document(body: bytes) -> Node:
    """Parse a JSON object, with names in lower case. Raises PayloadError."""
    value = load_json(body)
    if not isinstance(value.value, dict):
        raise PayloadError(ParkReason.SCHEMA, "$", "expected an object")
    return Node(with_lower_case_names(value.value), "", [False])
