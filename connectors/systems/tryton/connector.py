"""Tryton: a poll of sales, shipments, returns and invoices by JSON-RPC."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.changed_rows_polling import parse_since, poll_changed_rows
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.parse_setting_values import check_slug
from connectors.sdk.payload import ParkReason, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting, page_size_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    TokenStore,
    WebhookRequest,
)
from connectors.systems.tryton.client import TrytonClient, TrytonSession, rpc_url
from connectors.systems.tryton.documents_with_lines import (
    INVOICES,
    RETURNS,
    SALES,
    SHIPMENTS,
    STREAMS,
    TrytonDocumentReader,
)
from connectors.systems.tryton.invoices import TrytonInvoiceReader
from connectors.systems.tryton.sales import SaleReader
from connectors.systems.tryton.shipments import TrytonShipmentReader
from connectors.systems.tryton.source_settings import TrytonSettings


class Tryton(Connector):
    """Sales, shipments with packages, returns, invoices and credit notes of Tryton.

    Tryton sends no webhooks. It is polled by JSON-RPC, within a session of a user. Times are UTC
    without an offset. A return is a sale with negative quantities, and a credit note an invoice
    with a negative total.
    """

    slug = "tryton"
    title = "Tryton"
    role = SourceRole.ERP
    reception = "polled (sales, shipments, returns, invoices)"
    polls = True
    poll_interval = timedelta(minutes=5)
    accepts_webhooks = False
    allows_short_secrets = True
    setup = (
        "Administration > Users: create a user for this product, with the company, and with groups "
        "that read sales, shipments and invoices (Sales, Stock and Account). It needs no group of "
        "administrators.\n"
        "Enter the URL of the server, the database and the login as settings, and the password as "
        "the secret of this source.\n"
        "Set the time zone of the company: dates without a time are dates there."
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "Read access to sales, customer shipments and their returns, packages and invoices",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Series before 8.0 have another URL for calls.",
        "A return that names no sale is not linked to an order.",
        "Drop shipments and purchases are not read.",
        "Tryton's own modules have no hold, no requested and no promised delivery date of a sale. "
        "Fields of your own modules can be read.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "base_url",
            "The URL of the server, such as https://tryton.example.com. Needed to poll.",
            SettingType.URL,
            label="URL of Tryton",
        ),
        Setting("database", "The name of the database. Needed to poll."),
        Setting(
            "user",
            "The login of the user. Its password is the secret of the source. Needed to poll.",
            label="Login",
        ),
        Setting(
            "zone",
            "The IANA time zone of the company, in which dates without a time begin and end.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone",
        ),
        Setting(
            "web_orders",
            "The web shop whose order names (#1001) are references of sales.",
            SettingType.SOURCE,
            check=check_slug,
            label="Web shop that issues order names",
        ),
        Setting(
            "web_order_prefix",
            "How the order names of the shop begin, such as # or EN-. Other references are "
            "customer POs only. Without it, each can be an order name.",
            label="Prefix of web order names",
        ),
        Setting("channel", "The sales channel of all orders.", label="Sales channel"),
        Setting(
            "channel.<value>",
            "The sales channel of sales with this value in `channel_field`.",
            label="Sales channel of a value",
        ),
        Setting(
            "channel_field",
            "The field of sales with the channel, from a module of your own.",
            label="Field with the channel",
        ),
        Setting(
            "requested_field",
            "The field of sales with the requested delivery date, from a module of your own.",
            label="Field with the requested date",
        ),
        Setting(
            "promised_field",
            "The field of sales with the promised delivery date, from a module of your own.",
            label="Field with the promised date",
        ),
        Setting(
            "hold_field",
            "The field of confirmed sales that is set while they are on hold, from a module of "
            "your own.",
            label="Field of a hold",
        ),
        page_size_setting("documents", label="Documents per request"),
        overlap_setting(10, kind=SettingType.INTEGER),
        first_poll_setting(),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Refuse every webhook: Tryton sends none."""
        raise InvalidSignature("this connector receives no webhooks")

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": there are no webhooks."""
        return ""

    def is_poll_configured(self) -> bool:
        """Whether the URL, the database and the user are set."""
        return all(self.config.get(name) for name in ("base_url", "database", "user"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield pages like `poll`, in a session that is used until it ends."""
        return self._poll(http, cursor, secrets, context.tokens)

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield sales, shipments, returns and invoices changed since the cursor."""
        return self._poll(http, cursor, secrets, NO_TOKENS)

    def _poll(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], tokens: TokenStore
    ) -> Iterator[PolledPage]:
        if not self.is_poll_configured():
            raise PollError("the URL, the database and the user are required")
        if not secrets:
            raise PollError("this source has no secret, which is the password of the user")
        try:
            settings = self.parsed_settings
            url = rpc_url(settings.text("base_url"), settings.text("database"))
            user, size = settings.text("user"), settings.integer("page_size")
            overlap = timedelta(minutes=settings.integer("overlap_minutes"))
            since = parse_since(settings.text("since"))
            own_fields = self._document_settings().own_sale_fields
        except PayloadError as error:
            raise PollError(error.detail) from None
        sessions = [
            TrytonSession(url, user, secret.decode("utf-8", "replace"), tokens)
            for secret in secrets
        ]
        client = TrytonClient(AuthorizedRequests(http, sessions), url)
        return poll_changed_rows(
            STREAMS,
            cursor,
            TrytonDocumentReader(client, size, own_fields).read,
            page_size=size,
            overlap=overlap,
            since=since,
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a polled document."""
        root = load_json(message.body)
        settings = self._document_settings()
        shipments = TrytonShipmentReader(settings)
        readers = {
            SALES: SaleReader(settings).read,
            SHIPMENTS: shipments.read_shipment,
            RETURNS: shipments.read_return,
            INVOICES: TrytonInvoiceReader(settings).read,
        }
        model = root.required_text("_model")
        if model not in readers:
            detail = f"{model[:60]!r} is not a model of sales, shipments, returns or invoices"
            raise PayloadError(ParkReason.MAPPING, "_model", detail)
        events, reason = readers[model](root)
        return ParseResult(flag_if_sanitized(events, sanitized=root.was_sanitized), ignored=reason)

    def _document_settings(self) -> TrytonSettings:
        return TrytonSettings.of_source(self.source_slug, self.parsed_settings)

    def example_payload(self) -> bytes:
        """A small sale."""
        return (
            b'{"_model": "sale.sale", "id": 1, "number": "S-1", "state": "processing", '
            b'"create_date": "2026-01-05T10:00:00", "sale_date": "2026-01-05", '
            b'"lines.": [{"id": 1, "type": "line", "quantity": 5, "product.": {"code": "A-1"}}]}'
        )
