"""The list of orders: its columns and sort orders, for the page, the exports and the API."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder
from visibility.formatting import local_or_bare_utc_date, sales_channel_label
from visibility.models import Order
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import ListColumn, ListDefinition, Viewer
from visibility.screens.lists.list_filters import YES
from visibility.screens.orders.order_filter_values import load_filter_values
from visibility.screens.orders.order_filters import ORDER_FILTERS, order_condition
from visibility.screens.orders.order_list import (
    DEFAULT_SORT,
    MOST_URGENT_FIRST,
    OLDEST_FIRST,
    OrderRow,
    annotate_source_title,
    order_rows,
)
from visibility.screens.orders.progress_steps import STEPS
from visibility.storage.organization import organization_time_zone


def _customer(row: OrderRow, viewer: Viewer) -> str:
    name = row.order.customer_name if viewer.may(Permission.CONTACTS) else ""
    return name or row.order.customer_no


def _promise_day(row: OrderRow, _: Viewer) -> date | None:
    at = row.order.promised_at
    return local_or_bare_utc_date(at, organization_time_zone()) if at else None


def _order_day(row: OrderRow, _: Viewer) -> date | None:
    at = row.order.ordered_at
    return local_or_bare_utc_date(at, organization_time_zone()) if at else None


def _total(row: OrderRow, _: Viewer) -> Decimal | None:
    return row.order.total


def _sort(code: str, kind: type, *, nullable: bool = False, descending: bool = False) -> SortOrder:
    order = SortOrder(code, (code, "object_id"), (kind, int), nullable)
    return order.reversed() if descending else order


STATUS_SORT = SortOrder("status", ("status", "-last_event_at", "-object_id"), (str, datetime, int))
# Each sort order has an index: see the migration `list_views`.
ORDER_COLUMNS = (
    ListColumn(
        "number",
        "Order",
        lambda row, _: row.order.number,
        _sort("number", str),
        is_default=True,
        template="orders/cells/number.html",
    ),
    ListColumn(
        "customer_po",
        "Customer PO",
        lambda row, _: row.order.customer_po,
        is_default=True,
        template="orders/cells/customer_po.html",
    ),
    ListColumn(
        "customer",
        "Customer",
        _customer,
        SortOrder("customer", ("customer_name", "object_id"), (str, int)),
        is_default=True,
        sort_permission=Permission.CONTACTS,
        template="orders/cells/customer.html",
    ),
    ListColumn(
        "status",
        "Order status",
        lambda row, _: row.title,
        STATUS_SORT,
        is_default=True,
        template="orders/cells/status.html",
    ),
    ListColumn(
        "progress",
        "Progress",
        lambda row, _: f"{row.step} of {len(STEPS)}" if row.step else "",
        is_default=True,
        template="orders/cells/progress.html",
    ),
    ListColumn(
        "promised_at",
        "Promise date",
        _promise_day,
        _sort("promised_at", datetime, nullable=True),
        is_default=True,
        template="orders/cells/promised_at.html",
    ),
    ListColumn(
        "slack",
        "Time left",
        lambda row, _: row.slack_text,
        MOST_URGENT_FIRST,
        is_default=True,
        is_number=True,
        template="orders/cells/slack.html",
    ),
    ListColumn(
        "next_step",
        "Next",
        lambda row, _: row.order.next_step,
        is_default=True,
        template="orders/cells/next_step.html",
    ),
    ListColumn(
        "total",
        "Order value",
        _total,
        _sort("total", Decimal, nullable=True, descending=True),
        is_default=True,
        is_number=True,
        permission=Permission.PRICES,
        template="orders/cells/total.html",
    ),
    ListColumn(
        "currency", "Currency", lambda row, _: row.order.currency, permission=Permission.PRICES
    ),
    ListColumn(
        "last_event_at",
        "Last update",
        lambda row, _: row.order.last_event_at,
        DEFAULT_SORT,
        is_default=True,
        template="orders/cells/last_event_at.html",
    ),
    ListColumn(
        "ordered_at",
        "Order date",
        _order_day,
        _sort("ordered_at", datetime, nullable=True, descending=True),
    ),
    ListColumn("customer_no", "Customer number", lambda row, _: row.order.customer_no),
    ListColumn("channel", "Channel", lambda row, _: sales_channel_label(row.order.channel)),
    ListColumn("warehouse", "Warehouse", lambda row, _: row.order.warehouse),
    ListColumn("carrier", "Carrier", lambda row, _: row.order.carrier),
    ListColumn("lines", "Lines", lambda row, _: row.order.line_count, is_number=True),
    ListColumn("alerts", "Open alerts", lambda row, _: row.alerts, is_number=True),
    ListColumn(
        "discrepancies", "Discrepancies", lambda row, _: row.order.conflict_count, is_number=True
    ),
    ListColumn("source", "Last update from", lambda row, _: row.source),
)


class OrderListDefinition(ListDefinition):
    """All orders with at least one event."""

    code = "orders"
    title = "Orders"
    url = "/orders"
    nouns = ("order", "orders")
    permission = Permission.ORDERS
    columns = ORDER_COLUMNS
    fixed_column = "number"
    filters = ORDER_FILTERS
    parameters = frozenset(ORDER_FILTERS)
    sort_texts: ClassVar = {
        "-last_event_at": "most recently updated first",
        "ordered_at": "oldest first",
        "slack": "most urgent first",
        "-slack": "least urgent first",
    }

    def export_refusal(self, viewer: Viewer) -> str:
        """Integrators look up orders by number, and see no list of all of them."""
        if not viewer.sources_only:
            return ""
        return "Your role can only search orders by number, not export the list of orders."

    def default_sort(self, query: QueryDict) -> SortOrder:
        """Most urgent first in the views of open orders; else most recently updated first.

        Orders that are not yet delivered, oldest first, like the KPI that counts them.
        """
        if query.get("undelivered") == YES:
            return OLDEST_FIRST
        of_open = ("open", "late", "due_today", "at_risk", "unknown")
        is_urgency = "cutoff" in query or any(query.get(name) == YES for name in of_open)
        return MOST_URGENT_FIRST if is_urgency else DEFAULT_SORT

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The channels, warehouses, customers and so on of the latest orders; one statement."""
        return load_filter_values(self.filters, viewer_sees_names=viewer.may(Permission.CONTACTS))

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The orders with the title of the source of the last update."""
        condition = order_condition(self.applied_filters(query, viewer), now)
        rows: QuerySet[Any] = annotate_source_title(Order.objects.filter(condition))
        return rows

    def rows_of_objects(self, objects: Sequence[Any], viewer: Viewer, now: datetime) -> list[Any]:
        """The rows; one statement counts their alerts."""
        return order_rows(objects, now)


ORDER_LIST = OrderListDefinition()
