"""Microsoft Dynamics 365 Business Central: polling of sales documents over API v2.0."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from connectors.sdk import odata_polling
from connectors.sdk.auth import InvalidSignature, build_bearer_header, check_token_matches_a_secret
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.encode_json import encode_json
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.parse_setting_values import check_slug
from connectors.sdk.payload import PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting, page_size_setting
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    TokenStore,
    WebhookRequest,
    WebhookResponse,
)
from connectors.systems.business_central.documents import SalesDocumentReader, guess_collection

ENTITY = "x-bc-entity"
SCOPE = "https://api.businesscentral.dynamics.com/.default"
MAX_TOKEN = 4096
CLIENT_STATE = re.compile(rb'("clientState"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
MASKED_STATE = "(masked)"


class BusinessCentral(Connector):
    """Business Central sales orders, shipments, invoices and credit memos.

    Change notifications are not signed and contain no data; each entry has the clientState of its
    subscription. The poller fetches what changed, because shipments have no notifications at all.
    """

    slug = "business_central"
    title = "Dynamics 365 Business Central"
    role = SourceRole.ERP
    reception = "polled (orders, shipments, invoices), and its notifications"
    polls = True
    setup = (
        "Microsoft Entra admin center > App registrations: register an application with the "
        "application permission API.ReadWrite.All of Dynamics 365 Business Central, and create a "
        "client secret.\n"
        "Business Central > Microsoft Entra Applications: add its client id, enable it, and assign "
        "permission sets that read sales documents.\n"
        "Enter the client secret as the secret of this source, and the client id and the token "
        "URL as settings."
    )
    topics = ("salesOrders, salesInvoices, salesCreditMemos (optional notifications)",)
    permissions = ("API.ReadWrite.All, and a permission set that reads sales documents.",)
    not_covered = (
        "Subscriptions for notifications are not created. The poll works without them.",
        "Picks, transfers, purchases, stock, and return orders (their credit memos are read).",
    )
    versions: ClassVar[tuple[VersionDeclaration, ...]] = (
        VersionDeclaration(
            name="API",
            pattern=r"\bapi/(?P<version>v\d{1,2}\.\d|beta)/companies",
            supported=(r"v2\.0",),
            deprecated={"v1.0": None, "beta": None},
        ),
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "base_url",
            "The API URL of the company: .../api/v2.0/companies(<id>). Needed to poll.",
            SettingType.URL,
            label="API URL of the company",
        ),
        Setting(
            "token_url",
            "The OAuth token URL. Without it the secret is sent as the bearer token.",
            SettingType.URL,
            label="OAuth token URL",
        ),
        Setting("client_id", "The OAuth client id. The secret of the source is the client secret."),
        Setting(
            "scope",
            "The OAuth scope.",
            default=SCOPE,
            label="OAuth scope",
        ),
        page_size_setting(default=200, maximum=20_000),
        overlap_setting(),
        first_poll_setting(),
        Setting("credit_memos", "Set to yes to also poll sales credit memos.", SettingType.BOOLEAN),
        Setting(
            "web_orders",
            "The web shop whose order names (#1001) are external document numbers.",
            SettingType.SOURCE,
            check=check_slug,
            label="Web shop that issues order names",
        ),
        Setting(
            "web_order_prefix",
            "How the order names of the shop begin, such as # or EN-. Other external document "
            "numbers are customer POs only. Without it, each can be an order name.",
            label="Prefix of web order names",
        ),
        Setting("channel", "The sales channel of all orders.", label="Sales channel"),
        Setting(
            "channel.<code>",
            "The sales channel of orders with this shortcut dimension 1 code.",
            label="Sales channel of a dimension code",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({ENTITY})

    collections: ClassVar[tuple[odata_polling.ODataCollection, ...]] = (
        odata_polling.ODataCollection("salesOrders", "salesOrderLines"),
        odata_polling.ODataCollection("salesShipments", "salesShipmentLines"),
        odata_polling.ODataCollection("salesInvoices", "salesInvoiceLines"),
    )
    credit_memos: ClassVar[odata_polling.ODataCollection] = odata_polling.ODataCollection(
        "salesCreditMemos", "salesCreditMemoLines"
    )

    def handshake(
        self, request: WebhookRequest, secrets: Sequence[bytes]
    ) -> WebhookResponse | None:
        """Return the validation token, which creates or renews a subscription."""
        token = request.query.get("validationToken", "")
        if not token:
            return None
        return (
            WebhookResponse(200, token.encode())
            if len(token) <= MAX_TOKEN
            else WebhookResponse(400)
        )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the clientState of every entry, or a bearer token.

        A Power Automate flow that pushes documents sends the secret as a bearer token.
        """
        authorization = request.headers.get("authorization", "")
        if authorization:
            check_token_matches_a_secret(authorization.removeprefix("Bearer ").strip(), secrets)
            return
        try:
            states = [
                n.required_text("clientState") for n in load_json(request.body).list_at("value")
            ]
        except PayloadError as error:
            raise InvalidSignature(f"the notifications are invalid: {error}") from None
        if not states:
            raise InvalidSignature("clientState is missing")
        for state in states:
            check_token_matches_a_secret(state, secrets)

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"id": "b1", "number": "SO-1", "orderDate": "2026-01-05", "status": "Open", '
            b'"customerNumber": "C1", "lastModifiedDateTime": "2026-01-05T10:00:00Z", '
            b'"salesOrderLines": [{"sequence": 10000, "lineType": "Item", '
            b'"lineObjectNumber": "DEMO-1", "quantity": 5, "unitOfMeasureCode": "PCS", '
            b'"unitPrice": 9.90}]}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": notifications have no id."""
        return ""

    def body_to_store(self, request: WebhookRequest) -> bytes:
        """Return the notifications without their clientState, which is the secret of the source."""
        replaced = CLIENT_STATE.sub(rb'\1"' + MASKED_STATE.encode() + b'"', request.body)
        try:
            value, reparsed = load_json(request.body).value, load_json(replaced).value
        except PayloadError:  # parsing will park it
            return replaced
        masked = _mask_client_states(value)
        # The bytes differ more than needed if the name of the field is spelled with escapes.
        return replaced if reparsed == masked else encode_json(masked)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign a pushed document. A notification contains its clientState."""
        return build_bearer_header(secret)

    def guess_headers(self, body: bytes) -> Mapping[str, str]:
        """Guess the collection from fields that only its entities have."""
        try:
            name = guess_collection(load_json(body))
        except PayloadError:
            return {}
        return {ENTITY: name} if name else {}

    def is_poll_configured(self) -> bool:
        """Whether the API URL is set."""
        return bool(self.config.get("base_url"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield pages like `poll`, with a token that is used until it expires."""
        return self._poll(http, cursor, secrets, context.tokens)

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield orders, shipments, invoices and credit memos modified since the cursor."""
        return self._poll(http, cursor, secrets, NO_TOKENS)

    def _poll(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], tokens: TokenStore
    ) -> Iterator[PolledPage]:
        try:
            return self._poll_odata_collections(http, cursor, secrets, tokens)
        except PayloadError as error:
            raise PollError(error.detail) from None

    def _poll_odata_collections(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], tokens: TokenStore
    ) -> Iterator[PolledPage]:
        base_url = self.parsed_settings.text("base_url")
        if not base_url:
            raise PollError("the setting base_url is required")
        form = {
            "client_id": self.parsed_settings.text("client_id"),
            "scope": self.parsed_settings.text("scope"),
        }
        token_url = self.parsed_settings.text("token_url")
        address = urlsplit(base_url)
        authorizations = odata_polling.oauth2_or_bearer_auth_per_secret(
            secrets, token_url, form, tokens
        )
        session = odata_polling.ODataSession(
            AuthorizedRequests(http, authorizations), (address.scheme, address.netloc)
        )
        extra = (self.credit_memos,) if self.parsed_settings.is_on("credit_memos") else ()
        options = odata_polling.ODataPollOptions(
            self.parsed_settings.integer("page_size"),
            timedelta(minutes=float(self.parsed_settings.decimal("overlap_minutes"))),
            header=ENTITY,
            since=self.parsed_settings.text("since"),
        )
        return odata_polling.poll(
            session, base_url, (*self.collections, *extra), cursor, options=options
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an entity, a list of entities, or a list of notifications."""
        root = load_json(message.body)
        is_list = isinstance(root.value, dict) and "value" in root.value
        entities = root.list_at("value") if is_list else [root]
        notifications = [n for n in entities if n.has_value("subscriptionId")]
        if notifications and len(notifications) == len(entities):
            return ParseResult(
                ignored="notifications contain no data; changes are polled", poll_due=True
            )
        context = root.text_at("@odata.context").rpartition("/")[2].split("(")[0] if is_list else ""
        name = message.headers.get(ENTITY, "") or context
        documents = SalesDocumentReader(self.parsed_settings, self.source_slug)
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        for entity in entities:
            try:
                events += documents.parse_entity(entity, name)
            except PayloadError as error:
                errors.append(error)
        if errors and not is_list:
            raise errors[0]
        if not events and not errors:
            return ParseResult(ignored="only draft documents" if entities else "empty list")
        return ParseResult(tuple(events), tuple(errors))


def _mask_client_states(value: Any) -> Any:
    if isinstance(value, list):
        return [_mask_client_states(item) for item in value]
    if isinstance(value, dict):
        return {
            name: MASKED_STATE
            if name.lower() == "clientstate" and content is not None
            else _mask_client_states(content)
            for name, content in value.items()
        }
    return value
