"""Adobe Commerce: events of Adobe I/O, and polling of the REST API."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, bearer_token, check_token_matches_a_secret
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.rsa_signatures import parse_public_keys, verify_any_base64_signature
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    WebhookRequest,
    WebhookResponse,
)
from connectors.systems.adobe_commerce.documents import CommerceReader
from connectors.systems.adobe_commerce.poll import ENTITY, poll_commerce
from connectors.systems.adobe_commerce.settings import SETTINGS

CODE = "x-adobe-event-code"
SIGNATURES = ("x-adobe-digital-signature-1", "x-adobe-digital-signature-2")
MAX_CHALLENGE = 4096
# Kinds of documents, by their name in event codes and lists. The first that fits counts.
KINDS = ("creditmemo", "invoice", "shipment", "order")
NOT_ORDERS = re.compile(r"(catalog|customer|inventory|cart|quote|newsletter|wishlist|review)")


class AdobeCommerce(Connector):
    """Adobe Commerce and Magento Open Source: orders, shipments, invoices and credit memos.

    Events of Adobe I/O contain the fields that the administrator chose. The poll reads complete
    documents and, for shipments, invoices and credit memos, the items of their order. "complete"
    means shipped and invoiced, not delivered.
    """

    slug: ClassVar[str] = "adobe_commerce"
    title: ClassVar[str] = "Adobe Commerce (Magento)"
    role: ClassVar[SourceRole] = SourceRole.SHOP
    reception = "polled (orders, shipments, invoices, credit memos), and Adobe I/O Events"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "For the poll: Admin > System > Integrations > Add New Integration, with the resource "
        "access Sales > Operations. Activate it, and enter its four keys as settings. The API URL "
        "ends with /rest/all/V1. The edition as a cloud service has server-to-server OAuth "
        "credentials in the Adobe Developer Console instead.\n"
        "For events: Adobe Developer Console > your project > Add service > I/O Events, choose "
        "the Commerce events of topics below, with all fields, and the webhook URL of this source "
        "as runtime. Adobe sends a challenge, which is answered.\n"
        "Enter the two public keys as a setting: the files that the headers "
        "x-adobe-public-key1-path and -key2-path name, on static.adobeioevents.com."
    )
    topics: ClassVar[tuple[str, ...]] = (
        "observer.sales_order_save_commit_after",
        "observer.sales_order_shipment_save_after",
        "observer.sales_order_invoice_save_after",
        "observer.sales_order_creditmemo_save_after",
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "Integration: Magento_Sales::sales_operation (orders, shipments, invoices, credit memos).",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Returns (RMA) are not read.",
        "A track that is added later arrives when the shipment changes, or with its event.",
        "Events with a bundle product but without its order are counted by parent and children "
        "until the poll has read the document.",
        "The journal of Adobe I/O is not read.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        *SETTINGS,
        Setting(
            "public_keys",
            "The public keys of Adobe I/O Events in PEM form, one after the other.",
            SettingType.PUBLIC_KEYS,
            label="Public keys of Adobe I/O Events",
        ),
        Setting(
            "recipient_client_id",
            "The client id of the project. Events for another one are refused.",
            label="Client id of the project",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({CODE, ENTITY, "x-adobe-event-id"})

    def handshake(
        self, request: WebhookRequest, secrets: Sequence[bytes]
    ) -> WebhookResponse | None:
        """Return the value of `challenge`, which Adobe sends by GET when a hook is registered."""
        challenge = request.query.get("challenge", "")
        if request.method != "GET" or not challenge:
            return None
        too_long = len(challenge) > MAX_CHALLENGE
        return WebhookResponse(400) if too_long else WebhookResponse(200, challenge.encode())

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the RSA signature of Adobe I/O, or a bearer token of one's own forwarder."""
        signatures = [request.headers[name] for name in SIGNATURES if request.headers.get(name)]
        if not signatures:
            check_token_matches_a_secret(bearer_token(request.headers), secrets)
            return
        keys = self.parsed_settings.text("public_keys")
        if not keys:
            raise InvalidSignature("the setting public_keys is empty")
        verify_any_base64_signature(parse_public_keys(keys), signatures, request.body)
        expected = self.parsed_settings.text("recipient_client_id")
        if expected and self._recipients(request.body) != {expected}:
            raise InvalidSignature("the event is for another client id")

    def _recipients(self, body: bytes) -> set[str]:
        try:
            root = load_json(body)
            nodes = root.as_list() if isinstance(root.value, list) else [root]
            return {node.text_at("recipient_client_id") for node in nodes}
        except PayloadError as error:
            raise InvalidSignature(f"the body is invalid: {error}") from None

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Authenticate by the secret; only Adobe can sign."""
        return {"authorization": f"Bearer {secret.decode()}"}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the event id, which is equal on retries."""
        return request.headers.get("x-adobe-event-id", "")

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"entity_id": 31, "increment_id": "000000031", "state": "new", '
            b'"created_at": "2026-01-05 10:00:00", "updated_at": "2026-01-05 10:00:00", '
            b'"items": [{"item_id": 7, "sku": "DEMO-1", "product_type": "simple", '
            b'"qty_ordered": 2, "price": 9.9}]}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the API URL and credentials are set."""
        has_credentials = self.config.get("access_token") or self.config.get("client_id")
        return bool(self.config.get("base_url") and has_credentials)

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield orders, shipments, invoices and credit memos changed since the cursor."""
        return poll_commerce(self.parsed_settings, http, cursor, context)

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a document, an event, a batch of events or a search result."""
        root = load_json(message.body)
        name = message.headers.get(ENTITY, "") or message.headers.get(CODE, "")
        if isinstance(root.value, list):
            nodes = root.as_list()
        else:
            is_result = root.has_value("items") and root.has_value("total_count")
            nodes = root.list_at("items") if is_result else [root]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        ignored = "" if nodes else "empty list"
        for node in nodes:
            try:
                parsed = self._parse_document(node, name)
            except PayloadError as error:
                errors.append(error)
                continue
            events += parsed
            ignored = ignored if parsed else "not related to orders"
        if errors and len(nodes) == 1:
            raise errors[0]
        ignored = ignored if not events and not errors else ""
        sanitized = flag_if_sanitized(events, sanitized=root.was_sanitized)
        return ParseResult(sanitized, tuple(errors), ignored)

    def _parse_document(self, node: Node, name: str) -> list[CanonicalEvent]:
        document, code = _unwrap(node)
        code = (code or name).lower()
        if NOT_ORDERS.search(code) and not any(kind in code for kind in KINDS):
            return []
        reader = CommerceReader(self.parsed_settings, self.source_slug)
        readers: Mapping[str, Callable[[Node], Iterator[CanonicalEvent]]] = {
            "creditmemo": reader.credit_memo_events,
            "invoice": reader.invoice_events,
            "shipment": reader.shipment_events,
            "order": reader.order_events,
        }
        detail = code.replace("sales_order_", "")  # sales_order_invoice_save_after
        kind = next((kind for kind in KINDS if kind in detail), "") or _guess_kind(document)
        if not kind:
            what = "not an order, a shipment, an invoice or a credit memo"
            raise PayloadError(ParkReason.MAPPING, document.path or "$", what)
        return list(readers[kind](document))


def _unwrap(node: Node) -> tuple[Node, str]:
    """Return the document inside an event, and the event code."""
    code = node.text_at("type") if node.has_value("specversion") else ""
    event = node.get("event")
    holder = event if isinstance(event.value, dict) else node
    code = code or (node.text_at("event_code") if holder is event else "")
    data = holder.get("data")
    if not isinstance(data.value, dict):
        return node, code
    value = data.get("value")
    return (value if isinstance(value.value, dict) else data), code


def _guess_kind(document: Node) -> str:
    """Return the kind of a document by fields that only it has; "" if unknown."""
    if document.has_value("order_id"):
        if document.has_value("tracks") or document.has_value("shipment_status"):
            return "shipment"
        if any(document.has_value(n) for n in ("adjustment", "creditmemo_status")):
            return "creditmemo"
        return "invoice" if document.has_value("grand_total") else ""
    is_order = document.has_value("increment_id") and document.has_value("state")
    return "order" if is_order else ""
