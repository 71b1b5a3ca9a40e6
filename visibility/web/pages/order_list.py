"""The order list."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.lists.load_page_and_count import count_list
from visibility.screens.orders import order_list
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.list_page_context import build_list_tools, viewer_of_request
from visibility.web.pages import exports
from visibility.web.permissions import Permission, require_permission

HIDDEN_FILTERS = ("state", "without", "late", "undelivered", "open", "group", "item", "sort")


@require_permission(Permission.ORDERS)
def order_list_view(request: HttpRequest) -> HttpResponse:
    """GET /orders."""
    query, now = request.GET, database_now()
    viewer = viewer_of_request(request)
    filters = ORDER_LIST.filters(query, viewer)
    tools = build_list_tools(
        request, ORDER_LIST, viewer=viewer, count=count_list(ORDER_LIST, query, viewer, now)
    )
    rows, cursor = order_list.list_orders(
        filters, now=now, sort=tools.sort, after=query.get("after", "")
    )
    also = list(filter(None, map(parse_row_id, query.get("also", "").split(",")[:100])))
    chips = [(label, _url_without_filter_value(request, pair)) for pair, label in filters.chips]
    context = {
        "rows": rows,
        "also": order_list.list_orders_with_ids(also, now=now) if also else [],
        "problems": processing_lag_notices(now),
        "chips": chips,
        "now": now,
        "next": _url_with_params(request, after=cursor) if cursor else "",
        "first": "after" not in query,
        "quick": order_list.QUICK_VIEWS,
        "conflicting": order_list.count_orders_with_conflict(now),
        "statuses": [(s.value, STATUS_LABELS[s], s.value in filters.statuses) for s in Status],
        "prices": viewer.may(Permission.PRICES),
        "contacts": viewer.may(Permission.CONTACTS),
        "filters": filters,
        # Filters without a form field are passed on as hidden fields.
        "hidden_filters": [(name, text) for name in HIDDEN_FILTERS for text in query.getlist(name)],
        "exports": exports.export_links(request),
        "list_tools": tools,
    }
    return render(request, "orders/list.html", context)


def _url_with_params(request: HttpRequest, **params: str) -> str:
    query = request.GET.copy()
    query.pop("also", None)
    for name, value in params.items():
        query[name] = value
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
