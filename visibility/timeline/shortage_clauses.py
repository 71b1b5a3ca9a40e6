"""The clauses of an answer about back-orders, short stock and cancelled quantities."""

from datetime import datetime
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Attribute, EventType, Measure
from visibility.formatting import count_with_noun, format_date_in_zone
from visibility.timeline.active_cancellations_and_cause import is_caused_by_shortage
from visibility.timeline.customer_answer import SHIPPING_STATUSES
from visibility.timeline.model import Status, Timeline, parse_timestamp_or_none
from visibility.timeline.shipping_progress import progress_text
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status import is_backordered


def expected_stock_date(timeline: Timeline) -> datetime | None:
    """The latest expected date of the missing stock."""
    shortages = [
        entry.recorded.event.attributes
        for entry in timeline.entries
        if not entry.superseded
        and entry.recorded.event.type in {EventType.LINE_BACKORDERED, EventType.LINE_SHORTED}
    ]
    dates = [a.get(Attribute.ETA) or a.get(Attribute.SHIP_BY) for a in shortages]
    return parse_timestamp_or_none(next((text for text in reversed(dates) if text), None))


def shortage_clauses(timeline: Timeline, zone: str) -> list[str]:
    """Which lines are back-ordered or short, and the quantity cancelled, with its cause."""
    lines = [line for line in timeline.lines if is_backordered(line)]
    cancelled = sum(
        (line.quantity(Measure.CANCELLED) for line in timeline.lines if line.is_counted),
        Decimal(0),
    )
    clauses = []
    if lines:
        # After "8 of 12 lines shipped" the noun is not repeated.
        progress = progress_text(timeline, Measure.SHIPPED)
        has_noun = timeline.status in SHIPPING_STATUSES and "line" in progress
        amount = str(len(lines)) if has_noun else count_with_noun(len(lines), "line")
        expected_at = expected_stock_date(timeline)
        when = f", expected {format_date_in_zone(expected_at, zone)}" if expected_at else ""
        clauses.append(f"{amount} back-ordered{when}")
    elif OrderState.STOCK_SHORTAGE in timeline.states:
        clauses.append("short on stock")
    if cancelled and timeline.status is not Status.CANCELLED:
        is_short = OrderState.SHORT_CANCELLED in timeline.states
        why = f" {why_seller_cancelled(timeline)}" if is_short else ""
        clauses.append(f"{format_decimal(cancelled)} cancelled{why}")
    return clauses


def customer_shortage_clauses(timeline: Timeline, zone: str) -> list[str]:
    """The same for customers: whole lines, and no cause."""
    lines = [line for line in timeline.lines if line.is_counted]
    backordered = [line for line in lines if is_backordered(line)]
    clauses = []
    if backordered:
        expected_at = expected_stock_date(timeline)
        if expected_at is not None and expected_at < timeline.as_of:
            expected_at = None
        when = f", expected {format_date_in_zone(expected_at, zone)}" if expected_at else ""
        clauses.append(f"{count_with_noun(len(backordered), 'line')} back-ordered{when}")
    if timeline.status is not Status.CANCELLED:
        reduced = [line for line in lines if line.quantity(Measure.CANCELLED) > 0]
        entire = sum(not line.net_ordered_quantity for line in reduced)
        incomplete = len(reduced) - entire
        if entire:
            clauses.append(f"{count_with_noun(entire, 'line')} cancelled")
        if incomplete:
            clauses.append(f"{count_with_noun(incomplete, 'line')} cancelled in part")
    return clauses


def why_seller_cancelled(timeline: Timeline) -> str:
    """Why, or else by whom, the seller's cancellation was: `(out of stock)`, `by the seller`."""
    in_force = [entry.recorded for entry in timeline.entries if not entry.superseded]
    if any(is_caused_by_shortage(recorded) for recorded in in_force):
        return "(out of stock)"
    is_rejected = any(s.event.type is EventType.LINE_SHORTED for s in in_force)
    return "by the seller" if is_rejected else "by the warehouse"
