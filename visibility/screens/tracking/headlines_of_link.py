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
    """The headline of each order on a line of its own."""
    return "\n".join(f"{order_label(order)}: {order.headline.text}" for order in orders)


def order_label(order: TrackedOrder) -> str:
    """`PO 4711`, or `Order SO-1` without a PO."""
    return f"PO {order.po}" if order.po else f"Order {order.number}"
