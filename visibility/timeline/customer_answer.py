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
from visibility.timeline.shipping_progress import is_complete, progress_text
from visibility.timeline.state_and_flag_enums import OrderState

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
SHIPPED = Measure.SHIPPED
# So many tracking numbers are listed; the other packages are only counted.
MAX_TRACKING_NUMBERS = 10
SHIPPING_STATUSES = frozenset(
    {Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED}
)
ENDED_STATUSES = frozenset({Status.CANCELLED, Status.REJECTED, Status.RETURNED, Status.CREDITED})


def customer_answer(
    timeline: Timeline, *, shortages: Sequence[str], days_late: int, zone: str
) -> str:
    """The answer as text. `shortages`: the clauses about back-orders and cancellations."""
    sentences = ["; ".join([customer_status_sentence(timeline, zone), *shortages])]
    if timeline.status not in ENDED_STATUSES and not is_on_its_way_back(timeline):
        sentences += _delivery_sentences(timeline, days_late, zone)
        packages = _tracking_numbers(timeline)
        if packages:
            more = len(packages) - MAX_TRACKING_NUMBERS
            listed = ", ".join(packages[:MAX_TRACKING_NUMBERS])
            others = f" and {count_with_noun(more, 'more package')}" if more > 0 else ""
            sentences.append(f"Tracking: {listed}{others}")
    number = _order_number_for_customer(timeline)
    return (f"Order {number}: " if number else "") + ". ".join(sentences) + "."


def _delivery_sentences(timeline: Timeline, days_late: int, zone: str) -> list[str]:
    """When the carrier expects to deliver, and the promise date."""
    sentences = []
    delivered = timeline.milestone_completed_at(MilestoneCode.DELIVERED)
    estimates = [
        s.eta
        for s in timeline.shipments
        if s.eta and s.eta >= timeline.as_of and not (s.voided_at or s.delivered_at)
    ]
    if estimates and not delivered:
        expected = format_date_in_zone(max(estimates), zone)
        sentences.append(f"The carrier expects to deliver on {expected}")
    promised = parse_timestamp_or_none(timeline.attributes.get(Attribute.PROMISED_AT))
    if promised:
        verb = "was promised" if days_late or delivered else "is promised"
        is_late = "was" if delivered else "is"
        late = f" and {is_late} {count_with_noun(days_late, 'day')} late" if days_late else ""
        sentences.append(f"Delivery {verb} for {format_date_in_zone(promised, zone)}{late}")
    return sentences


def _tracking_numbers(timeline: Timeline) -> list[str]:
    numbers = (
        f"{shipment.carrier} {package.tracking}".strip()
        for shipment in timeline.shipments
        if not shipment.voided_at
        for package in shipment.packages
        if package.tracking
    )
    return list(dict.fromkeys(numbers))


def customer_status_sentence(timeline: Timeline, zone: str) -> str:
    """The status of the order in words for its customer, without a period."""
    title = CUSTOMER_LABELS[timeline.status]
    if is_shipped_quantity_unknown(timeline):
        verb = "delivered" if timeline.status is Status.PARTIALLY_DELIVERED else "shipped"
        return f"Your order has been {verb} in part or in full"
    if timeline.status in SHIPPING_STATUSES:
        return _shipping_sentence(timeline, title, zone)
    if timeline.status is Status.RETURNED and any(s.returned_at for s in timeline.shipments):
        return "Your order could not be delivered and was returned to us"
    delivered_at = timeline.milestone_completed_at(MilestoneCode.DELIVERED)
    if delivered_at and timeline.status in {Status.DELIVERED, Status.COMPLETED}:
        return f"Your order was delivered on {format_date_in_zone(delivered_at, zone)}"
    return title


def _shipping_sentence(timeline: Timeline, title: str, zone: str) -> str:
    """What was shipped or delivered, how much of it, and when it was last shipped."""
    if is_on_its_way_back(timeline):
        return "Your order could not be delivered and is on its way back to us"
    if timeline.status is Status.PARTIALLY_DELIVERED:
        progress = progress_text(timeline, Measure.DELIVERED)
        title += f": {progress}" if progress else ""
        return f"{title}; the rest is on its way" if is_complete(timeline, SHIPPED) else title
    dates = {
        format_date_in_zone(s.shipped_at, zone): s.shipped_at
        for s in timeline.shipments
        if s.shipped_at and not s.voided_at
    }
    last = max(dates, key=lambda day: dates[day], default="")
    if timeline.status is Status.SHIPPED or is_complete(timeline, SHIPPED):
        recently = f", most recently on {last}" if len(dates) > 1 else ""
        return f"Your order was shipped on {last}" if len(dates) == 1 else f"{title}{recently}"
    progress = progress_text(timeline, SHIPPED)
    title += f": {progress}" if progress else ""
    return f"{title}, {'most recently ' if len(dates) > 1 else ''}on {last}" if last else title


def is_on_its_way_back(timeline: Timeline) -> bool:
    """Whether all that was shipped and not delivered is returning to the sender."""
    under_way = [
        s for s in timeline.shipments if s.shipped_at and not (s.voided_at or s.delivered_at)
    ]
    is_shipped = timeline.status is Status.SHIPPED and bool(under_way)
    return is_shipped and all(s.returned_at or s.status == "returned" for s in under_way)


def is_shipped_quantity_unknown(timeline: Timeline) -> bool:
    """Whether a shipment cannot be counted, and nothing that can be counted is open."""
    has_open_line = any(
        line.is_counted and line.quantity(Measure.SHIPPED) < line.net_ordered_quantity
        for line in timeline.lines
    )
    has_uncountable_line = any(line.uncountable for line in timeline.lines)
    is_partial = (
        timeline.status in SHIPPING_STATUSES and OrderState.PARTIALLY_SHIPPED in timeline.states
    )
    return is_partial and has_uncountable_line and not has_open_line


def _order_number_for_customer(timeline: Timeline) -> str:
    """The customer's PO number, or else the number on their order confirmation."""
    return timeline.first_number_of_schemes(
        IdentifierScheme.CUSTOMER_PO,
        IdentifierScheme.WEB_ORDER,
        IdentifierScheme.SALES_ORDER,
        IdentifierScheme.ORDER_NUMBER,
    )
