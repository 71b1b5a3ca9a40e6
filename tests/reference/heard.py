"""What was said of one order by a moment, as plain rows: every question filters and sorts them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from connectors.sdk.connector import Role
from connectors.sdk.events import EventType, Measure, ObjectKind
from visibility.timeline import Spoken

ZERO = Decimal(0)
VOIDS = {EventType.SHIPMENT_VOID, EventType.INVOICE_VOID}
WAREHOUSES = (Role.WMS, Role.THIRD_PARTY_LOGISTICS)
# Who is believed, by measure: the first group that has said anything. Docs, decision 12.
DESKS: tuple[tuple[Role, ...], ...] = (
    (Role.ERP,),
    (Role.SHOP,),
    (Role.EDI,),
    (Role.CRM,),
    (Role.OTHER,),
    (Role.FINANCE,),
    (Role.CARRIER,),
)
FROM_DESKS = (*DESKS, WAREHOUSES)
FROM_WAREHOUSES = (WAREHOUSES, *DESKS)
FROM_FINANCE = ((Role.FINANCE,), *DESKS, WAREHOUSES)
BELIEVED: dict[Measure, tuple[tuple[Role, ...], ...]] = {
    Measure.ORDERED: FROM_DESKS,
    Measure.CANCELLED: FROM_DESKS,
    Measure.ALLOCATED: FROM_WAREHOUSES,
    Measure.BACKORDERED: FROM_WAREHOUSES,
    Measure.PICKED: FROM_WAREHOUSES,
    Measure.PACKED: FROM_WAREHOUSES,
    Measure.SHIPPED: FROM_WAREHOUSES,
    Measure.DELIVERED: ((Role.CARRIER,), *FROM_WAREHOUSES),
    Measure.INVOICED: FROM_FINANCE,
    Measure.CREDITED: FROM_FINANCE,
    Measure.RETURNED: FROM_WAREHOUSES,
}


class Figure(NamedTuple):
    """One source's total of one measure of one article in one part of the order."""

    at: datetime
    revision: str
    key: str
    source: str
    role: Role
    part: str
    sku: str
    measure: Measure
    value: Decimal


class Price(NamedTuple):
    """What one source says a piece costs."""

    at: datetime
    revision: str
    key: str
    source: str
    role: Role
    sku: str
    value: Decimal


def heard(events: Iterable[Spoken], as_of: datetime) -> list[Spoken]:
    """Every fact once, in its last telling, without what its own source withdrew."""
    told = [one for one in events if one.occurred_at <= as_of]
    withdrawn = {(one.source, key) for one in told for key in one.event.corrects}
    facts: dict[tuple[str, str], list[Spoken]] = {}
    for one in told:
        facts.setdefault((one.source, one.event.key), []).append(one)
    last = [
        max(tellings, key=lambda one: (one.event.revision, one.content_hash))
        for fact, tellings in facts.items()
        if fact not in withdrawn
    ]
    return sorted(last, key=lambda one: (one.occurred_at, one.source, one.event.key))


def names_another(one: Spoken) -> bool:
    """Whether it speaks of other orders and not of this one."""
    return one.order < 0 and any(ref.kind is ObjectKind.ORDER for ref in one.event.objects)


def figures(said: Sequence[Spoken]) -> list[Figure]:
    """Every quantity said of this order; a void is a zero for each article of its part."""
    found = [
        Figure(
            one.occurred_at,
            one.event.revision,
            one.event.key,
            one.source,
            one.role,
            one.event.part,
            line.sku,
            measure,
            value,
        )
        for one in said
        if not names_another(one)
        for line in one.event.lines
        if line.order in (-1, one.order)
        for measure, value in line.quantities.items()
    ]
    gone = [(void, parts_of(void, said)) for void in said if void.event.type in VOIDS]
    return [_unless_voided(row, gone) for row in found]


def parts_of(void: Spoken, said: Iterable[Spoken]) -> set[str]:
    """The parts a void is of: the one it names, else those about the same shipment or invoice."""
    if void.event.part:
        return {void.event.part}
    things = _things(void)
    return {o.event.part for o in said if o.source == void.source and things & _things(o)} - {""}


def _things(one: Spoken) -> set[str]:
    pairs = zip(one.objects, one.event.objects, strict=True)
    return {name for name, ref in pairs if name and ref.kind is not ObjectKind.ORDER}


def _unless_voided(row: Figure, gone: Iterable[tuple[Spoken, set[str]]]) -> Figure:
    """What was voided afterwards never was: nothing from the beginning."""
    for void, parts in gone:
        later = (void.occurred_at, void.event.key) > (row.at, row.key)
        if void.source == row.source and row.part in parts and later:
            return row._replace(value=ZERO)
    return row


def prices(said: Sequence[Spoken]) -> list[Price]:
    """Every price said of this order."""
    return [
        Price(
            one.occurred_at,
            one.event.revision,
            one.event.key,
            one.source,
            one.role,
            line.sku,
            line.price,
        )
        for one in said
        if not names_another(one)
        for line in one.event.lines
        if line.price is not None and line.order in (-1, one.order)
    ]


def claim(rows: Sequence[Figure], source: str, at: datetime) -> Decimal | None:
    """What a source claimed by then, of the rows of one article and measure; None for nothing.

    The last figure of each part, the parts added up; a total of the whole order stands beside
    them and is not added: the larger of both.
    """
    mine = sorted(row for row in rows if row.source == source and row.at <= at)
    if not mine:
        return None
    last = {row.part: row.value for row in mine}
    parts = [value for part, value in last.items() if part]
    return max(([last[""]] if "" in last else []) + ([sum(parts, ZERO)] if parts else []))


def counting(rows: Sequence[Figure], measure: Measure, at: datetime) -> list[str]:
    """Whose figures count by then: the first group of roles that spoke.

    Warehouses all count, each for its own part; of the others the one with the largest figure.
    """
    for group in BELIEVED[measure]:
        sources = sorted({row.source for row in rows if row.role in group and row.at <= at})
        if sources and group is WAREHOUSES:
            return sources
        if sources:
            return [max(sources, key=lambda source: (claim(rows, source, at) or ZERO, source))]
    return []


def believed(rows: Sequence[Figure], measure: Measure, at: datetime) -> Decimal | None:
    """What counts by then, None where nobody spoke."""
    sources = counting(rows, measure, at)
    return sum((claim(rows, one, at) or ZERO for one in sources), ZERO) if sources else None
