"""`GET /orders/export`: the event log of the selected orders as a file."""

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import is_decimal_number, parse_row_id
from visibility.export.export_orders_in_format import FORMAT_INFO, Format
from visibility.export.snapshot_to_temp_tables import (
    MAX_ORDERS,
    OrderSelection,
    TooManyExports,
    TooManyOrders,
)
from visibility.models import Source
from visibility.screens.orders.order_list import OrderFilters
from visibility.timeline.model import Status
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import (
    InvalidValue,
    QueryParameter,
    enum_param,
    parse_rfc3339_time,
)
from visibility.web.order_export_download import audited_order_export_response
from visibility.web.permissions import Permission, has_permission

MAX_ORDER_IDS = 100


class TooManyExportsError(exceptions.APIException):
    """Too many exports are running."""

    status_code = 503
    default_detail = "Too many exports are running. Try again in a few seconds."
    wait = 5


def _parse_order_ids(value: str) -> tuple[int, ...]:
    ids = value.split(",")
    if len(ids) > MAX_ORDER_IDS or not all(map(is_decimal_number, ids)):
        raise InvalidValue(f"order ids separated by commas, at most {MAX_ORDER_IDS}")
    return tuple(filter(None, map(parse_row_id, ids)))


EXPORT_PARAMETERS = (
    enum_param("format", f"File format. Default: `{Format.OCEL_JSON.value}`.", Format),
    QueryParameter("order", "Order ids, separated by commas.", _parse_order_ids),
    enum_param("status", "Order status.", Status),
    QueryParameter("channel", "Sales channel."),
    QueryParameter("warehouse", "Shipping warehouse."),
    QueryParameter("customer", "Customer number. With permission to see contacts, also the name."),
    QueryParameter(
        "since",
        "Orders whose latest event occurred at or after this time.",
        parse_rfc3339_time,
        openapi_format="date-time",
    ),
    QueryParameter(
        "until",
        "Orders whose latest event occurred before this time.",
        parse_rfc3339_time,
        openapi_format="date-time",
    ),
    QueryParameter("source", "Slug of a source that reported on the orders."),
)
FILE_RESPONSES = {
    (200, kind.media_type): OpenApiTypes.BINARY
    if format is Format.OCEL_SQLITE
    else OpenApiTypes.OBJECT
    for format, kind in FORMAT_INFO.items()
}


class OrderExportView(ApiView):
    """`GET /orders/export`."""

    required_permissions = (Permission.ORDERS, Permission.EXPORT)
    query_parameters = EXPORT_PARAMETERS

    @extend_schema(
        operation_id="orders_export",
        responses=FILE_RESPONSES,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Export the event log of orders as OCEL 2.0 (JSON or SQLite) or EPCIS 2.0.

        Prices and personal data are left out unless the user has permission to see them.
        """
        filters = OrderFilters(
            statuses=tuple(self.params[name] for name in ("status",) if name in self.params),
            channel=self.params.get("channel", ""),
            warehouse=self.params.get("warehouse", ""),
            customer=self.params.get("customer", ""),
            by_name=has_permission(request.user, Permission.CONTACTS),
        )
        source = self.params.get("source", "")
        if source and not Source.objects.filter(slug=source).exists():
            raise InvalidInput("source", "no source has this slug")
        selection = OrderSelection(
            filters,
            self.params.get("order"),
            self.params.get("since"),
            self.params.get("until"),
            source,
        )
        try:
            return audited_order_export_response(
                selection,
                format=Format(self.params.get("format", Format.OCEL_JSON)),
                by=current_user(request),
                parameters={name: str(value) for name, value in self.params.items()},
                now=database_now(),
            )
        except TooManyOrders:
            raise InvalidInput(
                "", f"more than {MAX_ORDERS:,} orders match; narrow the filters"
            ) from None
        except TooManyExports:
            raise TooManyExportsError from None
