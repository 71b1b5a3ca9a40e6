"""Who contradicts whom, by the reference: at each moment at which a claim changes, look again."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from connectors.sdk.connector import Role
from connectors.sdk.events import Attribute, EventType, Measure
from tests.reference.heard import WAREHOUSES, ZERO, Price, claim, prices
from tests.reference.plain_fold import Story
from visibility.timeline.enums import Field

GRACE = {
    Field.STATUS: timedelta(hours=4),
    Field.PROMISED_AT: timedelta(hours=4),
    Field.PRICE: timedelta(hours=4),
    Field.ORDERED: timedelta(hours=4),
    Field.CANCELLED: timedelta(hours=4),
    Field.SHIPPED: timedelta(hours=4),
    Field.INVOICED: timedelta(hours=24),
}
ORDER_TAKERS = (Role.ERP, Role.SHOP, Role.EDI, Role.CRM)
CENT = Decimal("0.01")
Contradiction = tuple[Field, str, bool]
WORK = {
    EventType.LINE_ALLOCATED,
    EventType.PICK_STARTED,
    EventType.PICK_COMPLETED,
    EventType.PACK_COMPLETED,
    EventType.ORDER_RELEASED,
    EventType.ORDER_ACCEPTED,
}


def contradictions(story: Story) -> set[Contradiction]:
    """(field, article or nothing, whether it has lasted longer than a word may take)."""
    found = set()
    for field, sku, differs in questions(story):
        since = None
        for at in reversed(story.times):
            if not differs(at):
                break
            since = at
        if since is not None:
            found.add((field, sku, story.as_of - since >= GRACE[field]))
    return found


def questions(story: Story) -> Iterator[tuple[Field, str, Callable[[datetime], bool]]]:
    """Everything that may be contradicted, and how to see whether it was at a moment."""
    for sku in story.skus:
        yield Field.SHIPPED, sku, partial(shipped, story, sku)
        yield Field.INVOICED, sku, partial(invoiced, story, sku)
        yield Field.PRICE, sku, partial(priced, story, sku)
        yield Field.ORDERED, sku, partial(ordered, story, sku, Field.ORDERED)
        yield Field.CANCELLED, sku, partial(ordered, story, sku, Field.CANCELLED)
    yield Field.PROMISED_AT, "", partial(promised, story)
    yield Field.STATUS, "", partial(stands, story)


def sides(
    story: Story, sku: str, measure: Measure, at: datetime
) -> dict[str, tuple[Role, Decimal]]:
    """What each source claims."""
    rows = story.rows.get((sku, measure), [])
    claims = {row.source: (row.role, claim(rows, row.source, at)) for row in rows}
    return {source: (role, value) for source, (role, value) in claims.items() if value is not None}


def shipped(story: Story, sku: str, at: datetime) -> bool:
    """The warehouses' sum against what each other source says has left."""
    claims = sides(story, sku, Measure.SHIPPED, at)
    theirs = [value for role, value in claims.values() if role in WAREHOUSES]
    others = {value for role, value in claims.values() if role not in WAREHOUSES}
    return len(others | ({sum(theirs, ZERO)} if theirs else set())) > 1


def invoiced(story: Story, sku: str, at: datetime) -> bool:
    """Finance against the others."""
    return len({value for _, value in sides(story, sku, Measure.INVOICED, at).values()}) > 1


def ordered(story: Story, sku: str, field: Field, at: datetime) -> bool:
    """Ordered less cancelled of those who take orders differs, and it is this field's doing."""
    told = sides(story, sku, Measure.ORDERED, at)
    orders = {source: claim for source, claim in told.items() if claim[0] in ORDER_TAKERS}
    cancels = sides(story, sku, Measure.CANCELLED, at)
    taken = {s: cancels[s][1] if s in cancels else ZERO for s in orders}
    if len({value - taken[s] for s, (_, value) in orders.items()}) < 2:
        return False
    by_ordered = len({value for _, value in orders.values()}) > 1
    return field is (Field.ORDERED if by_ordered else Field.CANCELLED)


def priced(story: Story, sku: str, at: datetime) -> bool:
    """The last price of each source, to the cent."""
    said = [price for price in prices(story.said) if price.sku == sku and price.at <= at]
    last: dict[str, Price] = {price.source: price for price in sorted(said)}
    return len({price.value.quantize(CENT) for price in last.values()}) > 1


def promised(story: Story, at: datetime) -> bool:
    """The last promised day of each source, until the goods are there."""
    if story.share(Measure.DELIVERED, at) == 1:
        return False
    days: dict[str, str] = {}
    for one in story.own:
        day = one.event.attributes.get(Attribute.PROMISED_AT)
        if day and one.occurred_at <= at:
            days[one.source] = day[:10]
    return len(set(days.values())) > 1


def stands(story: Story, at: datetime) -> bool:
    """Cancelled by one while goods left, or while another went on with it afterwards."""
    said = [one for one in story.own if one.occurred_at <= at]
    cancels = [one for one in said if one.event.type is EventType.ORDER_CANCELLED]
    if not cancels:
        return False
    if story.any(Measure.SHIPPED, at):
        return True
    first = min(one.occurred_at for one in cancels)
    quiet = {one.source for one in cancels}
    return any(
        one.event.type in WORK and one.occurred_at > first and one.source not in quiet
        for one in said
    )
