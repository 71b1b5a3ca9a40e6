"""Odoo: webhooks of automation rules, and a poll of orders, transfers and invoices."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode

from connectors.sdk.auth import check_token_matches_a_secret
from connectors.sdk.changed_rows_polling import parse_since, poll_changed_rows
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.payload import ParkReason, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting, page_size_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.odoo.client import OdooClient
from connectors.systems.odoo.documents_with_lines import (
    INVOICES,
    MODELS,
    ORDERS,
    TRANSFERS,
    OdooDocumentReader,
)
from connectors.systems.odoo.invoices import OdooInvoiceReader
from connectors.systems.odoo.sale_orders import SaleOrderReader
from connectors.systems.odoo.transfers import TransferReader

TOKEN = "token"  # noqa: S105  # the name of a parameter
JSON_RPC, JSON_2 = "json_rpc", "json_2"


class Odoo(Connector):
    """Orders, deliveries, returns, invoices and refunds of Odoo.

    The webhook of an automation rule reports a change of a sales order at once. Odoo does not sign
    it, waits one second and tries once, so the URL contains a token, and a poll reads what was
    lost. The poll also reads lines, transfers, invoices and refunds. Empty fields are `false`, and
    times are UTC without an offset.
    """

    slug = "odoo"
    title = "Odoo"
    role = SourceRole.ERP
    reception = "webhooks (orders), polled (orders, transfers, invoices)"
    polls = True
    poll_interval = timedelta(minutes=5)
    allows_short_secrets = True
    setup = (
        'Settings > Technical > Automation Rules: model "Sales Order", action "Send Webhook '
        'Notification", URL with ?token=<the secret>. Fields: name, client_order_ref, partner_id, '
        "state, delivery_status, date_order, write_date.\n"
        "For the poll, create a user for this product with read access to sales, inventory and "
        "invoicing. As that user: Preferences > Account Security > New API Key. Enter the URL, "
        "the database, the user and the key as settings.\n"
        "Odoo Online permits the API only with a Custom plan."
    )
    topics: ClassVar[tuple[str, ...]] = (
        "Sales Order: Send Webhook Notification, on creation and update",
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "Read access to sale.order, sale.order.line, stock.picking, stock.move, account.move, "
        "account.move.line and product.product",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Deliveries in two or three steps report only the outgoing step, not picking and packing.",
        "Components of kits are left out: their quantities are not those of the ordered kit.",
        "An invoice that the customer paid has the time when Odoo reported it.",
        "Purchase orders and stock levels are not read.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "shop",
            "The web shop whose order numbers are in client_order_ref.",
            SettingType.SOURCE,
            default="shop",
            label="Web shop that issues order numbers",
        ),
        Setting(
            "web_order_prefix",
            "How the order numbers of the shop begin, such as WS-. Other customer references are "
            "customer POs. Without it, each is an order number of the shop.",
            label="Prefix of web order numbers",
        ),
        Setting(
            "base_url",
            "The URL of Odoo, such as https://example.odoo.com. Needed to poll.",
            SettingType.URL,
            label="URL of Odoo",
        ),
        Setting("database", "The name of the database. Needed to poll."),
        Setting("user", "The login of the user. Needed to poll by JSON-RPC."),
        Setting(
            "api_key",
            "The API key of the user. Needed to poll.",
            SettingType.SECRET,
        ),
        Setting(
            "api",
            "json_rpc for Odoo 13 to 19, json_2 for Odoo 19 and newer.",
            SettingType.CHOICE,
            default=JSON_RPC,
            choices=(JSON_RPC, JSON_2),
            label="API",
        ),
        Setting(
            "invoice_zone",
            "The IANA time zone of invoice dates, which have no time.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone of invoice dates",
        ),
        page_size_setting("documents", label="Documents per request"),
        overlap_setting(10, kind=SettingType.INTEGER),
        first_poll_setting(),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the token in the URL."""
        check_token_matches_a_secret(request.query.get(TOKEN, ""), secrets)

    def webhook_url_query(self, secret: str) -> str:
        """Return the token in the URL."""
        return "?" + urlencode({TOKEN: secret})

    def request_example(self, url: str) -> str:
        """Return shell commands that send a message: the token is in the URL."""
        options = '-H "content-type: application/json" \\\n  --data-binary @message.json'
        return (
            f"SECRET='the secret of this source'\ncurl -i \\\n  {options} \"{url}?{TOKEN}=$SECRET\""
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": a webhook has no id."""
        return ""

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"_model": "sale.order", "id": 9, "name": "S00009", "state": "sale", '
            b'"write_date": "2026-03-02 14:25:07"}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the URL, the key and what the API needs are set."""
        needed = ["base_url", "api_key"]
        if self.config.get("api", JSON_RPC) != JSON_2:
            needed += ["database", "user"]
        return all(self.config.get(name) for name in needed)

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield orders, transfers and invoices changed since the cursor."""
        try:
            settings = self.parsed_settings
            client = OdooClient(
                http,
                settings.text("base_url"),
                settings.text("database"),
                settings.text("user"),
                settings.text("api_key"),
                json_2=settings.text("api") == JSON_2,
            )
            size = settings.integer("page_size")
            overlap = timedelta(minutes=settings.integer("overlap_minutes"))
            since = parse_since(settings.text("since"))
        except PayloadError as error:
            raise PollError(error.detail) from None
        if not self.is_poll_configured():
            raise PollError("the URL, the database, the user and the API key are required")
        return poll_changed_rows(
            MODELS,
            cursor,
            OdooDocumentReader(client, size).read,
            page_size=size,
            overlap=overlap,
            since=since,
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a webhook or a polled document."""
        root = load_json(message.body)
        settings, source = self.parsed_settings, self.source_slug
        readers = {
            ORDERS: SaleOrderReader(
                source, settings.text("shop"), settings.text("web_order_prefix")
            ).read,
            TRANSFERS: TransferReader(source).read,
            INVOICES: OdooInvoiceReader(source, settings.text("invoice_zone")).read,
        }
        model = root.text_at("_model") or ORDERS
        if model not in readers:
            detail = f"{model[:60]!r} is not a model of orders, transfers or invoices"
            raise PayloadError(ParkReason.MAPPING, "_model", detail)
        events, reason = readers[model](root)
        return ParseResult(flag_if_sanitized(events, sanitized=root.was_sanitized), ignored=reason)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return nothing: the token is in the URL."""
        return {}
