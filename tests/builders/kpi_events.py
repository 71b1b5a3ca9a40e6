"""Builders of events and timelines for KPI tests."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import event_content_hash
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from visibility.timeline import RecordedEvent, Timeline, fold

ROLES = {
    "shop": SourceRole.SHOP,
    "erp": SourceRole.ERP,
    "wms": SourceRole.WMS,
    "carrier": SourceRole.CARRIER,
    "crm": SourceRole.CRM,
}


def at(day: int, hour: int = 12) -> datetime:
    """A time in March 2026, UTC."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


MARCH_2, MARCH_30 = at(2), at(30)


def quantities(measure: Measure, figures: Mapping[str, int | str]) -> tuple[EventLine, ...]:
    """One line per SKU with one quantity."""
    return tuple(
        EventLine(line_id=sku, sku=sku, quantities={measure: Decimal(figure)})
        for sku, figure in figures.items()
    )


def build_event(
    source: str,
    event_type: EventType,
    occurred_at: datetime,
    *,
    lines: tuple[EventLine, ...] = (),
    shipment: str = "",
    number: str = "SO-1",
    **attributes: str,
) -> RecordedEvent:
    """Build an event of an order, and of a shipment if one is given."""
    refs = [
        ObjectReference(
            ObjectKind.ORDER, (EventIdentifier(IdentifierScheme.SALES_ORDER, number, "erp"),)
        )
    ]
    keys = [f"sales_order:erp:{number}"]
    if shipment:
        refs.append(
            ObjectReference(
                ObjectKind.SHIPMENT, (EventIdentifier(IdentifierScheme.SHIPMENT, shipment, "wms"),)
            )
        )
        keys.append(f"shipment:wms:{shipment}")
    event = CanonicalEvent(
        type=event_type,
        key=f"{event_type.value}/{number}/{shipment}/{occurred_at.isoformat()}",
        occurred_at=occurred_at,
        objects=tuple(refs),
        lines=lines,
        scope=f"shipment {shipment}" if shipment else "",
        attributes={Attribute(name): text for name, text in attributes.items()},
    )
    return RecordedEvent(
        event,
        source,
        ROLES[source],
        occurred_at,
        occurred_at,
        event_content_hash(event),
        tuple(keys),
        order_index=0,
    )


def ordered(
    figures: Mapping[str, int | str], when: datetime = MARCH_2, **options: Any
) -> RecordedEvent:
    """Build the event "order received"."""
    lines = quantities(Measure.ORDERED, figures)
    return build_event("shop", EventType.ORDER_RECEIVED, when, lines=lines, **options)


def shipped(
    figures: Mapping[str, int | str], when: datetime, shipment: str = "S1", **options: Any
) -> RecordedEvent:
    """Build a shipment confirmation of the warehouse."""
    lines = quantities(Measure.SHIPPED, figures)
    return build_event(
        "wms", EventType.SHIPMENT_CONFIRMED, when, lines=lines, shipment=shipment, **options
    )


def delivered(when: datetime, shipment: str = "S1", **options: Any) -> RecordedEvent:
    """Build the delivery of a shipment."""
    return build_event("carrier", EventType.DELIVERED, when, shipment=shipment, **options)


def timeline(events: Sequence[RecordedEvent], as_of: datetime = MARCH_30) -> Timeline:
    """Fold the events."""
    return fold(events, key="sales_order:erp:SO-1", as_of=as_of)
