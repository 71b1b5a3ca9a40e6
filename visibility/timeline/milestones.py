"""Milestones: when each was reached and completed, by events and by quantities."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import Attribute, EventType, Measure, QuantityMode
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.deliveries_and_returns_from_shipments import (
    add_milestone_of_returned_shipments,
    names_only_returned_packages,
    set_delivered_share_from_packages,
)
from visibility.timeline.lines_without_counterpart import concerns_shipping_of_entire_order
from visibility.timeline.model import (
    MilestoneCode,
    RecordedEvent,
    TimelineMilestone,
    TimelineShipment,
    parse_timestamp_or_none,
)
from visibility.timeline.quantity_claims import PACKAGE, Arrivals, scope_name_of_increment
from visibility.timeline.shipments import ShipmentGrouping
from visibility.timeline.sort_events_and_drop_superseded import sort_key_by_time_then_event_type
from visibility.timeline.voided_and_omitted_quantities import are_reported_quantities_now_zero

CODES = {
    EventType.ORDER_RECEIVED: MilestoneCode.RECEIVED,
    EventType.ORDER_ACCEPTED: MilestoneCode.ACCEPTED,
    EventType.PAYMENT_APPROVED: MilestoneCode.PAYMENT_APPROVED,
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
DEMAND_MEASURES = frozenset({Measure.ORDERED, Measure.CANCELLED})
DELIVERY_EVENTS = frozenset(
    {EventType.DELIVERED, EventType.SHIPMENT_RETURNED, EventType.SHIPMENT_VOID}
)
VOIDS = {
    EventType.SHIPMENT_VOID: EventType.SHIPMENT_CONFIRMED,
    EventType.INVOICE_VOID: EventType.INVOICE_ISSUED,
}
ORDER_EVENTS = frozenset(
    t for t in EventType if t.value.startswith(("order.", "line.", "pick.", "pack."))
)


class MilestoneTracker:
    """Remembers, event by event, when each measured milestone was reached and completed."""

    def __init__(self, ledger: QuantityLedger) -> None:
        self.ledger = ledger
        self.unmatched = ledger.lines_without_counterpart()
        self.completed_at: dict[MilestoneCode, datetime] = {}
        # The event since which some of it is done.
        self.started_by: dict[MilestoneCode, RecordedEvent] = {}

    def apply(self, recorded: RecordedEvent, measures: set[Measure]) -> None:
        """Apply an event. `measures`: those whose figures it changed."""
        if recorded.event.type in DELIVERY_EVENTS or Measure.SHIPPED in measures:
            measures = measures | {Measure.DELIVERED}
        unmatched, previous = self.ledger.lines_without_counterpart(), self.unmatched
        self.unmatched = unmatched
        affects_all = (
            bool(measures & DEMAND_MEASURES)
            or recorded.event.type is EventType.SHIPMENT_VOID
            or unmatched != previous
            or (bool(unmatched.ordered) and concerns_shipping_of_entire_order(recorded))
        )
        for code, measure in MEASURED.items() if measures or affects_all else ():
            if not affects_all and measure not in measures:
                continue
            done, due = self.ledger.done_and_due_totals(measure, recorded.occurred_at) or (0, 1)
            if done == due:
                self.completed_at.setdefault(code, recorded.occurred_at)
            else:
                self.completed_at.pop(code, None)
            if done:
                self.started_by.setdefault(code, recorded)
            else:
                self.started_by.pop(code, None)


def arrival_times_by_scope(
    events: Sequence[RecordedEvent],
    grouping: ShipmentGrouping,
    shipments: Mapping[str, datetime | None],
    packages: Mapping[str, datetime | None],
) -> Arrivals:
    """When the shipment of each (source, scope) arrived completely, and each package.

    `shipments` and `packages`: the times by their keys. A shipment can have the key of one of its
    packages.
    """
    arrived_at = {(PACKAGE, key): at for key, at in (*shipments.items(), *packages.items()) if at}
    for recorded in events if arrived_at else ():
        scope = recorded.event.scope
        if any(line.quantity_mode is QuantityMode.DELTA for line in recorded.event.lines):
            scope = scope or scope_name_of_increment(recorded.event.key)
        if scope:
            arrived_at.pop((recorded.source, scope), None)
            shipment = grouping.shipment_key(recorded.object_keys) or ""
            if arrived := shipments.get(shipment):
                arrived_at[(recorded.source, scope)] = arrived
    return arrived_at


def build_milestones(
    events: Sequence[RecordedEvent],
    tracker: MilestoneTracker,
    attributes: Mapping[Attribute, str],
    shipments: Sequence[TimelineShipment],
    *,
    ship_by: datetime | None,
    at: datetime,
) -> dict[MilestoneCode, TimelineMilestone]:
    """Every milestone that was reached or planned, in the order of `MilestoneCode`.

    `ship_by`: when the first line must be shipped, if the order itself has no such date.
    """
    ledger, by_code = tracker.ledger, dict[MilestoneCode, TimelineMilestone]()
    carried = [s for s in shipments if not s.voided_at]
    voids = [s for s in events if s.event.type in VOIDS]
    for recorded in events:
        code = CODES.get(recorded.event.type)
        if code is None or code in by_code or any(_is_voided_by(void, recorded) for void in voids):
            continue
        measure = MEASURED.get(code)
        if code is MilestoneCode.DELIVERED and names_only_returned_packages(recorded, carried):
            continue
        if code is MilestoneCode.CREDITED and _refunds_only_cancelled_lines(recorded):
            continue
        lines = ledger.interpretation.lines_of_event(recorded)
        if measure and are_reported_quantities_now_zero(ledger.columns, recorded, lines, measure):
            continue
        share = ledger.order_fraction_reached(measure, at) if measure else Decimal(1)
        is_measured = measure is not None and (
            share is not None or ledger.has_uncountable_figures(measure)
        )
        done = tracker.completed_at.get(code) if is_measured else recorded.occurred_at
        by_code[code] = _build_milestone(code, recorded, done, share)
    for code, recorded in tracker.started_by.items():
        if code not in by_code:  # reported only by quantities
            share = ledger.order_fraction_reached(MEASURED[code], at)
            by_code[code] = _build_milestone(code, recorded, tracker.completed_at.get(code), share)
    set_delivered_share_from_packages(by_code, ledger, carried, events, at)
    _reset_unknown_delivery_completion(by_code, ledger, at)
    add_milestone_of_returned_shipments(by_code, carried)
    first = next((s for s in events if s.event.type in ORDER_EVENTS), None)
    if first and MilestoneCode.RECEIVED not in by_code:
        # No system reported the receipt: the first event of the order replaces it.
        by_code[MilestoneCode.RECEIVED] = _build_milestone(
            MilestoneCode.RECEIVED, first, first.occurred_at, Decimal(1)
        )
    return _add_planned_times(by_code, attributes, ship_by)


def _refunds_only_cancelled_lines(recorded: RecordedEvent) -> bool:
    """Whether an event has lines and credits none of them: it refunds what was never sent."""
    lines = recorded.event.lines
    return any(Measure.CANCELLED in line.quantities for line in lines) and not any(
        Measure.CREDITED in line.quantities for line in lines
    )


def _is_voided_by(void: RecordedEvent, recorded: RecordedEvent) -> bool:
    """Whether a void revokes this event of the same source."""
    if recorded.event.type is not VOIDS[void.event.type] or recorded.source != void.source:
        return False
    if sort_key_by_time_then_event_type(void) < sort_key_by_time_then_event_type(recorded):
        return False
    if void.event.scope:
        return void.event.scope == recorded.event.scope
    return bool(void.owned_object_keys() & set(recorded.object_keys))


def _build_milestone(
    code: MilestoneCode, recorded: RecordedEvent, done: datetime | None, share: Decimal | None
) -> TimelineMilestone:
    return TimelineMilestone(
        code,
        reached_at=recorded.occurred_at,
        completed_at=done,
        share=share,
        source=recorded.source,
    )


def _reset_unknown_delivery_completion(
    by_code: dict[MilestoneCode, TimelineMilestone], ledger: QuantityLedger, at: datetime
) -> None:
    """Reset the completion of a delivery whose quantities are unknown: it may be partial."""
    milestone = by_code.get(MilestoneCode.DELIVERED)
    if milestone is None or not ledger.keys:
        return
    is_unknown = ledger.order_fraction_reached(Measure.DELIVERED, at) is None
    if is_unknown and ledger.order_fraction_reached(Measure.SHIPPED, at) is not None:
        by_code[MilestoneCode.DELIVERED] = TimelineMilestone(
            MilestoneCode.DELIVERED,
            reached_at=milestone.reached_at,
            share=Decimal(0),
            source=milestone.source,
        )


def _add_planned_times(
    by_code: Mapping[MilestoneCode, TimelineMilestone],
    attributes: Mapping[Attribute, str],
    ship_by: datetime | None,
) -> dict[MilestoneCode, TimelineMilestone]:
    plans = {
        MilestoneCode.SHIPPED: parse_timestamp_or_none(attributes.get(Attribute.SHIP_BY))
        or ship_by,
        MilestoneCode.DELIVERED: parse_timestamp_or_none(
            attributes.get(Attribute.PROMISED_AT) or attributes.get(Attribute.REQUESTED_AT)
        ),
    }
    result = dict(by_code)
    for code, planned in plans.items():
        if planned:
            m = result.get(code, TimelineMilestone(code))
            result[code] = TimelineMilestone(
                code, planned, m.reached_at, m.completed_at, m.share, m.source
            )
    return {code: result[code] for code in MilestoneCode if code in result}
