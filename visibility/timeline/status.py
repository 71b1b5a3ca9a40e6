"""Derive the status of an order and every state that it is in."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import EventType, Measure
from visibility.timeline.active_cancellations_and_cause import (
    active_cancellations,
    is_caused_by_shortage,
    is_order_cancelled,
    is_seller_cancellation,
)
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.claim_line_conflict_types import TimelineLine
from visibility.timeline.deliveries_and_returns_from_shipments import are_all_shipments_returned
from visibility.timeline.holds import is_credit_hold_reason
from visibility.timeline.milestones import MEASURED, ORDER_EVENTS
from visibility.timeline.model import (
    MilestoneCode,
    RecordedEvent,
    Status,
    TimelineMilestone,
    TimelineShipment,
)
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.state_and_flag_enums import LineFlag, OrderState

# Some of it, but not all: the quantity is unknown.
UNKNOWN_FRACTION = Decimal("0.5")
BEFORE_SHIPPING = (
    MilestoneCode.PACKED,
    MilestoneCode.PICKED,
    MilestoneCode.ALLOCATED,
    MilestoneCode.RELEASED,
)
# (measure, state when complete, state when partial)
QUANTITY_STATES = (
    (Measure.SHIPPED, OrderState.SHIPPED, OrderState.PARTIALLY_SHIPPED),
    (Measure.DELIVERED, OrderState.DELIVERED, OrderState.PARTIALLY_DELIVERED),
    (Measure.INVOICED, OrderState.INVOICED, OrderState.PARTIALLY_INVOICED),
)


@dataclass(frozen=True, slots=True)
class StatusInputs:
    """The inputs that the status is derived from."""

    events: Sequence[RecordedEvent]
    ledger: QuantityLedger
    milestones: Mapping[MilestoneCode, TimelineMilestone]
    at: datetime
    is_on_hold: bool
    shipments: Sequence[TimelineShipment] = ()

    def fraction_reached(self, code: MilestoneCode) -> Decimal:
        """The fraction that reached a milestone: by quantities, or 1 if only an event is known."""
        fraction = (
            self.ledger.order_fraction_reached(MEASURED[code], self.at)
            if code in MEASURED
            else None
        )
        if fraction is not None:
            return fraction
        milestone = self.milestones.get(code)
        if milestone is None or milestone.reached_at is None or milestone.share == 0:
            return Decimal(0)
        if code is MilestoneCode.DELIVERED and milestone.share is not None and milestone.share < 1:
            return milestone.share
        is_unknown = code in MEASURED and self.ledger.has_uncountable_figures(MEASURED[code])
        return UNKNOWN_FRACTION if is_unknown else Decimal(1)

    def returned_or_credited_fraction(self, measure: Measure) -> Decimal | None:
        """The fraction of the shipped quantity that was returned or credited, None if none was."""
        total = returned = ZERO
        for key in self.ledger.keys_of_countable_goods_lines():
            shipped, delivered, line_returned = (
                self.ledger.reached_with_substitutes(key, m, self.at) or ZERO
                for m in (Measure.SHIPPED, Measure.DELIVERED, measure)
            )
            sent, scale = max(shipped, delivered, ZERO), self.ledger.interpretation.items[key].scale
            total += sent / scale
            returned += min(max(line_returned, ZERO), sent) / scale
        if not total and measure is Measure.RETURNED and are_all_shipments_returned(self.shipments):
            return Decimal(1)
        return returned / total if total and returned else None

    @property
    def is_nothing_sent(self) -> bool:
        """Whether quantities say that nothing was sent: a credit is then no credit of goods."""
        sent = (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED)
        is_sent = any(code in self.milestones and self.fraction_reached(code) for code in sent)
        return not is_sent and bool(self.ledger.keys_of_countable_goods_lines())


def compute_order_status(inputs: StatusInputs) -> Status:
    """The status: the furthest step reached, by quantities first and events second."""
    shipped, delivered = (
        inputs.fraction_reached(code) for code in (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED)
    )
    if not shipped and not delivered and is_order_cancelled(inputs.events, inputs.ledger):
        return Status.CANCELLED
    if (shipped == 1 or delivered == 1) and inputs.returned_or_credited_fraction(
        Measure.RETURNED
    ) == 1:
        credited = inputs.returned_or_credited_fraction(Measure.CREDITED) == 1
        return Status.CREDITED if credited else Status.RETURNED
    if delivered == 1:
        is_invoiced = inputs.fraction_reached(MilestoneCode.INVOICED) == 1
        return Status.COMPLETED if is_invoiced else Status.DELIVERED
    if delivered:
        return Status.PARTIALLY_DELIVERED
    if shipped:
        return Status.SHIPPED if shipped == 1 else Status.PARTIALLY_SHIPPED
    return _status_before_shipping(inputs)


def _status_before_shipping(known: StatusInputs) -> Status:
    if known.is_on_hold:
        return Status.ON_HOLD
    if _all_backordered(known.ledger):
        return Status.BACKORDERED
    for code in BEFORE_SHIPPING:
        if code in known.milestones and known.fraction_reached(code):
            return Status(code.value)
    if any(s.event.type is EventType.ORDER_REJECTED for s in known.events):
        return Status.REJECTED
    if MilestoneCode.ACCEPTED in known.milestones:
        return Status.ACCEPTED
    has_order_event = any(s.event.type in ORDER_EVENTS | {EventType.UNMAPPED} for s in known.events)
    return Status.RECEIVED if has_order_event else Status.UNKNOWN


def _all_backordered(ledger: QuantityLedger) -> bool:
    open_lines = [
        (due, ledger.authoritative_quantity(key, Measure.BACKORDERED) or ZERO)
        for key in ledger.keys_of_countable_goods_lines()
        if (due := ledger.net_ordered_quantity(key))
    ]
    return bool(open_lines) and all(backordered >= due for due, backordered in open_lines)


def status_since(
    order_status: Status,
    milestones: Mapping[MilestoneCode, TimelineMilestone],
    on_hold_since: datetime | None,
    events: Sequence[RecordedEvent],
) -> datetime | None:
    """Since when the order is in its status."""
    if order_status is Status.ON_HOLD:
        return on_hold_since
    codes = {
        Status.PARTIALLY_SHIPPED: (MilestoneCode.SHIPPED, "reached_at"),
        Status.SHIPPED: (MilestoneCode.SHIPPED, "completed_at"),
        Status.PARTIALLY_DELIVERED: (MilestoneCode.DELIVERED, "reached_at"),
        Status.DELIVERED: (MilestoneCode.DELIVERED, "completed_at"),
        Status.COMPLETED: (MilestoneCode.INVOICED, "completed_at"),
    }
    code, attribute = codes.get(order_status, (None, "reached_at"))
    if code is None and order_status.value in set(MilestoneCode):
        code = MilestoneCode(order_status.value)
    milestone = milestones.get(code) if code else None
    if milestone is None or milestone.reached_at is None:
        return events[0].occurred_at if events else None
    reached: datetime | None = getattr(milestone, attribute) or milestone.reached_at
    if order_status is Status.COMPLETED:
        delivered = milestones[MilestoneCode.DELIVERED].completed_at
        return max(m for m in (reached, delivered) if m) if reached or delivered else None
    return reached


def compute_order_states(
    inputs: StatusInputs,
    order_status: Status,
    lines: Collection[TimelineLine],
    *,
    reason: str,
    conflict: bool,
) -> Iterator[OrderState]:
    """Every state that the order is in."""
    if inputs.is_on_hold:
        yield OrderState.CREDIT_REVIEW if is_credit_hold_reason(reason) else OrderState.ON_HOLD
    shipped = inputs.fraction_reached(MilestoneCode.SHIPPED)
    for measure, complete, partial in QUANTITY_STATES:
        fraction = inputs.fraction_reached(MilestoneCode(measure.value))
        if fraction:
            yield complete if fraction == 1 else partial
    if not shipped and order_status not in {Status.CANCELLED, Status.REJECTED}:
        if inputs.fraction_reached(MilestoneCode.RELEASED):
            yield OrderState.RELEASED
        allocated = inputs.fraction_reached(MilestoneCode.ALLOCATED)
        if allocated:
            yield OrderState.ALLOCATED if allocated == 1 else OrderState.PARTIALLY_ALLOCATED
    yield from _shortage_states(inputs, lines)
    yield from _return_states(inputs)
    yield from _cancellation_states(inputs, order_status, lines)
    if any(LineFlag.SUBSTITUTED in line.flags for line in lines):
        yield OrderState.SUBSTITUTED
    if conflict:
        yield OrderState.CONFLICT


def _shortage_states(known: StatusInputs, lines: Collection[TimelineLine]) -> Iterator[OrderState]:
    backordered = [line for line in lines if is_backordered(line)]
    if any(line.quantity(Measure.BACKORDERED) > 0 for line in backordered):
        yield OrderState.BACKORDERED
    if backordered or has_open_shortage(known.events, lines):
        yield OrderState.STOCK_SHORTAGE


def is_backordered(line: TimelineLine) -> bool:
    """Whether a line is back-ordered and not shipped since."""
    has_backorder = line.quantity(Measure.BACKORDERED) > 0
    return (
        line.is_counted
        and has_backorder
        and line.quantity(Measure.SHIPPED) < line.net_ordered_quantity
    )


def has_open_shortage(events: Sequence[RecordedEvent], lines: Collection[TimelineLine]) -> bool:
    """Whether a shortage was reported and part of the order is still not shipped."""
    has_open_line = any(
        line.is_counted and line.quantity(Measure.SHIPPED) < line.net_ordered_quantity
        for line in lines
    )
    return has_open_line and any(
        s.event.type is EventType.LINE_SHORTED and is_caused_by_shortage(s) for s in events
    )


def _return_states(known: StatusInputs) -> Iterator[OrderState]:
    for measure, code, complete, partial in (
        (
            Measure.RETURNED,
            MilestoneCode.RETURNED,
            OrderState.RETURNED,
            OrderState.PARTIALLY_RETURNED,
        ),
        (
            Measure.CREDITED,
            MilestoneCode.CREDITED,
            OrderState.CREDITED,
            OrderState.PARTIALLY_CREDITED,
        ),
    ):
        fraction = known.returned_or_credited_fraction(measure)
        if fraction is not None:
            yield complete if fraction == 1 else partial
        elif code in known.milestones and not known.is_nothing_sent:
            yield complete


def _cancellation_states(
    known: StatusInputs, order_status: Status, lines: Collection[TimelineLine]
) -> Iterator[OrderState]:
    cancellations = active_cancellations(known.events)
    if order_status is Status.CANCELLED:
        yield OrderState.CANCELLED
    if any(line.short_cancelled for line in lines) or (
        cancellations and all(is_seller_cancellation(s) for s in cancellations)
    ):
        yield OrderState.SHORT_CANCELLED
    shipped = known.fraction_reached(MilestoneCode.SHIPPED) or known.fraction_reached(
        MilestoneCode.DELIVERED
    )
    order_cancellations = [
        s
        for s in cancellations
        if not any(Measure.CANCELLED in n.quantities for n in s.event.lines)
        and (s.source, s.event.key) not in known.ledger.balance_cancellations
    ]
    if (shipped and order_cancellations) or any(
        LineFlag.CONTRADICTION in line.flags for line in lines
    ):
        yield OrderState.CONTRADICTION
