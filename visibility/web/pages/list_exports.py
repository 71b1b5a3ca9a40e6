"""Exports of the filtered rows of a list as CSV or XLSX."""

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.export.background_exports import TooManyBackgroundExports
from visibility.export.list_files import ListExport, ListFileFormat, TooManyRowsForXlsx
from visibility.export.snapshot_to_temp_tables import TooManyExports
from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.lists.list_definition import ListDefinition
from visibility.web.background_exports import remember_in_session, request_export_if_large
from visibility.web.list_export_download import audited_list_export_response
from visibility.web.list_page_context import (
    query_without_page,
    sort_or_default_with_problem,
    viewer_of_request,
    visible_columns_of_viewer,
)
from visibility.web.permissions import Permission, require_permission, signed_in_user


@require_GET
@require_permission(Permission.ALERTS_SEE)
@require_permission(Permission.EXPORT)
def export_alerts_view(request: HttpRequest) -> HttpResponseBase:
    """GET /alerts/export: the alerts of /alerts with the same filters, and a `format`."""
    return list_export_response_of_format(request, ALERT_LIST)


def list_export_response_of_format(
    request: HttpRequest, definition: ListDefinition
) -> HttpResponseBase:
    """The file in the format of the query string; 400 with another one."""
    format_code = request.GET.get("format", "")
    if format_code not in set(ListFileFormat):
        return HttpResponse(f"format must be one of {', '.join(ListFileFormat)}", status=400)
    return list_export_response(request, definition, ListFileFormat(format_code))


def list_export_response(
    request: HttpRequest, definition: ListDefinition, file_format: ListFileFormat
) -> HttpResponseBase:
    """The file with the filters, the order and the visible columns of the page.

    With too many rows for XLSX, or too many exports running, the page opens with a sentence that
    says so.
    """
    query, now = query_without_page(request.GET), database_now()
    viewer = viewer_of_request(request)
    if refusal := definition.export_refusal(viewer):
        return render(request, "403.html", {"sentence": refusal}, status=403)
    sort, problem = sort_or_default_with_problem(definition, query, viewer)
    back = f"{definition.url}?{query.urlencode()}"
    if problem or definition.filter_errors(query, viewer):  # the list shows them
        return redirect(back)
    export = ListExport(
        definition=definition,
        query=query,
        sort=sort,
        columns=visible_columns_of_viewer(definition, viewer),
        viewer=viewer,
        now=now,
        rows=definition.queryset(query, viewer, now),
        filter_texts=definition.filter_texts(query, viewer),
    )
    owner = signed_in_user(request)
    try:
        if requested := request_export_if_large(export, file_format, owner):
            remember_in_session(request, requested)
            notes.success(
                request,
                "The list has more than 50,000 rows. A worker writes the file; a notice says when "
                "it is ready.",
            )
            return redirect("/exports")
        return audited_list_export_response(
            request,
            export,
            file_format=file_format,
            by=owner,
            parameters=dict(query.lists()),
        )
    except (TooManyExports, TooManyRowsForXlsx, TooManyBackgroundExports) as error:
        notes.warning(request, str(error))
        return redirect(back)


urlpatterns = [path("alerts/export", export_alerts_view, name="alerts-export")]
