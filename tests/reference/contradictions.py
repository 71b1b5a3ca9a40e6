"""Conflicts by the reference: compare the claims again at each moment at which one changes."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute, EventType, Measure
from tests.reference.figures import WAREHOUSES, ZERO, Price, claim, prices
from tests.reference.plain_fold import ReferenceFold
from visibility.timeline.state_and_flag_enums import ComparedField

GRACE = {
    ComparedField.STATUS: timedelta(hours=4),
    ComparedField.PROMISED_AT: timedelta(hours=4),
    ComparedField.PRICE: timedelta(hours=4),
    ComparedField.ORDERED: timedelta(hours=4),
    ComparedField.CANCELLED: timedelta(hours=4),
    ComparedField.SHIPPED: timedelta(hours=4),
    ComparedField.INVOICED: timedelta(hours=24),
}
ORDER_ROLES = (SourceRole.ERP, SourceRole.SHOP, SourceRole.EDI, SourceRole.CRM)
CENT = Decimal("0.01")
Contradiction = tuple[ComparedField, str, bool]
WORK = {
    EventType.LINE_ALLOCATED,
    EventType.PICK_STARTED,
    EventType.PICK_COMPLETED,
    EventType.PACK_COMPLETED,
    EventType.ORDER_RELEASED,
    EventType.ORDER_ACCEPTED,
}


def contradictions(reference: ReferenceFold) -> set[Contradiction]:
    """(field, item or empty, whether it lasts longer than the grace period) of each conflict."""
    conflicts = set()
    for field, sku, differs in questions(reference):
        since = None
        for at in reversed(reference.times):
            if not differs(at):
                break
            since = at
        if since is not None:
            conflicts.add((field, sku, reference.as_of - since >= GRACE[field]))
    return conflicts


def questions(
    reference: ReferenceFold,
) -> Iterator[tuple[ComparedField, str, Callable[[datetime], bool]]]:
    """Every field that can be in conflict, with a function that compares it at a moment."""
    for sku in reference.skus:
        yield ComparedField.SHIPPED, sku, partial(shipped, reference, sku)
        yield ComparedField.INVOICED, sku, partial(invoiced, reference, sku)
        yield ComparedField.PRICE, sku, partial(priced, reference, sku)
        yield ComparedField.ORDERED, sku, partial(ordered, reference, sku, ComparedField.ORDERED)
        yield (
            ComparedField.CANCELLED,
            sku,
            partial(ordered, reference, sku, ComparedField.CANCELLED),
        )
    yield ComparedField.PROMISED_AT, "", partial(promised, reference)
    yield ComparedField.STATUS, "", partial(status, reference)


def sides(
    reference: ReferenceFold, sku: str, measure: Measure, at: datetime
) -> dict[str, tuple[SourceRole, Decimal]]:
    """The role and the claim of each source."""
    rows = reference.figures.get((sku, measure), [])
    claims = {row.source: (row.role, claim(rows, row.source, at)) for row in rows}
    return {source: (role, value) for source, (role, value) in claims.items() if value is not None}


def shipped(reference: ReferenceFold, sku: str, at: datetime) -> bool:
    """Compare the sum of the warehouses with the shipped quantity of each other source."""
    claims = sides(reference, sku, Measure.SHIPPED, at)
    warehouse_values = [value for role, value in claims.values() if role in WAREHOUSES]
    others = {value for role, value in claims.values() if role not in WAREHOUSES}
    return len(others | ({sum(warehouse_values, ZERO)} if warehouse_values else set())) > 1


def invoiced(reference: ReferenceFold, sku: str, at: datetime) -> bool:
    """Compare the invoiced quantities of all sources."""
    return len({value for _, value in sides(reference, sku, Measure.INVOICED, at).values()}) > 1


def ordered(reference: ReferenceFold, sku: str, field: ComparedField, at: datetime) -> bool:
    """Whether ordered less cancelled differs between order systems because of this field."""
    claims = sides(reference, sku, Measure.ORDERED, at)
    orders = {source: claim for source, claim in claims.items() if claim[0] in ORDER_ROLES}
    cancels = sides(reference, sku, Measure.CANCELLED, at)
    cancelled = {s: cancels[s][1] if s in cancels else ZERO for s in orders}
    if len({value - cancelled[s] for s, (_, value) in orders.items()}) < 2:
        return False
    by_ordered = len({value for _, value in orders.values()}) > 1
    return field is (ComparedField.ORDERED if by_ordered else ComparedField.CANCELLED)


def priced(reference: ReferenceFold, sku: str, at: datetime) -> bool:
    """Compare the latest price of each source, rounded to cents."""
    current = [price for price in prices(reference.events) if price.sku == sku and price.at <= at]
    last: dict[str, Price] = {price.source: price for price in sorted(current)}
    return len({price.value.quantize(CENT) for price in last.values()}) > 1


def promised(reference: ReferenceFold, at: datetime) -> bool:
    """Compare the latest promised date of each source, until delivery."""
    if reference.share(Measure.DELIVERED, at) == 1:
        return False
    days: dict[str, str] = {}
    for recorded in reference.own:
        day = recorded.event.attributes.get(Attribute.PROMISED_AT)
        if day and recorded.occurred_at <= at:
            days[recorded.source] = day[:10]
    return len(set(days.values())) > 1


def status(reference: ReferenceFold, at: datetime) -> bool:
    """Whether one source cancelled and another shipped or continued to work on the order."""
    events = [e for e in reference.own if e.occurred_at <= at]
    cancellations = [e for e in events if e.event.type is EventType.ORDER_CANCELLED]
    if not cancellations:
        return False
    if reference.any(Measure.SHIPPED, at):
        return True
    first = min(e.occurred_at for e in cancellations)
    cancelling = {e.source for e in cancellations}
    return any(
        e.event.type in WORK and e.occurred_at > first and e.source not in cancelling
        for e in events
    )
