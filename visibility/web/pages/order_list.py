"""The order list."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import urlencode

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.lists.load_page_and_count import count_list
from visibility.screens.orders import order_list, order_views
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.web.list_filter_context import build_filter_tools
from visibility.web.list_page_context import (
    build_list_tools,
    query_without_page,
    viewer_of_request,
)
from visibility.web.pages import exports
from visibility.web.permissions import Permission, require_permission

HEADLINE = ("late=1", "due_today=1")


@require_permission(Permission.ORDERS)
def order_list_view(request: HttpRequest) -> HttpResponseBase:
    """GET /orders."""
    query, now = request.GET, database_now()
    if "" in query.values():  # empty fields of the form
        return redirect(f"/orders?{_without_empty_values(request)}")
    viewer = viewer_of_request(request)
    filters = ORDER_LIST.applied_filters(query, viewer)
    count = count_list(ORDER_LIST, query, viewer, now)
    tools = build_list_tools(request, ORDER_LIST, viewer=viewer, count=count)
    rows, cursor = order_list.list_orders(
        filters, now=now, sort=tools.sort, after=query.get("after", "")
    )
    also = list(filter(None, map(parse_row_id, query.get("also", "").split(",")[:100])))
    prices, contacts = viewer.may(Permission.PRICES), viewer.may(Permission.CONTACTS)
    views = order_views.load_quick_views(query, viewer, now)
    current = next(view for view in views if view.is_current)
    context = {
        "rows": rows,
        "also": order_list.list_orders_with_ids(also, now=now) if also else [],
        "problems": processing_lag_notices(now),
        "filter_tools": build_filter_tools(
            request, ORDER_LIST, viewer=viewer, without_chip=current.query
        ),
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
        "contacts": contacts,
        "exports": exports.export_links(request),
        "list_tools": tools,
    }
    return render(request, "orders/list.html", context)


def _without_empty_values(request: HttpRequest) -> str:
    pairs = [(n, v) for n, values in request.GET.lists() for v in values if v]
    return urlencode(pairs)


def _url_with_params(request: HttpRequest, **params: str) -> str:
    """The current URL with these parameters; an empty one is left out."""
    query = query_without_page(request.GET)
    for name, value in params.items():
        if value:
            query[name] = value
    return f"?{query.urlencode()}"


urlpatterns = [path("orders", order_list_view, name="orders")]
