"""Walmart Marketplace: polling of orders."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    WebhookRequest,
)
from connectors.systems.walmart.json_fields import list_in, object_or_empty
from connectors.systems.walmart.orders import WalmartOrderReader
from connectors.systems.walmart.poll import LIST, poll_orders

NODE_TYPES = ("SellerFulfilled", "WFSFulfilled", "3PLFulfilled")


def check_node_types(text: str) -> None:
    """Raise ValueError for a kind of ship node that is not known."""
    for name in filter(None, (entry.strip() for entry in text.split(","))):
        if name not in NODE_TYPES:
            raise ValueError(f"{name[:40]!r} is not one of {', '.join(NODE_TYPES)}.")


class Walmart(Connector):
    """Walmart Marketplace purchase orders, with a status per line: Created to Delivered.

    One order of a customer can be several purchase orders, so the number of the customer only helps
    to find them. Units of one line can have different statuses.
    """

    slug: ClassVar[str] = "walmart"
    title: ClassVar[str] = "Walmart Marketplace"
    role: ClassVar[SourceRole] = SourceRole.SHOP
    reception = "polled (orders)"
    polls = True
    accepts_webhooks = False
    poll_interval = timedelta(minutes=10)
    setup = (
        "Walmart Developer Portal > API Key Management: enter the client id and the client secret "
        "of the production keys as settings.\n"
        "Orders of the last 180 days are available."
    )
    permissions: ClassVar[tuple[str, ...]] = ("Orders: view only.",)
    not_covered: ClassVar[tuple[str, ...]] = (
        "Returns are not read; refunds of lines are.",
        "Notifications of Walmart are not received; a poll finds the same changes.",
        "Total amounts are read for orders of single units only.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "base_url",
            "The URL of the API.",
            SettingType.URL,
            default="https://marketplace.walmartapis.com",
            label="API URL",
        ),
        Setting("client_id", "The client id of the seller. Needed to poll."),
        Setting("client_secret", "The client secret of the seller.", SettingType.SECRET),
        Setting(
            "ship_nodes",
            "Who ships, comma-separated: SellerFulfilled, WFSFulfilled, 3PLFulfilled.",
            default="SellerFulfilled",
            check=check_node_types,
            label="Kinds of ship nodes",
        ),
        Setting("market", "The market of a global account, such as ca or mx.", label="Market"),
        first_poll_setting("what changed before this date or time (default: 30 days ago)"),
        Setting(
            "channel", "The name of the sales channel.", default="walmart", label="Sales channel"
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({LIST})

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Refuse everything: this system is polled."""
        raise InvalidSignature("Walmart is polled; it sends no webhooks")

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": there are no deliveries."""
        return ""

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"purchaseOrderId": "1080000000001", "orderDate": 1767607200000, "orderLines": '
            b'{"orderLine": [{"lineNumber": "1", "item": {"sku": "DEMO-1"}, "orderLineQuantity": '
            b'{"amount": "1"}, "statusDate": 1767607200000, "orderLineStatuses": {'
            b'"orderLineStatus": [{"status": "Created", "statusQuantity": {"amount": "1"}}]}}]}}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the credentials are set."""
        return bool(self.config.get("client_id") and self.config.get("client_secret"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield orders changed since the cursor."""
        return poll_orders(self.parsed_settings, http, cursor, context)

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an order, or a response with a list of orders."""
        root = load_json(message.body)
        is_list = isinstance(root.value, dict) and root.has_value("list")
        records = list_in(root.required_object("list"), "elements", "order") if is_list else [root]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for record in records:
            try:
                events += self._order_events(record)
            except PayloadError as error:
                errors.append(error)
        if errors and not is_list:
            raise errors[0]
        ignored = "" if events or errors else "empty list"
        return ParseResult(
            flag_if_sanitized(events, sanitized=root.was_sanitized), tuple(errors), ignored
        )

    def _order_events(self, record: Node) -> list[CanonicalEvent]:
        order = object_or_empty(record, "order") if record.has_value("order") else record
        if not order.has_value("purchaseOrderId"):
            detail = "not an order of Walmart Marketplace"
            raise PayloadError(ParkReason.MAPPING, record.path or "$", detail)
        return list(WalmartOrderReader(self.parsed_settings, self.source_slug).order_events(order))
