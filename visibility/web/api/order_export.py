"""`GET /orders/export`: the event log or the table of the selected orders as a file."""

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import is_decimal_number, parse_row_id
from visibility.export.export_orders_in_format import FORMAT_INFO, Format
from visibility.export.list_files import ListFileFormat
from visibility.export.snapshot_to_temp_tables import (
    MAX_ORDERS,
    OrderSelection,
    TooManyExports,
    TooManyOrders,
)
from visibility.models import Order
from visibility.screens.lists.list_definition import SORT_PARAMETER
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.screens.orders.order_list import annotate_source_title
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.list_export import (
    COLUMNS,
    LIST_FILE_RESPONSES,
    TooManyExportsError,
    list_export_response,
    sort_parameter,
)
from visibility.web.api.list_filter_parameters import (
    filter_parameters,
    parameter_texts,
    requested_filters,
)
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import (
    InvalidValue,
    QueryParameter,
)
from visibility.web.list_page_context import viewer_of_request
from visibility.web.order_export_download import audited_order_export_response
from visibility.web.permissions import Permission

MAX_ORDER_IDS = 100


def _parse_order_ids(value: str) -> tuple[int, ...]:
    ids = value.split(",")
    if len(ids) > MAX_ORDER_IDS or not all(map(is_decimal_number, ids)):
        raise InvalidValue(f"order ids separated by commas, at most {MAX_ORDER_IDS}")
    return tuple(filter(None, map(parse_row_id, ids)))


EXPORT_PARAMETERS = (
    QueryParameter(
        "format",
        f"Event log: {', '.join(f'`{kind.value}`' for kind in Format)}, by default "
        f"`{Format.OCEL_JSON.value}`. Table: `csv`, or `xlsx` with at most 50,000 rows.",
        choices=(*Format, *ListFileFormat),
    ),
    QueryParameter("order", "Order ids, separated by commas.", _parse_order_ids),
    *filter_parameters(ORDER_LIST),
    sort_parameter(ORDER_LIST),
    COLUMNS,
)
# These have no meaning in an event log.
TABLE_PARAMETERS = (SORT_PARAMETER, COLUMNS.name)
FILE_RESPONSES = {
    (200, kind.media_type): OpenApiTypes.BINARY
    if format is Format.OCEL_SQLITE
    else OpenApiTypes.OBJECT
    for format, kind in FORMAT_INFO.items()
} | LIST_FILE_RESPONSES


class OrderExportView(ApiView):
    """`GET /orders/export`."""

    required_permissions = (Permission.ORDERS, Permission.EXPORT)
    query_parameters = EXPORT_PARAMETERS

    @extend_schema(
        operation_id="orders_export",
        responses=FILE_RESPONSES,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Export orders: their event log (OCEL 2.0, EPCIS 2.0), or a table (CSV, XLSX).

        Prices and personal data are left out unless the user has permission to see them.
        """
        viewer = viewer_of_request(request._request)
        filters = requested_filters(ORDER_LIST, self.params, viewer)
        format_code = self.params.get("format", Format.OCEL_JSON.value)
        selection = OrderSelection(filters, self.params.get("order"))
        if format_code in set(ListFileFormat):
            rows = Order.objects.filter(selection.order_condition(database_now()))
            has_ids = "order" in self.params
            return list_export_response(
                request,
                ORDER_LIST,
                self.params,
                rows=annotate_source_title(rows) if has_ids else None,
                other_filter_texts=[f"Order: {self.params['order']}"] if has_ids else [],
            )
        for name in TABLE_PARAMETERS:
            if name in self.params:
                raise InvalidInput(name, "applies only to the formats csv and xlsx")
        try:
            return audited_order_export_response(
                selection,
                format=Format(format_code),
                by=current_user(request),
                parameters={
                    name: ", ".join(parameter_texts(value)) for name, value in self.params.items()
                },
                now=database_now(),
            )
        except TooManyOrders:
            raise InvalidInput(
                "", f"more than {MAX_ORDERS:,} orders match; narrow the filters"
            ) from None
        except TooManyExports:
            raise TooManyExportsError from None
