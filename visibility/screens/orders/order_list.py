"""The list of orders: filters, pages and rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from visibility.db.sorted_pages import SortOrder, load_sorted_rows
from visibility.models import ACTIVE_ALERT_STATES, Alert, Order, OrderLine, Shipment, Source
from visibility.models.orders import URGENCY
from visibility.screens.orders.at_risk_and_unknown import (
    at_risk_today_condition,
    load_unknown_status_condition,
)
from visibility.screens.orders.cutoff_orders import CutoffFilter
from visibility.screens.orders.progress_steps import furthest_steps
from visibility.screens.orders.promise_time import (
    days_late,
    due_today_condition,
    past_promise_condition,
    slack_text_and_tone,
)
from visibility.screens.orders.suppress_conflicts_if_silent import unsuppressed_conflict_condition
from visibility.timeline.model import Status
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status_answer import STATE_LABELS, STATUS_LABELS

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

# Filters that are on or off: the parameter, with the value 1, the field and the label.
SWITCHES: Mapping[str, tuple[str, str]] = {
    "late": ("late", "Past promise date"),
    "undelivered": ("undelivered", "Not yet delivered"),
    "open": ("open_only", "Open"),
    "due_today": ("due_today", "Due today"),
    "no_scan": ("unscanned", "Shipped, no scan"),
    "alert": ("with_alert", "With an open alert"),
    "at_risk": ("at_risk", "At risk today"),
    "unknown": ("unknown", "Status unknown"),
}


@dataclass(frozen=True)
class OrderFilters:
    """The filters of the order list; unknown query parameters are ignored."""

    statuses: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    excluded_states: tuple[str, ...] = ()
    channel: str = ""
    warehouse: str = ""
    carrier: str = ""
    customer: str = ""
    customer_group: str = ""
    # The number of an item (SKU) as it is on the order lines.
    item: str = ""
    late: bool = False
    # Not yet delivered; the list is sorted by age, like the KPI on undelivered orders.
    undelivered: bool = False
    open_only: bool = False
    # At risk today, and of unknown status: see `at_risk_and_unknown.py`.
    at_risk: bool = False
    unknown: bool = False
    # Open, not yet delivered, promised for today and not past the promise.
    due_today: bool = False
    # Open, with a shipment that left with a tracking number and that no carrier has scanned.
    unscanned: bool = False
    with_alert: bool = False
    cutoff: CutoffFilter | None = None
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
            channel=query.get("channel", ""),
            warehouse=query.get("warehouse", ""),
            carrier=query.get("carrier", ""),
            customer=query.get("customer", ""),
            customer_group=query.get("group", ""),
            item=query.get("item", "")[:250],
            late=query.get("late") == "1",
            undelivered=query.get("undelivered") == "1",
            open_only=query.get("open") == "1",
            due_today=query.get("due_today") == "1",
            unscanned=query.get("no_scan") == "1",
            with_alert=query.get("alert") == "1",
            at_risk=query.get("at_risk") == "1",
            unknown=query.get("unknown") == "1",
            cutoff=CutoffFilter.from_text(query.get("cutoff", "")),
            by_name=by_name,
        )
        chips = [(f"status={s}", STATUS_LABELS[Status(s)]) for s in valid_statuses]
        chips += [(f"state={s}", STATE_LABELS[OrderState(s)]) for s in states]
        chips += [(f"without={s}", f"Not {STATE_LABELS[OrderState(s)].lower()}") for s in without]
        chips += [
            (f"{name}={text}", f"{name.capitalize()}: {text}")
            for name, text in (
                ("channel", filters.channel),
                ("warehouse", filters.warehouse),
                ("carrier", filters.carrier),
                ("customer", filters.customer),
                ("group", filters.customer_group),
                ("item", filters.item),
            )
            if text
        ]
        if filters.cutoff:
            chips.append((f"cutoff={query['cutoff']}", filters.cutoff.label))
        chips += [
            (f"{parameter}=1", label)
            for parameter, (name, label) in SWITCHES.items()
            if getattr(filters, name)
        ]
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
    slack_tone: str = ""
    # How many of the eight milestones up to the invoice have been reached, counted to the last one.
    step: int = 0


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
    """The orders with the title of the source of the last event, and the keys of the urgency."""
    titles = Source.objects.filter(slug=OuterRef("last_source")).values("title")
    return orders.annotate(source_title=Subquery(titles), **URGENCY)


def order_rows(orders: Sequence[Any], now: datetime) -> list[OrderRow]:
    """The rows of orders with source titles; runs two statements."""
    alerts = Counter(
        Alert.objects.filter(
            order_id__in=[o.pk for o in orders], state__in=ACTIVE_ALERT_STATES
        ).values_list("order_id", flat=True)
    )
    steps = furthest_steps([o.pk for o in orders])
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
                step=steps.get(o.pk, 0),
            )
        )
    return rows


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
    for name in ("channel", "warehouse", "carrier", "customer_group"):
        if getattr(filters, name):
            conditions &= Q(**{name: getattr(filters, name)})
    if filters.customer:
        named = Q(customer_name=filters.customer) if filters.by_name else Q()
        conditions &= Q(customer_no=filters.customer) | named
    if filters.item:
        line = OrderLine.objects.filter(order_id=OuterRef("pk"), sku=filters.item)
        conditions &= Q(Exists(line))
    if filters.late:
        conditions &= past_promise_condition(now)
    if filters.due_today:
        conditions &= due_today_condition(now)
    if filters.unscanned:
        shipment = Shipment.objects.filter(
            order_id=OuterRef("pk"),
            shipped_at__isnull=False,
            first_scan_at__isnull=True,
            delivered_at__isnull=True,
        ).exclude(tracking=[])
        conditions &= Q(Exists(shipment), is_open=True)
    if filters.with_alert:
        alert = Alert.objects.filter(order_id=OuterRef("pk"), state__in=ACTIVE_ALERT_STATES)
        conditions &= Q(Exists(alert))
    if filters.undelivered:
        conditions &= Q(is_open=True, delivered_at__isnull=True, ordered_at__isnull=False)
    if filters.open_only:
        conditions &= Q(is_open=True)
    if filters.at_risk:
        conditions &= at_risk_today_condition(now)
    if filters.cutoff:
        conditions &= filters.cutoff.condition(now)
    if filters.unknown:
        conditions &= load_unknown_status_condition(now)
    return conditions


def _any_state_condition(states: Sequence[str], now: datetime) -> Q:
    others = Q(states__overlap=[s for s in states if s != OrderState.CONFLICT])
    return (
        others | unsuppressed_conflict_condition(now=now)
        if OrderState.CONFLICT in states
        else others
    )
