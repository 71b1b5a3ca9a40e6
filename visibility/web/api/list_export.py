"""Exports of lists as CSV or XLSX, and sort orders of lists: what several endpoints share."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.db.sorted_pages import SortOrder
from visibility.export.background_exports import TooManyBackgroundExports
from visibility.export.list_files import ListExport, ListFileFormat, TooManyRowsForXlsx
from visibility.export.snapshot_to_temp_tables import TooManyExports
from visibility.models import Severity
from visibility.models.permission import Permission as EveryPermission
from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.alerts.inbox import InboxViewName
from visibility.screens.lists.list_definition import (
    SORT_PARAMETER,
    ListColumn,
    ListDefinition,
    UnknownColumns,
    UnknownSort,
    Viewer,
)
from visibility.web.api.background_exports import BackgroundExportSerializer
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import serialize
from visibility.web.api.list_filter_parameters import (
    list_query,
    parameter_texts,
    requested_filters,
)
from visibility.web.api.pagination import ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ConflictError, InvalidInput, UnprocessableError
from visibility.web.api.query_params import QueryParameter, enum_param
from visibility.web.background_exports import request_export_if_large
from visibility.web.list_export_download import audited_list_export_response
from visibility.web.list_page_context import viewer_of_request, visible_columns_of_viewer
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.permissions import Permission

COLUMNS = QueryParameter(
    "columns",
    "Columns of a `csv` or `xlsx` file, separated by commas. Default: the columns that you see on "
    "the page. `GET lists/<list>/columns` has them.",
)
LIST_FILE_RESPONSES: dict[Any, Any] = {
    (200, MEDIA_TYPES[kind.value]): OpenApiTypes.BINARY for kind in ListFileFormat
} | {202: BackgroundExportSerializer}


class TooManyExportsError(exceptions.APIException):
    """Too many exports are running."""

    status_code = 503
    default_detail = "Too many exports are running. Try again in a few seconds."
    wait = 5


def sort_parameter(definition: ListDefinition) -> QueryParameter:
    """The parameter `sort` with the orders of the list."""
    everything = Viewer(0, "", frozenset(EveryPermission))
    return QueryParameter(
        SORT_PARAMETER,
        "Sort order; `-` means descending. Rows without a value are last. Sorting by names or "
        "amounts needs the permission to see them.",
        choices=tuple(definition.sort_orders(everything)),
    )


def requested_sort_order(definition: ListDefinition, query: QueryDict, viewer: Viewer) -> SortOrder:
    """The order of the query string. Raises InvalidInput."""
    try:
        return definition.sort_order(query, viewer)
    except UnknownSort as error:
        raise InvalidInput(SORT_PARAMETER, str(error)) from error


class SortableApiListView(ApiListView):
    """A list with the parameter `sort`; without it, the order of the queryset."""

    list_definition: ListDefinition

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """One page in the requested order. Raises InvalidInput."""
        if SORT_PARAMETER not in self.params:
            return super().paginate_queryset(queryset)
        query = QueryDict(mutable=True)
        query[SORT_PARAMETER] = self.params[SORT_PARAMETER]
        order = requested_sort_order(
            self.list_definition, query, viewer_of_request(self.request._request)
        )
        return super().paginate_queryset(KeysetRowLoader.from_sort_order(queryset, order))


def list_export_response(
    request: Request,
    definition: ListDefinition,
    params: Mapping[str, Any],
    *,
    rows: QuerySet[Any] | None = None,
    other_filter_texts: Sequence[str] = (),
) -> HttpResponseBase:
    """The file of the parameters. `rows`: instead of those of the filters.

    202 with an export that a worker writes if a CSV file would have more than 50,000 rows.

    Raises InvalidInput, UnprocessableError, TooManyExportsError.
    """
    # DRF authenticates its own request; the other one has no user without a session.
    viewer, now = viewer_of_request(request._request), database_now()
    if refusal := definition.export_refusal(viewer):
        raise exceptions.PermissionDenied(refusal)
    query = list_query(definition, params)
    requested_filters(definition, params, viewer)
    export = ListExport(
        definition=definition,
        query=query,
        sort=requested_sort_order(definition, query, viewer),
        columns=_requested_columns(definition, params.get(COLUMNS.name), viewer),
        viewer=viewer,
        now=now,
        rows=definition.queryset(query, viewer, now) if rows is None else rows,
        filter_texts=[*definition.filter_texts(query, viewer), *other_filter_texts],
    )
    file_format = ListFileFormat(params.get("format", ListFileFormat.CSV))
    try:
        if rows is None and (
            requested := request_export_if_large(export, file_format, current_user(request))
        ):
            return Response(serialize(BackgroundExportSerializer, requested), status=202)
        return audited_list_export_response(
            request._request,
            export,
            file_format=file_format,
            by=current_user(request),
            parameters={name: parameter_texts(value) for name, value in params.items()},
        )
    except TooManyBackgroundExports as error:
        raise ConflictError(str(error)) from error
    except TooManyRowsForXlsx as error:
        raise UnprocessableError(str(error)) from error
    except TooManyExports:
        raise TooManyExportsError from None


def _requested_columns(
    definition: ListDefinition, text: str | None, viewer: Viewer
) -> list[ListColumn]:
    if text is None:
        return visible_columns_of_viewer(definition, viewer)
    try:
        codes = definition.check_columns(viewer, text.split(","))
    except UnknownColumns as error:
        raise InvalidInput(COLUMNS.name, str(error)) from error
    return definition.visible_columns(viewer, codes)


class AlertExportView(ApiView):
    """`GET /alerts/export`."""

    required_permissions = (Permission.ALERTS_SEE, Permission.EXPORT)
    query_parameters = (
        enum_param("format", "File format. Default: `csv`.", ListFileFormat),
        enum_param("view", "View of the inbox. Default: `open`.", InboxViewName),
        enum_param("severity", "Alert severity.", Severity),
        QueryParameter("rule", "Code of the SLA rule."),
        QueryParameter("team", "Title of the team that owns the alert."),
        QueryParameter("group", "Key of a group of `GET /alerts/groups`."),
        QueryParameter("warehouse", "Shipping warehouse of the orders."),
        QueryParameter("channel", "Sales channel of the orders."),
        QueryParameter("customer_group", "Customer group of the orders."),
        sort_parameter(ALERT_LIST),
        COLUMNS,
    )

    @extend_schema(operation_id="alerts_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request) -> HttpResponseBase:
        """Export the alerts of a view as CSV, or as XLSX with at most 50,000 rows.

        Amounts and names of customers are left out unless the user has permission to see them.
        """
        return list_export_response(request, ALERT_LIST, self.params)
