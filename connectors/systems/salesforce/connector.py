"""Salesforce: outbound messages, change events and a poll of orders and won opportunities."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import quote

from connectors.sdk.auth import InvalidSignature, bearer_token, check_token_matches_a_secret
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.oauth_authorization import OAuth2Authorization
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting
from connectors.sdk.read_each_record import read_each_record
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
    WebhookResponse,
)
from connectors.systems.salesforce import pushed_messages
from connectors.systems.salesforce.poll_records import (
    OPPORTUNITY_FIELDS,
    ORDER_FIELDS,
    ClientWithUsualLimitStatus,
    SalesforceQuery,
    poll_records,
)
from connectors.systems.salesforce.record_ids import long_record_id
from connectors.systems.salesforce.records import MEANINGS, SalesforceRecordReader, type_of_record

FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


def check_field_name(text: str) -> None:
    """Raise ValueError for a text that is no API name of a field."""
    if not FIELD_NAME.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no API name of a field, such as ERP_Order__c.")


class Salesforce(Connector):
    """Orders and won opportunities of Salesforce.

    Outbound messages (SOAP) have the fields that the administrator chose. Change events have only
    the fields that changed, and the same change of several records; they name an order by its id,
    so the poll reads it. Ids of 15 and of 18 characters are the same record.
    """

    slug = "salesforce"
    title = "Salesforce"
    role = SourceRole.CRM
    reception = "outbound messages, change events, and polled (orders, opportunities)"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "Outbound message: Setup > Outbound Messages > New, for Order or Opportunity. Enter the "
        "webhook URL with ?token= and the secret of this source, choose the fields (Id, "
        "OrderNumber, Status, StatusCode, CreatedDate, SystemModstamp ...), and send it from a "
        "flow when the record changes.\n"
        "Change events: a subscriber, such as a middleware, posts each event as JSON to the same "
        "URL.\n"
        "Poll: Setup > External client apps (or connected apps): create an app with the client "
        "credentials flow, run as a user who reads orders, and enter its consumer key and secret "
        "and the My Domain URL as settings."
    )
    topics = ("Order, OrderChangeEvent", "Opportunity, OpportunityChangeEvent")
    permissions = (
        "Manage user data via APIs (api)",
        "Read access to orders, order products, products, accounts and opportunities",
    )
    not_covered = (
        "The Pub/Sub API (gRPC): a subscriber has to post its events.",
        "Platform events with fields of your own: describe them in a manifest.",
        "Deleted records, and changes of order products alone.",
        "Fulfillment orders, shipments, returns and invoices of Salesforce.",
    )
    # Versions 21.0 to 30.0 ended with the release Summer '25:
    # https://help.salesforce.com/s/articleView?id=000389618
    versions: ClassVar[tuple[VersionDeclaration, ...]] = (
        VersionDeclaration(
            name="REST API",
            pattern=r"/services/data/v(?P<version>\d{1,3}\.\d)/",
            supported=(r"(3[1-9]|[4-9]\d|\d{3})\.\d",),
        ),
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "organization_id",
            "The organization id. With it, outbound messages of other organizations are refused.",
            label="Organization id",
        ),
        Setting(
            "order_field",
            "The API name of the field with the order number of another system, such as "
            "ERP_Order__c. Needs the setting reference.",
            check=check_field_name,
            label="Field with the order number",
        ),
        Setting(
            "reference",
            "The number range of that order number, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders",
        ),
        Setting(
            "status.<status>",
            "What a status of orders of your organization means.",
            SettingType.CHOICE,
            choices=tuple(MEANINGS),
            label="Meaning of a status",
        ),
        Setting(
            "opportunities",
            "Set to yes to also poll won opportunities, each of which is an order.",
            SettingType.BOOLEAN,
            label="Read won opportunities",
        ),
        Setting("client_id", "The consumer key of the app. Needed to poll.", label="Consumer key"),
        Setting(
            "client_secret",
            "The consumer secret of the app. Needed to poll.",
            SettingType.SECRET,
            label="Consumer secret",
        ),
        Setting(
            "base_url",
            "The My Domain URL, such as https://example.my.salesforce.com. Needed to poll.",
            SettingType.URL,
            label="My Domain URL",
        ),
        Setting(
            "api_version",
            "The version of the REST API.",
            SettingType.DECIMAL,
            default="60.0",
            minimum=40,
            maximum=200,
            label="API version",
        ),
        first_poll_setting("records that were not changed since this date or time"),
        overlap_setting(),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the token of the URL, or a bearer token, and the organization of a SOAP message."""
        token = request.query.get("token", "") or bearer_token(request.headers)
        if not token:
            raise InvalidSignature("the token is missing in the URL")
        check_token_matches_a_secret(token, secrets)
        expected = long_record_id(self.config.get("organization_id", ""))
        if not expected or not _is_xml(request.body):
            return
        try:
            given = long_record_id(pushed_messages.organization_id(request.body))
        except PayloadError as error:
            raise InvalidSignature(f"the message is invalid: {error}") from None
        if given != expected:
            raise InvalidSignature("the message is of another organization")

    def webhook_url_query(self, secret: str) -> str:
        """Return the token: Salesforce cannot sign."""
        return f"?token={quote(secret, safe='')}"

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token of a subscriber."""
        return {"authorization": f"Bearer {secret.decode('utf-8', 'replace')}"}

    def success_response(self) -> WebhookResponse:
        """Return the acknowledgment of outbound messages; other senders ignore it."""
        return WebhookResponse(200, pushed_messages.ACKNOWLEDGMENT, "text/xml; charset=utf-8")

    def body_to_store(self, request: WebhookRequest) -> bytes:
        """Return the body without the session, which gives access to the API."""
        return pushed_messages.SESSION.sub(rb"\1(masked)\2", request.body)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": a repeated notification may have newer data, so the content counts."""
        return ""

    def example_payload(self) -> bytes:
        """An order."""
        return (
            b'{"attributes": {"type": "Order"}, "Id": "801xx0000000001AAA", "OrderNumber": '
            b'"00000101", "Status": "Draft", "StatusCode": "Draft", "CreatedDate": '
            b'"2026-01-05T10:00:00.000+0000", "SystemModstamp": "2026-01-05T10:00:00.000+0000"}'
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an outbound message, a change event, a record, or a response of a query."""
        if _is_xml(message.body):
            pushed = pushed_messages.records_of_outbound_message(message.body)
            return self._parse_records([(record.name, record.fields) for record in pushed])
        root = load_json(message.body)
        wrapped = root.get("payload")
        payload = wrapped if isinstance(wrapped.value, dict) else root
        if payload.has_value("ChangeEventHeader"):
            return self._parse_change(payload)
        records = root.list_at("records") if root.has_value("records") else [root]
        return self._parse_records([(type_of_record(record), record) for record in records])

    def _parse_records(self, records: Sequence[tuple[str, Node]]) -> ParseResult:
        reader = SalesforceRecordReader(self.parsed_settings, self.source_slug)
        readings = read_each_record(records, lambda record: reader.read_events(*record))
        return readings.to_result("no records")

    def _parse_change(self, payload: Node) -> ParseResult:
        """An update has only what changed, so the poll reads the record.

        A created record has all fields. Of an update, only a change of the status is an event.
        """
        header = pushed_messages.change_header(payload)
        if header.name not in {"Order", "Opportunity"}:
            return ParseResult(ignored=f"{header.name} is not read")
        if not header.has_data or header.change in {"DELETE", "UNDELETE"}:
            why = f"{header.change}: the event has no fields; changes are polled"
            return ParseResult(ignored=why, poll_due=True)
        reader = SalesforceRecordReader(self.parsed_settings, self.source_slug)
        events: list[CanonicalEvent] = []
        for record_id in header.record_ids:
            record = pushed_messages.record_of_change(payload, header, record_id)
            if header.change == "CREATE":
                events += reader.read_events(header.name, record)[0]
            elif header.name == "Order":
                number = long_record_id(record_id)
                events += reader.state_events(number, record, record, header.time)
            elif record.boolean_at("IsWon") or record.text_at("StageName") == "Closed Won":
                events += reader.read_events(header.name, record)[0]
        why = "" if events else "the change is of no status; the record is polled"
        return ParseResult(tuple(events), ignored=why, poll_due=True)

    def is_poll_configured(self) -> bool:
        """Whether the My Domain URL and the app are set."""
        return bool(self.config.get("base_url") and self.config.get("client_id"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield records changed since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            base_url = values.text("base_url").rstrip("/")
            if not base_url:
                raise PollError("the setting base_url is required")
            field = values.text("order_field")
            extra = f", {field}" if field else ""
            queries = [SalesforceQuery("Order", ORDER_FIELDS.format(fields=extra))]
            if values.is_on("opportunities"):
                fields = OPPORTUNITY_FIELDS.format(fields=extra)
                queries.append(SalesforceQuery("Opportunity", fields, "IsWon = true"))
            authorization = OAuth2Authorization(
                f"{base_url}/services/oauth2/token",
                {name: values.text(name) for name in ("client_id", "client_secret")},
                tokens=context.tokens,
            )
            return poll_records(
                AuthorizedRequests(ClientWithUsualLimitStatus(http), [authorization]),
                CollectionCursors.parse(cursor, context.now),
                tuple(queries),
                query_url=f"{base_url}/services/data/v{values.decimal('api_version'):.1f}/query",
                overlap=timedelta(minutes=float(values.decimal("overlap_minutes"))),
                start=values.text("since"),
            )
        except PayloadError as error:
            raise PollError(error.detail) from None


def _is_xml(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
