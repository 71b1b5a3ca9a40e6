"""The list of orders: filters, pages and rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from visibility.db.sorted_pages import SortOrder, load_sorted_rows
from visibility.models import ACTIVE_ALERT_STATES, Alert, Order, Source
from visibility.models.orders import URGENCY
from visibility.screens.lists.list_filters import AppliedFilters
from visibility.screens.orders.at_risk_sentences import load_at_risk_sentences
from visibility.screens.orders.order_filters import order_condition
from visibility.screens.orders.progress_steps import furthest_steps
from visibility.screens.orders.promise_time import days_late, slack_text_and_tone
from visibility.screens.orders.suppress_conflicts_if_silent import unsuppressed_conflict_condition
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS

PAGE_SIZE = 50
DEFAULT_SORT = SortOrder(
    "last_event_at", ("last_event_at", "object_id"), (datetime, int)
).reversed()
# Orders that are still to be delivered by their promise, earliest first; then all others.
MOST_URGENT_FIRST = SortOrder(
    "slack", ("settled", "promise_or_never", "object_id"), (int, datetime, int)
)
OLDEST_FIRST = SortOrder(
    "ordered_at", ("ordered_at", "object_id"), (datetime, int), is_first_nullable=True
)
STATUS_TONES: Mapping[str, str] = {
    Status.UNKNOWN: "unknown",
    Status.RECEIVED: "running",
    Status.ACCEPTED: "running",
    Status.REJECTED: "late",
    Status.ON_HOLD: "waiting",
    Status.RELEASED: "running",
    Status.ALLOCATED: "running",
    Status.BACKORDERED: "waiting",
    Status.PICKED: "running",
    Status.PACKED: "running",
    Status.PARTIALLY_SHIPPED: "risk",
    Status.SHIPPED: "running",
    Status.PARTIALLY_DELIVERED: "risk",
    Status.DELIVERED: "ok",
    Status.COMPLETED: "ok",
    Status.RETURNED: "waiting",
    Status.CREDITED: "ok",
    Status.CANCELLED: "unknown",
}


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order of the list."""

    order: Order
    title: str
    tone: str
    alerts: int
    late_days: int
    # The title of the source that reported the last event.
    source: str
    # `6 h left`, `2 d 4 h late`; empty if there is no promise or nothing more to deliver.
    slack_text: str
    slack_tone: str = ""
    # Why the order is at risk, the most urgent fact first; empty if it is not.
    risks: tuple[str, ...] = ()
    # How many of the eight milestones up to the invoice have been reached, counted to the last one.
    step: int = 0


def list_orders(
    filters: AppliedFilters, *, now: datetime, sort: SortOrder | None = None, after: str = ""
) -> tuple[list[OrderRow], str]:
    """One page of orders and the cursor of the next page; five statements, on last pages six.

    By default most recently updated first; with the filter `undelivered`, oldest first. A cursor
    of another order is the first page.
    """
    order = sort or (OLDEST_FIRST if "undelivered" in filters.values else DEFAULT_SORT)
    orders = annotate_source_title(Order.objects.filter(order_condition(filters, now)))
    page = load_sorted_rows(
        orders, order, limit=PAGE_SIZE + 1, after=order.sort_key_or_none_from_cursor(after)
    )
    more = len(page) > PAGE_SIZE
    rows = order_rows(page[:PAGE_SIZE], now)
    return rows, order.cursor_after(page[PAGE_SIZE - 1]) if more else ""


def list_orders_with_ids(order_ids: Sequence[int], *, now: datetime) -> list[OrderRow]:
    """These orders: an open page shows rows that have left its list."""
    orders = Order.objects.filter(pk__in=order_ids[:PAGE_SIZE], last_event_at__isnull=False)
    return order_rows(list(annotate_source_title(orders)), now)


def annotate_source_title(orders: QuerySet[Order]) -> Any:
    """The orders with the title of the source of the last event, and the keys of the urgency."""
    titles = Source.objects.filter(slug=OuterRef("last_source")).values("title")
    return orders.annotate(source_title=Subquery(titles), **URGENCY)


def order_rows(orders: Sequence[Any], now: datetime) -> list[OrderRow]:
    """The rows of orders with source titles; runs four statements."""
    alerts = Counter(
        Alert.objects.filter(
            order_id__in=[o.pk for o in orders], state__in=ACTIVE_ALERT_STATES
        ).values_list("order_id", flat=True)
    )
    steps = furthest_steps([o.pk for o in orders])
    risks = load_at_risk_sentences([o.pk for o in orders], now)
    rows = []
    for o in orders:
        slack_text, slack_tone = slack_text_and_tone(o, now)
        rows.append(
            OrderRow(
                order=o,
                title=STATUS_LABELS[Status(o.status)],
                tone="late" if slack_tone == "late" else STATUS_TONES[o.status],
                alerts=alerts[o.pk],
                late_days=days_late(o, now),
                source=o.source_title or o.last_source,
                slack_text=slack_text,
                slack_tone=slack_tone,
                risks=risks.get(o.pk, ()),
                step=steps.get(o.pk, 0),
            )
        )
    return rows


def count_orders_with_conflict(now: datetime) -> int:
    """The number of orders with an open discrepancy."""
    return Order.objects.filter(unsuppressed_conflict_condition(now=now)).count()
