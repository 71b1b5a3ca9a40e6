"""The parcels of an order as its customer sees them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute, EventType, Flag, ObjectKind
from visibility.formatting import format_date_in_zone
from visibility.screens.orders.carrier_tracking_pages import public_tracking_page
from visibility.screens.orders.package_scans import concerns_package, events_by_shipment
from visibility.screens.orders.source_reports import SourceReport
from visibility.screens.tracking import dates_and_quantities as formats
from visibility.timeline import Timeline
from visibility.timeline.model import (
    Package,
    RecordedEvent,
    TimelineShipment,
    parse_timestamp_or_none,
)
from visibility.timeline.shipments import SCANS

SCAN_TITLES = {
    EventType.PICKED_UP: "Picked up by the carrier",
    EventType.IN_TRANSIT: "In transit",
    EventType.OUT_FOR_DELIVERY: "Out for delivery",
    EventType.ATTEMPTED: "Delivery attempted",
    EventType.AVAILABLE_FOR_PICKUP: "Ready for pickup",
    EventType.DELIVERED: "Delivered",
    EventType.DELAYED: "Delayed",
    EventType.SHIPMENT_EXCEPTION: "Problem reported by the carrier",
    EventType.SHIPMENT_RETURNED: "On its way back to us",
}
# (words, tone) of what a parcel was last reported to be.
STATES = {
    "delivered": ("Delivered", "ok"),
    "out_for_delivery": ("Out for delivery", "running"),
    "picked_up": ("On its way", "running"),
    "in_transit": ("On its way", "running"),
    "attempted": ("Delivery attempted", "risk"),
    "available_for_pickup": ("Ready for pickup", "running"),
    "delayed": ("Delayed", "risk"),
    "exception": ("Problem reported by the carrier", "risk"),
    "returned": ("On its way back to us", "risk"),
    "returned_to_sender": ("Returned to us", "risk"),
    "shipped": ("Shipped, not scanned by the carrier yet", "running"),
    "preparing": ("Being prepared", "waiting"),
}
DATE_WITHOUT_TIME = frozenset({Flag.DATE_ONLY, Flag.TIME_RECEIVED, Flag.TIME_OF_REPORT})
UNDER_WAY = frozenset(
    {
        "out_for_delivery",
        "picked_up",
        "in_transit",
        "attempted",
        "available_for_pickup",
        "delayed",
        "exception",
        "shipped",
    }
)


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan: what, when in the zone of the page, and where if the carrier reports it."""

    title: str
    when: str
    location: str

    @property
    def text(self) -> str:
        """`Tue, Nov 17, 6:10 AM, in transit, Dallas, TX`."""
        title = self.title[:1].lower() + self.title[1:]
        return ", ".join(filter(None, (self.when, title, self.location)))


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel, or a shipment whose packages are not known.

    `code`: a key of STATES. `estimates`: the dates that its carriers expect, one of each source.
    `items`: (name, quantity). `silence`: since when there is no news, as a sentence, or "".
    """

    code: str
    carrier: str
    tracking: str
    url: str
    arrives: str
    estimates: tuple[datetime, ...]
    scans: tuple[Scan, ...]
    items: tuple[tuple[str, str], ...]
    silence: str

    @property
    def title(self) -> str:
        """What it was last reported to be."""
        return STATES[self.code][0]

    @property
    def tone(self) -> str:
        """The color of the title."""
        return STATES[self.code][1]

    @property
    def is_delivered(self) -> bool:
        """Whether the customer has it."""
        return self.code == "delivered"

    @property
    def is_under_way(self) -> bool:
        """Whether it was shipped and is not back."""
        return self.code in UNDER_WAY


def parcels_of(
    timeline: Timeline, reports: Mapping[str, SourceReport], *, zone: str
) -> tuple[Parcel, ...]:
    """The parcels that were not voided, in the order of their shipments."""
    by_shipment = events_by_shipment(timeline)
    names = {line.sku: line.description or line.sku for line in timeline.lines if line.sku}
    return tuple(
        _parcel(
            timeline, shipment, package, by_shipment.get(shipment.key, []), names, reports, zone
        )
        for shipment in timeline.shipments
        if not shipment.voided_at
        for package in _packages_of_order(shipment, by_shipment.get(shipment.key, []))
    )


def _packages_of_order(
    shipment: TimelineShipment, events: Sequence[RecordedEvent]
) -> Sequence[Package | None]:
    """The packages; of a shipment with goods of several orders, those known to be of this one."""
    named = [
        (recorded, {index for index, ref in enumerate(objects) if ref.kind is ObjectKind.ORDER})
        for recorded in events
        if (objects := recorded.event.objects)
    ]
    is_shared = any(orders - {recorded.order_index} for recorded, orders in named)
    if not is_shared or len(shipment.packages) < 2:
        return shipment.packages or [None]
    own = {
        key
        for recorded, orders in named
        if recorded.order_index >= 0 and orders == {recorded.order_index}
        for key in recorded.object_keys
    }
    packages = [package for package in shipment.packages if package.items or package.key in own]
    return packages or [None]


def _parcel(
    timeline: Timeline,
    shipment: TimelineShipment,
    package: Package | None,
    events: Sequence[RecordedEvent],
    names: Mapping[str, str],
    reports: Mapping[str, SourceReport],
    zone: str,
) -> Parcel:
    scans = [e for e in events if e.event.type in SCANS and concerns_package(e, package)]
    code = _state_code(shipment, package, scans)
    estimates = _estimates(e for e in events if concerns_package(e, package))
    silent_since = _carrier_silent_since(shipment, reports)
    tracking = package.tracking if package else ""
    is_expected = code in UNDER_WAY or code == "preparing"
    silence = ""
    if silent_since and is_expected:
        last_report_text = formats.since_when(silent_since, timeline.as_of, zone)
        silence = f"We have had no news from the carrier since {last_report_text}."
    return Parcel(
        code=code,
        carrier=shipment.carrier,
        tracking=tracking,
        url=public_tracking_page(shipment.carrier, tracking),
        arrives=_arrival_text(timeline, shipment, package, code, estimates, zone),
        estimates=estimates if is_expected else (),
        scans=tuple(_distinct_scans(scans, zone)),
        items=tuple(
            (
                names.get(item.name, item.name),
                "" if item.quantity is None else formats.quantity(item.quantity, item.unit),
            )
            for item in (package.items if package else ())
        ),
        silence=silence,
    )


def _state_code(
    shipment: TimelineShipment, package: Package | None, scans: Sequence[RecordedEvent]
) -> str:
    if (package.returned_at if package else None) or shipment.returned_at:
        return "returned_to_sender"
    if (package.delivered_at if package else None) or shipment.delivered_at:
        return "delivered"
    status = package.status if package else ""
    if not status and scans:
        status = SCANS[scans[-1].event.type]
    if status in STATES:
        return status
    return "shipped" if shipment.shipped_at else "preparing"


def _estimates(events: Iterable[RecordedEvent]) -> tuple[datetime, ...]:
    """The last estimate of each source."""
    latest: dict[str, datetime] = {}
    for recorded in events:
        estimate = parse_timestamp_or_none(recorded.event.attributes.get(Attribute.ETA))
        if estimate:
            latest[recorded.source] = estimate
    return tuple(sorted(latest.values()))


def _arrival_text(
    timeline: Timeline,
    shipment: TimelineShipment,
    package: Package | None,
    code: str,
    estimates: Sequence[datetime],
    zone: str,
) -> str:
    if code == "delivered":
        delivered_at = (package.delivered_at if package else None) or shipment.delivered_at
        return f"Delivered {formats.date_and_time(delivered_at, zone)}" if delivered_at else ""
    if code == "returned_to_sender":
        returned_at = (package.returned_at if package else None) or shipment.returned_at
        return f"Returned to us {format_date_in_zone(returned_at, zone)}" if returned_at else ""
    if code == "returned":
        return "It could not be delivered."
    if not estimates:
        return "The carrier has not given a delivery date yet." if code in UNDER_WAY else ""
    today = formats.day_of(timeline.as_of, zone)
    span = formats.dates_or_span(estimates, zone)
    if formats.day_of(max(estimates), zone) < today:
        return f"Was expected {span}. The carrier has not given a new date."
    return f"Expected {span}"


def _carrier_silent_since(
    shipment: TimelineShipment, reports: Mapping[str, SourceReport]
) -> datetime | None:
    """Since when no carrier system that could report the shipment sent news."""
    carriers = {slug for slug, report in reports.items() if report.role is SourceRole.CARRIER}
    slugs = carriers.intersection(shipment.sources) or carriers
    since = [reports[slug].silent_since for slug in slugs]
    known = [moment for moment in since if moment]
    return max(known) if known and len(known) == len(since) else None


def _distinct_scans(events: Iterable[RecordedEvent], zone: str) -> Iterable[Scan]:
    """The scans, the newest first, each once even if two systems report it."""
    seen = set()
    for recorded in sorted(events, key=lambda each: each.occurred_at, reverse=True):
        is_date = bool(DATE_WITHOUT_TIME.intersection(recorded.event.flags))
        at = recorded.occurred_at
        location = (
            recorded.event.attributes.get(Attribute.LOCATION, "")
            if recorded.role is SourceRole.CARRIER
            else ""
        )
        scan = Scan(
            SCAN_TITLES[recorded.event.type],
            format_date_in_zone(at, zone) if is_date else formats.date_and_time(at, zone),
            location,
        )
        if (scan.title, scan.when) not in seen:
            seen.add((scan.title, scan.when))
            yield scan
