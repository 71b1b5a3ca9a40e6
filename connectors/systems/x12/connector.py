"""EDI X12: orders, warehouse and carrier documents, invoices, payments, returns and stock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk.batch_contents import INTERCHANGE, BatchContents
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.document_path import with_document_path
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.file_signature import (
    SIGNATURE,
    build_file_signature_header,
    verify_file_signature_or_token,
)
from connectors.sdk.message_shape import MessageShape
from connectors.sdk.parse_setting_values import check_charset
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.text_shapes import x12_shape
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.sdk.x12_interchanges import read_interchanges
from connectors.sdk.x12_segments import decode_text
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.interchange_contents import contents_of_x12_interchanges
from connectors.systems.x12.interchange_dedupe_key import dedupe_key_if_single_interchange
from connectors.systems.x12.readers import READERS
from connectors.systems.x12.source_settings import SKU_QUALIFIERS, X12Settings
from connectors.systems.x12.summarize_functional_acknowledgments import (
    summarize_and_add_rejection_errors,
    summarize_ta1_or_raise_if_rejected,
)


class X12(Connector):
    """EDI X12 documents by file or HTTP.

    X12 defines no signature. Over HTTP, senders use `Authorization: Bearer` or
    `X-Throughline-Signature: sha256=<hex HMAC-SHA256 of the body>`.

    Changes, cancellations and acknowledgments occur when they are sent (GS04, GS05). Lines that are
    rejected (ACK01) or closed short (W1201, TD506, SN108) are cancelled by the seller. A rejection
    in a 997, 999 or TA1 parks its message, because a control number identifies no order. What is
    not understood in an applied file is in the detail of its message.
    """

    slug = "x12"
    title = "EDI X12"
    role = SourceRole.EDI
    reception = (
        "files sent by HTTP POST (header `x-throughline-signature: sha256=<hex HMAC of the "
        "body>` or a bearer token) or dropped into a folder: 850, 855, 860, 865, 870, 856, 810, "
        "812, 820, 824, 180, 940, 943, 944, 945, 947, 846, 204, 210, 214, 990, 997, 999, TA1"
    )
    accepts_files = True
    batch_defaults: ClassVar[Mapping[str, str]] = {"batch_number": INTERCHANGE}
    setup = (
        "Over HTTP, your EDI provider sends each file by POST to the webhook URL, with the header "
        "Authorization: Bearer and the secret of this source.\n"
        'For files, set "drop" to a folder in which your EDI provider places them.'
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Throughline sends no 997: let your translator acknowledge.",
        "A 997, 999 or TA1 names control numbers, so it is on no order: it is in the detail of its "
        "message, and a rejection parks it.",
        "Documents dated before 2000 are parked.",
        "Carrier numbers with fewer than eight characters (PRO) find a shipment, and never join "
        "two.",
    )
    versions: ClassVar[tuple[VersionDeclaration, ...]] = (
        VersionDeclaration(
            name="GS08",
            pattern=r"\bGS([^\w\s])(?:(?:(?!\1)[^\r\n]){0,40}\1){7}(?P<version>\d\w{0,11})",
            supported=(r"00[3-8]0\d\d\w*",),
        ),
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "own",
            "Your interchange ids (ISA06/ISA08), comma-separated; the other id is the partner. "
            "Without it, each sender of an 810, 855, 856 or 940 issues its own numbers.",
            label="Your interchange IDs",
        ),
        Setting(
            "customer.<ISA id>",
            "The customer number (ERP) of the partner with this interchange id, or of one of "
            "several companies behind it: `customer.<ISA id>/<GS id>` (GS02 or GS03).",
            label="Customer number of an interchange ID",
        ),
        Setting(
            "partner",
            "The partner id for files without ISA and GS envelopes.",
            label="Partner of files without envelopes",
        ),
        Setting(
            "zone",
            "The IANA time zone of dates and times.",
            SettingType.ZONE,
            default="UTC",
            label="Time zone",
        ),
        Setting(
            "sku_qualifiers",
            "Item number qualifiers by preference, comma-separated.",
            default=SKU_QUALIFIERS,
            label="Item number qualifiers",
        ),
        Setting(
            "depositor_order",
            "The number range of W0502 and W0602, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of depositor orders",
        ),
        Setting(
            "seller_order",
            "The number range of BAK08 and REF*VN, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of seller orders",
        ),
        Setting(
            "invoice_number",
            "The number range of invoices that you send, such as invoice@erp.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of your invoices",
        ),
        Setting(
            "carrier_order",
            "The number range of the order numbers in carrier documents (OID01, L11*OQ), such as "
            "sales_order@erp. Without it and `depositor_order`, they name shipments only.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders in carrier documents",
        ),
        Setting(
            "carrier_shipment",
            "The number range of your shipment numbers in carrier documents (B1002, B204, B303), "
            "such as shipment@wms.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of shipments in carrier documents",
        ),
        Setting(
            "charset",
            "The character set of the files.",
            default="utf-8",
            check=check_charset,
            label="Character set",
        ),
        Setting(
            "test_traffic",
            "Set to yes to also process test interchanges (ISA15 = T).",
            SettingType.BOOLEAN,
            label="Process test interchanges",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE, "content-type"})

    # Names of unsupported sets, for the error message.
    known_unsupported: ClassVar[Mapping[str, str]] = {
        "211": "bill of lading",
        "753": "request for routing instructions",
        "754": "routing instructions",
        "816": "organizational relationships",
        "830": "planning schedule",
        "832": "price catalog",
        "852": "product activity",
        "857": "shipment and billing notice",
        "861": "receiving advice",
        "862": "shipping schedule",
        "864": "text message",
        "869": "order status inquiry",
        "875": "grocery purchase order",
        "880": "grocery invoice",
    }

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature header or a bearer token."""
        verify_file_signature_or_token(request, secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the signature header."""
        return build_file_signature_header(body, secret)

    def example_payload(self) -> bytes:
        """A small order."""
        return b"ST*850*0001~BEG*00*SA*PO-1**20260105~PO1*1*5*EA*9.90**VN*DEMO-1~SE*4*0001~"

    def message_shape(self, message: RawMessage) -> MessageShape | None:
        """Return the segments, qualifiers and elements of each type of document."""
        return x12_shape(message.body, self.parsed_settings.text("charset"))

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the key of the file's interchange, "" if it has several or cannot be read."""
        try:
            return dedupe_key_if_single_interchange(
                decode_text(request.body, self.parsed_settings.text("charset"))
            )
        except PayloadError:
            return ""

    def batch_contents(self, message: RawMessage) -> BatchContents:
        """Count the transaction sets. Raises PayloadError."""
        text = decode_text(message.body, self.parsed_settings.text("charset"))
        return contents_of_x12_interchanges(read_interchanges(text))

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse each set separately, so that an invalid set does not affect the others."""
        settings = X12Settings.parse(self.parsed_settings, self.source_slug)
        interchanges = read_interchanges(
            decode_text(message.body, self.parsed_settings.text("charset"))
        )
        live = [
            i for i in interchanges if not i.is_test or self.parsed_settings.is_on("test_traffic")
        ]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        ignored_reasons: list[str] = []
        if len(live) < len(interchanges):
            ignored_reasons.append(
                "test interchange (ISA15 = T); set test_traffic=yes to process it"
            )
        for interchange in live:
            errors += interchange.errors
            for segment in interchange.acknowledgments:
                try:
                    ignored_reasons.append(summarize_ta1_or_raise_if_rejected(segment))
                except PayloadError as error:
                    errors.append(error)
            for transaction_set in interchange.sets:
                document = X12Document(transaction_set, settings)
                try:
                    events += self._read_set(document, ignored_reasons)
                except PayloadError as error:
                    document.line_errors.append(error)
                errors += [
                    with_document_path(error, transaction_set.code_and_control_number_text)
                    for error in document.line_errors
                ]
                ignored_reasons += [
                    f"{transaction_set.code_and_control_number_text} {text}"
                    for text in document.not_understood
                ]
        if not events and len(errors) == 1 and not ignored_reasons:
            raise errors[0]
        ignored = "; ".join(dict.fromkeys(ignored_reasons))
        return ParseResult(tuple(events), tuple(errors), ignored)

    def _read_set(self, document: X12Document, ignored_reasons: list[str]) -> list[CanonicalEvent]:
        code = document.transaction_set.code
        if code in {"997", "999"}:
            ignored_reasons.append(summarize_and_add_rejection_errors(document))
            return []
        if code not in READERS:
            description = (
                f" ({self.known_unsupported[code]})" if code in self.known_unsupported else ""
            )
            raise PayloadError(
                ParkReason.MAPPING,
                document.transaction_set.code_and_control_number_text,
                f"set {code[:20]}{description} is not supported",
            )
        return READERS[code](document)
