"""QuickBooks Online: notices of changed transactions, and the poll that reads them."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, check_base64_signature, hmac_sha256
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting
from connectors.sdk.read_each_record import read_each_record
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.quickbooks.poll_changes import QuickBooksPoller
from connectors.systems.quickbooks.transactions import QuickBooksTransactionReader

SIGNATURE = "intuit-signature"


class QuickBooks(Connector):
    """Invoices, sales receipts and credits of QuickBooks Online: issued, paid, void.

    Webhooks only name what changed, in two forms: an array of CloudEvents, and the older
    eventNotifications. The poll reads the transactions, and what was deleted. Dates have no time of
    day: they are days in the zone of the settings. An invoice is paid when nothing is left to pay;
    QuickBooks does not send when, so its last change counts.
    https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks
    """

    slug = "quickbooks"
    title = "QuickBooks Online"
    role = SourceRole.FINANCE
    reception = "polled (invoices, receipts, credits), and its webhooks"
    polls = True
    poll_interval = timedelta(minutes=5)
    allows_short_secrets = True
    setup = (
        "developer.intuit.com > your app > Keys and credentials: enter the client id and client "
        "secret as settings.\n"
        "Connect the app to the company once, with the scope below. Enter the realmId and the "
        "refresh token of the answer as settings.\n"
        "Webhooks: enter the webhook URL, choose the events below, and enter the verifier token as "
        "the secret of this source."
    )
    topics = ("Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt", "Payment")
    permissions = ("com.intuit.quickbooks.accounting",)
    not_covered = (
        "Estimates, bills, purchase orders and journal entries.",
        "Partial payments: only an invoice without a balance is paid.",
        "The day of payment, which QuickBooks does not send with the invoice.",
        "Deletions older than 30 days before the poll, which QuickBooks no longer names.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "realm_id",
            "The realmId of the company. Needed to poll; notices of other ones are ignored.",
            label="Company id (realmId)",
        ),
        Setting("client_id", "The OAuth client id of the app. Needed to poll."),
        Setting(
            "client_secret",
            "The OAuth client secret of the app. Needed to poll.",
            SettingType.SECRET,
        ),
        Setting(
            "refresh_token",
            "The refresh token. QuickBooks replaces it, and the new one is stored.",
            SettingType.SECRET,
        ),
        Setting(
            "order_field",
            "The name of the custom field with the order number. Needs the setting reference.",
            label="Custom field with the order number",
        ),
        Setting(
            "reference",
            "The number range of that order number, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders",
        ),
        Setting(
            "po_field",
            "The name of the custom field with the customer's PO.",
            label="Custom field with the PO",
        ),
        Setting(
            "shipments",
            "Set to yes if ShipDate is entered when the goods of the invoice leave. It is then a "
            "shipment.",
            SettingType.BOOLEAN,
            label="ShipDate is a shipment",
        ),
        Setting(
            "zone",
            "The IANA time zone of the company, whose days the dates are.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone of the company",
        ),
        first_poll_setting("transactions that were not changed since this date or time"),
        Setting(
            "page_size",
            "The number of rows per query.",
            SettingType.INTEGER,
            default="500",
            minimum=1,
            maximum=1000,
            label="Rows per request",
        ),
        overlap_setting(10),
        Setting(
            "base_url",
            "The URL of the API. Sandbox companies: https://sandbox-quickbooks.api.intuit.com.",
            SettingType.URL,
            default="https://quickbooks.api.intuit.com",
            label="URL of the API",
        ),
        Setting(
            "token_url",
            "The OAuth token URL.",
            SettingType.URL,
            default="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
            label="OAuth token URL",
        ),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the base64 HMAC-SHA256 of the raw body by the verifier token."""
        signature = request.headers.get(SIGNATURE, "")
        if not signature:
            raise InvalidSignature("the signature is missing")
        check_base64_signature(signature, secrets, request.body)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as QuickBooks does."""
        return {SIGNATURE: base64.b64encode(hmac_sha256(secret, body)).decode()}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": ids of events repeat across types, so the content identifies a message."""
        return ""

    def example_payload(self) -> bytes:
        """A paid invoice."""
        return (
            b'{"Invoice": {"Id": "12", "SyncToken": "1", "DocNumber": "1045", '
            b'"TxnDate": "2026-01-05", "TotalAmt": 46.00, "Balance": 0, "CustomerRef": '
            b'{"value": "3", "name": "Harbor Supply"}, "MetaData": {"LastUpdatedTime": '
            b'"2026-01-12T09:30:00-08:00"}, "Line": []}}'
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse notices of either form, or transactions as the API sends them."""
        root = load_json(message.body)
        if isinstance(root.value, list):
            return self._parse_cloudevents(root.as_list())
        if root.has_value("eventNotifications"):
            return self._parse_event_notifications(root.list_at("eventNotifications"))
        if root.has_value("specversion"):
            return self._parse_cloudevents([root])
        reader = QuickBooksTransactionReader(self.parsed_settings, self.source_slug)
        readings = read_each_record(_entities_of(root), lambda each: reader.read_events(*each))
        return readings.to_result("no transactions")

    def _parse_cloudevents(self, notices: Sequence[Node]) -> ParseResult:
        """`type` is qbo.invoice.updated.v1; `intuitaccountid` is the realmId; `data` is empty."""
        names = [
            (n.text_at("intuitaccountid"), n.required_text("type").split(".")[1:2]) for n in notices
        ]
        return self._notice_result([(realm, "".join(kind)) for realm, kind in names])

    def _parse_event_notifications(self, notices: Sequence[Node]) -> ParseResult:
        return self._notice_result(
            [
                (notice.text_at("realmId"), entity.required_text("name"))
                for notice in notices
                for entity in notice.required_object("dataChangeEvent").list_at("entities")
            ]
        )

    def _notice_result(self, changes: Sequence[tuple[str, str]]) -> ParseResult:
        """`changes`: the realmId and the kind of transaction of each notice."""
        realm = self.parsed_settings.text("realm_id")
        kinds = {kind.lower() for company, kind in changes if not realm or company == realm}
        if not kinds:
            why = "notices of another company" if changes else "empty list"
            return ParseResult(ignored=why)
        if kinds.isdisjoint(name.lower() for name in QuickBooksTransactionReader.names):
            return ParseResult(
                ignored=f"{', '.join(sorted(kinds))}: records of this kind are not read"
            )
        return ParseResult(ignored="notices contain no data; changes are polled", poll_due=True)

    def is_poll_configured(self) -> bool:
        """Whether the company and the app are set."""
        return bool(self.config.get("realm_id") and self.config.get("client_id"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield transactions changed since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            base_url, realm = values.text("base_url").rstrip("/"), values.text("realm_id")
            if not realm:
                raise PollError("the setting realm_id is required")
            authorization = OAuth2Authorization(
                values.text("token_url"),
                {name: values.text(name) for name in ("client_id", "client_secret")},
                RefreshToken("refresh_token", values.text("refresh_token")),
                client_in_header=True,
                tokens=context.tokens,
            )
            poller = QuickBooksPoller(
                AuthorizedRequests(http, [authorization]),
                CollectionCursors.parse(cursor, context.now),
                f"{base_url}/v3/company/{realm}",
                values.integer("page_size"),
                timedelta(minutes=float(values.decimal("overlap_minutes"))),
                values.text("since"),
            )
        except PayloadError as error:
            raise PollError(error.detail) from None
        return poller.pages()


def _entities_of(root: Node) -> Iterator[tuple[str, Node]]:
    """Yield the transactions of a response: one, of a query, or of change data capture."""
    if root.has_value("QueryResponse"):
        yield from _named_lists(root.required_object("QueryResponse"))
        return
    if root.has_value("CDCResponse"):
        for response in root.list_at("CDCResponse"):
            for group in response.list_at("QueryResponse"):
                yield from _named_lists(group)
        return
    members = [(name, root.get(name)) for name in QuickBooksTransactionReader.names]
    known = [(name, node) for name, node in members if isinstance(node.value, dict)]
    if not known:
        raise PayloadError(ParkReason.MAPPING, "$", "no transaction of QuickBooks that is read")
    yield from known


def _named_lists(group: Node) -> Iterator[tuple[str, Node]]:
    for name in QuickBooksTransactionReader.names:
        for entity in group.list_at(name):
            yield name, entity
