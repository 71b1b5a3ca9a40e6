"""The orders of a tracking link as its page and its emails show them."""

from collections.abc import Sequence
from datetime import datetime

from visibility.screens.orders.source_reports import load_source_reports
from visibility.screens.tracking.customer_page import TrackedOrder, tracked_order
from visibility.screens.tracking.orders_of_link import OrdersOfLink
from visibility.storage.order_folding import load_and_fold_orders
from visibility.storage.organization import organization_time_zone


def load_tracked_orders(of_link: OrdersOfLink, now: datetime) -> list[TrackedOrder]:
    """What the page shows of each order, in its order."""
    zone = organization_time_zone()
    timelines = load_and_fold_orders([row.pk for row in of_link.shown], as_of=now)
    reports = load_source_reports(now)
    return [tracked_order(timelines[row.pk], reports, zone=zone) for row in of_link.shown]


def headline_text(orders: Sequence[TrackedOrder]) -> str:
    """The headline of each order on a line of its own; several orders can have the same PO."""
    has_several = len(orders) > 1
    lines = (
        f"{order_label(order, with_number=has_several)}: {order.headline.text}" for order in orders
    )
    return "\n".join(lines)


def order_label(order: TrackedOrder, *, with_number: bool) -> str:
    """`PO 4711`, or `PO 4711, order SO-1`; `Order SO-1` without a PO."""
    if not order.po:
        return f"Order {order.number}"
    return f"PO {order.po}, order {order.number}" if with_number else f"PO {order.po}"


def new_lines(headline: str, known: str) -> list[str]:
    """The lines of a headline that the known one lacks: an order can leave the page."""
    known_lines = set(known.splitlines())
    return [line for line in headline.splitlines() if line not in known_lines]
