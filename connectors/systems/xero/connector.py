"""Xero: notices of changed documents, and the poll that reads the documents."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, check_base64_signature, hmac_sha256
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting, page_size_setting
from connectors.sdk.read_each_record import read_each_record
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
    WebhookResponse,
)
from connectors.systems.xero.documents import XeroDocumentReader, documents_of
from connectors.systems.xero.poll_documents import XeroPollOptions, poll_documents

SIGNATURE = "x-xero-signature"
# Categories of notices about documents that the poll reads.
READ_CATEGORIES = frozenset({"INVOICE", "CREDITNOTE", "PAYMENT"})


class Xero(Connector):
    """Sales invoices and credit notes of a Xero organization: issued, paid, voided.

    Webhooks only say which document changed; the poll reads it. Purchases (ACCPAY), drafts and
    quotations give no events. Xero dates have no time of day: they are days in the zone of the
    settings.
    https://developer.xero.com/documentation/guides/webhooks/overview
    """

    slug = "xero"
    title = "Xero"
    role = SourceRole.FINANCE
    reception = "polled (sales invoices, credit notes), and its webhooks"
    polls = True
    poll_interval = timedelta(minutes=5)
    allows_short_secrets = True
    has_empty_rejections = True
    setup = (
        "developer.xero.com > My Apps: create a web app, and enter its client id and client secret "
        "as settings.\n"
        "Connect the app to the organization once, with the scopes below. Enter the refresh token "
        "of the answer as a setting, and the tenant id from GET https://api.xero.com/connections.\n"
        "A custom connection (client credentials) has no refresh token: leave that setting blank.\n"
        "My Apps > Webhooks: choose invoices and credit notes, enter the webhook URL, and enter "
        "the webhooks key as the secret of this source. Then send the intent to receive: Xero "
        "sends signed and wrongly signed requests, and activates the webhook."
    )
    topics = ("Invoices", "Credit notes")
    permissions = (
        "offline_access",
        "accounting.transactions.read; of apps with granular scopes, accounting.invoices.read and "
        "accounting.payments.read",
    )
    not_covered = (
        "Purchases (ACCPAY, ACCPAYCREDIT), quotations, purchase orders and bank transactions.",
        "Partial payments, prepayments and overpayments: only an invoice paid in full is an event.",
        "Invoices that are deleted as drafts, because they were never issued.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "tenant_id",
            "The tenant id of the organization. Needed to poll; notices of other ones are ignored.",
            label="Tenant id",
        ),
        Setting("client_id", "The OAuth client id of the app. Needed to poll."),
        Setting(
            "client_secret",
            "The OAuth client secret of the app. Needed to poll.",
            SettingType.SECRET,
        ),
        Setting(
            "refresh_token",
            "The refresh token. Xero replaces it with each use, and the new one is stored.",
            SettingType.SECRET,
        ),
        Setting(
            "reference",
            "What Reference on invoices contains, such as sales_order@erp. Without it, Reference "
            "is only searchable.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of Reference",
        ),
        Setting(
            "reference_prefix",
            "How order numbers in Reference begin, such as SO-. Other texts are no order numbers.",
            label="Prefix of order numbers",
        ),
        Setting(
            "zone",
            "The IANA time zone of the organization, whose days the dates are.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone of the organization",
        ),
        first_poll_setting("documents that were not changed since this date or time"),
        Setting(
            "payments",
            "Set to yes to also store payments as messages. They change no order: the invoice says "
            "when it is paid in full.",
            SettingType.BOOLEAN,
            label="Read payments",
        ),
        page_size_setting(),
        overlap_setting(),
        Setting(
            "base_url",
            "The URL of the API.",
            SettingType.URL,
            default="https://api.xero.com/api.xro/2.0",
            label="URL of the API",
        ),
        Setting(
            "token_url",
            "The OAuth token URL.",
            SettingType.URL,
            default="https://identity.xero.com/connect/token",
            label="OAuth token URL",
        ),
        Setting(
            "scope",
            "The scopes of a custom connection.",
            default="accounting.transactions.read",
            label="OAuth scope",
        ),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the base64 HMAC-SHA256 of the raw body."""
        signature = request.headers.get(SIGNATURE, "")
        if not signature:
            raise InvalidSignature("the signature is missing")
        check_base64_signature(signature, secrets, request.body)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as Xero does."""
        return {SIGNATURE: base64.b64encode(hmac_sha256(secret, body)).decode()}

    def success_response(self) -> WebhookResponse:
        """Return 200 with an empty body, which Xero requires."""
        return WebhookResponse(200)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": a retry has the same content, and the entropy tells other messages apart."""
        return ""

    def example_payload(self) -> bytes:
        """A paid invoice."""
        return (
            b'{"Type": "ACCREC", "InvoiceID": "5a1c0000-0000-4000-8000-000000000001", '
            b'"InvoiceNumber": "INV-1", "Reference": "SO-1", "Status": "PAID", '
            b'"Date": "/Date(1767571200000+0000)/", "FullyPaidOnDate": '
            b'"/Date(1768176000000+0000)/", "UpdatedDateUTC": "/Date(1768212000000+0000)/", '
            b'"CurrencyCode": "NZD", "Total": 46.00, "LineItems": []}'
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse notices, or a document, or a list of documents as the API sends them."""
        root = load_json(message.body)
        if isinstance(root.get("events").value, list):
            return self._parse_notices(root)
        reader = XeroDocumentReader(self.parsed_settings, self.source_slug)
        return read_each_record(documents_of(root), reader.read_events).to_result("empty list")

    def _parse_notices(self, root: Node) -> ParseResult:
        """Notices have no data, and their times no zone. The poll reads what changed."""
        notices = root.list_at("events")
        if not notices:
            return ParseResult(ignored="intent to receive: Xero checks the webhook")
        tenant = self.parsed_settings.text("tenant_id")
        own = [n for n in notices if not tenant or n.text_at("tenantId") == tenant]
        if not own:
            return ParseResult(ignored="notices of another organization")
        categories = {notice.text_at("eventCategory") for notice in own}
        if not categories & READ_CATEGORIES:
            return ParseResult(
                ignored=f"{', '.join(sorted(categories))}: records of this kind are not read"
            )
        return ParseResult(ignored="notices contain no data; changes are polled", poll_due=True)

    def is_poll_configured(self) -> bool:
        """Whether the organization and the app are set."""
        return bool(self.config.get("tenant_id") and self.config.get("client_id"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield documents changed since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            options = XeroPollOptions(
                base_url=values.text("base_url"),
                tenant_id=values.text("tenant_id"),
                collections=("Invoices", "CreditNotes")
                + (("Payments",) if values.is_on("payments") else ()),
                page_size=values.integer("page_size"),
                overlap=timedelta(minutes=float(values.decimal("overlap_minutes"))),
                start=values.text("since"),
            )
            authorization = self._build_authorization(context)
        except PayloadError as error:
            raise PollError(error.detail) from None
        if not options.tenant_id:
            raise PollError("the setting tenant_id is required")
        cursors = CollectionCursors.parse(cursor, context.now)
        return poll_documents(AuthorizedRequests(http, [authorization]), cursors, options)

    def _build_authorization(self, context: PollContext) -> OAuth2Authorization:
        """The client authenticates in a header. Each refresh token is valid once.

        https://developer.xero.com/documentation/guides/oauth2/auth-flow
        """
        values = self.parsed_settings
        form = {name: values.text(name) for name in ("client_id", "client_secret")}
        refresh_token = values.text("refresh_token")
        return OAuth2Authorization(
            values.text("token_url"),
            form if refresh_token else {**form, "scope": values.text("scope")},
            RefreshToken("refresh_token", refresh_token) if refresh_token else None,
            client_in_header=True,
            tokens=context.tokens,
        )
