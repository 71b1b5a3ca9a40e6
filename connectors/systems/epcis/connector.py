"""GS1 EPCIS 2.0: the capture interface for events of the supply chain, as JSON or JSON-LD."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import flag_if_sanitized
from connectors.sdk.events import CanonicalEvent, IdentifierScheme, ObjectKind
from connectors.sdk.file_signature import (
    SIGNATURE,
    build_file_signature_header,
    verify_file_signature_or_token,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.epcis.captured_events import EVENT_KINDS, EpcisSettings, read_event

VERSION_HEADERS = {"gs1-epcis-version": "2.0.0", "gs1-cbv-version": "2.0.0"}
# setting: (kind of object, scheme without the setting, what the number is)
NUMBER_RANGES = {
    "order_number": (ObjectKind.ORDER, IdentifierScheme.ORDER_NUMBER, "po"),
    "shipment_number": (ObjectKind.SHIPMENT, IdentifierScheme.SHIPMENT, "desadv"),
    "invoice_number": (ObjectKind.INVOICE, IdentifierScheme.INVOICE, "inv"),
    "return_number": (ObjectKind.RETURN, IdentifierScheme.RMA, "rma"),
}


class Epcis(Connector):
    """EPCIS 2.0 events: ObjectEvent, AggregationEvent, TransactionEvent and the others.

    A capture is answered with 202 and the Location of its capture job. Business transactions name
    orders, shipments, invoices and returns; SSCCs are packages, GTINs are items.
    """

    slug = "epcis"
    title = "GS1 EPCIS 2.0"
    role = SourceRole.WMS
    reception = (
        "`POST /hooks/<source>/capture` with a bearer token (EPCIS capture interface, JSON or "
        "JSON-LD), subscriptions of EPCIS repositories, or files in a folder"
    )
    accepts_files = True
    job_path = "capture"
    job_headers: ClassVar[Mapping[str, str]] = VERSION_HEADERS
    setup = (
        "In the capturing application, enter the webhook URL as the address of the EPCIS "
        "repository. It appends /capture.\n"
        "Let it authenticate with the header Authorization: Bearer and the secret of this source.\n"
        "To receive from an EPCIS repository instead, subscribe a query there, with the webhook "
        "URL as its destination."
    )
    not_covered: ClassVar[tuple[str, ...]] = (
        "EPCIS 1.2 documents in XML.",
        "The query interface and POST /events: events are captured, and exported as EPCIS.",
        "All or nothing: the valid events of a document are applied, and the others are parked.",
        "Events that name no order, shipment, package, invoice or return are ignored.",
    )
    # EPCIS 1 is XML with other members; a later major version may give them other meanings.
    versions: ClassVar[tuple[VersionDeclaration, ...]] = (
        VersionDeclaration(
            name="schemaVersion",
            pattern=r'"schemaVersion"\s*:\s*"?(?P<version>\w[\w.]{0,19})',
            supported=(r"2(\.\d+)*",),
            parked=(r"(?!2(\.|$)).+",),
        ),
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        *(
            Setting(
                name,
                f"The number range of business transactions of type {term}, such as "
                f"{scheme}@erp (default: those of this source).",
                SettingType.SCHEME_AT_ISSUER,
            )
            for name, (_, scheme, term) in NUMBER_RANGES.items()
        ),
        Setting(
            "customer.<GLN>",
            "The customer number (ERP) of the company whose GLN is in its purchase orders, as in "
            "urn:epcglobal:cbv:bt:<GLN>:<PO>.",
            label="Customer number of a GLN",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset(
        {SIGNATURE, "content-type", *VERSION_HEADERS}
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check a bearer token, or the signature header of Throughline."""
        verify_file_signature_or_token(request, secrets)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Return the signature header."""
        return build_file_signature_header(body, secret)

    def example_payload(self) -> bytes:
        """A small shipment."""
        return (
            b'{"type": "EPCISDocument", "schemaVersion": "2.0", "epcisBody": {"eventList": [{'
            b'"type": "ObjectEvent", "eventTime": "2026-01-05T10:00:00Z", '
            b'"eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "bizStep": "shipping", '
            b'"epcList": ["urn:epc:id:sscc:4012345.1234567890"], "bizTransactionList": [{'
            b'"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:SO-1"}]}]}}'
        )

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return "": an errorDeclaration has the eventID of the event that it withdraws."""
        return ""

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse each event separately, so that an invalid one does not affect the others."""
        settings = self._epcis_settings()
        root = load_json(message.body)
        nodes = list(_event_nodes(root))
        events: list[CanonicalEvent] = []
        errors: list[PayloadError] = []
        ignored = 0
        for node in nodes:
            try:
                event = read_event(node, settings)
            except PayloadError as error:
                errors.append(error)
                continue
            if event is None:
                ignored += 1
            else:
                events.append(event)
        if len(nodes) == 1 and errors:
            raise errors[0]
        reasons = [] if nodes else ["the document has no event"]
        if ignored:
            noun = "event names" if ignored == 1 else "events name"
            reasons.append(f"{ignored} {noun} no order, shipment, package, invoice or return")
        flagged = flag_if_sanitized(events, sanitized=root.was_sanitized)
        return ParseResult(flagged, tuple(errors), "; ".join(reasons))

    def _epcis_settings(self) -> EpcisSettings:
        numbers = {
            kind: self.parsed_settings.identifier_scheme_and_issuer(
                name, (scheme, self.source_slug)
            )
            for name, (kind, scheme, _) in NUMBER_RANGES.items()
        }
        customers = self.parsed_settings.values_of_family_by_id("customer.")
        return EpcisSettings(self.source_slug, numbers, customers)


def _event_nodes(root: Node) -> Iterator[Node]:
    """Yield the events of a document, of a query result, or a single event. Raises PayloadError."""
    if not isinstance(root.value, dict):
        raise PayloadError(ParkReason.SCHEMA, "$", "expected an EPCISDocument")
    kind = root.required_text("type").rpartition(":")[2]
    if kind in EVENT_KINDS:
        yield root
        return
    if kind not in {"EPCISDocument", "EPCISQueryDocument"}:
        raise PayloadError(ParkReason.SCHEMA, "type", f"{kind[:40]!r} is no EPCISDocument")
    body = root.required_object("epcisBody")
    if kind == "EPCISQueryDocument":
        body = body.required_object("queryResults").required_object("resultsBody")
    if body.has_value("event"):
        yield body.get("event")
    yield from body.list_at("eventList")
