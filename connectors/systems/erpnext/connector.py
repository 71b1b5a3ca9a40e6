"""ERPNext: signed webhooks of the Frappe framework, and a poll of its REST API."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.auth import check_base64_signature, hmac_sha256
from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.changed_rows_polling import parse_since, poll_changed_rows
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.payload import PayloadError, load_json
from connectors.sdk.poll_settings import first_poll_setting, overlap_setting
from connectors.sdk.read_each_record import read_each_record
from connectors.sdk.request_authorization import HeaderAuthorization
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.erpnext.documents import ErpNextEventReader
from connectors.systems.erpnext.polling import DOCTYPES, DocumentReader, repeated_clock_time

SIGNATURE = "x-frappe-webhook-signature"


class ERPNext(Connector):
    """Sales Orders, Delivery Notes and Sales Invoices of ERPNext, with their returns.

    Webhooks report changes at once, and a poll reads what was lost. All times of a site are local
    times of the site. An amended document is a new document whose name ends with -1; both are one
    order here.
    """

    slug = "erpnext"
    title = "ERPNext"
    role = SourceRole.ERP
    reception = "webhooks, polled (orders, delivery notes, invoices)"
    polls = True
    poll_interval = timedelta(minutes=5)
    setup = (
        "Webhook > New, for each of Sales Order, Delivery Note and Sales Invoice, and for each of "
        "the events on_submit, on_cancel and on_update_after_submit: the webhook URL, request "
        "structure JSON with the body {{ doc | json }}, and under Webhook Security the secret "
        "of this source.\n"
        "For the poll: create a user with a role that reads these documents, then API Access > "
        "Generate Keys in its form. Enter the URL of the site and the keys as settings.\n"
        "Enter the time zone of System Settings."
    )
    topics: ClassVar[tuple[str, ...]] = (
        "Sales Order: on_submit, on_cancel, on_update_after_submit",
        "Delivery Note: on_submit, on_cancel, on_update_after_submit",
        "Sales Invoice: on_submit, on_cancel, on_update_after_submit",
    )
    permissions: ClassVar[tuple[str, ...]] = (
        "Read access to Sales Order, Delivery Note and Sales Invoice",
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Pick Lists, Packing Slips and Shipments are not read. The tracking number is the "
        "transport receipt number (lr_no) of a Delivery Note.",
        "A Sales Invoice that updates the stock is not read as a shipment.",
        "A paid invoice has the time when it was last changed.",
        "Documents that were deleted are not reported.",
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "zone",
            "The IANA time zone of the site, as in System Settings.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone",
        ),
        Setting(
            "base_url",
            "The URL of the site, such as https://erp.example.com. Needed to poll.",
            SettingType.URL,
            label="URL of the site",
        ),
        Setting(
            "api_key",
            "The API key and its secret, as key:secret. Needed to poll.",
            SettingType.SECRET,
        ),
        Setting(
            "page_size",
            "The number of documents per request for a list.",
            SettingType.INTEGER,
            default="100",
            minimum=1,
            maximum=1000,
            label="Documents per request",
        ),
        overlap_setting(kind=SettingType.INTEGER),
        first_poll_setting(),
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature: the base64 HMAC-SHA256 of the body as it was sent."""
        check_base64_signature(request.headers.get(SIGNATURE, ""), secrets, request.body)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as Frappe does."""
        return {SIGNATURE: base64.b64encode(hmac_sha256(secret, body)).decode()}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": webhooks have no id. A repeated one has the same content."""
        return ""

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b'{"doctype": "Sales Order", "name": "SAL-ORD-2026-00001", "docstatus": 1, '
            b'"status": "To Deliver and Bill", "customer": "C1", "transaction_date": "2026-01-05", '
            b'"modified": "2026-01-05 10:00:00.000000", "items": [{"name": "a1b2c3d4e5", '
            b'"item_code": "DEMO-1", "qty": 5.0, "uom": "Nos", "rate": 9.9}]}'
        )

    def is_poll_configured(self) -> bool:
        """Whether the URL and the key are set."""
        return all(self.config.get(name) for name in ("base_url", "api_key"))

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield pages like `poll`, further back after the clock of the site was put back."""
        return self._poll(http, cursor, context.now)

    def poll(self, http: HttpClient, cursor: str, secrets: Sequence[bytes]) -> Iterator[PolledPage]:
        """Yield documents changed since the cursor."""
        return self._poll(http, cursor, None)

    def _poll(self, http: HttpClient, cursor: str, now: datetime | None) -> Iterator[PolledPage]:
        if not self.is_poll_configured():
            raise PollError("the URL of the site and the API key are required")
        try:
            settings = self.parsed_settings
            key = HeaderAuthorization("authorization", f"token {settings.text('api_key')}")
            size = settings.integer("page_size")
            reader = DocumentReader(
                AuthorizedRequests(http, [key]), settings.text("base_url"), size
            )
            overlap = timedelta(minutes=settings.integer("overlap_minutes"))
            if now:
                overlap += repeated_clock_time(settings.text("zone"), now)
            since = parse_since(settings.text("since"))
        except PayloadError as error:
            raise PollError(error.detail) from None
        return poll_changed_rows(
            DOCTYPES, cursor, reader.read, page_size=size, overlap=overlap, since=since
        )

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse a document, or a list of documents as in an export."""
        root = load_json(message.body)
        reader = ErpNextEventReader(self.source_slug, self.parsed_settings.text("zone"))
        is_list = isinstance(root.value, list)
        readings = read_each_record(
            root.as_list() if is_list else [root],
            lambda document: reader.read(document, document.required_text("doctype")),
        )
        if readings.errors and not is_list:
            raise readings.errors[0]
        return ParseResult(
            flag_if_sanitized(readings.events, sanitized=root.was_sanitized),
            tuple(readings.errors),
            readings.ignored_because("an empty list"),
        )
