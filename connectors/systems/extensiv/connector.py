"""Extensiv 3PL Warehouse Manager (3PL Central): poll of orders by their last change."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import (
    InvalidSignature,
    bearer_token,
    build_bearer_header,
    check_token_matches_a_secret,
)
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.oauth_authorization import OAuth2Authorization
from connectors.sdk.payload import PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting, page_size_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.extensiv.hal_documents import (
    ORDERS,
    embedded_list,
    is_page_of_orders,
    with_camel_case_names,
)
from connectors.systems.extensiv.orders import WarehouseOrderReader
from connectors.systems.extensiv.poll_orders import OrderPollOptions, poll_orders


class Extensiv(Connector):
    """Orders in the warehouse of a 3PL: released, allocated, picked, packed, shipped.

    Each step is a date of the order. The dates have no zone: they are local times of the account.
    An allocation has no date; the first report of it counts.
    """

    slug = "extensiv"
    title = "Extensiv 3PL Warehouse Manager"
    role = SourceRole.THIRD_PARTY_LOGISTICS
    reception = "polled (orders)"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "3PL Warehouse Manager > Home > Manage REST API access: create credentials for the "
        "customer, and enter the client id and client secret as settings.\n"
        "Enter the user login (or its id) that the credentials belong to."
    )
    permissions = ("Read access to orders of the customer",)
    not_covered = (
        "Receipts, inventory and billing.",
        "Partial allocations, and allocations that are taken back.",
        "Event webhooks: a request with the secret of this source as bearer token only makes the "
        "poll due.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("client_id", "The client id of the REST API credentials. Needed to poll."),
        Setting(
            "client_secret",
            "The client secret of the REST API credentials. Needed to poll.",
            SettingType.SECRET,
        ),
        Setting("user_login", "The user login of the credentials. It or the id is needed."),
        Setting("user_login_id", "The id of the user login, if the credentials name it by id."),
        Setting(
            "order_number",
            "The number range of the reference number, such as sales_order@erp.",
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
        Setting("customer_id", "Only orders of the customer with this id are polled."),
        first_poll_setting("orders that were not changed since this date or time"),
        page_size_setting("orders", maximum=500),
        overlap_setting(),
        Setting(
            "base_url",
            "The URL of the API.",
            SettingType.URL,
            default="https://secure-wms.com",
            label="URL of the API",
        ),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the bearer token. The signature of event webhooks is not public."""
        token = bearer_token(request.headers)
        if not token:
            raise InvalidSignature("the bearer token is missing")
        check_token_matches_a_secret(token, secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token."""
        return build_bearer_header(secret)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": the content identifies a message."""
        return ""

    def example_payload(self) -> bytes:
        """A released order."""
        return (
            b'{"readOnly": {"orderId": 41, "creationDate": "2026-01-05T10:00:00", "isClosed": '
            b'false, "lastModifiedDate": "2026-01-05T10:00:00"}, "referenceNum": "SO-1"}'
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an order or a page of orders; anything else is a notice that something changed."""
        root = with_camel_case_names(load_json(message.body))
        if not isinstance(root.value, dict) or not root.value:
            return ParseResult(ignored="no order")
        is_page = is_page_of_orders(root)
        orders = embedded_list(root, ORDERS, "resourceList") if is_page else [root]
        if orders is None:
            return ParseResult(
                ignored="a notice without an order; orders are polled", poll_due=True
            )
        reader = WarehouseOrderReader(self.parsed_settings, self.source_slug)
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for order in orders:
            try:
                events += reader.read_events(order)
            except PayloadError as error:
                errors.append(error)
        if errors and not is_page:
            raise errors[0]
        why = "" if events or errors else "no step of the order has a date yet"
        return ParseResult(tuple(events), tuple(errors), why)

    def is_poll_configured(self) -> bool:
        """Whether the credentials are set."""
        return bool(self.config.get("client_id") and self.config.get("client_secret"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield orders changed since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            base_url = values.text("base_url").rstrip("/")
            names = ("client_id", "client_secret", "user_login", "user_login_id")
            form = {name: text for name in names if (text := values.text(name))}
            authorization = OAuth2Authorization(
                f"{base_url}/AuthServer/api/Token",
                {"client_id": "", "client_secret": "", **form},
                client_in_header=True,
                is_json=True,
                tokens=context.tokens,
            )
            options = OrderPollOptions(
                f"{base_url}/orders",
                values.text("customer_id"),
                values.text("zone"),
                values.integer("page_size"),
                timedelta(minutes=float(values.decimal("overlap_minutes"))),
                values.text("since"),
            )
        except PayloadError as error:
            raise PollError(error.detail) from None
        cursors = CollectionCursors.parse(cursor, context.now)
        return poll_orders(AuthorizedRequests(http, [authorization]), cursors, options)
