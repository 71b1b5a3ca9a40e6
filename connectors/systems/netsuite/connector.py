"""NetSuite: a poll of transactions by SuiteQL."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.changed_rows_polling import parse_since, poll_changed_rows
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import IdentifierScheme
from connectors.sdk.oauth_authorization import OAuth1Authorization
from connectors.sdk.payload import PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, page_size_setting
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.netsuite.suiteql import TYPES, NetSuiteRowReader
from connectors.systems.netsuite.transactions import NetSuiteTransactionReader


class NetSuite(Connector):
    """Sales orders, item fulfillments, invoices, credit memos and return authorizations.

    NetSuite sends no webhooks. It is polled by SuiteQL, with token-based authentication (OAuth 1.0
    with HMAC-SHA256). Times are those of the clock of the account. Lines of a fulfillment, invoice
    or return name the line of the order that they continue.
    https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_157909186990.html
    """

    slug = "netsuite"
    title = "NetSuite"
    role = SourceRole.ERP
    reception = "polled (orders, fulfillments, invoices, credit memos, returns)"
    polls = True
    poll_interval = timedelta(minutes=5)
    accepts_webhooks = False
    allows_short_secrets = True
    setup = (
        "Setup > Company > Enable Features > SuiteCloud: enable REST Web Services and Token-Based "
        "Authentication.\n"
        "Setup > Integration > Manage Integrations > New: choose token-based authentication, and "
        "enter the consumer key and the consumer secret as settings.\n"
        "Create a role with the permissions below, give it to a user, and create an access token "
        "for the integration, the user and the role. Enter the token id as a setting, and the "
        "token secret as the secret of this source.\n"
        "Setup > Company > Company Information has the account id and the time zone. The time zone "
        "of the user must be the same."
    )
    permissions = (
        "Log in using Access Tokens; REST Web Services; SuiteAnalytics Workbook",
        "Find Transaction; Sales Order, Item Fulfillment, Invoice, Credit Memo and Return "
        "Authorization, each with the level View",
        "Items and Customers with the level View; the subsidiaries of the orders",
    )
    not_covered = (
        "OAuth 2.0 with a certificate.",
        "Deleted transactions: SuiteQL no longer returns them.",
        "Cash sales, purchase orders, drop shipments and transfer orders.",
        "Kits: their members are lines like all others.",
        "A fulfillment that goes back from shipped to packed or picked.",
        "Units of measure: quantities are those of the base unit of an item.",
        "Invoices and credit memos that continue no order, invoice or return.",
        "Scripts of an account that send messages: receive them with another connector.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "account",
            "The account id, such as 1234567 or 1234567_SB1. Needed to poll.",
            label="Account id",
        ),
        Setting("consumer_key", "The consumer key of the integration. Needed to poll."),
        Setting("consumer_secret", "The consumer secret of the integration.", SettingType.SECRET),
        Setting("token_id", "The id of the access token. Needed to poll.", label="Token id"),
        Setting(
            "zone",
            "The IANA time zone of the account, in which all times are.",
            SettingType.ZONE,
            default="America/Los_Angeles",
            label="Time zone of the account",
        ),
        Setting(
            "purchase_order",
            "What the PO number of an order contains, such as web_order@shop. Without it, it is "
            "the purchase order number of the customer.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of the PO number",
        ),
        first_poll_setting("transactions that were not changed since this date or time"),
        page_size_setting("transactions", label="Transactions per request"),
        Setting(
            "overlap_minutes",
            "How many minutes each poll goes back before the last one. More than an hour covers "
            "the hour that is repeated when daylight saving time ends.",
            SettingType.INTEGER,
            default="75",
            minimum=0,
            maximum=10_080,
            label="Overlap of polls (minutes)",
        ),
        Setting(
            "base_url",
            "The URL of the account. Blank: https://ACCOUNT.suitetalk.api.netsuite.com.",
            SettingType.URL,
            label="URL of the account",
        ),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Refuse every webhook: NetSuite sends none."""
        raise InvalidSignature("this connector receives no webhooks")

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": there are no webhooks."""
        return ""

    def is_poll_configured(self) -> bool:
        """Whether the account, the integration and the token are set."""
        return all(self.config.get(name) for name in ("account", "consumer_key", "token_id"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield transactions changed since the cursor. Raises PollError."""
        if not self.is_poll_configured():
            raise PollError("the account, the consumer key and the token id are required")
        if not secrets:
            raise PollError("this source has no secret, which is the token secret")
        values = self.parsed_settings
        try:
            account, size = values.text("account"), values.integer("page_size")
            overlap = timedelta(minutes=values.integer("overlap_minutes"))
            since = parse_since(values.text("since"))
            authorizations = [
                OAuth1Authorization(
                    values.text("consumer_key"),
                    values.text("consumer_secret"),
                    values.text("token_id"),
                    secret.decode("utf-8", "replace"),
                    context.now,
                    realm=account.upper().replace("-", "_"),
                )
                for secret in secrets
            ]
            url = values.text("base_url") or account_url(account)
        except PayloadError as error:
            raise PollError(error.detail) from None
        reader = NetSuiteRowReader(AuthorizedRequests(http, authorizations), url, size)
        return poll_changed_rows(
            TYPES, cursor, reader.read, page_size=size, overlap=overlap, since=since
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a polled transaction."""
        root = load_json(message.body)
        values = self.parsed_settings
        purchase_order = (
            values.identifier_scheme_and_issuer("purchase_order", (IdentifierScheme.REFERENCE, ""))
            if self.config.get("purchase_order")
            else None
        )
        reader = NetSuiteTransactionReader(self.source_slug, values.text("zone"), purchase_order)
        events, reason = reader.read(root)
        return ParseResult(flag_if_sanitized(events, sanitized=root.was_sanitized), ignored=reason)

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"type": "SalesOrd", "id": "7001", "tranid": "SO1", "status": "B", '
            b'"createddate": "2026-01-05T10:00:00", "lastmodifieddate": "2026-01-05T10:00:00", '
            b'"lines": [{"line": "1", "itemid": "A-1", "itemtype": "InvtPart", "quantity": "-5"}]}'
        )


def account_url(account: str) -> str:
    """Return the URL of an account: in host names, an underscore is a hyphen."""
    return f"https://{account.lower().replace('_', '-')}.suitetalk.api.netsuite.com"
