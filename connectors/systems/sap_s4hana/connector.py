"""SAP S/4HANA: events that name a document, and the poll that reads the documents."""

import base64
import binascii
import json
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
from connectors.sdk.changed_rows_polling import parse_since
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent, IdentifierScheme
from connectors.sdk.oauth_authorization import OAuth2Authorization
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.request_authorization import BaseAuthorization, basic_authorization
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
    WebhookResponse,
)
from connectors.systems.sap_s4hana.billing_documents import BillingDocumentReader
from connectors.systems.sap_s4hana.deliveries import DeliveryReader
from connectors.systems.sap_s4hana.notices import event_attributes, parse_notice
from connectors.systems.sap_s4hana.poll_documents import DocumentPollOptions, poll_documents
from connectors.systems.sap_s4hana.sales_orders import NumberRange, SalesOrderReader
from connectors.systems.sap_s4hana.source_settings import SETTINGS

EVENT_CONTENT_TYPE = "application/cloudevents+json"


class SapS4Hana(Connector):
    """Sales orders, outbound deliveries and billing documents of SAP S/4HANA.

    Events (CloudEvents) only name the document that changed; the poll reads it with its items, by
    the OData v2 services. Numbers are compared without leading zeros, which events have and the
    services do not. The header of a delivery has the date of its change and no time, so the poll
    reads the deliveries of the last two days of changes each time, and stores those that differ.
    https://api.sap.com/products/SAPS4HANACloud
    """

    slug = "sap_s4hana"
    title = "SAP S/4HANA"
    role = SourceRole.ERP
    reception = "polled (orders, deliveries, billing documents), and its events as CloudEvents"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "In S/4HANA Cloud, create a communication system with an inbound user (basic "
        "authentication or OAuth 2.0), and a communication arrangement for each scenario below. "
        "On premise, activate the services in /IWFND/MAINT_SERVICE and create a user.\n"
        "Enter the URL that ends with /sap/opu/odata/sap, and the user or the OAuth client.\n"
        "For events, create a queue in SAP Event Mesh that subscribes to the topics below, and a "
        "webhook subscription of the queue with the webhook URL. Choose basic authentication: the "
        "secret of this source is user:password. A bearer token is accepted too. Enable the "
        "handshake, which is answered."
    )
    topics = (
        "NAMESPACE/ce/sap/s4/beh/salesorder/v1/SalesOrder/*/v1",
        "NAMESPACE/ce/sap/s4/beh/outbounddelivery/v1/OutboundDelivery/*/v1",
        "NAMESPACE/ce/sap/s4/beh/billingdocument/v1/BillingDocument/*/v1",
    )
    permissions = (
        "SAP_COM_0109 (Sales Order Integration), to read",
        "SAP_COM_0106 (Delivery Processing Integration), to read",
        "SAP_COM_0120 (Billing Document Integration), to read",
    )
    not_covered = (
        "Customer returns, returns deliveries, debit memos, pro forma and intercompany invoices.",
        "Handling units and their tracking numbers; the bill of lading of a delivery may be one.",
        "Payments: clearing a document in accounting does not change the billing document.",
        "Billing blocks, because goods are delivered all the same.",
        "Orders and billing documents without LastChangeDateTime, which very old ones may be.",
        "A goods issue that is reversed on the day on which it was posted, if this leaves the "
        "delivery exactly as it was before: it is seen with the next change of the delivery.",
        "Rejected items of which a part was delivered: their open quantity is not calculated.",
        "Deleted documents: the services no longer return them.",
        "IDocs, and the OData v4 services.",
    )
    settings = SETTINGS
    stored_headers: ClassVar[frozenset[str]] = frozenset(
        {"content-type", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"}
    )

    def handshake(
        self, request: WebhookRequest, secrets: Sequence[bytes]
    ) -> WebhookResponse | None:
        """Answer the abuse-protection handshake of the CloudEvents webhook specification."""
        origin = request.headers.get("webhook-request-origin", "")
        if request.method != "OPTIONS" or not origin:
            return None
        if not (origin.isascii() and origin.isprintable() and len(origin) <= 255):
            return WebhookResponse(403)
        headers = {"allow": "POST", "webhook-allowed-origin": origin, "webhook-allowed-rate": "*"}
        return WebhookResponse(200, headers=headers)

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check a bearer token, or the user and password of basic authentication."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        given = bearer_token(request.headers)
        if scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(credentials.strip().encode(), validate=True)
                given = decoded.decode()
            except (binascii.Error, ValueError):
                raise InvalidSignature("the credentials are not valid base64") from None
        if not given:
            raise InvalidSignature("the authorization is missing")
        check_token_matches_a_secret(given, secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the bearer token."""
        return {**build_bearer_header(secret), "content-type": EVENT_CONTENT_TYPE}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return source and id of the event, equal on retries."""
        try:
            root = Node(None, "", [False])
            if not request.headers.get("ce-type"):
                root = load_json(request.body)
            attributes = event_attributes(root, request.headers)
        except PayloadError:
            return ""
        if not attributes or not attributes["id"]:
            return ""
        return f"{attributes['source']} {attributes['id']}"

    def example_payload(self) -> bytes:
        """A created order."""
        return json.dumps(
            {
                "type": "sap.s4.beh.salesorder.v1.SalesOrder.Created.v1",
                "specversion": "1.0",
                "source": "/default/sap.s4.beh/S4CLNT100",
                "id": "0894ef45-7741-1eea-b7be-ce30f48e9a1d",
                "time": "2026-01-05T10:00:00Z",
                "datacontenttype": "application/json",
                "data": {"SalesOrder": "0000000017"},
            }
        ).encode()

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an event, or a document, or documents as the services return them."""
        root = load_json(message.body)
        if attributes := event_attributes(root, message.headers):
            return parse_notice(root, attributes)
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        ignored: list[str] = []
        documents = _documents_of(root)
        for document in documents:
            try:
                read, reason = self._read(document, message.received_at)
            except PayloadError as error:
                errors.append(error)
                continue
            events += read
            ignored += [reason] if reason else []
        if len(errors) == 1 and len(documents) == 1:
            raise errors[0]
        why = "" if events or errors else "; ".join(dict.fromkeys(ignored)) or "empty list"
        return ParseResult(
            flag_if_sanitized(events, sanitized=root.was_sanitized), tuple(errors), why
        )

    def _read(self, document: Node, read_at: datetime) -> tuple[list[CanonicalEvent], str]:
        values, source = self.parsed_settings, self.source_slug
        system_zone = values.text("system_zone")
        keys = set(document.keys())
        if "BillingDocument" in keys:
            return BillingDocumentReader(source, system_zone).read(document)
        if "DeliveryDocument" in keys:
            return DeliveryReader(
                source, values.text("zone"), system_zone, read_at,
                has_tracking=values.is_on("bill_of_lading_is_tracking"),
            ).read(document)  # fmt: skip
        if "SalesOrder" in keys:
            return SalesOrderReader(
                source, system_zone,
                self._number_range("purchase_order"), self._number_range("external_id"),
            ).read(document)  # fmt: skip
        detail = "not a sales order, an outbound delivery or a billing document"
        raise PayloadError(ParkReason.MAPPING, document.path or "$", detail)

    def _number_range(self, setting: str) -> NumberRange | None:
        if not self.config.get(setting):
            return None
        return self.parsed_settings.identifier_scheme_and_issuer(
            setting, (IdentifierScheme.REFERENCE, "")
        )

    def is_poll_configured(self) -> bool:
        """Whether the URL and a user or client are set."""
        return bool(
            self.config.get("base_url")
            and (self.config.get("user") or self.config.get("token_url"))
        )

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield documents changed since the cursor. Raises PollError."""
        values = self.parsed_settings
        try:
            options = DocumentPollOptions(
                base_url=values.text("base_url"),
                page_size=values.integer("page_size"),
                overlap=timedelta(minutes=values.integer("overlap_minutes")),
                since=parse_since(values.text("since")),
            )
            authorization = self._authorization(context)
        except PayloadError as error:
            raise PollError(error.detail) from None
        if not self.is_poll_configured():
            raise PollError("the URL, and a user or an OAuth client, are required")
        return poll_documents(AuthorizedRequests(http, [authorization]), cursor, options)

    def _authorization(self, context: PollContext) -> BaseAuthorization:
        values = self.parsed_settings
        if not values.text("token_url"):
            return basic_authorization(f"{values.text('user')}:{values.text('password')}")
        form = {name: values.text(name) for name in ("client_id", "client_secret")}
        return OAuth2Authorization(
            values.text("token_url"), form, client_in_header=True, tokens=context.tokens
        )


def _documents_of(root: Node) -> list[Node]:
    """The documents of a response (`d.results` or `d`), of a list, or the document itself."""
    node = root
    if isinstance(node.value, dict) and node.has_value("d"):
        node = node.get("d")
        if isinstance(node.value, dict) and node.has_value("results"):
            node = node.get("results")
    return node.as_list() if isinstance(node.value, list) else [node]
