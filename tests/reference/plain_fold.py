"""A plain, slow fold, written from the documents alone: the reference the timeline must equal.

For every question at every moment it goes through everything that was said again. It reads what
the simulated distributor says: one line an article, one unit, no kits, no substitutes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import EventType, Measure, ObjectKind
from tests.reference.heard import (
    ZERO,
    Figure,
    believed,
    claim,
    counting,
    figures,
    heard,
    names_another,
)
from visibility.timeline import MilestoneCode, Spoken, Status

# Words that make a step by themselves, without any quantity.
WORDS: dict[MilestoneCode, frozenset[EventType]] = {
    MilestoneCode.RECEIVED: frozenset({EventType.ORDER_RECEIVED}),
    MilestoneCode.ACCEPTED: frozenset({EventType.ORDER_ACCEPTED}),
    MilestoneCode.RELEASED: frozenset({EventType.ORDER_RELEASED}),
    MilestoneCode.PAID: frozenset({EventType.INVOICE_PAID}),
    MilestoneCode.CANCELLED: frozenset({EventType.ORDER_CANCELLED}),
    MilestoneCode.RETURNED: frozenset({EventType.RETURN_RECEIVED, EventType.SHIPMENT_RETURNED}),
    MilestoneCode.CREDITED: frozenset({EventType.CREDIT_ISSUED, EventType.RETURN_CREDITED}),
}
COUNTED: dict[MilestoneCode, Measure] = {
    MilestoneCode.ALLOCATED: Measure.ALLOCATED,
    MilestoneCode.PICKED: Measure.PICKED,
    MilestoneCode.PACKED: Measure.PACKED,
    MilestoneCode.SHIPPED: Measure.SHIPPED,
    MilestoneCode.DELIVERED: Measure.DELIVERED,
    MilestoneCode.INVOICED: Measure.INVOICED,
}
BEFORE_SHIPPING = (
    (Measure.PACKED, Status.PACKED),
    (Measure.PICKED, Status.PICKED),
    (Measure.ALLOCATED, Status.ALLOCATED),
    (Measure.BACKORDERED, Status.BACKORDERED),
)
BEFORE_PICKING = (
    (frozenset({EventType.ORDER_RELEASED}), Status.RELEASED),
    (frozenset({EventType.ORDER_ACCEPTED}), Status.ACCEPTED),
    (frozenset({EventType.ORDER_RECEIVED}), Status.RECEIVED),
)


@dataclass(frozen=True)
class Step:
    """One milestone."""

    reached: datetime | None
    completed: datetime | None
    share: Decimal | None


class Story:
    """Everything that was said of one order by `as_of`; each method answers one question."""

    def __init__(self, events: Iterable[Spoken], as_of: datetime) -> None:
        self.as_of = as_of
        self.said = heard(events, as_of)
        self.own = [one for one in self.said if not names_another(one)]
        self.rows: dict[tuple[str, Measure], list[Figure]] = {}
        for row in figures(self.said):
            self.rows.setdefault((row.sku, row.measure), []).append(row)
        self.skus = sorted({sku for sku, _ in self.rows})
        self.times = sorted({one.occurred_at for one in self.said})

    def first(self, types: Iterable[EventType], at: datetime) -> datetime | None:
        """When one of these words was first said."""
        return min(
            (o.occurred_at for o in self.own if o.event.type in types and o.occurred_at <= at),
            default=None,
        )

    def last(self, types: Iterable[EventType], at: datetime) -> datetime | None:
        """When one of these words was last said."""
        return max(
            (o.occurred_at for o in self.own if o.event.type in types and o.occurred_at <= at),
            default=None,
        )

    def counts(self, sku: str, measure: Measure, at: datetime) -> Decimal:
        """One quantity of one article, as it counted then; nothing said is nothing."""
        if measure is Measure.DELIVERED:
            return self.arrived(sku, at)
        if measure is Measure.CANCELLED:
            return self.cancelled(sku, at)
        return believed(self.rows.get((sku, measure), []), measure, at) or ZERO

    def cancelled(self, sku: str, at: datetime) -> Decimal:
        """What was taken back of the ordered quantity that counts.

        Whoever says so has an ordered quantity of its own: where the one that counts is smaller
        already, it knows of it.
        """
        rows = self.rows.get((sku, Measure.CANCELLED), [])
        told = believed(rows, Measure.CANCELLED, at)
        if told is None:
            return ZERO
        orders = self.rows.get((sku, Measure.ORDERED), [])
        ordered = believed(orders, Measure.ORDERED, at) or ZERO
        own = max(claim(orders, row.source, at) or ZERO for row in rows if row.at <= at)
        return max(told - max(own - ordered, ZERO), ZERO)

    def wanted(self, sku: str, at: datetime) -> Decimal:
        """Ordered and not cancelled."""
        ordered = self.counts(sku, Measure.ORDERED, at)
        return max(ordered - self.counts(sku, Measure.CANCELLED, at), ZERO)

    def share(self, measure: Measure, at: datetime) -> Decimal | None:
        """How much of what is wanted; of each article no more than is wanted of it."""
        wanted = sum((self.wanted(sku, at) for sku in self.skus), ZERO)
        if not wanted:
            return None
        done = (min(self.counts(sku, measure, at), self.wanted(sku, at)) for sku in self.skus)
        return sum(done, ZERO) / wanted

    def any(self, measure: Measure, at: datetime) -> bool:
        """Whether there is any of it."""
        return any(self.counts(sku, measure, at) > 0 for sku in self.skus)

    def all_of(self, measure: Measure, of: Measure, at: datetime) -> bool:
        """Whether of every article there is as much of one as of the other."""
        return all(self.counts(x, measure, at) >= self.counts(x, of, at) for x in self.skus)

    def named(self, one: Spoken, kind: ObjectKind) -> set[str]:
        """The objects of a kind that an event names."""
        pairs = zip(one.objects, one.event.objects, strict=True)
        return {name for name, ref in pairs if ref.kind is kind and name}

    def there(self, kind: ObjectKind, at: datetime) -> set[str]:
        """The parcels, or the shipments, that had been delivered by then."""
        return {
            name
            for one in self.said
            if one.event.type is EventType.DELIVERED and one.occurred_at <= at
            for name in self.named(one, kind)
        }

    def arrived(self, sku: str, at: datetime) -> Decimal:
        """How much of an article was in shipments that had arrived whole, of those that count."""
        rows = sorted(r for r in self.rows.get((sku, Measure.SHIPPED), []) if r.at <= at)
        sources = counting(rows, Measure.SHIPPED, at)
        last = {(r.source, r.part): r.value for r in rows if r.source in sources and r.part}
        return sum((value for part, value in last.items() if self.whole(*part, at)), ZERO)

    def whole(self, source: str, part: str, at: datetime) -> bool:
        """Whether a shipment was delivered: by its name, or each of its parcels."""
        about = [o for o in self.own if o.source == source and o.event.part == part]
        shipments, parcels = (
            set().union(*(self.named(one, kind) for one in about))
            for kind in (ObjectKind.SHIPMENT, ObjectKind.PACKAGE)
        )
        if shipments & self.there(ObjectKind.SHIPMENT, at):
            return True
        return bool(parcels) and parcels <= self.there(ObjectKind.PACKAGE, at)

    def status(self, at: datetime) -> Status:
        """Where the order stood: by its quantities, before its messages."""
        if self.any(Measure.SHIPPED, at):
            return self.status_of_goods(at)
        if self.first({EventType.ORDER_CANCELLED}, at) or self.nothing_wanted(at):
            return Status.CANCELLED
        if self.first({EventType.ORDER_REJECTED}, at):
            return Status.REJECTED
        if self.held(at):
            return Status.HELD
        for measure, status in BEFORE_SHIPPING:
            if self.any(measure, at):
                return status
        for types, status in BEFORE_PICKING:
            if self.first(types, at):
                return status
        return Status.UNKNOWN

    def nothing_wanted(self, at: datetime) -> bool:
        """Whether all of it was cancelled by quantities."""
        taken = self.any(Measure.CANCELLED, at)
        return taken and not any(self.wanted(sku, at) for sku in self.skus)

    def held(self, at: datetime) -> bool:
        """Whether the last word about a hold is that there is one."""
        held = self.last({EventType.ORDER_HELD}, at)
        free = self.last({EventType.ORDER_HOLD_RELEASED, EventType.ORDER_RELEASED}, at)
        return held is not None and (free is None or held > free)

    def status_of_goods(self, at: datetime) -> Status:
        """Where an order stood that had begun to leave."""
        if self.all_of(Measure.RETURNED, Measure.SHIPPED, at):
            credited = self.all_of(Measure.CREDITED, Measure.RETURNED, at)
            return Status.CREDITED if credited else Status.RETURNED
        if self.share(Measure.DELIVERED, at) == 1:
            billed = self.share(Measure.INVOICED, at) == 1
            return Status.COMPLETED if billed else Status.DELIVERED
        if self.any(Measure.DELIVERED, at):
            return Status.PARTIALLY_DELIVERED
        whole = self.share(Measure.SHIPPED, at) == 1
        return Status.SHIPPED if whole else Status.PARTIALLY_SHIPPED

    def since(self) -> datetime | None:
        """Since when it has stood as it stands now, without a break."""
        now, found = self.status(self.as_of), None
        for at in reversed(self.times):
            if self.status(at) is not now:
                break
            found = at
        return found

    def step(self, code: MilestoneCode) -> Step:
        """When a step was first reached, when it was complete for good, and how far it is."""
        if code in WORDS:
            return self.word(WORDS[code])
        measure = COUNTED[code]
        reached = next((at for at in self.times if self.any(measure, at)), None)
        completed = None
        for at in reversed(self.times):
            if self.share(measure, at) != 1:
                break
            completed = at
        return Step(reached, completed, self.share(measure, self.as_of) if reached else None)

    def word(self, types: Iterable[EventType]) -> Step:
        """A step that a word alone makes is complete with the first one."""
        at = self.first(types, self.as_of)
        return Step(at, at, Decimal(1) if at else None)
