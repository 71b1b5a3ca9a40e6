"""EasyPost: carrier tracking, pushed with the whole list of scans each time."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connectors.sdk.auth import Unauthentic, check_hex, hmac_sha256
from connectors.sdk.connector import Connector, Message, Parsed, Request, Role
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
    iso,
    issued,
)
from connectors.sdk.payload import Node, PayloadError, Reason, load_json
from connectors.sdk.timestamps import Moment, instant

SIGNATURE = "x-hmac-signature"
PREFIX = "hmac-sha256-hex="


class EasyPost(Connector):
    """Each scan is a fact of its own, so a list repeated in full changes nothing.

    A label is no shipment: "pre_transit" is a label. Which scan was the pick-up only the carrier's
    own code tells; `status_detail` says the same of it as of any arrival. The secret is NFKD
    normalised before it signs.
    https://docs.easypost.com/docs/trackers
    """

    slug: ClassVar[str] = "easypost"
    title: ClassVar[str] = "EasyPost"
    role: ClassVar[Role] = Role.CARRIER
    settings: ClassVar[Mapping[str, str]] = {
        "reference": "Whose order number a tracker's reference is, such as sales_order@erp.",
        "test_traffic": "yes: read trackers of mode test as well.",
        "zone": "The IANA time zone of times without an offset (default UTC).",
    }
    kept_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE})
    # "unknown" is a scan the vendor has no word for, "error" a tracker it gave up: both unmapped.
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
    # Where the detail of a parcel in transit says more than that.
    details: ClassVar[Mapping[str, EventType]] = {
        "picked_up": EventType.PICKED_UP,
        "delayed": EventType.DELAYED,
        "weather_delay": EventType.DELAYED,
        "damaged": EventType.SHIPMENT_EXCEPTION,
        "delivery_exception": EventType.SHIPMENT_EXCEPTION,
        "lost": EventType.SHIPMENT_EXCEPTION,
        "transit_exception": EventType.SHIPMENT_EXCEPTION,
    }
    # The carriers' own codes for taking a parcel from its shipper.
    picked_up: ClassVar[frozenset[str]] = frozenset({"PU"})
    # No estimate counts any more.
    finished: ClassVar[frozenset[str]] = frozenset({"delivered", "return_to_sender", "cancelled"})

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """`hmac-sha256-hex=` of the raw body."""
        given = request.headers.get(SIGNATURE, "")
        if not given.startswith(PREFIX):
            raise Unauthentic("there is no signature")
        check_hex(given.removeprefix(PREFIX), [_normal(s) for s in secrets], request.body)

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The inverse of `verify`."""
        return {SIGNATURE: PREFIX + hmac_sha256(_normal(secret), body).hex()}

    def dedupe_key(self, request: Request) -> str:
        """The event's id; a body that can't be read is known by its content."""
        try:
            body = load_json(request.body)
            return body.text("id") if body.text("object") == "Event" else ""
        except PayloadError:
            return ""

    def parse(self, message: Message) -> Parsed:
        """An event with its tracker, or a bare tracker as the API answers it."""
        body = load_json(message.body)
        silent = self._silent(body)
        if silent:
            return Parsed(ignored=silent)
        tracker = body.child("result") if body.text("object") == "Event" else body
        if "test" in {body.text("mode"), tracker.text("mode")} and not self._takes_tests():
            return Parsed(ignored="test tracker (mode: test)")
        if tracker.boolean("is_return"):
            return Parsed(ignored="a parcel on its way back says nothing of the delivery")
        if not identifying(tracker.text("tracking_code")):
            path = f"{tracker.path}.tracking_code".strip(".")
            raise PayloadError(Reason.REFERENCE, path, "the tracker has no number")
        events = tuple(self._tracker(tracker))
        if not events:
            return Parsed(ignored="the tracker has neither a scan nor an estimate yet")
        if body.sanitised:
            events = tuple(replace(e, flags=(*e.flags, Flag.SANITISED)) for e in events)
        return Parsed(events=events)

    def _takes_tests(self) -> bool:
        return self.config.get("test_traffic") == "yes"

    def _silent(self, body: Node) -> str:
        """Why a body without a tracker rightly says nothing."""
        kind = body.text("description")
        if body.text("object") == "Event":
            return "" if kind.startswith("tracker.") else f"{kind or 'the event'} is of no tracker"
        if isinstance(body.at("events").value, list):
            # GET /v2/events leaves the trackers out; each comes in a webhook of its own.
            return "a list of events without their trackers says nothing of a parcel"
        return ""

    def _tracker(self, tracker: Node) -> Iterator[CanonicalEvent]:
        objects, code = self._objects(tracker), identifying(tracker.text("tracking_code"))
        about = {Attribute.CARRIER: tracker.text("carrier")}
        if tracker.has("carrier_detail"):
            about[Attribute.SERVICE] = tracker.child("carrier_detail").text("service")
        about = {name: text for name, text in about.items() if text}
        for scan in tracker.items("tracking_details"):
            yield self._scan(scan, objects, code, about)
        if tracker.text("status") not in self.finished:
            yield from self._estimate(tracker, objects, code, about)

    def _estimate(
        self,
        tracker: Node,
        objects: tuple[Ref, ...],
        code: str,
        about: Mapping[Attribute, str],
    ) -> Iterator[CanonicalEvent]:
        """When the carrier expects to deliver: a state of the tracker, as of its last change."""
        expected = self._when(tracker, "est_delivery_date")
        told = self._when(tracker, "updated_at")
        if expected is None:
            return
        day = iso(expected.at)
        yield CanonicalEvent(
            type=EventType.ETA_UPDATED,
            key=f"{code} expected {day} {iso(told.at) if told else ''}".strip(),
            occurred_at=told.at if told else None,
            objects=objects,
            attributes={**about, Attribute.ETA: day},
            flags=told.flags if told else (Flag.TIME_RECEIVED,),
        )

    def _objects(self, tracker: Node) -> tuple[Ref, ...]:
        code = identifying(tracker.text("tracking_code"))
        numbers = [Identifier(Scheme.TRACKING, code)]
        if identifying(tracker.text("id")):
            numbers.append(Identifier(Scheme.SOURCE_ID, tracker.text("id"), self.source))
        objects = [Ref(ObjectKind.PACKAGE, tuple(numbers))]
        shipment = identifying(tracker.text("shipment_id"))
        if shipment:
            own = Identifier(Scheme.SOURCE_ID, shipment, self.source)
            objects.insert(0, Ref(ObjectKind.SHIPMENT, (own,)))
        reference = identifying(tracker.text("reference"))
        setting = self.config.get("reference", "")
        if reference and setting:
            scheme, issuer = issued(setting, (Scheme.REFERENCE, self.source))
            objects.insert(0, Ref(ObjectKind.ORDER, (Identifier(scheme, reference, issuer),)))
        return tuple(objects)

    def _scan(
        self, scan: Node, objects: tuple[Ref, ...], code: str, about: Mapping[Attribute, str]
    ) -> CanonicalEvent:
        status, detail = scan.text("status"), scan.text("status_detail")
        theirs = scan.text("carrier_code")
        kind = self.statuses.get(status, EventType.UNMAPPED)
        if kind is EventType.IN_TRANSIT:
            kind = self.details.get(detail, kind)
            kind = EventType.PICKED_UP if theirs in self.picked_up else kind
        scan.need("datetime")
        moment = self._when(scan, "datetime")
        texts = {
            **about,
            Attribute.LOCATION: _place(scan),
            Attribute.STATUS: status,
            Attribute.DETAIL: scan.text("message"),
        }
        return CanonicalEvent(
            type=kind,
            key=" ".join(p for p in (code, status, scan.text("datetime"), theirs) if p),
            occurred_at=moment.at if moment else None,
            objects=objects,
            attributes={name: text for name, text in texts.items() if text},
            raw_type=status if kind is EventType.UNMAPPED else theirs or detail or status,
            flags=moment.flags if moment else (),
        )

    def _when(self, node: Node, key: str) -> Moment | None:
        path = f"{node.path}.{key}".strip(".")
        return instant(node.text(key), path, self.config.get("zone") or "UTC")


def _normal(secret: bytes) -> bytes:
    """NFKD, as the vendor signs; bytes that are no text sign as they are."""
    try:
        return unicodedata.normalize("NFKD", secret.decode()).encode()
    except UnicodeDecodeError:
        return secret


def _place(scan: Node) -> str:
    if not scan.has("tracking_location"):
        return ""
    place = scan.child("tracking_location")
    city, state, country = (place.text(key) for key in ("city", "state", "country"))
    return ", ".join(part for part in (city, state, country) if part) if city or state else ""
