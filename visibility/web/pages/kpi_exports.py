"""Exports of the overview of KPIs, and of the page of one, as CSV or XLSX."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.export.kpi_files import KpiExport
from visibility.export.kpi_overview_files import KpiOverviewExport
from visibility.export.list_files import ListFileFormat
from visibility.export.snapshot_to_temp_tables import TooManyExports
from visibility.kpi.query import TooManyFacts
from visibility.web.kpi_detail_page import kpi_or_404
from visibility.web.kpi_export_download import (
    audited_kpi_export_response,
    audited_kpi_overview_response,
)
from visibility.web.kpi_query_string import KpiRequest, parse_kpi_query_string
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission, require_permission, signed_in_user


@require_GET
@require_permission(Permission.KPIS)
def export_kpi_overview(request: HttpRequest) -> HttpResponseBase:
    """`GET /numbers/export`: the values of the same query string, and the definitions."""
    now = database_now()
    asked = parse_kpi_query_string(request, now)

    def respond(file_format: ListFileFormat) -> HttpResponseBase:
        return audited_kpi_overview_response(
            request,
            KpiOverviewExport(asked.selection, viewer_of_request(request).name, now),
            file_format=file_format,
            by=signed_in_user(request),
            parameters=asked.query,
        )

    return _respond_or_explain(request, asked, "/numbers", respond)


@require_GET
@require_permission(Permission.KPIS)
def export_kpi(request: HttpRequest, code: str) -> HttpResponseBase:
    """`GET /numbers/<kpi>/export`: the page of the same query string, in a `format`."""
    kpi, now = kpi_or_404(code), database_now()
    asked = parse_kpi_query_string(request, now)

    def respond(file_format: ListFileFormat) -> HttpResponseBase:
        return audited_kpi_export_response(
            request,
            KpiExport(kpi, asked.selection, viewer_of_request(request).name, now),
            file_format=file_format,
            by=signed_in_user(request),
            parameters=asked.query,
        )

    return _respond_or_explain(request, asked, f"/numbers/{code}", respond)


def _respond_or_explain(
    request: HttpRequest,
    asked: KpiRequest,
    page: str,
    respond: Callable[[ListFileFormat], HttpResponseBase],
) -> HttpResponseBase:
    """The file; 400 without a format or with an invalid range; else the page with the reason."""
    format_code = request.GET.get("format", "")
    if format_code not in set(ListFileFormat):
        return HttpResponse(f"format must be one of {', '.join(ListFileFormat)}", status=400)
    if asked.problem:
        return HttpResponse(f"{asked.problem}.", status=400)
    try:
        return respond(ListFileFormat(format_code))
    except (TooManyExports, TooManyFacts) as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(f"{page}?{asked.query_string_with()}")


urlpatterns = [
    path("numbers/export", export_kpi_overview, name="kpi-overview-export"),
    path("numbers/<slug:code>/export", export_kpi, name="kpi-export"),
]
