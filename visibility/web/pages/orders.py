"""The view of the order list."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from visibility.db.database_time import database_now
from visibility.db.keyset import InvalidCursor, decode_cursor, encode_cursor
from visibility.db.parse_id_and_time import parse_row_id
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.orders import order_list
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.pages import exports
from visibility.web.permissions import Permission, has_permission, require_permission

HIDDEN_FILTERS = ("state", "without", "late", "undelivered", "open", "group", "item")


@require_permission(Permission.ORDERS)
def order_list_view(request: HttpRequest) -> HttpResponse:
    """GET /orders."""
    query = request.GET
    contacts = has_permission(request.user, Permission.CONTACTS)
    filters = order_list.OrderFilters.from_query(
        query.dict(),
        query.getlist("status"),
        states=query.getlist("state"),
        without=query.getlist("without"),
        by_name=contacts,
    )
    now = database_now()
    rows, cursor = order_list.list_orders(
        filters, now=now, after=_decode_cursor(request.GET.get("after", ""))
    )
    also = list(filter(None, map(parse_row_id, query.get("also", "").split(",")[:100])))
    chips = [(label, _url_without_filter_value(request, pair)) for pair, label in filters.chips]
    context = {
        "rows": rows,
        "also": order_list.list_orders_with_ids(also, now=now) if also else [],
        "problems": processing_lag_notices(now),
        "chips": chips,
        "now": now,
        "next": _url_with_params(request, after=encode_cursor(cursor)) if cursor else "",
        "first": "after" not in request.GET,
        "quick": order_list.QUICK_VIEWS,
        "conflicting": order_list.count_orders_with_conflict(now),
        "statuses": [(s.value, STATUS_LABELS[s], s.value in filters.statuses) for s in Status],
        "prices": has_permission(request.user, Permission.PRICES),
        "contacts": contacts,
        "filters": filters,
        # Filters without a form field are passed on as hidden fields.
        "hidden_filters": [(name, text) for name in HIDDEN_FILTERS for text in query.getlist(name)],
        "exports": exports.export_links(request),
    }
    return render(request, "orders/list.html", context)


def _decode_cursor(text: str) -> tuple[datetime, int] | None:
    """Decode a page cursor; None (the first page) if it is invalid."""
    try:
        last_event_at, order_id = decode_cursor(text, (datetime, int))
    except InvalidCursor:
        return None
    return last_event_at, order_id


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


urlpatterns = [
    path("orders", order_list_view, name="orders"),
]
