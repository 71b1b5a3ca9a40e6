"""BigCommerce: webhooks that name what changed, and polling of orders."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import check_token_matches_a_secret
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.parse_setting_values import check_slug
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import HttpClient, PolledPage, WebhookRequest
from connectors.systems.bigcommerce.orders import BigCommerceOrderReader, webhook_time
from connectors.systems.bigcommerce.poll import LIST, poll_orders
from connectors.systems.bigcommerce.statuses import WebhookScope

TOKEN_HEADER = "x-webhook-token"  # noqa: S105  # the name of a header
ORDER_SCOPES = ("store/order/", "store/shipment/")


class BigCommerce(Connector):
    """BigCommerce orders, shipments and refunds.

    A webhook only names what changed, so it makes the poll due, which reads the order with its
    products, shipments and refunds. "Completed" does not mean delivered. An order with the status
    Incomplete is a checkout that was not finished, and not an order.
    """

    slug: ClassVar[str] = "bigcommerce"
    title: ClassVar[str] = "BigCommerce"
    role: ClassVar[SourceRole] = SourceRole.SHOP
    reception = "polled (orders, shipments, refunds), and its webhooks"
    polls = True
    poll_interval = timedelta(minutes=5)
    allows_short_secrets = True
    setup = (
        "BigCommerce control panel > Settings > API > Store-level API accounts: create a V2/V3 "
        "token. Enter its API path without /v3/ and its access token as settings.\n"
        "Create webhooks with POST <API path>/v3/hooks for each scope below, with the webhook URL "
        "as destination. The URL must use port 443.\n"
        "Signed webhooks (headers webhook-id, webhook-timestamp and webhook-signature): enter the "
        "client secret of the API account as the secret of this source. Older webhooks: let each "
        'hook send it, with "headers": {"x-webhook-token": "<secret of this source>"}.'
    )
    topics: ClassVar[tuple[str, ...]] = (
        "store/order/created",
        "store/order/updated",
        "store/order/statusUpdated",
        "store/order/refund/created",
        "store/shipment/created",
        "store/shipment/updated",
        "store/shipment/deleted",
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "Orders: read-only.",
        "Order transactions: read-only, for refunds.",
        "Information and settings: none.",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Returns are not read; the API has no list of changed ones.",
        "Archived orders are not read.",
        "A product that is listed with its picked components is counted as often as it is listed.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "base_url",
            "The API path of the store, such as https://api.bigcommerce.com/stores/abc123.",
            SettingType.URL,
            label="API path",
        ),
        Setting("access_token", "The access token of the API account.", SettingType.SECRET),
        first_poll_setting("orders that did not change after this date or time"),
        Setting(
            "erp",
            "The source whose order numbers are in external_order_id.",
            SettingType.SOURCE,
            check=check_slug,
            label="ERP",
        ),
        Setting(
            "channel", "The sales channel of all orders.", default="web", label="Sales channel"
        ),
        Setting(
            "channel.<channel_id>",
            "The sales channel of orders of this channel of BigCommerce.",
            label="Sales channel of a channel id",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = standard_webhooks.HEADERS | {LIST}

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature, or the token that older hooks send in a header."""
        if request.headers.get("webhook-signature"):
            standard_webhooks.verify_signature(request.headers, request.body, secrets, now)
        else:
            check_token_matches_a_secret(request.headers.get(TOKEN_HEADER, ""), secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the token of older hooks."""
        return {TOKEN_HEADER: secret.decode()}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the webhook id, or scope, hash, time and object: equal hashes are documented."""
        if request.headers.get("webhook-id"):
            return request.headers["webhook-id"]
        try:
            root = load_json(request.body)
            number = root.required_object("data").text_at("id")
            names = [root.text_at(name) for name in ("scope", "hash", "created_at")]
        except PayloadError:
            return ""
        return " ".join([*names, number]) if all(names) else ""

    def example_payload(self) -> bytes:
        """A changed status."""
        return (
            b'{"scope": "store/order/statusUpdated", "store_id": "1", "data": {"type": "order", '
            b'"id": 250, "status": {"previous_status_id": 7, "new_status_id": 11}}, "hash": "d1", '
            b'"created_at": 1767607200, "producer": "stores/abc123"}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the API path and the token are set."""
        return bool(self.config.get("base_url") and self.config.get("access_token"))

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield orders changed since the cursor."""
        return poll_orders(self.parsed_settings, http, cursor)

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a webhook, an order, a shipment, or a list of orders or shipments."""
        root = load_json(message.body)
        if isinstance(root.value, dict) and root.has_value("scope"):
            return self._parse_webhook(root)
        is_list = isinstance(root.value, list)
        nodes = root.as_list() if is_list else [root]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for node in nodes:
            try:
                events += self._parse_object(node)
            except PayloadError as error:
                errors.append(error)
        if errors and not is_list:
            raise errors[0]
        ignored = "" if events or errors else "no order yet: the checkout was not finished"
        sanitized = flag_if_sanitized(events, sanitized=root.was_sanitized)
        return ParseResult(sanitized, tuple(errors), ignored if nodes else "empty list")

    def _parse_webhook(self, root: Node) -> ParseResult:
        scope, data = root.text_at("scope"), root.get("data")
        if not scope.startswith(ORDER_SCOPES) or not isinstance(data.value, dict):
            return ParseResult(ignored=f"{scope}: not related to orders")
        reader, at = (
            BigCommerceOrderReader(self.parsed_settings, self.source_slug),
            webhook_time(root),
        )
        events: list[CanonicalEvent] = []
        if scope == WebhookScope.SHIPMENT_DELETED:
            events = [reader.deleted_shipment_event(data, at)]
        elif scope == WebhookScope.STATUS:
            events = reader.status_webhook_events(data, at)
        ignored = "" if events else f"{scope}: only says what changed; the order is polled"
        return ParseResult(tuple(events), ignored=ignored, poll_due=True)

    def _parse_object(self, node: Node) -> list[CanonicalEvent]:
        reader = BigCommerceOrderReader(self.parsed_settings, self.source_slug)
        if node.has_value("order_id") and node.has_value("items"):
            return list(reader.shipment_events(node, {}))
        if node.has_value("status_id") and node.has_value("date_created"):
            return list(reader.order_events(node))
        detail = "not an order, a shipment or a webhook"
        raise PayloadError(ParkReason.MAPPING, node.path or "$", detail)
