"""Vendure: webhooks of a plugin, and polling over the Admin API."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import uuid4

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import build_bearer_header
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    NOTICE_KEY,
    HttpClient,
    PollContext,
    PolledPage,
    WebhookRequest,
)
from connectors.systems.vendure.orders import VendureOrderReader, order_of_notice
from connectors.systems.vendure.poll import LIST, poll_orders


class Vendure(Connector):
    """Vendure orders, fulfillments and refunds.

    Vendure has no webhooks of its own: a plugin that subscribes to its event bus sends them. A
    webhook has the order, or only names it, which makes the poll due. A cart is not an order yet.
    """

    slug: ClassVar[str] = "vendure"
    title: ClassVar[str] = "Vendure"
    role: ClassVar[SourceRole] = SourceRole.SHOP
    reception = "polled (orders, fulfillments, refunds), and webhooks of a plugin"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "Create a role with the permission ReadOrder and an administrator with this role, or an "
        "API key of it. Enter its user name and password, or the key, as settings.\n"
        "Add a plugin that subscribes to OrderStateTransitionEvent, "
        "FulfillmentStateTransitionEvent and RefundStateTransitionEvent of the EventBus, and sends "
        '{"orderId": "..."} by POST to the webhook URL, with the header Authorization: Bearer and '
        "the secret of this source. The order is then polled at once. Or the plugin sends the "
        'order itself, with the fields that the Admin API has, as {"order": {...}}: then nothing '
        "needs to be polled. tests/systems/vendure/server.js of the repository has such a plugin."
    )
    topics: ClassVar[tuple[str, ...]] = (
        "OrderStateTransitionEvent",
        "FulfillmentStateTransitionEvent",
        "RefundStateTransitionEvent",
    )
    permissions: ClassVar[tuple[str, ...]] = ("ReadOrder.",)
    not_covered: ClassVar[tuple[str, ...]] = (
        "A fulfillment has only the time of its last change: that is when it was shipped, unless "
        "it was delivered before it was read.",
        "Without notices, a refund, or the delivery of one of several fulfillments, is read with "
        "the next change of its order: neither changes the order itself.",
        "Surcharges and modifications are read as the new total only.",
        "States of an order process of your own give unmapped events.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "base_url",
            "The URL of the server, such as https://shop.example.com, without /admin-api.",
            SettingType.URL,
            label="URL of the server",
        ),
        Setting(
            "api_key",
            "An API key, which is sent in the header vendure-api-key.",
            SettingType.SECRET,
        ),
        Setting("username", "The user name of the administrator, without an API key."),
        Setting("password", "The password of the administrator.", SettingType.SECRET),
        Setting(
            "channel_token",
            "The token of the channel of Vendure, if it is not the default channel.",
            label="Channel token",
        ),
        Setting(
            "money_decimals",
            "How many decimals amounts have, which Vendure sends as whole numbers.",
            SettingType.INTEGER,
            default="2",
            minimum=0,
            maximum=6,
            label="Decimals of amounts",
        ),
        first_poll_setting("orders that did not change after this date or time"),
        Setting("channel", "The name of the sales channel.", default="web", label="Sales channel"),
    )
    stored_headers: ClassVar[frozenset[str]] = standard_webhooks.HEADERS | {LIST}

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check a bearer token or a Standard Webhooks signature."""
        standard_webhooks.verify_token_or_signature(request.headers, request.body, secrets, now)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token."""
        return build_bearer_header(secret)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the webhook id, if the plugin sends one.

        Without one, each notice is a message of its own: those about one order do not differ.
        """
        webhook_id = request.headers.get("webhook-id", "")
        if _is_notice(request.body):
            return NOTICE_KEY + (webhook_id or uuid4().hex)
        return webhook_id

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"order": {"id": "31", "code": "T3K8QZ", "state": "PaymentSettled", '
            b'"orderPlacedAt": "2026-01-05T10:00:00.000Z", "updatedAt": "2026-01-05T10:00:01.000Z",'
            b' "currencyCode": "USD", "totalWithTax": 1980, "lines": [{"id": "7", "quantity": 2, '
            b'"productVariant": {"sku": "DEMO-1", "name": "Demo"}}]}}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the URL and credentials are set."""
        has_credentials = self.config.get("api_key") or self.config.get("password")
        return bool(self.config.get("base_url") and has_credentials)

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield orders changed since the cursor."""
        return poll_orders(self.parsed_settings, http, cursor, context)

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an order, a list of orders, or a notice that names an order."""
        root = load_json(message.body)
        nodes = root.as_list() if isinstance(root.value, list) else [root]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        notices = 0
        for node in nodes:
            try:
                order = _order_or_none(node)
                if order is None:
                    notices += 1
                else:
                    reader = VendureOrderReader(self.parsed_settings, self.source_slug)
                    events += reader.order_events(order)
            except PayloadError as error:
                errors.append(error)
        if errors and len(nodes) == 1:
            raise errors[0]
        ignored = "" if events or errors else "a cart or a draft, not an order yet"
        if notices and not events and not errors:
            ignored = "only says which order changed; it is polled"
        return ParseResult(
            flag_if_sanitized(events, sanitized=root.was_sanitized),
            tuple(errors),
            ignored if nodes else "empty list",
            poll_due=bool(notices),
        )


def _is_notice(body: bytes) -> bool:
    try:
        return _order_or_none(load_json(body)) is None
    except PayloadError:
        return False


def _order_or_none(node: Node) -> Node | None:
    """Return the order of a message; None for a notice that only names it. Raises PayloadError."""
    inner = node.get("order")
    order = inner if isinstance(inner.value, dict) else node
    if order.has_value("state") and order.has_value("lines"):
        return order
    order_of_notice(node)
    return None
