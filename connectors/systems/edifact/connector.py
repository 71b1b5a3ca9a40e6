"""EDIFACT: orders, responses, despatch and receiving advices, invoices and statuses."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
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
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.edifact.acknowledgments import (
    read_application_error,
    summarize_control_message,
)
from connectors.systems.edifact.despatch_advices import read_despatch_advice, read_receiving_advice
from connectors.systems.edifact.document import EdifactDocument
from connectors.systems.edifact.interchange_contents import contents_of_edifact_interchanges
from connectors.systems.edifact.interchanges import EdifactInterchange, read_interchanges
from connectors.systems.edifact.invoices import read_invoice
from connectors.systems.edifact.order_responses import read_order_response
from connectors.systems.edifact.orders import read_order, read_order_change
from connectors.systems.edifact.segments import decode_file
from connectors.systems.edifact.shape import edifact_shape
from connectors.systems.edifact.source_settings import (
    SKU_QUALIFIERS,
    EdifactSettings,
    check_status,
)
from connectors.systems.edifact.statuses import read_status

READERS: Mapping[str, Callable[[EdifactDocument], list[CanonicalEvent]]] = {
    "APERAK": read_application_error,
    "DESADV": read_despatch_advice,
    "IFTSTA": read_status,
    "INVOIC": read_invoice,
    "ORDCHG": read_order_change,
    "ORDERS": read_order,
    "ORDRSP": read_order_response,
    "RECADV": read_receiving_advice,
}


class Edifact(Connector):
    """UN/EDIFACT and EANCOM messages by file or HTTP.

    EDIFACT defines no signature. Over HTTP, senders use `Authorization: Bearer` or
    `X-Throughline-Signature: sha256=<hex HMAC-SHA256 of the body>`.

    The character set is that of UNB S001, and UTF-8 with a byte order mark. A rejection in a CONTRL
    parks its message, because a control reference identifies no order. What is not understood in an
    applied file is in the detail of its message.
    """

    slug = "edifact"
    title = "EDIFACT"
    role = SourceRole.EDI
    reception = (
        "files sent by HTTP POST (header `x-throughline-signature: sha256=<hex HMAC of the "
        "body>` or a bearer token) or dropped into a folder: ORDERS, ORDCHG, ORDRSP, DESADV, "
        "RECADV, INVOIC, IFTSTA, CONTRL, APERAK"
    )
    accepts_files = True
    batch_defaults: ClassVar[Mapping[str, str]] = {"batch_number": INTERCHANGE}
    setup = (
        "Over HTTP, your EDI provider sends each file by POST to the webhook URL, with the header "
        "Authorization: Bearer and the secret of this source.\n"
        'For files, set "drop" to a folder in which your EDI provider places them.\n'
        "Enter your interchange IDs (UNB), and the customer number of each partner."
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "Throughline sends no CONTRL: let your translator acknowledge.",
        "A CONTRL names references of interchanges, so it is on no order: it is in the detail of "
        "its message, and a rejection parks it.",
        "REMADV, INVRPT, OSTRPT, INSDES, IFTMIN, PRICAT and SLSRPT.",
        "Documents dated before 2000 are parked.",
        "Shortages of a despatch advice (QTY 21 above QTY 12): the order has what was shipped.",
    )
    versions: ClassVar[tuple[VersionDeclaration, ...]] = (
        VersionDeclaration(
            name="UNH directory",
            pattern=r"\bUNH([^\w\s])[^\r\n]{1,14}?\1[A-Z]{6}([^\w\s])"
            r"(?P<version>[A-Z0-9]{1,3})\2(?P<release>[A-Z0-9]{1,3})",
            supported=(r"D\.(9[3-9]|[0-2]\d)[AB]", r"S\.93A"),
        ),
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "own",
            "Your interchange ids (UNB S002 and S003), comma-separated; the other id is the "
            "partner.",
            label="Your interchange IDs",
        ),
        Setting(
            "customer.<interchange id>",
            "The customer number (ERP) of the partner with this interchange id or buyer GLN "
            "(NAD+BY).",
            label="Customer number of an interchange ID",
        ),
        Setting(
            "partner",
            "The partner id for files without UNB.",
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
            "Item number types (7143) by preference, comma-separated.",
            default=SKU_QUALIFIERS,
            label="Item number types",
        ),
        Setting(
            "seller_order",
            "The number range of RFF+VN, such as sales_order@erp.",
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
            "shipment_number",
            "The number range of your despatch advices (BGM, RFF+AAK), such as shipment@wms.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of your shipments",
        ),
        Setting(
            "carrier_order",
            "The number range of RFF+ON in IFTSTA, such as sales_order@erp. Without it, statuses "
            "name shipments and packages only.",
            SettingType.SCHEME_AT_ISSUER,
            label="Number range of orders in statuses",
        ),
        Setting(
            "status.<code>",
            "The event of a status code (STS) that you agreed with the carrier, such as "
            "shipment.delivered, or ignore.",
            check=check_status,
            label="Event of a status code",
        ),
        Setting(
            "charset",
            "The character set of the files, if it is not that of UNB S001.",
            check=check_charset,
            label="Character set",
        ),
        Setting(
            "test_traffic",
            "Set to yes to also process test interchanges (UNB 0035 = 1).",
            SettingType.BOOLEAN,
            label="Process test interchanges",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE, "content-type"})

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the signature header or a bearer token."""
        verify_file_signature_or_token(request, secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the signature header."""
        return build_file_signature_header(body, secret)

    def example_payload(self) -> bytes:
        """A small order."""
        return (
            b"UNB+UNOC:3+5412345000013:14+4012345000009:14+260105:1000+1'UNH+1+ORDERS:D:96A:UN'"
            b"BGM+220+PO-1+9'DTM+137:20260105:102'LIN+1++DEMO-1:SA'QTY+21:5:PCE'UNS+S'UNT+7+1'"
            b"UNZ+1+1'"
        )

    def message_shape(self, message: RawMessage) -> MessageShape | None:
        """Return the segments, qualifiers and elements of each type of document."""
        return edifact_shape(message.body, self.parsed_settings.text("charset"))

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the key of a file with a single interchange, else "".

        It is `sender/receiver/date:time/reference/digest`. The digest covers the messages, because
        some senders always send the same reference.
        """
        try:
            interchanges = self._read(request.body)
        except PayloadError:
            return ""
        header = interchanges[0].header if len(interchanges) == 1 else None
        if header is None:
            return ""
        content = [str((m.type, m.reference, m.segments[:1])) for m in interchanges[0].messages]
        digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
        created = f"{header.text(4, 1)}:{header.text(4, 2)}"
        names = (header.text(2), header.text(3), created, header.text(5))
        return "/".join((*(name[:35] for name in names), digest))

    def _read(self, body: bytes) -> list[EdifactInterchange]:
        return read_interchanges(decode_file(body, self.parsed_settings.text("charset")))

    def batch_contents(self, message: RawMessage) -> BatchContents:
        """Count the messages. Raises PayloadError."""
        return contents_of_edifact_interchanges(self._read(message.body))

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse each message separately, so that an invalid one does not affect the others."""
        settings = EdifactSettings.parse(self.parsed_settings, self.source_slug)
        interchanges = self._read(message.body)
        accepts_tests = self.parsed_settings.is_on("test_traffic")
        live = [i for i in interchanges if accepts_tests or not i.is_test]
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        ignored: list[str] = []
        if len(live) < len(interchanges):
            ignored.append("test interchange (UNB 0035 = 1); set test_traffic=yes to process it")
        for interchange in live:
            errors += interchange.errors
            for edifact_message in interchange.messages:
                document = EdifactDocument(edifact_message, settings)
                name = edifact_message.type_and_reference
                try:
                    events += self._read_message(document, ignored)
                except PayloadError as error:
                    document.line_errors.append(error)
                errors += [with_document_path(e, name) for e in document.line_errors]
                ignored += [f"{name} {text}" for text in document.not_understood]
        if not events and len(errors) == 1 and not ignored:
            raise errors[0]
        return ParseResult(tuple(events), tuple(errors), "; ".join(dict.fromkeys(ignored)))

    def _read_message(self, document: EdifactDocument, ignored: list[str]) -> list[CanonicalEvent]:
        kind = document.message.type
        if kind == "CONTRL":
            ignored.append(summarize_control_message(document))
            return []
        if kind not in READERS:
            raise PayloadError(
                ParkReason.MAPPING,
                document.message.type_and_reference,
                f"message {kind} is not supported",
            )
        return READERS[kind](document)
