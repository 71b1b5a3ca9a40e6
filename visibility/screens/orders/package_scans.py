"""The scans of each package of an order, and which events are about a package."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.events import Attribute, EventType, ObjectKind
from visibility.screens.orders.event_labels import EVENT_LABELS, event_tone, inferred_time_note
from visibility.screens.orders.lines_and_billing import SourceTitles
from visibility.timeline import RecordedEvent, Timeline
from visibility.timeline.model import Package, TimelineShipment
from visibility.timeline.shipments import SCANS, ShipmentGrouping


@dataclass(frozen=True, slots=True)
class PackageScan:
    """A scan of a package. `inferred`: why `at` is no reported time, or ""."""

    event_id: int
    at: datetime
    title: str
    tone: str
    location: str
    sources: tuple[str, ...]
    inferred: str


@dataclass(frozen=True, slots=True)
class PackageWithScans:
    """A package and its scans, the newest first."""

    package: Package
    scans: tuple[PackageScan, ...]


@dataclass(frozen=True, slots=True)
class ShipmentWithScans:
    """A shipment with its packages. `scans`: those of a shipment without packages.

    `delivered_to`: the locations of its delivery scans. No event has the address of the customer.
    """

    shipment: TimelineShipment
    packages: tuple[PackageWithScans, ...]
    scans: tuple[PackageScan, ...]
    delivered_to: tuple[str, ...] = ()


def events_by_shipment(timeline: Timeline) -> dict[str, list[RecordedEvent]]:
    """The events in effect that name a shipment or its packages, by its key, oldest first."""
    recorded = [
        entry.recorded
        for entry in timeline.entries
        if not entry.superseded and entry.recorded.occurred_at <= timeline.as_of
    ]
    recorded.sort(key=lambda each: each.occurred_at)
    grouping = ShipmentGrouping(recorded)
    by_shipment: dict[str, list[RecordedEvent]] = {}
    for event in recorded:
        if key := grouping.shipment_key(event.object_keys):
            by_shipment.setdefault(key, []).append(event)
    return by_shipment


def concerns_package(recorded: RecordedEvent, package: Package | None) -> bool:
    """Whether an event names this package, or no package. Without a package: no package."""
    keys = [
        key
        for ref, key in zip(recorded.event.objects, recorded.object_keys, strict=True)
        if ref.kind is ObjectKind.PACKAGE
    ]
    return not keys or (package is not None and package.key in keys)


def shipments_with_scans(timeline: Timeline, names: SourceTitles) -> tuple[ShipmentWithScans, ...]:
    """The shipments of the order, each package with its scans."""
    by_shipment = events_by_shipment(timeline)
    shipments = []
    for shipment in timeline.shipments:
        events = by_shipment.get(shipment.key, [])
        scans = [event for event in events if event.event.type in SCANS]
        packages = [
            PackageWithScans(each, _scans((s for s in scans if concerns_package(s, each)), names))
            for each in shipment.packages
        ]
        own = () if packages else _scans((s for s in scans if concerns_package(s, None)), names)
        delivered_to = dict.fromkeys(
            scan.event.attributes.get(Attribute.LOCATION, "")
            for scan in scans
            if scan.event.type is EventType.DELIVERED
        )
        shipments.append(
            ShipmentWithScans(shipment, tuple(packages), own, tuple(filter(None, delivered_to)))
        )
    return tuple(shipments)


def _scans(events: Iterable[RecordedEvent], names: SourceTitles) -> tuple[PackageScan, ...]:
    """The scans, newest first; one that several systems report with the same time is one."""
    same: dict[tuple[str, datetime], list[RecordedEvent]] = {}
    for recorded in sorted(events, key=lambda each: each.occurred_at, reverse=True):
        same.setdefault((recorded.event.type.value, recorded.occurred_at), []).append(recorded)
    return tuple(_scan(reports, names) for reports in same.values())


def _scan(
    reports: Sequence[RecordedEvent], names: Mapping[str, tuple[str, datetime]]
) -> PackageScan:
    first = reports[0]
    locations = (each.event.attributes.get(Attribute.LOCATION, "") for each in reports)
    titles = (names[each.source][0] if each.source in names else each.source for each in reports)
    return PackageScan(
        event_id=first.event_id,
        at=first.occurred_at,
        title=EVENT_LABELS[first.event.type],
        tone=event_tone(first.event.type),
        location=next(filter(None, locations), ""),
        sources=tuple(dict.fromkeys(titles)),
        inferred=inferred_time_note(first),
    )
