"""Microsoft Dynamics 365 Business Central: polling of sales documents over API v2.0."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from connectors.sdk import odata
from connectors.sdk.auth import InvalidSignature, bearer_header, check_token
from connectors.sdk.connector import Connector, Message, ParseResult, SourceRole
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.http import HttpClient, PolledPage, PollError, WebhookRequest, WebhookResponse
from connectors.sdk.payload import PayloadError, load_json
from connectors.systems.business_central.documents import SalesDocumentReader, guess_collection

ENTITY = "x-bc-entity"
SCOPE = "https://api.businesscentral.dynamics.com/.default"
MAX_TOKEN = 4096


class BusinessCentral(Connector):
    """Business Central sales orders, shipments, invoices and credit memos.

    Change notifications are not signed and contain no data; each entry has the clientState of its
    subscription. The poller fetches what changed, because shipments have no notifications at all.
    """

    slug = "business_central"
    title = "Dynamics 365 Business Central"
    role = SourceRole.ERP
    polls = True
    settings: ClassVar[Mapping[str, str]] = {
        "base_url": "The API URL of the company: .../api/v2.0/companies(<id>).",
        "token_url": "The OAuth token URL. Without it the secret is sent as the bearer token.",
        "client_id": "The OAuth client id. The secret of the source is the client secret.",
        "scope": f"The OAuth scope (default {SCOPE}).",
        "page_size": "The number of rows per request (default 200).",
        "overlap_minutes": "How many minutes each poll goes back before the last one (default 5).",
        "since": "The first poll ignores documents older than this date or time.",
        "credit_memos": "Set to yes to also poll sales credit memos.",
        "web_orders": "The web shop whose order names (#1001) are external document numbers.",
        "channel": "The sales channel of all orders.",
        "channel.<code>": "The sales channel of orders with this shortcut dimension 1 code.",
    }
    stored_headers: ClassVar[frozenset[str]] = frozenset({ENTITY})

    collections: ClassVar[tuple[odata.ODataCollection, ...]] = (
        odata.ODataCollection("salesOrders", "salesOrderLines"),
        odata.ODataCollection("salesShipments", "salesShipmentLines"),
        odata.ODataCollection("salesInvoices", "salesInvoiceLines"),
    )
    credit_memos: ClassVar[odata.ODataCollection] = odata.ODataCollection(
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
            check_token(authorization.removeprefix("Bearer ").strip(), secrets)
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
            check_token(state, secrets)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": notifications have no id."""
        return ""

    def signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign a pushed document. A notification contains its clientState."""
        return bearer_header(secret)

    def guess_headers(self, body: bytes) -> Mapping[str, str]:
        """Guess the collection from fields that only its entities have."""
        try:
            name = guess_collection(load_json(body))
        except PayloadError:
            return {}
        return {ENTITY: name} if name else {}

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield orders, shipments, invoices and credit memos modified since the cursor."""
        base_url = self.config.get("base_url", "")
        if not base_url:
            raise PollError("the setting base_url is required")
        form = {
            "grant_type": "client_credentials",
            "client_id": self.config.get("client_id", ""),
            "scope": self.config.get("scope") or SCOPE,
        }
        token_url = self.config.get("token_url", "")
        address = urlsplit(base_url)
        session = odata.ODataSession(
            http, secrets, (address.scheme, address.netloc), token_url, form
        )
        extra = (self.credit_memos,) if self.config.get("credit_memos") == "yes" else ()
        try:
            page_size = int(self.config.get("page_size") or 200)
            overlap = timedelta(minutes=float(self.config.get("overlap_minutes") or 5))
        except ValueError:
            raise PollError("page_size and overlap_minutes must be numbers") from None
        since = self.config.get("since", "")
        options = odata.ODataOptions(page_size, overlap, header=ENTITY, since=since)
        return odata.poll(session, base_url, (*self.collections, *extra), cursor, options=options)

    def parse(self, message: Message) -> ParseResult:
        """Parse an entity, a list of entities, or a list of notifications."""
        root = load_json(message.body)
        is_list = isinstance(root.value, dict) and "value" in root.value
        entities = root.list_at("value") if is_list else [root]
        notifications = [n for n in entities if n.has_value("subscriptionId")]
        if notifications and len(notifications) == len(entities):
            return ParseResult(ignored="notifications contain no data; changes are polled")
        context = root.text_at("@odata.context").rpartition("/")[2].split("(")[0] if is_list else ""
        name = message.headers.get(ENTITY, "") or context
        documents = SalesDocumentReader(self.config, self.source)
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
