"""What systems say of orders, event by event, for the tests of the fold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from visibility.timeline import Line as FoldedLine
from visibility.timeline import Spoken, Timeline, fold
from visibility.timeline.dictionary import NOTHING, Dictionary

ROLES = {
    "shop": Role.SHOP,
    "erp": Role.ERP,
    "old_erp": Role.ERP,
    "crm": Role.CRM,
    "edi": Role.EDI,
    "wms": Role.WMS,
    "north": Role.THIRD_PARTY_LOGISTICS,
    "carrier": Role.CARRIER,
    "finance": Role.FINANCE,
}
SO_1, SO_2, SO_3 = "SO-1", "SO-2", "SO-3"
# When an order comes in, if nothing else is said.
FIRST_WORD = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = datetime(2026, 3, 30, 12, tzinfo=UTC)
Figures = Mapping[str, int | str]


def at(day: int, hour: float = 12) -> datetime:
    """A moment of March 2026, UTC."""
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=hour)


def line(
    sku: str,
    *,
    unit: str = "EA",
    line_id: str = "",
    order: int = -1,
    price: str = "",
    **figures: int | str,
) -> Line:
    """One line of an event: `line("A", ordered=5, unit="BX")`."""
    return Line(
        line_id=line_id or sku,
        sku=sku,
        unit=unit,
        price=Decimal(price) if price else None,
        quantities={Measure(name): Decimal(figure) for name, figure in figures.items()},
        order=order,
    )


def lines(measure: str, figures: Figures, **about: Any) -> tuple[Line, ...]:
    """Lines by article, each with one quantity."""
    return tuple(
        replace(line(sku, **about), quantities={Measure(measure): Decimal(figure)})
        for sku, figure in figures.items()
    )


def say(
    source: str,
    what: str,
    when: datetime,
    told: Sequence[Line] = (),
    *,
    orders: Sequence[str] = (SO_1,),
    of: str = SO_1,
    shipment: str = "",
    tracking: str = "",
    invoice: str = "",
    part: str | None = None,
    key: str = "",
    corrects: Sequence[str] = (),
    revision: str = "",
    raw: str = "",
    received: datetime | None = None,
    **attributes: str,
) -> Spoken:
    """One event as the order `of` hears it; `orders` are those it names."""
    named = [(ObjectKind.ORDER, Scheme.SALES_ORDER, "erp", number) for number in orders]
    things = (
        (ObjectKind.SHIPMENT, Scheme.SHIPMENT, "wms", shipment),
        (ObjectKind.PACKAGE, Scheme.TRACKING, "", tracking),
        (ObjectKind.INVOICE, Scheme.INVOICE, "finance", invoice),
    )
    named += [thing for thing in things if thing[3]]
    own = f"shipment {shipment}" if shipment else f"invoice {invoice}" if invoice else ""
    event = CanonicalEvent(
        type=EventType(what),
        key=key or f"{what}/{shipment}{tracking}{invoice}/{when.isoformat()}",
        occurred_at=when,
        objects=tuple(Ref(k, (Identifier(s, value, issuer),)) for k, s, issuer, value in named),
        lines=tuple(told),
        part=own if part is None else part,
        attributes={Attribute(name): text for name, text in attributes.items()},
        revision=revision,
        raw_type=raw,
        corrects=tuple(corrects),
    )
    return Spoken(
        event=event,
        source=source,
        role=ROLES[source],
        occurred_at=when,
        received_at=received or when,
        content_hash=content_hash(event),
        objects=tuple(f"{s.value}:{issuer}:{value}" for _, s, issuer, value in named),
        order=list(orders).index(of) if of in orders else -1,
    )


def ordered(
    figures: Figures, when: datetime = FIRST_WORD, source: str = "erp", **rest: Any
) -> Spoken:
    """The order itself."""
    about = {name: rest.pop(name) for name in ("unit", "price") if name in rest}
    return say(source, "order.received", when, lines("ordered", figures, **about), **rest)


def shipped(
    figures: Figures, when: datetime, shipment: str = "S1", source: str = "wms", **rest: Any
) -> Spoken:
    """A confirmed shipment."""
    about = {name: rest.pop(name) for name in ("unit", "order") if name in rest}
    told = lines("shipped", figures, **about)
    return say(source, "shipment.confirmed", when, told, shipment=shipment, **rest)


def delivered(when: datetime, shipment: str = "S1", **rest: Any) -> Spoken:
    """A shipment's delivery."""
    return say("carrier", "shipment.delivered", when, shipment=shipment, **rest)


def invoiced(figures: Figures, when: datetime, invoice: str = "I1", **rest: Any) -> Spoken:
    """An invoice of finance."""
    about = {name: rest.pop(name) for name in ("unit", "price") if name in rest}
    told = lines("invoiced", figures, **about)
    return say("finance", "invoice.issued", when, told, invoice=invoice, **rest)


def folded(
    *events: Spoken,
    as_of: datetime = LATER,
    key: str = "sales_order:erp:SO-1",
    words: Dictionary = NOTHING,
    known_at: datetime | None = None,
) -> Timeline:
    """What follows from them."""
    return fold(events, key=key, as_of=as_of, dictionary=words, known_at=known_at)


def of(timeline: Timeline, key: str) -> FoldedLine:
    """One line."""
    return next(one for one in timeline.lines if one.key == key)
