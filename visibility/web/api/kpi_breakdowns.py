"""Endpoints of what explains the change of a KPI, and of its export."""

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.export.kpi_files import KpiExport
from visibility.export.list_files import ListFileFormat
from visibility.export.snapshot_to_temp_tables import TooManyExports
from visibility.formatting import in_zone
from visibility.kpi.periods import PeriodLength, default_period_length
from visibility.kpi.targets import load_kpi_targets
from visibility.screens.kpis.breakdown import load_breakdowns, target_of_segment
from visibility.storage.organization import organization_time_zone
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.kpi_query import (
    BY_PARAMETER,
    COMPARE_PARAMETER,
    FILTER_PARAMETERS,
    KPI_PARAMETERS,
    RANGE_PARAMETERS,
    parse_kpi_query,
    reraise_too_many_facts_as_invalid,
    serialize_segment,
)
from visibility.web.api.kpi_serializers import KpiDifferenceListSerializer
from visibility.web.api.list_export import LIST_FILE_RESPONSES, TooManyExportsError
from visibility.web.api.query_params import enum_param
from visibility.web.kpi_export_download import audited_kpi_export_response
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission


class KpiDifferenceListView(ApiView):
    """`GET /kpis/<code>/differences`."""

    required_permissions = (Permission.KPIS,)
    query_parameters = (*RANGE_PARAMETERS, COMPARE_PARAMETER, *FILTER_PARAMETERS)

    @extend_schema(operation_id="kpi_differences", responses=KpiDifferenceListSerializer)
    def get(self, request: Request, code: str) -> Response:
        """List the segments that made a KPI value worse than the compared one, the worst first.

        Each dimension, and channel with warehouse. Segments of different dimensions overlap. It
        shows where the change is, not its cause.
        """
        asked, now = parse_kpi_query(code, self.params), database_now()
        today = in_zone(now, organization_time_zone()).date()
        with reraise_too_many_facts_as_invalid():
            selection = asked.selection(today, PeriodLength.WEEK)
            targets = load_kpi_targets([asked.kpi], asked.span)
            loaded = load_breakdowns(asked.kpi, selection, targets)
        items = [
            {"segment": dict(zip(each.dimensions, each.names, strict=True))}
            | serialize_segment(each, target_of_segment(asked.kpi, selection, targets, each))
            for each in loaded.explaining_segments
        ]
        return Response({"items": items})


class KpiExportView(ApiView):
    """`GET /kpis/<code>/export`."""

    required_permissions = (Permission.KPIS,)
    query_parameters = (
        *KPI_PARAMETERS,
        enum_param("format", "File format. Default: `csv`.", ListFileFormat),
    )

    @extend_schema(operation_id="kpi_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request, code: str) -> HttpResponseBase:
        """Export a KPI by period and by segment as CSV or XLSX, with its definition.

        `by` and `and`: the periods, or the dimensions of a breakdown.
        """
        asked, now = parse_kpi_query(code, self.params), database_now()
        today = in_zone(now, organization_time_zone()).date()
        by = self.params.get(BY_PARAMETER.name)
        length = PeriodLength(by) if by in set(PeriodLength) else default_period_length(asked.span)
        # DRF authenticates its own request; the other one has no user without a session.
        person = viewer_of_request(request._request).name
        try:
            with reraise_too_many_facts_as_invalid():
                return audited_kpi_export_response(
                    request._request,
                    KpiExport(asked.kpi, asked.selection(today, length), person, now),
                    file_format=ListFileFormat(self.params.get("format", ListFileFormat.CSV)),
                    by=current_user(request),
                    parameters={name: str(value) for name, value in self.params.items()},
                )
        except TooManyExports:
            raise TooManyExportsError from None
