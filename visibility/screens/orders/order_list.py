"""The list of orders: filters, pages and rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from visibility.db.sorted_pages import SortOrder, load_sorted_rows
from visibility.formatting import end_of_promised_time, format_duration
from visibility.models import ACTIVE_ALERT_STATES, Alert, Order, OrderLine, Source
from visibility.screens.orders.suppress_conflicts_if_silent import unsuppressed_conflict_condition
from visibility.timeline.model import Status
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status_answer import STATE_LABELS, STATUS_LABELS

PAGE_SIZE = 50
DEFAULT_SORT = SortOrder(
    "last_event_at", ("last_event_at", "object_id"), (datetime, int)
).reversed()
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


# Quick views: query string and label.
QUICK_VIEWS = (
    ("late=1", "Past promise date"),
    ("undelivered=1", "Not yet delivered, oldest first"),
    ("status=released", "Released, not shipped"),
    ("status=on_hold&status=backordered", "On hold or back-ordered"),
    ("state=credit_review", "On credit hold"),
    ("state=stock_shortage", "Short on stock"),
    ("status=delivered", "Delivered, not invoiced"),
    ("state=returned&state=partially_returned&without=credited", "Returned, not credited"),
    ("state=conflict", "Systems disagree"),
)


@dataclass(frozen=True)
class OrderFilters:
    """The filters of the order list; unknown query parameters are ignored."""

    statuses: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    excluded_states: tuple[str, ...] = ()
    channel: str = ""
    warehouse: str = ""
    customer: str = ""
    customer_group: str = ""
    # The number of an item (SKU) as it is on the order lines.
    item: str = ""
    late: bool = False
    # Not yet delivered; the list is sorted by age, like the KPI on undelivered orders.
    undelivered: bool = False
    open_only: bool = False
    # Whether `customer` may match names; otherwise only customer numbers.
    by_name: bool = True
    chips: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def from_query(
        cls,
        query: Mapping[str, str],
        statuses: Sequence[str],
        *,
        states: Sequence[str] = (),
        without: Sequence[str] = (),
        by_name: bool = True,
    ) -> "OrderFilters":
        """Build the filters from a query string; unknown values are ignored."""
        valid_statuses = tuple(s for s in statuses if s in set(Status))
        states, without = (
            tuple(s for s in names if s in set(OrderState)) for names in (states, without)
        )
        filters = cls(
            valid_statuses,
            states,
            without,
            query.get("channel", ""),
            query.get("warehouse", ""),
            query.get("customer", ""),
            query.get("group", ""),
            query.get("item", "")[:250],
            query.get("late") == "1",
            query.get("undelivered") == "1",
            query.get("open") == "1",
            by_name,
        )
        chips = [(f"status={s}", STATUS_LABELS[Status(s)]) for s in valid_statuses]
        chips += [(f"state={s}", STATE_LABELS[OrderState(s)]) for s in states]
        chips += [(f"without={s}", f"Not {STATE_LABELS[OrderState(s)].lower()}") for s in without]
        chips += [
            (f"{name}={text}", f"{name.capitalize()}: {text}")
            for name, text in (
                ("channel", filters.channel),
                ("warehouse", filters.warehouse),
                ("customer", filters.customer),
                ("group", filters.customer_group),
                ("item", filters.item),
            )
            if text
        ]
        chips += [("late=1", "Past promise date")] if filters.late else []
        chips += [("undelivered=1", "Not yet delivered")] if filters.undelivered else []
        chips += [("open=1", "Open")] if filters.open_only else []
        return replace(filters, chips=tuple(chips))


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


def list_orders(
    filters: OrderFilters, *, now: datetime, sort: SortOrder | None = None, after: str = ""
) -> tuple[list[OrderRow], str]:
    """One page of orders and the cursor of the next page; two statements, on last pages three.

    By default most recently updated first; with the filter `undelivered`, oldest first. A cursor
    of another order is the first page.
    """
    order = sort or (OLDEST_FIRST if filters.undelivered else DEFAULT_SORT)
    orders = annotate_source_title(Order.objects.filter(filter_conditions(filters, now)))
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
    """The orders with the title of the source that reported the last event."""
    titles = Source.objects.filter(slug=OuterRef("last_source")).values("title")
    return orders.annotate(source_title=Subquery(titles))


def order_rows(orders: Sequence[Any], now: datetime) -> list[OrderRow]:
    """The rows of orders with source titles; runs one statement."""
    alerts = Counter(
        Alert.objects.filter(
            order_id__in=[o.pk for o in orders], state__in=ACTIVE_ALERT_STATES
        ).values_list("order_id", flat=True)
    )
    return [
        OrderRow(
            order=o,
            title=STATUS_LABELS[Status(o.status)],
            tone=STATUS_TONES[o.status],
            alerts=alerts[o.pk],
            late_days=_days_late(o, now),
            source=o.source_title or o.last_source,
            slack_text=_slack_text(o, now),
        )
        for o in orders
    ]


def count_orders_with_conflict(now: datetime) -> int:
    """The number of orders with an open discrepancy."""
    return Order.objects.filter(unsuppressed_conflict_condition(now=now)).count()


def filter_conditions(filters: OrderFilters, now: datetime) -> Q:
    """The filters as a database condition."""
    conditions = Q(last_event_at__isnull=False)
    if filters.statuses:
        conditions &= Q(status__in=filters.statuses)
    if filters.states:
        conditions &= _any_state_condition(filters.states, now)
    if filters.excluded_states:
        conditions &= ~_any_state_condition(filters.excluded_states, now)
    for name in ("channel", "warehouse", "customer_group"):
        if getattr(filters, name):
            conditions &= Q(**{name: getattr(filters, name)})
    if filters.customer:
        named = Q(customer_name=filters.customer) if filters.by_name else Q()
        conditions &= Q(customer_no=filters.customer) | named
    if filters.item:
        line = OrderLine.objects.filter(order_id=OuterRef("pk"), sku=filters.item)
        conditions &= Q(Exists(line))
    if filters.late:
        conditions &= Q(promised_at__lt=now, delivered_at__isnull=True, is_open=True)
    if filters.undelivered:
        conditions &= Q(is_open=True, delivered_at__isnull=True, ordered_at__isnull=False)
    if filters.open_only:
        conditions &= Q(is_open=True)
    return conditions


def _any_state_condition(states: Sequence[str], now: datetime) -> Q:
    others = Q(states__overlap=[s for s in states if s != OrderState.CONFLICT])
    return (
        others | unsuppressed_conflict_condition(now=now)
        if OrderState.CONFLICT in states
        else others
    )


def _days_late(order: Order, now: datetime) -> int:
    if not order.promised_at or order.status in {Status.CANCELLED, Status.REJECTED}:
        return 0
    return max(((order.delivered_at or now) - order.promised_at).days, 0)


def _slack_text(order: Order, now: datetime) -> str:
    """The time until the promise, or how late the order is or was delivered."""
    if not order.promised_at or order.status in {Status.CANCELLED, Status.REJECTED}:
        return ""
    promised = end_of_promised_time(order.promised_at, settings.TIME_ZONE)
    slack = promised - (order.delivered_at or now)
    if slack.total_seconds() < 0:
        return f"{format_duration(slack)} late"
    return f"{format_duration(slack)} {'early' if order.delivered_at else 'left'}"
