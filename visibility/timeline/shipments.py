"""Combine the reports of all systems into the shipments and packages of an order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
)
from visibility.timeline.model import (
    Package,
    PackageItem,
    RecordedEvent,
    RelatedObject,
    TimelineShipment,
    parse_timestamp_or_none,
)
from visibility.timeline.quotations_contracts_and_transports import (
    TRANSPORT_KINDS,
    objects_of_kinds_named_by_event,
)

# Scans: the carrier had the package in hand. A created label is not a scan.
SCANS = {
    EventType.PICKED_UP: "picked_up",
    EventType.IN_TRANSIT: "in_transit",
    EventType.OUT_FOR_DELIVERY: "out_for_delivery",
    EventType.ATTEMPTED: "attempted",
    EventType.AVAILABLE_FOR_PICKUP: "available_for_pickup",
    EventType.DELIVERED: "delivered",
    EventType.DELAYED: "delayed",
    EventType.SHIPMENT_EXCEPTION: "exception",
    EventType.SHIPMENT_RETURNED: "returned",
}
SHIPMENT_EVENTS = frozenset(SCANS) | {
    EventType.LABEL_CREATED,
    EventType.SHIPMENT_CONFIRMED,
    EventType.SHIPMENT_VOID,
    EventType.ETA_UPDATED,
}


@dataclass
class _PackageState:
    tracking: str = ""
    sscc: str = ""
    status: str = ""
    first: datetime | None = None
    last: datetime | None = None
    delivered: datetime | None = None
    # It is on its way back to the sender, and when it arrived there.
    is_returning: bool = False
    returned: datetime | None = None


@dataclass
class _ShipmentState:
    """One shipment while events are applied to it."""

    packages: dict[str, _PackageState] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    number: str = ""
    texts: dict[Attribute, str] = field(default_factory=dict)
    label: datetime | None = None
    shipped: datetime | None = None
    voided: dict[str, datetime | None] = field(default_factory=dict)
    own: _PackageState = field(default_factory=_PackageState)
    eta: datetime | None = None
    transport: dict[RelatedObject, None] = field(default_factory=dict)


class ShipmentGrouping:
    """Group shipments and packages that one event names together into one shipment."""

    def __init__(self, events: Iterable[RecordedEvent]) -> None:
        self._parent: dict[str, str] = {}
        self._groups: dict[str, _ShipmentState] = {}
        shipment_events = [s for s in events if s.event.type in SHIPMENT_EVENTS]
        for recorded in shipment_events:
            self._link_objects_of_event(recorded)
        for recorded in shipment_events:
            self._apply(recorded)

    def _find_root_key(self, key: str) -> str:
        while self._parent.setdefault(key, key) != key:
            key = self._parent[key]
        return key

    def _link_objects_of_event(self, recorded: RecordedEvent) -> None:
        keys = _shipment_and_package_keys(recorded)
        for other in keys[1:]:
            first, second = sorted((self._find_root_key(keys[0]), self._find_root_key(other)))
            self._parent[second] = first

    def shipment_key(self, keys: Iterable[str]) -> str | None:
        """The key of the shipment that any of these objects belongs to."""
        return next((self._find_root_key(k) for k in keys if k in self._parent), None)

    def _apply(self, recorded: RecordedEvent) -> None:
        keys = _shipment_and_package_keys(recorded)
        if not keys:
            return
        group = self._groups.setdefault(self._find_root_key(keys[0]), _ShipmentState())
        group.sources.add(recorded.source)
        event, at = recorded.event, recorded.occurred_at
        packages: list[_PackageState] = []
        for ref, key in zip(event.objects, recorded.object_keys, strict=True):
            if ref.kind is ObjectKind.PACKAGE:
                parcel = group.packages.setdefault(key, _PackageState())
                parcel.tracking = parcel.tracking or _first_number_of_scheme(
                    ref.identifiers, IdentifierScheme.TRACKING
                )
                parcel.sscc = parcel.sscc or _first_number_of_scheme(
                    ref.identifiers, IdentifierScheme.SSCC
                )
                packages.append(parcel)
            elif ref.kind is ObjectKind.SHIPMENT:
                group.number = group.number or ref.identifiers[0].value
        for name in (Attribute.CARRIER, Attribute.SERVICE, Attribute.WAREHOUSE):
            if event.attributes.get(name):
                group.texts[name] = event.attributes[name]
        group.transport.update(
            dict.fromkeys(objects_of_kinds_named_by_event(recorded, TRANSPORT_KINDS))
        )
        if event.attributes.get(Attribute.ETA):
            group.eta = parse_timestamp_or_none(event.attributes[Attribute.ETA])
        if event.type is EventType.LABEL_CREATED:
            group.label = group.label or at
        elif event.type is EventType.SHIPMENT_CONFIRMED and reports_nothing_shipped(event):
            if group.shipped:
                group.voided[recorded.source] = at
        elif event.type is EventType.SHIPMENT_CONFIRMED:
            group.shipped = group.shipped or at
            group.voided[recorded.source] = None
        elif event.type is EventType.SHIPMENT_VOID:
            group.voided[recorded.source] = at
        elif event.type in SCANS:
            for parcel in packages or [group.own]:
                _apply_scan(parcel, SCANS[event.type], at)

    def shipments(
        self, items: Mapping[str, tuple[PackageItem, ...]]
    ) -> tuple[TimelineShipment, ...]:
        """Every shipment, oldest first; `items`: the contents of each package by its key."""
        shipments = [
            self._build_shipment(key, group, items) for key, group in sorted(self._groups.items())
        ]
        return tuple(sorted(shipments, key=lambda s: (s.shipped_at is None, s.shipped_at, s.key)))

    def _build_shipment(
        self, key: str, group: _ShipmentState, items: Mapping[str, tuple[PackageItem, ...]]
    ) -> TimelineShipment:
        scanned = [group.own, *group.packages.values()]
        firsts = [p.first for p in scanned if p.first]
        lasts = [p.last for p in scanned if p.last]
        packages = list(group.packages.values()) or [group.own]
        voids = [v for v in group.voided.values() if v]
        return TimelineShipment(
            key=key,
            number=group.number,
            carrier=group.texts.get(Attribute.CARRIER, ""),
            service=group.texts.get(Attribute.SERVICE, ""),
            warehouse=group.texts.get(Attribute.WAREHOUSE, ""),
            sources=tuple(sorted(group.sources)),
            packages=tuple(
                Package(
                    key=k,
                    tracking=p.tracking,
                    sscc=p.sscc,
                    status=p.status,
                    first_scan_at=p.first,
                    last_scan_at=p.last,
                    delivered_at=p.delivered,
                    items=items.get(k, ()),
                    returned_at=p.returned,
                )
                for k, p in sorted(group.packages.items())
            ),
            label_at=group.label,
            shipped_at=group.shipped,
            voided_at=max(voids) if voids and len(voids) == len(group.voided) else None,
            first_scan_at=min(firsts) if firsts else None,
            last_scan_at=max(lasts) if lasts else None,
            delivered_at=_latest_time_if_none_missing([p.delivered for p in packages])
            or group.own.delivered,
            eta=group.eta,
            transport=tuple(group.transport),
            scanned_at=group.own.first or _latest_time_if_none_missing([p.first for p in packages]),
            returned_at=group.own.returned
            or _latest_time_if_none_missing([p.returned for p in packages]),
        )


def reports_nothing_shipped(event: CanonicalEvent) -> bool:
    """Whether all shipped quantities of an event are zero: it undoes its shipment."""
    quantities = [
        q[Measure.SHIPPED] for line in event.lines if Measure.SHIPPED in (q := line.quantities)
    ]
    return bool(quantities) and not any(quantities)


def _apply_scan(parcel: _PackageState, status: str, at: datetime) -> None:
    parcel.first = parcel.first or at
    parcel.last = at
    if status == "returned":
        parcel.is_returning, parcel.status, parcel.delivered = True, status, None
    elif parcel.is_returning:
        # A delivery of a package that is on its way back is a delivery to the sender.
        parcel.returned = parcel.returned or (at if status == "delivered" else None)
    elif parcel.status != "delivered":  # late scans do not change a delivery
        parcel.status = status
        parcel.delivered = at if status == "delivered" else None


def _latest_time_if_none_missing(times: Sequence[datetime | None]) -> datetime | None:
    """The latest of these times, None if one is missing."""
    known = [at for at in times if at]
    return max(known) if known and len(known) == len(times) else None


def _shipment_and_package_keys(recorded: RecordedEvent) -> list[str]:
    return [
        key
        for ref, key in zip(recorded.event.objects, recorded.object_keys, strict=True)
        if key and ref.kind in {ObjectKind.SHIPMENT, ObjectKind.PACKAGE}
    ]


def _first_number_of_scheme(
    identifiers: tuple[EventIdentifier, ...], scheme: IdentifierScheme
) -> str:
    return next((i.value for i in identifiers if i.scheme is scheme), "")
