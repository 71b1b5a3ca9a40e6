"""An independent fold, simple and slow, written from the documentation: the reference of tests.

It answers each question from all events again. It handles what the simulated distributor sends:
one line per item, one unit, no kits and no substitutes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import EventType, Measure, ObjectKind
from tests.reference.figures import (
    ZERO,
    Figure,
    authoritative,
    authoritative_sources,
    claim,
    current_events,
    figures,
    names_other_orders,
)
from visibility.timeline import MilestoneCode, RecordedEvent, Status

# Events that reach a milestone without a quantity.
EVENT_TYPES: dict[MilestoneCode, frozenset[EventType]] = {
    MilestoneCode.RECEIVED: frozenset({EventType.ORDER_RECEIVED}),
    MilestoneCode.ACCEPTED: frozenset({EventType.ORDER_ACCEPTED}),
    MilestoneCode.PAYMENT_APPROVED: frozenset({EventType.PAYMENT_APPROVED}),
    MilestoneCode.RELEASED: frozenset({EventType.ORDER_RELEASED}),
    MilestoneCode.PAID: frozenset({EventType.INVOICE_PAID}),
    MilestoneCode.CANCELLED: frozenset({EventType.ORDER_CANCELLED}),
    MilestoneCode.RETURNED: frozenset({EventType.RETURN_RECEIVED, EventType.SHIPMENT_RETURNED}),
    MilestoneCode.CREDITED: frozenset({EventType.CREDIT_ISSUED, EventType.RETURN_CREDITED}),
}
MEASURES: dict[MilestoneCode, Measure] = {
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


class ReferenceFold:
    """The events of one order up to `as_of`; each method answers one question."""

    def __init__(self, events: Iterable[RecordedEvent], as_of: datetime) -> None:
        self.as_of = as_of
        self.events = current_events(events, as_of)
        self.own = [recorded for recorded in self.events if not names_other_orders(recorded)]
        self.figures: dict[tuple[str, Measure], list[Figure]] = {}
        for row in figures(self.events):
            self.figures.setdefault((row.sku, row.measure), []).append(row)
        self.skus = sorted({sku for sku, _ in self.figures})
        self.times = sorted({recorded.occurred_at for recorded in self.events})

    def first(self, types: Iterable[EventType], at: datetime) -> datetime | None:
        """When an event of these types first occurred."""
        return min(
            (o.occurred_at for o in self.own if o.event.type in types and o.occurred_at <= at),
            default=None,
        )

    def last(self, types: Iterable[EventType], at: datetime) -> datetime | None:
        """When an event of these types last occurred."""
        return max(
            (o.occurred_at for o in self.own if o.event.type in types and o.occurred_at <= at),
            default=None,
        )

    def counts(self, sku: str, measure: Measure, at: datetime) -> Decimal:
        """One quantity of one item at a moment, zero if none was reported."""
        if measure is Measure.DELIVERED:
            return self.arrived(sku, at)
        if measure is Measure.CANCELLED:
            return self.cancelled(sku, at)
        quantity = authoritative(self.figures.get((sku, measure), []), measure, at) or ZERO
        if measure is Measure.BACKORDERED and self.counts(sku, Measure.ORDERED, at):
            # Nothing waits for stock that was cancelled or shipped since.
            shipped = self.counts(sku, Measure.SHIPPED, at)
            return min(quantity, max(self.wanted(sku, at) - shipped, ZERO))
        return quantity

    def cancelled(self, sku: str, at: datetime) -> Decimal:
        """The cancelled part of the authoritative ordered quantity.

        If the authoritative ordered quantity is smaller than the one of the source that cancels,
        the difference is already cancelled in it.
        """
        rows = self.figures.get((sku, Measure.CANCELLED), [])
        cancelled = authoritative(rows, Measure.CANCELLED, at)
        if cancelled is None:
            return ZERO
        orders = self.figures.get((sku, Measure.ORDERED), [])
        ordered = authoritative(orders, Measure.ORDERED, at) or ZERO
        own = max(claim(orders, row.source, at) or ZERO for row in rows if row.at <= at)
        return max(cancelled - max(own - ordered, ZERO), ZERO)

    def wanted(self, sku: str, at: datetime) -> Decimal:
        """The quantity ordered and not cancelled."""
        ordered = self.counts(sku, Measure.ORDERED, at)
        return max(ordered - self.counts(sku, Measure.CANCELLED, at), ZERO)

    def share(self, measure: Measure, at: datetime) -> Decimal | None:
        """The fraction of the wanted quantity; of each item no more than is wanted of it counts."""
        wanted = sum((self.wanted(sku, at) for sku in self.skus), ZERO)
        if not wanted:
            return None
        done = (min(self.counts(sku, measure, at), self.wanted(sku, at)) for sku in self.skus)
        return sum(done, ZERO) / wanted

    def any(self, measure: Measure, at: datetime) -> bool:
        """Whether there is any quantity of the measure."""
        return any(self.counts(sku, measure, at) > 0 for sku in self.skus)

    def all_of(self, measure: Measure, of: Measure, at: datetime) -> bool:
        """Whether one measure is at least the other for every item."""
        return all(self.counts(x, measure, at) >= self.counts(x, of, at) for x in self.skus)

    def objects_of(self, recorded: RecordedEvent, kind: ObjectKind) -> set[str]:
        """The objects of a kind that an event names."""
        pairs = zip(recorded.object_keys, recorded.event.objects, strict=True)
        return {name for name, ref in pairs if ref.kind is kind and name}

    def delivered_objects(self, kind: ObjectKind, at: datetime) -> set[str]:
        """The packages or shipments that were delivered at a moment."""
        return {
            name
            for recorded in self.events
            if recorded.event.type is EventType.DELIVERED and recorded.occurred_at <= at
            for name in self.objects_of(recorded, kind)
        }

    def arrived(self, sku: str, at: datetime) -> Decimal:
        """The quantity of an item in completely delivered shipments of authoritative sources."""
        rows = sorted(r for r in self.figures.get((sku, Measure.SHIPPED), []) if r.at <= at)
        sources = authoritative_sources(rows, Measure.SHIPPED, at)
        last = {(r.source, r.scope): r.value for r in rows if r.source in sources and r.scope}
        return sum((value for key, value in last.items() if self.is_delivered(*key, at)), ZERO)

    def is_delivered(self, source: str, scope: str, at: datetime) -> bool:
        """Whether a shipment was delivered: by its number, or by each of its packages."""
        related = [o for o in self.own if o.source == source and o.event.scope == scope]
        shipments, packages = (
            set().union(*(self.objects_of(recorded, kind) for recorded in related))
            for kind in (ObjectKind.SHIPMENT, ObjectKind.PACKAGE)
        )
        if shipments & self.delivered_objects(ObjectKind.SHIPMENT, at):
            return True
        return bool(packages) and packages <= self.delivered_objects(ObjectKind.PACKAGE, at)

    def status(self, at: datetime) -> Status:
        """The status at a moment, by quantities first and events second."""
        if self.any(Measure.SHIPPED, at):
            return self.status_after_shipping(at)
        if self.first({EventType.ORDER_CANCELLED}, at) or self.nothing_wanted(at):
            return Status.CANCELLED
        if self.first({EventType.ORDER_REJECTED}, at):
            return Status.REJECTED
        if self.is_on_hold(at):
            return Status.ON_HOLD
        for measure, status in BEFORE_SHIPPING:
            if self.any(measure, at):
                return status
        for types, status in BEFORE_PICKING:
            if self.first(types, at):
                return status
        return Status.UNKNOWN

    def nothing_wanted(self, at: datetime) -> bool:
        """Whether quantities cancel the whole order."""
        has_cancelled = self.any(Measure.CANCELLED, at)
        return has_cancelled and not any(self.wanted(sku, at) for sku in self.skus)

    def is_on_hold(self, at: datetime) -> bool:
        """Whether the latest hold is not released."""
        hold = self.last({EventType.ORDER_HELD}, at)
        release = self.last({EventType.ORDER_HOLD_RELEASED, EventType.ORDER_RELEASED}, at)
        return hold is not None and (release is None or hold > release)

    def status_after_shipping(self, at: datetime) -> Status:
        """The status of an order with shipped quantities."""
        if self.all_of(Measure.RETURNED, Measure.SHIPPED, at):
            credited = self.all_of(Measure.CREDITED, Measure.RETURNED, at)
            return Status.CREDITED if credited else Status.RETURNED
        if self.share(Measure.DELIVERED, at) == 1:
            is_invoiced = self.share(Measure.INVOICED, at) == 1
            return Status.COMPLETED if is_invoiced else Status.DELIVERED
        if self.any(Measure.DELIVERED, at):
            return Status.PARTIALLY_DELIVERED
        is_complete = self.share(Measure.SHIPPED, at) == 1
        return Status.SHIPPED if is_complete else Status.PARTIALLY_SHIPPED

    def since(self) -> datetime | None:
        """Since when the order has had its current status without interruption."""
        now, start = self.status(self.as_of), None
        for at in reversed(self.times):
            if self.status(at) is not now:
                break
            start = at
        return start

    def step(self, code: MilestoneCode) -> Step:
        """When a milestone was first reached, finally completed, and the fraction reached."""
        if code in EVENT_TYPES:
            return self.step_of_events(EVENT_TYPES[code])
        measure = MEASURES[code]
        reached = next((at for at in self.times if self.any(measure, at)), None)
        completed = None
        for at in reversed(self.times):
            if self.share(measure, at) != 1:
                break
            completed = at
        return Step(reached, completed, self.share(measure, self.as_of) if reached else None)

    def step_of_events(self, types: Iterable[EventType]) -> Step:
        """A milestone that an event alone reaches is complete with the first event."""
        at = self.first(types, self.as_of)
        return Step(at, at, Decimal(1) if at else None)
