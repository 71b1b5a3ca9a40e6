"""EasyPost: carrier tracking. Each webhook contains all scans of a tracker."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk.auth import InvalidSignature, check_hex_signature, hmac_sha256
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_builder import build_event, flag_if_sanitized
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    Flag,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.sdk.webhook_and_poll_types import WebhookRequest

SIGNATURE = "x-hmac-signature"
PREFIX = "hmac-sha256-hex="


class EasyPost(Connector):
    """EasyPost trackers. Each scan has its own key, so repeated lists change nothing.

    "pre_transit" only means that a label exists. Only the carrier's own code identifies the pickup
    scan; its `status_detail` is the same as for any arrival. The secret is NFKD-normalized before
    it signs.
    https://docs.easypost.com/docs/trackers
    """

    slug: ClassVar[str] = "easypost"
    title: ClassVar[str] = "EasyPost"
    role: ClassVar[SourceRole] = SourceRole.CARRIER
    reception = "webhooks"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "reference",
            "The number range of a tracker's reference, such as sales_order@erp.",
            SettingType.SCHEME_AT_ISSUER,
        ),
        Setting(
            "test_traffic",
            "Set to yes to also process trackers in test mode.",
            SettingType.BOOLEAN,
        ),
        Setting(
            "zone",
            "The IANA time zone of times without an offset.",
            SettingType.ZONE,
            default="UTC",
        ),
    )
    stored_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE})
    # "unknown" (a scan without status) and "error" (an abandoned tracker) are left unmapped.
    statuses: ClassVar[Mapping[str, EventType]] = {
        "pre_transit": EventType.LABEL_CREATED,
        "in_transit": EventType.IN_TRANSIT,
        "out_for_delivery": EventType.OUT_FOR_DELIVERY,
        "delivered": EventType.DELIVERED,
        "available_for_pickup": EventType.AVAILABLE_FOR_PICKUP,
        "return_to_sender": EventType.SHIPMENT_RETURNED,
        "failure": EventType.SHIPMENT_EXCEPTION,
        "cancelled": EventType.SHIPMENT_VOID,
    }
    # `status_detail` values that are more specific than "in_transit".
    detail_statuses: ClassVar[Mapping[str, EventType]] = {
        "picked_up": EventType.PICKED_UP,
        "delayed": EventType.DELAYED,
        "weather_delay": EventType.DELAYED,
        "damaged": EventType.SHIPMENT_EXCEPTION,
        "delivery_exception": EventType.SHIPMENT_EXCEPTION,
        "lost": EventType.SHIPMENT_EXCEPTION,
        "transit_exception": EventType.SHIPMENT_EXCEPTION,
    }
    # Carrier codes for the pickup of a package from the shipper.
    pickup_codes: ClassVar[frozenset[str]] = frozenset({"PU"})
    # Estimated delivery dates are ignored in these states.
    final_statuses: ClassVar[frozenset[str]] = frozenset(
        {"delivered", "return_to_sender", "cancelled"}
    )

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check `hmac-sha256-hex=` of the raw body."""
        signature = request.headers.get(SIGNATURE, "")
        if not signature.startswith(PREFIX):
            raise InvalidSignature("the signature is missing")
        check_hex_signature(
            signature.removeprefix(PREFIX), [_normalize_secret(s) for s in secrets], request.body
        )

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as EasyPost does."""
        return {SIGNATURE: PREFIX + hmac_sha256(_normalize_secret(secret), body).hex()}

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the event id. Bare trackers and invalid bodies have none."""
        try:
            body = load_json(request.body)
            return body.text_at("id") if body.text_at("object") == "Event" else ""
        except PayloadError:
            return ""

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse an event with its tracker, or a bare tracker from the API."""
        body = load_json(message.body)
        ignored = self._reason_body_has_no_tracker(body)
        if ignored:
            return ParseResult(ignored=ignored)
        tracker = body.required_object("result") if body.text_at("object") == "Event" else body
        if (
            "test" in {body.text_at("mode"), tracker.text_at("mode")}
            and not self._accepts_test_trackers()
        ):
            return ParseResult(ignored="test tracker (mode: test)")
        if tracker.boolean_at("is_return"):
            return ParseResult(ignored="return shipments are not tracked as deliveries")
        if not blank_if_placeholder(tracker.text_at("tracking_code")):
            path = f"{tracker.path}.tracking_code".strip(".")
            raise PayloadError(ParkReason.REFERENCE, path, "the tracker has no tracking number")
        events = tuple(self._tracker_events(tracker))
        if not events:
            return ParseResult(
                ignored="the tracker has no scans and no estimated delivery date yet"
            )
        return ParseResult(flag_if_sanitized(events, sanitized=body.was_sanitized))

    def _accepts_test_trackers(self) -> bool:
        return self.parsed_settings.is_on("test_traffic")

    def _reason_body_has_no_tracker(self, body: Node) -> str:
        """Return why a body without a tracker is ignored, or ""."""
        kind = body.text_at("description")
        if body.text_at("object") == "Event":
            return (
                ""
                if kind.startswith("tracker.")
                else f"{kind or 'the event'} is not a tracker event"
            )
        if isinstance(body.get("events").value, list):
            # GET /v2/events omits the trackers; each has a webhook of its own.
            return "lists of events do not include trackers"
        return ""

    def _tracker_events(self, tracker: Node) -> Iterator[CanonicalEvent]:
        objects, code = (
            self._tracker_object_refs(tracker),
            blank_if_placeholder(tracker.text_at("tracking_code")),
        )
        attributes = {Attribute.CARRIER: tracker.text_at("carrier")}
        if tracker.has_value("carrier_detail"):
            attributes[Attribute.SERVICE] = tracker.required_object("carrier_detail").text_at(
                "service"
            )
        for scan in tracker.list_at("tracking_details"):
            yield self._build_scan_event(scan, objects, code, attributes)
        if not tracker.list_at("tracking_details"):
            yield from self._final_status_event_without_scans(tracker, objects, code, attributes)
        if tracker.text_at("status") not in self.final_statuses:
            yield from self._estimated_delivery_events(tracker, objects, code, attributes)

    def _final_status_event_without_scans(
        self,
        tracker: Node,
        objects: tuple[ObjectReference, ...],
        code: str,
        attributes: Mapping[Attribute, str],
    ) -> Iterator[CanonicalEvent]:
        """Yield the final status of a tracker without scans, as of its last update."""
        status, updated = tracker.text_at("status"), self._parse_time(tracker, "updated_at")
        if status in self.final_statuses:
            yield build_event(
                self.statuses[status],
                f"{code} {status} without scans",
                updated,
                *objects,
                attributes={**attributes, Attribute.STATUS: status},
                raw_type=tracker.text_at("status_detail") or status,
                flags=(Flag.TIME_OF_REPORT,) if updated else (Flag.TIME_RECEIVED,),
            )

    def _estimated_delivery_events(
        self,
        tracker: Node,
        objects: tuple[ObjectReference, ...],
        code: str,
        attributes: Mapping[Attribute, str],
    ) -> Iterator[CanonicalEvent]:
        """Yield the estimated delivery date, as of the last update of the tracker."""
        expected = self._parse_time(tracker, "est_delivery_date")
        updated = self._parse_time(tracker, "updated_at")
        if expected is None:
            return
        day = format_rfc3339(expected.time)
        yield build_event(
            EventType.ETA_UPDATED,
            f"{code} expected {day} {format_rfc3339(updated.time) if updated else ''}".strip(),
            updated,
            *objects,
            attributes={**attributes, Attribute.ETA: day},
            flags=() if updated else (Flag.TIME_RECEIVED,),
        )

    def _tracker_object_refs(self, tracker: Node) -> tuple[ObjectReference, ...]:
        code = blank_if_placeholder(tracker.text_at("tracking_code"))
        numbers = [EventIdentifier(IdentifierScheme.TRACKING, code)]
        if blank_if_placeholder(tracker.text_at("id")):
            numbers.append(
                EventIdentifier(IdentifierScheme.SOURCE_ID, tracker.text_at("id"), self.source_slug)
            )
        objects = [ObjectReference(ObjectKind.PACKAGE, tuple(numbers))]
        shipment = blank_if_placeholder(tracker.text_at("shipment_id"))
        if shipment:
            identifier = EventIdentifier(IdentifierScheme.SOURCE_ID, shipment, self.source_slug)
            objects.insert(0, ObjectReference(ObjectKind.SHIPMENT, (identifier,)))
        reference = blank_if_placeholder(tracker.text_at("reference"))
        scheme, issuer = self.parsed_settings.identifier_scheme_and_issuer(
            "reference", (IdentifierScheme.REFERENCE, "")
        )
        if reference and issuer:
            objects.insert(
                0, ObjectReference(ObjectKind.ORDER, (EventIdentifier(scheme, reference, issuer),))
            )
        return tuple(objects)

    def _build_scan_event(
        self,
        scan: Node,
        objects: tuple[ObjectReference, ...],
        code: str,
        attributes: Mapping[Attribute, str],
    ) -> CanonicalEvent:
        status, detail = scan.text_at("status"), scan.text_at("status_detail")
        carrier_code = scan.text_at("carrier_code")
        kind = self.statuses.get(status, EventType.UNMAPPED)
        if kind is EventType.IN_TRANSIT:
            kind = self.detail_statuses.get(detail, kind)
            kind = EventType.PICKED_UP if carrier_code in self.pickup_codes else kind
        scan.required_text("datetime")
        time = self._parse_time(scan, "datetime")
        texts = {
            **attributes,
            Attribute.LOCATION: _scan_location(scan),
            Attribute.STATUS: status,
            Attribute.DETAIL: scan.text_at("message"),
        }
        return build_event(
            kind,
            " ".join(p for p in (code, status, scan.text_at("datetime"), carrier_code) if p),
            time,
            *objects,
            attributes=texts,
            raw_type=status if kind is EventType.UNMAPPED else carrier_code or detail or status,
        )

    def _parse_time(self, node: Node, key: str) -> ParsedTime | None:
        path = f"{node.path}.{key}".strip(".")
        return parse_timestamp(node.text_at(key), path, self.parsed_settings.text("zone"))


def _normalize_secret(secret: bytes) -> bytes:
    """NFKD-normalize a secret as EasyPost does. Secrets that are not UTF-8 stay unchanged."""
    try:
        return unicodedata.normalize("NFKD", secret.decode()).encode()
    except UnicodeDecodeError:
        return secret


def _scan_location(scan: Node) -> str:
    if not scan.has_value("tracking_location"):
        return ""
    location = scan.required_object("tracking_location")
    city, state, country = (location.text_at(key) for key in ("city", "state", "country"))
    return ", ".join(field for field in (city, state, country) if field) if city or state else ""
