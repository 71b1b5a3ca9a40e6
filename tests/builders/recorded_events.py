"""Builders of canonical events, recorded as the stages read them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
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
from visibility.timeline import RecordedEvent

ROLES = {
    "shop": SourceRole.SHOP,
    "erp": SourceRole.ERP,
    "old_erp": SourceRole.ERP,
    "crm": SourceRole.CRM,
    "edi": SourceRole.EDI,
    "wms": SourceRole.WMS,
    "north": SourceRole.THIRD_PARTY_LOGISTICS,
    "carrier": SourceRole.CARRIER,
    "finance": SourceRole.FINANCE,
}
SO_1, SO_2, SO_3 = "SO-1", "SO-2", "SO-3"
Figures = Mapping[str, int | str]


def at(day: int, hour: float = 12) -> datetime:
    """A moment in March 2026, UTC."""
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=hour)


# When an order is received, unless a test says otherwise.
ORDERED_AT = at(2)


def line(
    sku: str,
    *,
    unit: str = "EA",
    line_id: str = "",
    order: int = -1,
    price: str = "",
    **figures: int | str,
) -> EventLine:
    """One line of an event: `line("A", ordered=5, unit="BX")`."""
    return EventLine(
        line_id=line_id or sku,
        sku=sku,
        unit=unit,
        price=Decimal(price) if price else None,
        quantities={Measure(name): Decimal(figure) for name, figure in figures.items()},
        order_index=order,
    )


def lines(measure: str, figures: Figures, **options: Any) -> tuple[EventLine, ...]:
    """One line per item, each with one quantity."""
    return tuple(
        replace(line(sku, **options), quantities={Measure(measure): Decimal(figure)})
        for sku, figure in figures.items()
    )


def reported(
    source: str,
    what: str,
    when: datetime,
    event_lines: Sequence[EventLine] = (),
    *,
    orders: Sequence[str] = (SO_1,),
    of: str = SO_1,
    shipment: str = "",
    tracking: str = "",
    invoice: str = "",
    scope: str | None = None,
    key: str = "",
    corrects: Sequence[str] = (),
    revision: str = "",
    raw: str = "",
    complete: Sequence[str] = (),
    takes_back: Sequence[str] = (),
    received: datetime | None = None,
    **attributes: str,
) -> RecordedEvent:
    """One event in the timeline of the order `of`; `orders` are the orders that it names.

    `complete`: the measures that it reports completely.
    """
    named = [(ObjectKind.ORDER, IdentifierScheme.SALES_ORDER, "erp", number) for number in orders]
    others = (
        (ObjectKind.SHIPMENT, IdentifierScheme.SHIPMENT, "wms", shipment),
        (ObjectKind.PACKAGE, IdentifierScheme.TRACKING, "", tracking),
        (ObjectKind.INVOICE, IdentifierScheme.INVOICE, "finance", invoice),
    )
    named += [other for other in others if other[3]]
    default_scope = f"shipment {shipment}" if shipment else f"invoice {invoice}" if invoice else ""
    event = CanonicalEvent(
        type=EventType(what),
        key=key or f"{what}/{shipment}{tracking}{invoice}/{when.isoformat()}",
        occurred_at=when,
        objects=tuple(
            ObjectReference(k, (EventIdentifier(s, value, issuer),))
            for k, s, issuer, value in named
        ),
        lines=tuple(event_lines),
        scope=default_scope if scope is None else scope,
        attributes={Attribute(name): text for name, text in attributes.items()},
        revision=revision,
        raw_type=raw,
        corrects=tuple(corrects),
        complete_measures=tuple(Measure(name) for name in complete),
        takes_back=tuple(EventType(name) for name in takes_back),
    )
    content_hash = sha256_hex(to_canonical_json(event))
    return RecordedEvent(
        event=event,
        source=source,
        role=ROLES[source],
        occurred_at=when,
        received_at=received or when,
        content_hash=content_hash,
        object_keys=tuple(f"{s.value}:{issuer}:{value}" for _, s, issuer, value in named),
        order_index=list(orders).index(of) if of in orders else -1,
        event_id=int(sha256_hex(f"{source} {content_hash}".encode())[:12], 16),
    )


def ordered(
    figures: Figures, when: datetime = ORDERED_AT, source: str = "erp", **options: Any
) -> RecordedEvent:
    """An order as received."""
    line_options = {name: options.pop(name) for name in ("unit", "price") if name in options}
    return reported(
        source, "order.received", when, lines("ordered", figures, **line_options), **options
    )


def shipped(
    figures: Figures, when: datetime, shipment: str = "S1", source: str = "wms", **options: Any
) -> RecordedEvent:
    """A shipment confirmation."""
    line_options = {name: options.pop(name) for name in ("unit", "order") if name in options}
    event_lines = lines("shipped", figures, **line_options)
    return reported(source, "shipment.confirmed", when, event_lines, shipment=shipment, **options)


def delivered(when: datetime, shipment: str = "S1", **options: Any) -> RecordedEvent:
    """A delivery of a shipment."""
    return reported("carrier", "shipment.delivered", when, shipment=shipment, **options)


def invoiced(
    figures: Figures, when: datetime, invoice: str = "I1", **options: Any
) -> RecordedEvent:
    """An invoice from finance."""
    line_options = {name: options.pop(name) for name in ("unit", "price") if name in options}
    event_lines = lines("invoiced", figures, **line_options)
    return reported("finance", "invoice.issued", when, event_lines, invoice=invoice, **options)
