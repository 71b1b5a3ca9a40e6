"""The order list."""

from collections.abc import Iterator, Sequence

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import urlencode

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import sales_channel_label
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.lists.load_page_and_count import count_list
from visibility.screens.orders import order_list, order_views
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.list_page_context import build_list_tools, viewer_of_request
from visibility.web.pages import exports
from visibility.web.permissions import Permission, has_permission, require_permission

# Filters without a field in the form, which passes them on.
HIDDEN_FILTERS = (
    *("state", "without", "group", "sort"),
    *(name for name in order_list.SWITCHES if name != "alert"),
)
HEADLINE = ("late=1", "due_today=1")
CHIP_KEYS = {"status": "Status", "state": "State", "without": "Without", "group": "Customer group"}


@require_permission(Permission.ORDERS)
def order_list_view(request: HttpRequest) -> HttpResponseBase:
    """GET /orders."""
    query, now = request.GET, database_now()
    if "" in query.values():  # empty fields of the form
        return redirect(f"/orders?{_without_empty_values(request)}")
    viewer = viewer_of_request(request)
    filters = ORDER_LIST.filters(query, viewer)
    count = count_list(ORDER_LIST, query, viewer, now)
    tools = build_list_tools(request, ORDER_LIST, viewer=viewer, count=count)
    rows, cursor = order_list.list_orders(
        filters, now=now, sort=tools.sort, after=query.get("after", "")
    )
    also = list(filter(None, map(parse_row_id, query.get("also", "").split(",")[:100])))
    prices, contacts = viewer.may(Permission.PRICES), viewer.may(Permission.CONTACTS)
    views = order_views.load_quick_views(query, viewer, now)
    current = next(view for view in views if view.is_current)
    values = order_views.load_filter_values(viewer_sees_names=contacts)
    context = {
        "rows": rows,
        "also": order_list.list_orders_with_ids(also, now=now) if also else [],
        "problems": processing_lag_notices(now),
        "chips": list(_chips(request, filters, current.query)),
        "may_connect": has_permission(request.user, Permission.SOURCES_EDIT),
        "has_orders": any(view.count != 0 for view in views if not view.query),
        "now": now,
        "next": _url_with_params(request, after=cursor) if cursor else "",
        "start": _url_with_params(request, after=""),
        "first": "after" not in query,
        "views": views,
        "headline": sorted(
            (view for view in views if view.query in HEADLINE),
            key=lambda view: HEADLINE.index(view.query),
        ),
        "bound": order_views.COUNT_BOUND,
        "sums": order_views.sum_values(ORDER_LIST.queryset(query, viewer, now))
        if prices and count.number
        else [],
        "statuses": [(s.value, STATUS_LABELS[s], s.value in filters.statuses) for s in Status],
        "choices": _choices(filters, values),
        "customers": values.customer,
        "prices": prices,
        "contacts": contacts,
        "filters": filters,
        "hidden_filters": [(name, text) for name in HIDDEN_FILTERS for text in query.getlist(name)],
        "exports": exports.export_links(request),
        "list_tools": tools,
    }
    return render(request, "orders/list.html", context)


def _chips(
    request: HttpRequest, filters: order_list.OrderFilters, view: str
) -> Iterator[tuple[str, str, str]]:
    """(name, value, URL without it) of each filter that is not part of the quick view."""
    for pair, label in filters.chips:
        if pair in view.split("&"):
            continue
        name, value = pair.split("=", 1)
        if name == "channel":
            label = f"Channel: {sales_channel_label(value)}"
        key, separator, text = label.partition(": ")
        if not separator or name in CHIP_KEYS:
            key, text = CHIP_KEYS.get(name, ""), text or label
        yield key, text, _url_without_filter_value(request, pair)


def _choices(
    filters: order_list.OrderFilters, values: order_views.FilterValues
) -> list[tuple[str, str, Sequence[tuple[str, str]], str]]:
    """(name, label, options, chosen value) of the fields with a list of values."""
    fields: list[tuple[str, str, Sequence[tuple[str, str]], str]] = []
    for name, title, known in (
        ("channel", "Channel", values.channel),
        ("warehouse", "Warehouse", values.warehouse),
        ("carrier", "Carrier", values.carrier),
    ):
        chosen = getattr(filters, name)
        options = [*known, *([chosen] if chosen and chosen not in known else [])]
        label = sales_channel_label if name == "channel" else str
        fields.append((name, title, [(value, label(value)) for value in options], chosen))
    return fields


def _without_empty_values(request: HttpRequest) -> str:
    pairs = [(n, v) for n, values in request.GET.lists() for v in values if v]
    return urlencode(pairs)


def _url_with_params(request: HttpRequest, **params: str) -> str:
    """The current URL with these parameters; an empty one is left out."""
    query = request.GET.copy()
    query.pop("also", None)
    for name, value in params.items():
        query[name] = value
        if not value:
            del query[name]
    return f"?{query.urlencode()}"


def _url_without_filter_value(request: HttpRequest, pair: str) -> str:
    """The current URL without one filter."""
    name, value = pair.split("=", 1)
    query = request.GET.copy()
    query.setlist(name, [v for v in query.getlist(name) if v != value])
    for other in ("after", "also"):
        query.pop(other, None)
    return f"?{query.urlencode()}"


urlpatterns = [path("orders", order_list_view, name="orders")]
