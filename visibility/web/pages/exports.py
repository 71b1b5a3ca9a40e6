"""GET /orders/export: the filtered orders as a table or as an event log for other tools."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.export.export_orders_in_format import FORMAT_INFO, Format
from visibility.export.list_files import ListFileFormat
from visibility.export.snapshot_to_temp_tables import (
    MAX_ORDERS,
    OrderSelection,
    TooManyExports,
    TooManyOrders,
)
from visibility.formatting import format_number
from visibility.screens.lists.list_definition import Viewer
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.web.list_page_context import query_without_page, viewer_of_request
from visibility.web.order_export_download import audited_order_export_response
from visibility.web.pages.list_exports import list_export_response
from visibility.web.permissions import Permission, has_permission, require_permission

MAX_ORDER_IDS = 1_000


def export_links(request: HttpRequest, **order_filter: object) -> Sequence[tuple[str, str]]:
    """(title, URL) of each format, by default for the current filters; empty without permission."""
    if not has_permission(request.user, Permission.EXPORT):
        return ()
    query = QueryDict(mutable=True) if order_filter else query_without_page(request.GET)
    query.pop("sort", None)
    query_text = query.urlencode() or urlencode(order_filter)
    return [
        (
            kind.title,
            f"/orders/export?format={format.value}" + (f"&{query_text}" if query_text else ""),
        )
        for format, kind in FORMAT_INFO.items()
    ]


@require_GET
@require_permission(Permission.EXPORT)
def export_orders_view(request: HttpRequest) -> HttpResponseBase:
    """Accepts the filters of /orders, `order` (IDs), `since` and `until`, and a `format`."""
    assert isinstance(request.user, User)
    format_code = request.GET.get("format", "")
    if format_code in set(ListFileFormat):
        return list_export_response(request, ORDER_LIST, ListFileFormat(format_code))
    if format_code not in set(Format):
        known = ", ".join([*Format, *ListFileFormat])
        return HttpResponse(f"format must be one of {known}", status=400)
    viewer = viewer_of_request(request)
    if ORDER_LIST.filter_errors(request.GET, viewer):  # the list shows them at their chips
        return redirect(f"/orders?{_query_without_format(request.GET)}")
    try:
        return audited_order_export_response(
            parse_order_selection(request.GET, viewer),
            format=Format(format_code),
            by=request.user,
            parameters={name: values[:20] for name, values in request.GET.lists()},
            now=database_now(),
        )
    except TooManyOrders:
        notes.warning(
            request,
            f"More than {format_number(MAX_ORDERS)} orders match. "
            "Add filters to export fewer orders.",
        )
    except TooManyExports as error:
        notes.warning(request, str(error))
    return redirect(f"/orders?{_query_without_format(request.GET)}")


def parse_order_selection(query: QueryDict, viewer: Viewer) -> OrderSelection:
    """The selection of a query string; invalid times are ignored."""
    ids = filter(None, map(parse_row_id, query.getlist("order")[:MAX_ORDER_IDS]))
    return OrderSelection(
        filters=ORDER_LIST.applied_filters(query, viewer),
        order_ids=tuple(ids) if "order" in query else None,
    )


def _query_without_format(query: QueryDict) -> str:
    filters = query.copy()
    filters.pop("format", None)
    return filters.urlencode()


urlpatterns = [path("orders/export", export_orders_view, name="orders-export")]
