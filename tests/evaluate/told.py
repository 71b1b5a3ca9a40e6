"""Timelines for rules, told in a line each."""

from datetime import datetime, timedelta

from connectors.sdk.connector import Role
from connectors.sdk.events import (
    CanonicalEvent,
    EventType,
    Identifier,
    ObjectKind,
    Ref,
    Scheme,
    content_hash,
)
from visibility.timeline import Spoken, Timeline, fold


def told(*events: tuple[EventType, datetime], tracking: str = "1Z1") -> Timeline:
    """An order to which these things happened; shipments go in one parcel."""
    heard = [spoken(kind, at, tracking=tracking) for kind, at in events]
    last = max(at for _, at in events)
    return fold(heard, key="SO-1", as_of=last + timedelta(days=365))


def spoken(kind: EventType, at: datetime, *, tracking: str) -> Spoken:
    """One event, by the warehouse or the carrier."""
    order = Ref(ObjectKind.ORDER, (Identifier(Scheme.SALES_ORDER, "SO-1", "erp"),))
    parcel = Ref(ObjectKind.PACKAGE, (Identifier(Scheme.TRACKING, tracking),))
    about = {
        EventType.SHIPMENT_CONFIRMED: (order, parcel),
        EventType.SHIPMENT_VOID: (order, parcel),
    }
    scan = kind.value.startswith("shipment.") and kind not in about
    objects = (parcel,) if scan else about.get(kind, (order,))
    event = CanonicalEvent(type=kind, key=f"{kind} {at}", occurred_at=at, objects=objects)
    return Spoken(
        event=event,
        source="carrier" if scan else "wms",
        role=Role.CARRIER if scan else Role.WMS,
        occurred_at=at,
        received_at=at,
        content_hash=content_hash(event),
        objects=tuple(f"{r.kind.value}:{r.identifiers[0].value}" for r in objects),
        order=-1 if scan else 0,
    )
