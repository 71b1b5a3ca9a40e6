"""Exports of the page of a KPI as CSV or XLSX."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.export.kpi_files import KpiExport
from visibility.export.list_files import ListFileFormat
from visibility.export.snapshot_to_temp_tables import TooManyExports
from visibility.kpi.query import TooManyFacts
from visibility.web.kpi_detail_page import kpi_or_404
from visibility.web.kpi_export_download import audited_kpi_export_response
from visibility.web.kpi_query_string import parse_kpi_query_string
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission, require_permission, signed_in_user


@require_GET
@require_permission(Permission.KPIS)
def export_kpi(request: HttpRequest, code: str) -> HttpResponseBase:
    """`GET /numbers/<kpi>/export`: the page of the same query string, in a `format`."""
    kpi, now = kpi_or_404(code), database_now()
    format_code = request.GET.get("format", "")
    if format_code not in set(ListFileFormat):
        return HttpResponse(f"format must be one of {', '.join(ListFileFormat)}", status=400)
    asked = parse_kpi_query_string(request, now)
    back = f"/numbers/{code}?{asked.query_string_with()}"
    if asked.problem:
        return HttpResponse(f"{asked.problem}.", status=400)
    try:
        return audited_kpi_export_response(
            request,
            KpiExport(kpi, asked.selection, viewer_of_request(request).name, now),
            file_format=ListFileFormat(format_code),
            by=signed_in_user(request),
            parameters=asked.query,
        )
    except (TooManyExports, TooManyFacts) as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(back)


urlpatterns = [path("numbers/<slug:code>/export", export_kpi, name="kpi-export")]
