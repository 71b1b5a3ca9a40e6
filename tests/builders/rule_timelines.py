"""Build timelines for rule tests."""

from datetime import datetime, timedelta

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import event_content_hash
from connectors.sdk.events import (
    CanonicalEvent,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from visibility.timeline import RecordedEvent, Timeline, fold


def timeline_of(*events: tuple[EventType, datetime], tracking: str = "1Z1") -> Timeline:
    """Fold an order from (event type, time) pairs; its shipments have one package."""
    recorded = [recorded_event(kind, at, tracking=tracking) for kind, at in events]
    last = max(at for _, at in events)
    return fold(recorded, key="SO-1", as_of=last + timedelta(days=365))


def recorded_event(kind: EventType, at: datetime, *, tracking: str) -> RecordedEvent:
    """Build one event of the warehouse or the carrier."""
    order = ObjectReference(
        ObjectKind.ORDER, (EventIdentifier(IdentifierScheme.SALES_ORDER, "SO-1", "erp"),)
    )
    parcel = ObjectReference(
        ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, tracking),)
    )
    about = {
        EventType.SHIPMENT_CONFIRMED: (order, parcel),
        EventType.SHIPMENT_VOID: (order, parcel),
    }
    scan = kind.value.startswith("shipment.") and kind not in about
    objects = (parcel,) if scan else about.get(kind, (order,))
    event = CanonicalEvent(type=kind, key=f"{kind} {at}", occurred_at=at, objects=objects)
    return RecordedEvent(
        event=event,
        source="carrier" if scan else "wms",
        role=SourceRole.CARRIER if scan else SourceRole.WMS,
        occurred_at=at,
        received_at=at,
        content_hash=event_content_hash(event),
        object_keys=tuple(f"{r.kind.value}:{r.identifiers[0].value}" for r in objects),
        order_index=-1 if scan else 0,
    )
