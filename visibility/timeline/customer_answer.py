"""The answer for a customer, without system names, internal reasons and prices."""

from collections.abc import Sequence

from connectors.sdk.events import Attribute, IdentifierScheme, Measure
from visibility.formatting import count_with_noun, format_date_in_zone
from visibility.timeline.model import (
    MilestoneCode,
    Status,
    Timeline,
    parse_timestamp_or_none,
)

BEING_PREPARED = "Your order is being prepared"
CUSTOMER_LABELS = {
    Status.UNKNOWN: "We are looking into your order",
    Status.RECEIVED: "We have received your order",
    Status.ACCEPTED: "We have accepted your order",
    Status.REJECTED: "We could not accept your order",
    Status.ON_HOLD: "Your order is being checked",
    Status.RELEASED: BEING_PREPARED,
    Status.ALLOCATED: BEING_PREPARED,
    Status.BACKORDERED: "Your order is waiting for stock",
    Status.PICKED: BEING_PREPARED,
    Status.PACKED: BEING_PREPARED,
    Status.PARTIALLY_SHIPPED: "Part of your order has been shipped",
    Status.SHIPPED: "Your order has been shipped",
    Status.PARTIALLY_DELIVERED: "Part of your order has been delivered",
    Status.DELIVERED: "Your order has been delivered",
    Status.COMPLETED: "Your order has been delivered",
    Status.RETURNED: "Your return has arrived",
    Status.CREDITED: "Your return has been credited",
    Status.CANCELLED: "Your order has been cancelled",
}
SHIPPING_STATUSES = frozenset(
    {Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED}
)
ENDED_STATUSES = frozenset({Status.CANCELLED, Status.REJECTED, Status.RETURNED, Status.CREDITED})


def customer_answer(
    timeline: Timeline, *, shortages: Sequence[str], days_late: int, zone: str
) -> str:
    """The answer as text. `shortages`: the clauses about back-orders and cancellations."""
    sentences = ["; ".join([_status_sentence(timeline, zone), *shortages])]
    promised = parse_timestamp_or_none(timeline.attributes.get(Attribute.PROMISED_AT))
    if promised and timeline.status not in ENDED_STATUSES:
        is_past = days_late or timeline.milestone_completed_at(MilestoneCode.DELIVERED)
        verb = "was promised" if is_past else "is promised"
        late = f", {count_with_noun(days_late, 'day')} late" if days_late else ""
        sentences.append(f"Delivery {verb} for {format_date_in_zone(promised, zone)}{late}")
    packages = [
        f"{shipment.carrier} {package.tracking}".strip()
        for shipment in timeline.shipments
        if not shipment.voided_at
        for package in shipment.packages
        if package.tracking
    ]
    if packages and timeline.status not in ENDED_STATUSES:
        sentences.append(f"Tracking: {', '.join(dict.fromkeys(packages))}")
    number = _order_number_for_customer(timeline)
    return (f"Order {number}: " if number else "") + ". ".join(sentences) + "."


def _status_sentence(timeline: Timeline, zone: str) -> str:
    title = CUSTOMER_LABELS[timeline.status]
    if is_shipped_quantity_unknown(timeline):
        return "Your order has been shipped in part or in full"
    lines = [line for line in timeline.lines if line.is_counted and line.net_ordered_quantity]
    if timeline.status in SHIPPING_STATUSES and lines:
        complete = sum(
            line.quantity(Measure.SHIPPED) >= line.net_ordered_quantity for line in lines
        )
        title += f": {complete} of {count_with_noun(len(lines), 'line')}"
        dates = [s.shipped_at for s in timeline.shipments if s.shipped_at and not s.voided_at]
        if not dates:
            return title
        return f"{title}, most recently on {format_date_in_zone(max(dates), zone)}"
    if timeline.status is Status.RETURNED and any(s.returned_at for s in timeline.shipments):
        return "Your order could not be delivered and was returned to us"
    delivered_at = timeline.milestone_completed_at(MilestoneCode.DELIVERED)
    if delivered_at and timeline.status in {Status.DELIVERED, Status.COMPLETED}:
        return f"Your order was delivered on {format_date_in_zone(delivered_at, zone)}"
    return title


def is_shipped_quantity_unknown(timeline: Timeline) -> bool:
    """Whether a shipment cannot be counted, and nothing that can be counted is open."""
    has_open_line = any(
        line.is_counted and line.quantity(Measure.SHIPPED) < line.net_ordered_quantity
        for line in timeline.lines
    )
    has_uncountable_line = any(line.uncountable for line in timeline.lines)
    is_partial = timeline.status is Status.PARTIALLY_SHIPPED
    return is_partial and has_uncountable_line and not has_open_line


def _order_number_for_customer(timeline: Timeline) -> str:
    """The customer's PO number, or else the number on their order confirmation."""
    return timeline.first_number_of_schemes(
        IdentifierScheme.CUSTOMER_PO,
        IdentifierScheme.WEB_ORDER,
        IdentifierScheme.SALES_ORDER,
        IdentifierScheme.ORDER_NUMBER,
    )
