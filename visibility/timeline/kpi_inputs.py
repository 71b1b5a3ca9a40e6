"""Questions that KPIs ask of a timeline: first shipment, demand at the cut-off, last delivery."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.sdk.events import Attribute, EventType, Measure
from visibility.timeline.active_cancellations_and_cause import is_seller_cancellation
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.claim_line_conflict_types import TimelineLine
from visibility.timeline.interpret_event_lines import (
    CACHE_KEY,
    Interpretation,
    translate_event_attributes,
)
from visibility.timeline.line_quantities_and_flags import round_to_six_decimals
from visibility.timeline.model import MilestoneCode, RecordedEvent, Status, Timeline
from visibility.timeline.packed_contents_of_shipments import add_packed_lines
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.shipments import ShipmentGrouping
from visibility.timeline.state_and_flag_enums import UNCOUNTABLE_FLAGS, LineFlag
from visibility.timeline.voided_and_omitted_quantities import scopes_last_reported_nothing_shipped


@dataclass(frozen=True, slots=True)
class FirstShipment:
    """When goods were first shipped, and the quantity of each line (by key) in that shipment.

    `uncounted`: why some of it cannot be counted.
    """

    at: datetime
    quantities: dict[str, Decimal]
    uncounted: frozenset[LineFlag] = frozenset()


@dataclass(frozen=True, slots=True)
class DemandAndFirstShippedAtCutOff:
    """The demand of one order at its cut-off: (wanted, in the first shipment) for each line.

    `excluded`: why the order is excluded. `uncountable`: the number of uncountable lines by
    reason.
    """

    day: date
    lines: tuple[tuple[Decimal, Decimal], ...] = ()
    excluded: str = ""
    uncountable: Mapping[str, int] = field(default_factory=dict)


def _first_shipment(
    timeline: Timeline, events: Sequence[RecordedEvent], reading: Interpretation
) -> FirstShipment | None:
    """The goods that were shipped first, by every source that reports them."""
    voided = {
        (s.source, s.event.scope)
        for s in events
        if s.event.type is EventType.SHIPMENT_VOID and s.event.scope
    }
    voided |= scopes_last_reported_nothing_shipped(events, reading)
    confirmations = [
        s
        for s in events
        if _reports_shipped_quantity(s, reading) and (s.source, s.event.scope) not in voided
    ]
    if not confirmations:
        return None
    grouping = ShipmentGrouping(events)
    root = grouping.shipment_key(confirmations[0].object_keys)
    ledger = QuantityLedger(reading)
    first_by_source: dict[str, RecordedEvent] = {}
    for recorded in confirmations:
        first = first_by_source.setdefault(recorded.source, recorded)
        own_root = grouping.shipment_key(recorded.object_keys)
        is_same = (
            own_root == root if own_root and root else _has_same_scope_or_time(first, recorded)
        )
        if is_same:
            ledger.apply(recorded)
    quantities = {
        line.key: _convert_to_line_unit(figure, line, reading)
        for line in timeline.lines
        if (figure := _shipped_quantity(line, ledger, timeline.as_of)) is not None
    }
    return FirstShipment(
        confirmations[0].occurred_at, quantities, frozenset(_uncounted_reasons(ledger))
    )


def _uncounted_reasons(ledger: QuantityLedger) -> Iterator[LineFlag]:
    if ledger.unconvertible:
        yield LineFlag.UNIT
    if any(not ledger.interpretation.items[key].known for key in ledger.keys):
        yield LineFlag.UNKNOWN_SKU


def _cached_interpretation(timeline: Timeline) -> tuple[Sequence[RecordedEvent], Interpretation]:
    """The translated events and their interpretation, from the cache if possible."""
    if CACHE_KEY not in timeline.cache:
        events = add_packed_lines(
            [
                translate_event_attributes(e.recorded, timeline.dictionary)
                for e in timeline.entries
                if not e.superseded
            ]
        )
        timeline.cache[CACHE_KEY] = (events, Interpretation(events, timeline.dictionary))
    cached: tuple[Sequence[RecordedEvent], Interpretation] = timeline.cache[CACHE_KEY]
    return cached


def current_events(timeline: Timeline) -> Sequence[RecordedEvent]:
    """The events that have an effect, in the order of the timeline."""
    return _cached_interpretation(timeline)[0]


def _shipped_quantity(line: TimelineLine, ledger: QuantityLedger, at: datetime) -> Decimal | None:
    """The shipped quantity of a line. Kits count by their components, substitutes do not count."""
    if LineFlag.KIT in line.flags:
        return ledger.reached_with_substitutes(line.key, Measure.SHIPPED, at)
    return ledger.authoritative_quantity(line.key, Measure.SHIPPED)


def _convert_to_line_unit(figure: Decimal, line: TimelineLine, reading: Interpretation) -> Decimal:
    scale = reading.items[line.key].scale
    return figure if scale == 1 else round_to_six_decimals(figure / scale)


def demand_and_first_shipped_at_cut_off(
    timeline: Timeline, zone: str
) -> DemandAndFirstShippedAtCutOff | None:
    """The demand of an order at its cut-off and how much was met; None before the cut-off.

    The cut-off is the promise or the first shipment, whichever is earlier. Lines that the customer
    cancelled before it are no demand; lines that the seller cancelled are demand not met.
    """
    key = ("first_pass", zone)
    if key not in timeline.cache:
        timeline.cache[key] = _compute_demand_and_first_shipped_at_cut_off(timeline, zone)
    cached: DemandAndFirstShippedAtCutOff | None = timeline.cache[key]
    return cached


def _compute_demand_and_first_shipped_at_cut_off(
    timeline: Timeline, zone: str
) -> DemandAndFirstShippedAtCutOff | None:
    events, reading = _cached_interpretation(timeline)
    shipment = _first_shipment(timeline, events, reading)
    shipped_at = shipment.at if shipment else timeline.milestone_reached_at(MilestoneCode.SHIPPED)
    cut_off = _cut_off_time_and_day(timeline, shipped_at, zone)
    if cut_off is None:
        return _excluded_demand_without_cut_off(timeline, zone)
    moment, day = cut_off
    if moment > timeline.as_of:
        return None
    wanted = _wanted_quantities(timeline, reading, events, moment)
    uncountable = _count_uncountable_by_reason(timeline)
    if not wanted:
        return DemandAndFirstShippedAtCutOff(
            day, excluded=next(iter(uncountable), "") or _reason_without_demand(timeline)
        )
    if shipped_at and (shipment is None or not (shipment.quantities or shipment.uncounted)):
        return DemandAndFirstShippedAtCutOff(day, excluded="no_shipped_quantity")
    if shipment and LineFlag.UNKNOWN_SKU in shipment.uncounted:
        return DemandAndFirstShippedAtCutOff(day, excluded=LineFlag.UNKNOWN_SKU.value)
    shipped = shipment.quantities if shipment else {}
    lines = tuple((q, min(max(shipped.get(key, ZERO), ZERO), q)) for key, q in wanted)
    return DemandAndFirstShippedAtCutOff(day, lines, uncountable=uncountable)


def _count_uncountable_by_reason(timeline: Timeline) -> dict[str, int]:
    """The number of lines that cannot be counted, by reason."""
    numbers: dict[str, int] = {}
    for line in timeline.lines:
        if line.uncountable and not line.unexpected:
            reason = next(r for r in UNCOUNTABLE_FLAGS if r in line.flags)
            numbers[reason.value] = numbers.get(reason.value, 0) + 1
    return dict(sorted(numbers.items()))


def promise_deadline_and_day(timeline: Timeline, zone: str) -> tuple[datetime, date] | None:
    """The promise deadline and its date; a date without a time lasts until midnight in `zone`."""
    text = timeline.attributes.get(Attribute.PROMISED_AT)
    if not text:
        return None
    zone_info = ZoneInfo(zone)
    moment = datetime.fromisoformat(text)
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        day = moment.date()
        return datetime.combine(day + timedelta(days=1), moment.time(), zone_info), day
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone_info)
    return moment, moment.astimezone(zone_info).date()


def last_delivery_if_complete(timeline: Timeline) -> datetime | None:
    """When the last shipment of a completely delivered order arrived, else None.

    The milestone also waits for the quantities. If they were reported after the packages arrived,
    the arrival of the packages counts.
    """
    completed = timeline.milestone_completed_at(MilestoneCode.DELIVERED)
    if completed is None:
        return None
    arrivals = [
        shipment.delivered_at
        for shipment in timeline.shipments
        if shipment.delivered_at and not shipment.voided_at and shipment.delivered_at <= completed
    ]
    return max(arrivals, default=completed)


def _reports_shipped_quantity(recorded: RecordedEvent, reading: Interpretation) -> bool:
    return any(
        line.quantities.get(Measure.SHIPPED, ZERO) > 0 for line in reading.lines_of_event(recorded)
    )


def _has_same_scope_or_time(first: RecordedEvent, recorded: RecordedEvent) -> bool:
    """Whether an event without a shipment reports the same scope or time as the first one."""
    if recorded.event.scope or first.event.scope:
        return recorded.event.scope == first.event.scope
    return recorded.occurred_at == first.occurred_at


def _cut_off_time_and_day(
    timeline: Timeline, shipped_at: datetime | None, zone: str
) -> tuple[datetime, date] | None:
    info = ZoneInfo(zone)
    candidates = [deadline for deadline in [promise_deadline_and_day(timeline, zone)] if deadline]
    moments = [shipped_at]
    if timeline.status in {Status.CANCELLED, Status.REJECTED}:
        cancelled_at = timeline.milestone_reached_at(MilestoneCode.CANCELLED)
        moments.append(cancelled_at or timeline.status_since)
    candidates += [(m, m.astimezone(info).date()) for m in moments if m]
    return min(candidates, default=None)


def _wanted_quantities(
    timeline: Timeline, reading: Interpretation, events: Sequence[RecordedEvent], cut_off: datetime
) -> list[tuple[str, Decimal]]:
    """The key of each line and the quantity that the customer wanted at the cut-off."""
    relevant = [s for s in events if s.occurred_at <= cut_off and not is_seller_cancellation(s)]
    if timeline.status is Status.REJECTED or any(
        _cancels_entire_order(recorded) for recorded in relevant
    ):
        return []
    ledger = QuantityLedger(reading)
    for recorded in relevant:
        ledger.apply(recorded)
    wanted = {
        line.key: _ordered_at_cut_off(line, ledger)
        - _convert_to_line_unit(
            ledger.cancelled_not_already_in_ordered(line.key) or ZERO, line, reading
        )
        for line in timeline.lines
        if line.is_counted
    }
    return [(key, quantity) for key, quantity in wanted.items() if quantity > 0]


def _ordered_at_cut_off(line: TimelineLine, ledger: QuantityLedger) -> Decimal:
    """The quantity ordered at that time. Later reductions do not reduce the demand."""
    ordered = ledger.authoritative_quantity(line.key, Measure.ORDERED)
    if ordered is None:
        return line.quantity(Measure.ORDERED)
    return _convert_to_line_unit(ordered, line, ledger.interpretation)


def _cancels_entire_order(recorded: RecordedEvent) -> bool:
    """Whether an event cancels the whole order, not some quantities of it."""
    return (
        recorded.event.type is EventType.ORDER_CANCELLED
        and recorded.order_index >= 0
        and not any(Measure.CANCELLED in line.quantities for line in recorded.event.lines)
    )


def _reason_without_demand(timeline: Timeline) -> str:
    if not any(
        not line.unexpected and line.quantity(Measure.ORDERED) > 0 for line in timeline.lines
    ):
        return "no_lines"
    is_rejected = timeline.status is Status.REJECTED
    return "rejected" if is_rejected else "cancelled_before_cut_off"


def _excluded_demand_without_cut_off(
    timeline: Timeline, zone: str
) -> DemandAndFirstShippedAtCutOff | None:
    """Exclude an order that was neither promised nor shipped, on the day it was received."""
    received = timeline.milestone_reached_at(MilestoneCode.RECEIVED)
    if received is None:
        return None
    day = received.astimezone(ZoneInfo(zone)).date()
    has_lines = any(
        not line.unexpected and line.quantity(Measure.ORDERED) > 0 for line in timeline.lines
    )
    return DemandAndFirstShippedAtCutOff(day, excluded="no_cut_off" if has_lines else "no_lines")
