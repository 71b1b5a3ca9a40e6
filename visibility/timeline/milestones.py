"""The rail: when each step was reached and completed, told by events and measured by quantities."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import Attribute, EventType, Measure, ObjectKind
from visibility.timeline.effective import order_of
from visibility.timeline.model import Milestone, MilestoneCode, Shipment, Spoken, moment
from visibility.timeline.quantity_ledger import Arrivals, Ledger
from visibility.timeline.shipments import Parcels

STEP = {
    EventType.ORDER_RECEIVED: MilestoneCode.RECEIVED,
    EventType.ORDER_ACCEPTED: MilestoneCode.ACCEPTED,
    EventType.ORDER_RELEASED: MilestoneCode.RELEASED,
    EventType.LINE_ALLOCATED: MilestoneCode.ALLOCATED,
    EventType.PICK_COMPLETED: MilestoneCode.PICKED,
    EventType.PACK_COMPLETED: MilestoneCode.PACKED,
    EventType.SHIPMENT_CONFIRMED: MilestoneCode.SHIPPED,
    EventType.DELIVERED: MilestoneCode.DELIVERED,
    EventType.INVOICE_ISSUED: MilestoneCode.INVOICED,
    EventType.INVOICE_PAID: MilestoneCode.PAID,
    EventType.RETURN_RECEIVED: MilestoneCode.RETURNED,
    EventType.CREDIT_ISSUED: MilestoneCode.CREDITED,
    EventType.RETURN_CREDITED: MilestoneCode.CREDITED,
    EventType.ORDER_CANCELLED: MilestoneCode.CANCELLED,
}
MEASURED = {
    MilestoneCode.ALLOCATED: Measure.ALLOCATED,
    MilestoneCode.PICKED: Measure.PICKED,
    MilestoneCode.PACKED: Measure.PACKED,
    MilestoneCode.SHIPPED: Measure.SHIPPED,
    MilestoneCode.DELIVERED: Measure.DELIVERED,
    MilestoneCode.INVOICED: Measure.INVOICED,
}
DENOMINATOR = frozenset({Measure.ORDERED, Measure.CANCELLED})
BY_DELIVERY = frozenset({EventType.DELIVERED, EventType.SHIPMENT_RETURNED, EventType.SHIPMENT_VOID})
VOIDS = {
    EventType.SHIPMENT_VOID: EventType.SHIPMENT_CONFIRMED,
    EventType.INVOICE_VOID: EventType.INVOICE_ISSUED,
}
OF_THE_ORDER = frozenset(
    t for t in EventType if t.value.startswith(("order.", "line.", "pick.", "pack."))
)


class Steps:
    """Remembers, while the ledger fills, when each measured step was last completed."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.full: dict[MilestoneCode, datetime] = {}
        # Since when there is any of it, and whose word made it so.
        self.begun: dict[MilestoneCode, Spoken] = {}

    def hear(self, spoken: Spoken, measures: set[Measure]) -> None:
        """`measures`: those whose figures an event changed."""
        if spoken.event.type in BY_DELIVERY or Measure.SHIPPED in measures:
            measures = measures | {Measure.DELIVERED}
        everything = bool(measures & DENOMINATOR) or spoken.event.type is EventType.SHIPMENT_VOID
        for code, measure in MEASURED.items() if measures else ():
            if not everything and measure not in measures:
                continue
            done, due = self.ledger.reached(measure, spoken.occurred_at) or (0, 1)
            if done == due:
                self.full.setdefault(code, spoken.occurred_at)
            else:
                self.full.pop(code, None)
            if done:
                self.begun.setdefault(code, spoken)
            else:
                self.begun.pop(code, None)


def arrivals(heard: Sequence[Spoken], parcels: Parcels, shipments: Sequence[Shipment]) -> Arrivals:
    """When the shipment of each (source, part) was delivered whole."""
    delivered = {s.key: s.delivered_at for s in shipments if s.delivered_at and not s.voided_at}
    found: dict[tuple[str, str], datetime] = {}
    for spoken in heard if delivered else ():
        if spoken.event.part:
            found.pop((spoken.source, spoken.event.part), None)
            arrived = delivered.get(parcels.root(spoken.objects) or "")
            if arrived:
                found[(spoken.source, spoken.event.part)] = arrived
    return found


def milestones(
    heard: Sequence[Spoken], steps: Steps, attributes: Mapping[Attribute, str], *, at: datetime
) -> dict[MilestoneCode, Milestone]:
    """Every step that was reached or planned, in the order of the trade."""
    ledger, found = steps.ledger, dict[MilestoneCode, Milestone]()
    voids = [s for s in heard if s.event.type in VOIDS]
    for spoken in heard:
        code = STEP.get(spoken.event.type)
        if code is None or code in found or any(_takes_back(void, spoken) for void in voids):
            continue
        measure = MEASURED.get(code)
        share = ledger.share(measure, at) if measure else Decimal(1)
        measured = measure is not None and (share is not None or ledger.uncounted(measure))
        done = steps.full.get(code) if measured else spoken.occurred_at
        found[code] = _reached(code, spoken, done, share)
    for code, spoken in steps.begun.items():
        if code not in found:  # told by quantities alone
            share = ledger.share(MEASURED[code], at)
            found[code] = _reached(code, spoken, steps.full.get(code), share)
    _complete_deliveries(found, ledger, at)
    first = next((s for s in heard if s.event.type in OF_THE_ORDER), None)
    if first and MilestoneCode.RECEIVED not in found:
        # Nobody said "received": the first word of the order stands in.
        found[MilestoneCode.RECEIVED] = _reached(
            MilestoneCode.RECEIVED, first, first.occurred_at, Decimal(1)
        )
    return _planned(found, attributes)


def _takes_back(void: Spoken, spoken: Spoken) -> bool:
    """Whether a void is of what this event told, by the same source."""
    if spoken.event.type is not VOIDS[void.event.type] or spoken.source != void.source:
        return False
    if order_of(void) < order_of(spoken):
        return False
    if void.event.part:
        return void.event.part == spoken.event.part
    named = {
        key
        for ref, key in zip(void.event.objects, void.objects, strict=True)
        if key and ref.kind is not ObjectKind.ORDER
    }
    return bool(named & set(spoken.objects))


def _reached(
    code: MilestoneCode, spoken: Spoken, done: datetime | None, share: Decimal | None
) -> Milestone:
    return Milestone(
        code,
        reached_at=spoken.occurred_at,
        completed_at=done,
        share=share,
        source=spoken.source,
    )


def _complete_deliveries(
    found: dict[MilestoneCode, Milestone], ledger: Ledger, at: datetime
) -> None:
    """A delivery is complete only with every line: one parcel of two is a partial one."""
    milestone = found.get(MilestoneCode.DELIVERED)
    if milestone is None or not ledger.keys:
        return
    unknown = ledger.share(Measure.DELIVERED, at) is None
    if unknown and ledger.share(Measure.SHIPPED, at) is not None:
        found[MilestoneCode.DELIVERED] = Milestone(
            MilestoneCode.DELIVERED,
            reached_at=milestone.reached_at,
            share=Decimal(0),
            source=milestone.source,
        )


def _planned(
    found: Mapping[MilestoneCode, Milestone], attributes: Mapping[Attribute, str]
) -> dict[MilestoneCode, Milestone]:
    plans = {
        MilestoneCode.SHIPPED: moment(attributes.get(Attribute.SHIP_BY)),
        MilestoneCode.DELIVERED: moment(
            attributes.get(Attribute.PROMISED_AT) or attributes.get(Attribute.REQUESTED_AT)
        ),
    }
    result = dict(found)
    for code, planned in plans.items():
        if planned:
            m = result.get(code, Milestone(code))
            result[code] = Milestone(code, planned, m.reached_at, m.completed_at, m.share, m.source)
    return {code: result[code] for code in MilestoneCode if code in result}
