"""Shipments and parcels of an order, put together from what every system says of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.events import Attribute, EventType, Identifier, ObjectKind, Scheme
from visibility.timeline.model import Package, Shipment, Spoken, moment

# A scan: somebody had the parcel in hand. A label or a failed print is none.
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
ABOUT_SHIPMENTS = frozenset(SCANS) | {
    EventType.LABEL_CREATED,
    EventType.SHIPMENT_CONFIRMED,
    EventType.SHIPMENT_VOID,
    EventType.ETA_UPDATED,
}


@dataclass
class _Parcel:
    tracking: str = ""
    sscc: str = ""
    status: str = ""
    first: datetime | None = None
    last: datetime | None = None
    delivered: datetime | None = None


@dataclass
class _Group:
    """One shipment while it is being put together."""

    packages: dict[str, _Parcel] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    number: str = ""
    texts: dict[Attribute, str] = field(default_factory=dict)
    label: datetime | None = None
    shipped: datetime | None = None
    voided: dict[str, datetime | None] = field(default_factory=dict)
    own: _Parcel = field(default_factory=_Parcel)
    eta: datetime | None = None


class Parcels:
    """Which shipments and packages are one: those named together on an event about a shipment."""

    def __init__(self, heard: Iterable[Spoken]) -> None:
        self._parent: dict[str, str] = {}
        self._groups: dict[str, _Group] = {}
        events = [s for s in heard if s.event.type in ABOUT_SHIPMENTS]
        for spoken in events:
            self._join(spoken)
        for spoken in events:
            self._hear(spoken)

    def _root(self, key: str) -> str:
        while self._parent.setdefault(key, key) != key:
            key = self._parent[key]
        return key

    def _join(self, spoken: Spoken) -> None:
        keys = _keys(spoken)
        for other in keys[1:]:
            first, second = sorted((self._root(keys[0]), self._root(other)))
            self._parent[second] = first

    def root(self, keys: Iterable[str]) -> str | None:
        """The shipment that any of these object keys belongs to."""
        return next((self._root(k) for k in keys if k in self._parent), None)

    def _hear(self, spoken: Spoken) -> None:
        keys = _keys(spoken)
        if not keys:
            return
        group = self._groups.setdefault(self._root(keys[0]), _Group())
        group.sources.add(spoken.source)
        event, at = spoken.event, spoken.occurred_at
        touched: list[_Parcel] = []
        for ref, key in zip(event.objects, spoken.objects, strict=True):
            if ref.kind is ObjectKind.PACKAGE:
                parcel = group.packages.setdefault(key, _Parcel())
                parcel.tracking = parcel.tracking or _raw(ref.identifiers, Scheme.TRACKING)
                parcel.sscc = parcel.sscc or _raw(ref.identifiers, Scheme.SSCC)
                touched.append(parcel)
            elif ref.kind is ObjectKind.SHIPMENT:
                group.number = group.number or ref.identifiers[0].value
        for name in (Attribute.CARRIER, Attribute.SERVICE, Attribute.WAREHOUSE):
            if event.attributes.get(name):
                group.texts[name] = event.attributes[name]
        if event.attributes.get(Attribute.ETA):
            group.eta = moment(event.attributes[Attribute.ETA])
        if event.type is EventType.LABEL_CREATED:
            group.label = group.label or at
        elif event.type is EventType.SHIPMENT_CONFIRMED:
            group.shipped = group.shipped or at
            group.voided[spoken.source] = None
        elif event.type is EventType.SHIPMENT_VOID:
            group.voided[spoken.source] = at
        elif event.type in SCANS:
            for parcel in touched or [group.own]:
                _scan(parcel, SCANS[event.type], at)

    def shipments(self) -> tuple[Shipment, ...]:
        """Every shipment, oldest first."""
        made = [self._shipment(key, group) for key, group in sorted(self._groups.items())]
        return tuple(sorted(made, key=lambda s: (s.shipped_at is None, s.shipped_at, s.key)))

    def _shipment(self, key: str, group: _Group) -> Shipment:
        scanned = [group.own, *group.packages.values()]
        firsts = [p.first for p in scanned if p.first]
        lasts = [p.last for p in scanned if p.last]
        parcels = list(group.packages.values()) or [group.own]
        arrived = [p.delivered for p in parcels if p.delivered]
        delivered = max(arrived) if arrived and len(arrived) == len(parcels) else None
        voids = [v for v in group.voided.values() if v]
        return Shipment(
            key=key,
            number=group.number,
            carrier=group.texts.get(Attribute.CARRIER, ""),
            service=group.texts.get(Attribute.SERVICE, ""),
            warehouse=group.texts.get(Attribute.WAREHOUSE, ""),
            sources=tuple(sorted(group.sources)),
            packages=tuple(
                Package(k, p.tracking, p.sscc, p.status, p.first, p.last, p.delivered)
                for k, p in sorted(group.packages.items())
            ),
            label_at=group.label,
            shipped_at=group.shipped,
            voided_at=max(voids) if voids and len(voids) == len(group.voided) else None,
            first_scan_at=min(firsts) if firsts else None,
            last_scan_at=max(lasts) if lasts else None,
            delivered_at=delivered or group.own.delivered,
            eta=group.eta,
        )


def _scan(parcel: _Parcel, word: str, at: datetime) -> None:
    parcel.first = parcel.first or at
    parcel.last = at
    if word == "delivered":
        parcel.delivered = parcel.delivered or at
    # Delivered stays, whatever scan comes late; only a return undoes it.
    if word == "returned" or parcel.status != "delivered":
        parcel.status = word
    if word == "returned":
        parcel.delivered = None


def _keys(spoken: Spoken) -> list[str]:
    return [
        key
        for ref, key in zip(spoken.event.objects, spoken.objects, strict=True)
        if key and ref.kind in {ObjectKind.SHIPMENT, ObjectKind.PACKAGE}
    ]


def _raw(identifiers: tuple[Identifier, ...], scheme: Scheme) -> str:
    return next((i.value for i in identifiers if i.scheme is scheme), "")
