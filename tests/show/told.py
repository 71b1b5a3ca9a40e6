"""Orders told event by event, for the tests of the numbers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.sdk.connector import Role
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    content_hash,
)
from visibility.timeline import Spoken, Timeline, fold

ROLES = {
    "shop": Role.SHOP,
    "erp": Role.ERP,
    "wms": Role.WMS,
    "carrier": Role.CARRIER,
    "crm": Role.CRM,
}


def at(day: int, hour: int = 12) -> datetime:
    """A moment of March 2026, UTC."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


THE_SECOND, THE_THIRTIETH = at(2), at(30)


def quantities(measure: Measure, figures: Mapping[str, int | str]) -> tuple[Line, ...]:
    """Lines by article, each with one quantity."""
    return tuple(
        Line(line_id=sku, sku=sku, quantities={measure: Decimal(figure)})
        for sku, figure in figures.items()
    )


def tell(
    source: str,
    what: EventType,
    when: datetime,
    *,
    lines: tuple[Line, ...] = (),
    shipment: str = "",
    number: str = "SO-1",
    **attributes: str,
) -> Spoken:
    """One event about an order, and about a shipment where one is named."""
    refs = [Ref(ObjectKind.ORDER, (Identifier(Scheme.SALES_ORDER, number, "erp"),))]
    keys = [f"sales_order:erp:{number}"]
    if shipment:
        refs.append(Ref(ObjectKind.SHIPMENT, (Identifier(Scheme.SHIPMENT, shipment, "wms"),)))
        keys.append(f"shipment:wms:{shipment}")
    event = CanonicalEvent(
        type=what,
        key=f"{what.value}/{number}/{shipment}/{when.isoformat()}",
        occurred_at=when,
        objects=tuple(refs),
        lines=lines,
        part=f"shipment {shipment}" if shipment else "",
        attributes={Attribute(name): text for name, text in attributes.items()},
    )
    return Spoken(
        event, source, ROLES[source], when, when, content_hash(event), tuple(keys), order=0
    )


def ordered(figures: Mapping[str, int | str], when: datetime = THE_SECOND, **rest: Any) -> Spoken:
    """The order itself."""
    lines = quantities(Measure.ORDERED, figures)
    return tell("shop", EventType.ORDER_RECEIVED, when, lines=lines, **rest)


def shipped(
    figures: Mapping[str, int | str], when: datetime, shipment: str = "S1", **rest: Any
) -> Spoken:
    """A confirmed shipment of the warehouse."""
    lines = quantities(Measure.SHIPPED, figures)
    return tell("wms", EventType.SHIPMENT_CONFIRMED, when, lines=lines, shipment=shipment, **rest)


def delivered(when: datetime, shipment: str = "S1", **rest: Any) -> Spoken:
    """A shipment's delivery."""
    return tell("carrier", EventType.DELIVERED, when, shipment=shipment, **rest)


def timeline(events: Sequence[Spoken], as_of: datetime = THE_THIRTIETH) -> Timeline:
    """What follows from them."""
    return fold(events, key="sales_order:erp:SO-1", as_of=as_of)
