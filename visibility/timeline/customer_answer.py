"""The answer for a customer: no system's name, no reason of ours, no price."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from connectors.sdk.events import Attribute, Measure
from visibility.timeline.days import count, day_of, said
from visibility.timeline.model import MilestoneCode, Status, Timeline, moment

PREPARED = "Your order is being prepared"
TITLES = {
    Status.UNKNOWN: "We are looking into your order",
    Status.RECEIVED: "We have received your order",
    Status.ACCEPTED: "We have accepted your order",
    Status.REJECTED: "We could not accept your order",
    Status.HELD: "Your order is being checked",
    Status.RELEASED: PREPARED,
    Status.ALLOCATED: PREPARED,
    Status.BACKORDERED: "Your order is waiting for stock",
    Status.PICKED: PREPARED,
    Status.PACKED: PREPARED,
    Status.PARTIALLY_SHIPPED: "Part of your order has been shipped",
    Status.SHIPPED: "Your order has been shipped",
    Status.PARTIALLY_DELIVERED: "Part of your order has been delivered",
    Status.DELIVERED: "Your order has been delivered",
    Status.COMPLETED: "Your order has been delivered",
    Status.RETURNED: "Your return has arrived",
    Status.CREDITED: "Your return has been credited",
    Status.CANCELLED: "Your order has been cancelled",
}
ON_THE_WAY = frozenset({Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED})
ENDED = frozenset({Status.CANCELLED, Status.REJECTED, Status.RETURNED, Status.CREDITED})


def for_customer(timeline: Timeline, *, waiting: Sequence[str], late: int, info: ZoneInfo) -> str:
    """`waiting`: the clauses about stock and cancellations; `late`: days."""
    parts = ["; ".join([_opening(timeline, info), *waiting])]
    promised = moment(timeline.attributes.get(Attribute.PROMISED_AT))
    if promised and timeline.status not in ENDED:
        done = timeline.completed(MilestoneCode.DELIVERED)
        verb = "was promised" if done or late else "is promised"
        behind = f", {count(late, 'day')} late" if late else ""
        parts.append(f"Delivery {verb} for {said(day_of(promised, info))}{behind}")
    parcels = [
        f"{shipment.carrier} {package.tracking}".strip()
        for shipment in timeline.shipments
        if not shipment.voided_at
        for package in shipment.packages
        if package.tracking
    ]
    if parcels and timeline.status not in ENDED:
        parts.append(f"Tracking: {', '.join(dict.fromkeys(parcels))}")
    number = _number(timeline)
    return (f"Order {number}: " if number else "") + ". ".join(parts) + "."


def _opening(timeline: Timeline, info: ZoneInfo) -> str:
    title = TITLES[timeline.status]
    lines = [line for line in timeline.lines if line.counted and line.due]
    if timeline.status in ON_THE_WAY and lines:
        gone = sum(line.get(Measure.SHIPPED) >= line.due for line in lines)
        title += f": {gone} of {count(len(lines), 'line')}"
        sent = [s.shipped_at for s in timeline.shipments if s.shipped_at and not s.voided_at]
        return title + (f", last on {said(day_of(max(sent), info))}" if sent else "")
    done = timeline.completed(MilestoneCode.DELIVERED)
    if done and timeline.status in {Status.DELIVERED, Status.COMPLETED}:
        return f"{title} on {said(day_of(done, info))}"
    return title


def _number(timeline: Timeline) -> str:
    """The customer's own number, else the one on their papers."""
    for scheme in ("customer_po", "web_order", "sales_order", "order_number"):
        found = sorted(v for k, v in timeline.numbers.items() if k.startswith(f"{scheme}:"))
        if found:
            return found[0]
    return ""
