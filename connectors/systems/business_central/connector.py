"""Microsoft Dynamics 365 Business Central: sales documents polled over API v2.0, notices pushed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from connectors.sdk import odata
from connectors.sdk.auth import Unauthentic, check_token
from connectors.sdk.connector import (
    Connector,
    Http,
    Message,
    Page,
    Parsed,
    PollError,
    Reply,
    Request,
    Role,
)
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError, load_json
from connectors.systems.business_central.documents import SalesDocuments, kind_of

ENTITY = "x-bc-entity"
SCOPE = "https://api.businesscentral.dynamics.com/.default"
MAX_TOKEN = 4096


class BusinessCentral(Connector):
    """A notice only says "look" and is not signed: each of its entries carries the clientState of
    its subscription. The poller fetches what changed; shipments have no notices at all."""

    slug = "business_central"
    title = "Dynamics 365 Business Central"
    role = Role.ERP
    polls = True
    settings: ClassVar[Mapping[str, str]] = {
        "base_url": "The company's API address: .../api/v2.0/companies(<id>).",
        "token_url": "The OAuth token address; without it the secret is sent as a bearer token.",
        "client_id": "The OAuth client id; the source's secret is the client's secret.",
        "scope": f"The OAuth scope (default {SCOPE}).",
        "page_size": "Rows asked for at once (default 200).",
        "overlap_minutes": "How far back each poll reads again (default 5).",
        "since": "The first poll takes nothing older than this date and time.",
        "credit_memos": "yes: poll sales credit memos as well.",
        "web_orders": "The shop whose order names, such as #1001, are external document numbers.",
        "channel": "The channel of all orders.",
        "channel.<code>": "The channel of orders with this shortcut dimension 1 code.",
    }
    kept_headers: ClassVar[frozenset[str]] = frozenset({ENTITY})

    streams: ClassVar[tuple[odata.Stream, ...]] = (
        odata.Stream("salesOrders", "salesOrderLines"),
        odata.Stream("salesShipments", "salesShipmentLines"),
        odata.Stream("salesInvoices", "salesInvoiceLines"),
    )
    credit_memos: ClassVar[odata.Stream] = odata.Stream("salesCreditMemos", "salesCreditMemoLines")

    def handshake(self, request: Request, secrets: Sequence[bytes]) -> Reply | None:
        """A subscription is made and renewed by answering with its token."""
        token = request.query.get("validationToken", "")
        if not token:
            return None
        return Reply(200, token.encode()) if len(token) <= MAX_TOKEN else Reply(400)

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """Every entry carries the clientState of the subscription; a flow that pushes a document
        itself carries the secret as a bearer token."""
        authorization = request.headers.get("authorization", "")
        if authorization:
            check_token(authorization.removeprefix("Bearer ").strip(), secrets)
            return
        try:
            states = [n.need("clientState") for n in load_json(request.body).items("value")]
        except PayloadError as error:
            raise Unauthentic(f"the notices can't be read: {error}") from None
        if not states:
            raise Unauthentic("there is no clientState")
        for state in states:
            check_token(state, secrets)

    def dedupe_key(self, request: Request) -> str:
        """A notice has no id; its content decides."""
        return ""

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """For a document; a notice carries its clientState inside."""
        return {"authorization": f"Bearer {secret.decode('utf-8', 'replace')}"}

    def infer_headers(self, body: bytes) -> Mapping[str, str]:
        """The collection, by the fields that only its entities have."""
        try:
            name = kind_of(load_json(body))
        except PayloadError:
            return {}
        return {ENTITY: name} if name else {}

    def poll(self, http: Http, cursor: str, secrets: Sequence[bytes]) -> Iterator[Page]:
        """Orders, shipments and invoices modified since the cursor."""
        base_url = self.config.get("base_url", "")
        if not base_url:
            raise PollError("the setting base_url is missing")
        form = {
            "grant_type": "client_credentials",
            "client_id": self.config.get("client_id", ""),
            "scope": self.config.get("scope") or SCOPE,
        }
        token_url = self.config.get("token_url", "")
        address = urlsplit(base_url)
        session = odata.Session(http, secrets, (address.scheme, address.netloc), token_url, form)
        also = (self.credit_memos,) if self.config.get("credit_memos") == "yes" else ()
        try:
            page_size = int(self.config.get("page_size") or 200)
            overlap = timedelta(minutes=float(self.config.get("overlap_minutes") or 5))
        except ValueError:
            raise PollError("page_size and overlap_minutes are numbers") from None
        since = self.config.get("since", "")
        options = odata.Options(page_size, overlap, header=ENTITY, since=since)
        return odata.poll(session, base_url, (*self.streams, *also), cursor, options=options)

    def parse(self, message: Message) -> Parsed:
        """One entity, or an answer's list of them, or a list of notices."""
        root = load_json(message.body)
        several = isinstance(root.value, dict) and "value" in root.value
        entities = root.items("value") if several else [root]
        notices = [n for n in entities if n.has("subscriptionId")]
        if notices and len(notices) == len(entities):
            return Parsed(ignored="notifications only say look; the poller fetches")
        context = root.text("@odata.context").rpartition("/")[2].split("(")[0] if several else ""
        name = message.headers.get(ENTITY, "") or context
        documents = SalesDocuments(self.config, self.source)
        events: list[CanonicalEvent] = []
        problems: list[PayloadError] = []
        for entity in entities:
            try:
                events += documents.read(entity, name)
            except PayloadError as error:
                problems.append(error)
        if problems and not several:
            raise problems[0]
        if not events and not problems:
            return Parsed(ignored="only drafts" if entities else "an empty list")
        return Parsed(tuple(events), tuple(problems))
