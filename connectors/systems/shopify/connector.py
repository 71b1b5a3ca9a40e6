"""Shopify: webhooks of orders, fulfillments and refunds."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, check_base64_signature, hmac_sha256
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent, EventType
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import Setting
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    WebhookRequest,
)
from connectors.systems.shopify.fulfillments import FulfillmentReader
from connectors.systems.shopify.graphql_orders import convert_graphql_order, is_graphql_order
from connectors.systems.shopify.graphql_poll import poll_orders
from connectors.systems.shopify.orders import OrderReader
from connectors.systems.shopify.settings import SETTINGS

SIGNATURE = "x-shopify-hmac-sha256"
TOPIC = "x-shopify-topic"


class Shopify(Connector):
    """Shopify orders (snapshots), fulfillments and refunds.

    One change triggers several topics in any order, and a retry sends the old payload. So each fact
    has a key made of its own id, and `updated_at` is its revision.
    """

    slug: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
    role: ClassVar[SourceRole] = SourceRole.SHOP
    reception = "webhooks (orders, fulfillments, refunds), and polled"
    polls = True
    webhook_header = SIGNATURE
    poll_interval = timedelta(minutes=15)
    setup = (
        'Shopify admin > Settings > Notifications > Webhooks > "Create webhook", format JSON, with '
        "the webhook URL: for the events Order creation, Order update, Order cancellation, "
        "Fulfillment creation, Fulfillment update and Refund create.\n"
        "Below the list, Shopify shows the key that signs all of them. Enter it as the secret of "
        "this source.\n"
        "For the poll, which reads what lost webhooks reported: create an app in the Dev "
        "Dashboard, install it in the shop, and enter its client id and client secret, or the "
        "access token of an older custom app, as settings."
    )
    topics: ClassVar[tuple[str, ...]] = (
        "orders/create",
        "orders/updated",
        "orders/cancelled",
        "orders/edited",
        "fulfillments/create",
        "fulfillments/update",
        "fulfillment_events/create",
        "fulfillment_orders/placed_on_hold",
        "fulfillment_orders/hold_released",
        "refunds/create",
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "read_orders, for the poll.",
        "read_all_orders, to poll orders that are older than 60 days.",
        "Access to protected customer data (name), unless the setting customer_names is no.",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Returns (returns/*) are not read; refunds and what they restock are.",
        "Holds are read from webhooks only.",
        "A shop that deletes its subscription after failures sends nothing more: the poll goes on.",
    )
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    # https://shopify.dev/docs/api/usage/versioning: each quarterly version is supported for a year.
    versions: ClassVar[tuple[VersionDeclaration, ...]] = (
        VersionDeclaration(
            name="X-Shopify-Api-Version",
            header="x-shopify-api-version",
            supported=(r"20\d\d-(01|04|07|10)",),
            months=12,
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset(
        {
            SIGNATURE,
            TOPIC,
            "x-shopify-webhook-id",
            "x-shopify-event-id",
            "x-shopify-shop-domain",
            "x-shopify-api-version",
            "x-shopify-triggered-at",
        }
    )
    # The REST API wraps an object in a key: key -> topic of the same object in webhooks.
    wrapper_topics: ClassVar[Mapping[str, str]] = {
        "order": "orders/updated",
        "fulfillment": "fulfillments/update",
        "fulfillment_event": "fulfillment_events/create",
        "fulfillment_order": "fulfillment_orders/order_routing_complete",
        "refund": "refunds/create",
    }
    ignored_topics: ClassVar[Mapping[str, str]] = {
        "order_transactions": "payments are read from the order",
        "customers": "customers are read from their orders",
        **dict.fromkeys(
            ("app", "carts", "checkouts", "collections", "draft_orders", "inventory_items",
             "inventory_levels", "locations", "products", "shop", "themes", "variants"),
            "not related to orders",
        ),
    }  # fmt: skip
    # Fulfillment orders are packing assignments. Only their holds concern the order.
    hold_actions: ClassVar[Mapping[str, EventType]] = {
        "placed_on_hold": EventType.ORDER_HELD,
        "hold_released": EventType.ORDER_HOLD_RELEASED,
    }
    # Field that only one kind of object has -> its topic, for bodies without headers.
    topic_by_field: ClassVar[Mapping[str, str]] = {
        "order_edit": "orders/edited",
        "refund_line_items": "refunds/create",
        "happened_at": "fulfillment_events/create",
        "assigned_location_id": "fulfillment_orders/order_routing_complete",
        "tracking_numbers": "fulfillments/update",
        "financial_status": "orders/updated",
        "transactions": "order_transactions/create",
        "gateway": "order_transactions/create",
        "line_items": "orders/updated",
    }

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the base64 HMAC-SHA256. Shopify signs with the old secret for up to an hour."""
        signature = request.headers.get(SIGNATURE, "")
        if not signature:
            raise InvalidSignature("the signature is missing")
        check_base64_signature(signature, secrets, request.body)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as Shopify does, with the topic header."""
        signature = base64.b64encode(hmac_sha256(secret, body)).decode()
        return {SIGNATURE: signature, **self.guess_headers(body)}

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"id": 1001, "name": "#1001", "created_at": "2026-01-05T10:00:00Z", '
            b'"updated_at": "2026-01-05T10:00:00Z", "currency": "USD", "line_items": '
            b'[{"id": 1, "sku": "DEMO-1", "quantity": 2, "price": "9.90"}]}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the webhook id. It is the same on every retry."""
        return request.headers.get("x-shopify-webhook-id", "")

    def guess_headers(self, body: bytes) -> Mapping[str, str]:
        """Guess the topic from the wrapping key or from the fields."""
        try:
            topic = self._guess_topic(load_json(body))
        except PayloadError:
            return {}
        return {TOPIC: topic} if topic else {}

    def is_poll_configured(self) -> bool:
        """Whether the URL of the shop and credentials are set."""
        has_credentials = self.config.get("access_token") or self.config.get("client_id")
        return bool(self.config.get("base_url") and has_credentials)

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield orders changed since the cursor; they fill the gaps of lost webhooks."""
        return poll_orders(self.parsed_settings, http, cursor, context)

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse by topic. REST responses wrap the object in a key, webhooks do not."""
        document = load_json(message.body)
        if isinstance(document.value, dict) and is_graphql_order(document):
            if not document.has_value("lineItems"):
                return ParseResult(ignored="the order was deleted after it had changed")
            document = convert_graphql_order(document)
        guessed = self._guess_topic(document)
        topic = message.headers.get(TOPIC, "").strip().lower() or guessed
        family, _, action = topic.partition("/")
        if family in self.ignored_topics:
            return ParseResult(ignored=f"{topic}: {self.ignored_topics[family]}")
        node = document
        for key, wrapped_topic in self.wrapper_topics.items():
            if wrapped_topic.startswith(f"{family}/") and isinstance(document.get(key).value, dict):
                node = document.required_object(key)
        test_reason = _test_traffic_reason(node)
        if test_reason and not self.parsed_settings.is_on("test_traffic"):
            return ParseResult(ignored=test_reason)
        if topic == "orders/delete":
            return ParseResult(ignored="deleting an order in Shopify does not cancel it")
        if family == "fulfillment_orders" and not self._hold_event_type(node, action):
            return ParseResult(ignored=f"{topic}: packing assignments are not tracked")
        events = tuple(self._read_topic_events(topic, node))
        if not events:
            return ParseResult(
                ignored=f"not shipped: the fulfillment status is {node.text_at('status')}"
            )
        return ParseResult(flag_if_sanitized(events, sanitized=document.was_sanitized))

    def _read_topic_events(self, topic: str, node: Node) -> Iterable[CanonicalEvent]:
        orders = OrderReader(self.parsed_settings, self.source_slug)
        fulfillments = FulfillmentReader(self.parsed_settings, self.source_slug)
        family, _, action = topic.partition("/")
        if node.has_value("order_edit"):
            return orders.order_edit_events_without_lines(node.required_object("order_edit"))
        if family == "fulfillment_orders":
            return orders.hold_or_release_events(
                self._hold_event_type(node, action) or EventType.UNMAPPED, node
            )
        if family == "fulfillments":
            return fulfillments.fulfillment_events(node, orders.object_reference(node, "order_id"))
        if family == "refunds":
            return orders.credit_events_of_refund(node, orders.object_reference(node, "order_id"))
        readers = {
            "orders": orders.order_fulfillment_and_refund_events,
            "fulfillment_events": fulfillments.scan_events,
        }
        read = readers.get(family)
        return read(node) if read else orders.unmapped_events(node, topic)

    def _hold_event_type(self, node: Node, action: str) -> EventType | None:
        default = EventType.ORDER_HELD if node.text_at("status") == "on_hold" else None
        return self.hold_actions.get(action, default)

    def _guess_topic(self, document: Node) -> str:
        """Guess the topic of a body without headers; "" if unknown."""
        names = list(document.keys())
        topics = (
            self.wrapper_topics
            if len(names) == 1 and names[0] in self.wrapper_topics
            else self.topic_by_field
        )
        return next((topic for name, topic in topics.items() if name in names), "")


def _test_traffic_reason(node: Node) -> str:
    """Return why this is test traffic, or "". A refund is a test if all transactions are."""
    if node.boolean_at("test"):
        return "test order (test: true)"
    transactions = node.list_at("transactions")
    if transactions and all(transaction.boolean_at("test") for transaction in transactions):
        return "refund of a test order (its transactions have test: true)"
    return ""
