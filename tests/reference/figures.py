"""Figures and prices of one order as plain rows, and which of them are authoritative."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType, Measure, ObjectKind
from visibility.timeline import RecordedEvent

ZERO = Decimal(0)
VOIDS = {EventType.SHIPMENT_VOID, EventType.INVOICE_VOID}
WAREHOUSES = (SourceRole.WMS, SourceRole.THIRD_PARTY_LOGISTICS)
# Authority by measure: the first group with a figure counts. See docs/decisions, 0012.
OFFICE_ROLES: tuple[tuple[SourceRole, ...], ...] = (
    (SourceRole.ERP,),
    (SourceRole.SHOP,),
    (SourceRole.EDI,),
    (SourceRole.CRM,),
    (SourceRole.OTHER,),
    (SourceRole.FINANCE,),
    (SourceRole.CARRIER,),
)
OFFICE_FIRST = (*OFFICE_ROLES, WAREHOUSES)
WAREHOUSE_FIRST = (WAREHOUSES, *OFFICE_ROLES)
FINANCE_FIRST = ((SourceRole.FINANCE,), *OFFICE_ROLES, WAREHOUSES)
AUTHORITY: dict[Measure, tuple[tuple[SourceRole, ...], ...]] = {
    Measure.ORDERED: OFFICE_FIRST,
    Measure.CANCELLED: OFFICE_FIRST,
    Measure.ALLOCATED: WAREHOUSE_FIRST,
    Measure.BACKORDERED: WAREHOUSE_FIRST,
    Measure.PICKED: WAREHOUSE_FIRST,
    Measure.PACKED: WAREHOUSE_FIRST,
    Measure.SHIPPED: WAREHOUSE_FIRST,
    Measure.DELIVERED: ((SourceRole.CARRIER,), *WAREHOUSE_FIRST),
    Measure.INVOICED: FINANCE_FIRST,
    Measure.CREDITED: FINANCE_FIRST,
    Measure.RETURNED: WAREHOUSE_FIRST,
}


class Figure(NamedTuple):
    """The total of one source for one measure of one item in one scope of the order."""

    at: datetime
    revision: str
    key: str
    source: str
    role: SourceRole
    scope: str
    sku: str
    measure: Measure
    value: Decimal


class Price(NamedTuple):
    """The unit price of an item from one source."""

    at: datetime
    revision: str
    key: str
    source: str
    role: SourceRole
    sku: str
    value: Decimal


def current_events(events: Iterable[RecordedEvent], as_of: datetime) -> list[RecordedEvent]:
    """Each event once, in its latest version, without events that their source withdrew."""
    occurred = [e for e in events if e.occurred_at <= as_of]
    withdrawn = {(e.source, key) for e in occurred for key in e.event.corrects}
    versions: dict[tuple[str, str], list[RecordedEvent]] = {}
    for recorded in occurred:
        versions.setdefault((recorded.source, recorded.event.key), []).append(recorded)
    latest = [
        max(candidates, key=lambda e: (e.event.revision, e.content_hash))
        for name, candidates in versions.items()
        if name not in withdrawn
    ]
    return sorted(latest, key=lambda e: (e.occurred_at, e.source, e.event.key))


def names_other_orders(recorded: RecordedEvent) -> bool:
    """Whether the event names only other orders."""
    objects = recorded.event.objects
    return recorded.order_index < 0 and any(ref.kind is ObjectKind.ORDER for ref in objects)


def figures(events: Sequence[RecordedEvent]) -> list[Figure]:
    """Every figure of this order; a void sets the figures of its scope to zero."""
    rows = [
        Figure(
            recorded.occurred_at,
            recorded.event.revision,
            recorded.event.key,
            recorded.source,
            recorded.role,
            recorded.event.scope,
            line.sku,
            measure,
            value,
        )
        for recorded in events
        if not names_other_orders(recorded)
        for line in recorded.event.lines
        if line.order_index in (-1, recorded.order_index)
        for measure, value in line.quantities.items()
    ]
    rows += [row for event in events for row in _zeros_of_complete_report(event, rows)]
    voids = [(void, scopes_of(void, events)) for void in events if void.event.type in VOIDS]
    return [_unless_voided(row, voids) for row in rows]


def _zeros_of_complete_report(recorded: RecordedEvent, rows: Sequence[Figure]) -> list[Figure]:
    """A zero for each earlier figure that a complete report of the same source does not name."""
    event, at = recorded.event, recorded.occurred_at
    named = {(line.sku, measure) for line in event.lines for measure in line.quantities}
    earlier = {
        (row.sku, row.measure)
        for row in rows
        if (row.source, row.scope) == (recorded.source, event.scope) and row.at <= at
    }
    return [
        Figure(at, "", event.key, recorded.source, recorded.role, event.scope, sku, measure, ZERO)
        for sku, measure in sorted(earlier - named)
        if measure in event.complete_measures
    ]


def scopes_of(void: RecordedEvent, events: Iterable[RecordedEvent]) -> set[str]:
    """The scopes that a void names, or else those about the same shipment or invoice."""
    if void.event.scope:
        return {void.event.scope}
    keys = _object_keys(void)
    same_source = [e for e in events if e.source == void.source]
    return {e.event.scope for e in same_source if keys & _object_keys(e)} - {""}


def _object_keys(recorded: RecordedEvent) -> set[str]:
    pairs = zip(recorded.object_keys, recorded.event.objects, strict=True)
    return {name for name, ref in pairs if name and ref.kind is not ObjectKind.ORDER}


def _unless_voided(row: Figure, voids: Iterable[tuple[RecordedEvent, set[str]]]) -> Figure:
    """The row, or a zero if its scope was voided later."""
    for void, scopes in voids:
        is_later = (void.occurred_at, void.event.key) > (row.at, row.key)
        if void.source == row.source and row.scope in scopes and is_later:
            return row._replace(value=ZERO)
    return row


def prices(events: Sequence[RecordedEvent]) -> list[Price]:
    """Every price of this order."""
    return [
        Price(
            recorded.occurred_at,
            recorded.event.revision,
            recorded.event.key,
            recorded.source,
            recorded.role,
            line.sku,
            line.price,
        )
        for recorded in events
        if not names_other_orders(recorded)
        for line in recorded.event.lines
        if line.price is not None and line.order_index in (-1, recorded.order_index)
    ]


def claim(rows: Sequence[Figure], source: str, at: datetime) -> Decimal | None:
    """The claim of a source at a moment, from the rows of one item and measure; None if none.

    The figures of the scopes are added up. If the source also reports a total of the order, its
    newest report counts: a scope that grows raises the total to the sum of the scopes, and one that
    shrinks is subtracted, unless the total is smaller than the scopes were.
    """
    own_rows = sorted(row for row in rows if row.source == source and row.at <= at)
    if not own_rows:
        return None
    by_scope: dict[str, Decimal] = {}
    total: Decimal | None = None
    for row in own_rows:
        if not row.scope:
            total = row.value
            continue
        before, change = sum(by_scope.values(), ZERO), row.value - by_scope.get(row.scope, ZERO)
        by_scope[row.scope] = row.value
        if total is not None and change > 0:
            total = max(total, before + change)
        elif total is not None and total >= before:
            total += change
    return sum(by_scope.values(), ZERO) if total is None else total


def authoritative_sources(rows: Sequence[Figure], measure: Measure, at: datetime) -> list[str]:
    """The sources whose figures count at a moment: those of the first group with a figure.

    All warehouses count, each for its own part; of the others the one with the largest figure.
    """
    for group in AUTHORITY[measure]:
        sources = sorted({row.source for row in rows if row.role in group and row.at <= at})
        if sources and group is WAREHOUSES:
            return sources
        if sources:
            return [max(sources, key=lambda source: (claim(rows, source, at) or ZERO, source))]
    return []


def authoritative(rows: Sequence[Figure], measure: Measure, at: datetime) -> Decimal | None:
    """The figure that counts at a moment, None if there is none."""
    sources = authoritative_sources(rows, measure, at)
    return sum((claim(rows, s, at) or ZERO for s in sources), ZERO) if sources else None
