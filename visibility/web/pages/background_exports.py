"""The page of one's large exports: progress, download, delete."""

from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import BackgroundExport, BackgroundExportState
from visibility.screens.list_registry import LISTS
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.storage.organization import organization_time_zone
from visibility.web import background_exports
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission, require_permission, signed_in_user

LIST_URL = "/exports"
PAGE_SIZE = 50
STATES = {
    BackgroundExportState.WAITING: ("Waiting for a worker", "waiting"),
    BackgroundExportState.RUNNING: ("In progress", "running"),
    BackgroundExportState.READY: ("Ready", "ok"),
    BackgroundExportState.FAILED: ("Failed", "late"),
}


@require_GET
@require_permission(Permission.EXPORT)
def export_list_view(request: HttpRequest) -> HttpResponse:
    """`GET /exports`: your large exports, the newest first."""
    owner, now = signed_in_user(request), database_now()
    before = parse_row_id(request.GET.get("before", ""))
    loaded = background_exports.exports_of(owner, before=before, limit=PAGE_SIZE + 1)
    shown = loaded[:PAGE_SIZE]
    background_exports.forget_in_session(
        request, [export for export in shown if export.finished_at is not None]
    )
    context = {
        "exports": [_export_context(request, export, now) for export in shown],
        "next": shown[-1].pk if len(loaded) > PAGE_SIZE else None,
        "is_first": before is None,
    }
    return render(request, "exports/list.html", context)


def _export_context(request: HttpRequest, export: BackgroundExport, now: Any) -> dict[str, Any]:
    label, tone = STATES[BackgroundExportState(export.state)]
    viewer, definition = viewer_of_request(request), LISTS.get(export.list)
    is_ready = export.state == BackgroundExportState.READY
    return {
        "export": export,
        "title": background_exports.title_of_export(export),
        "filters_url": f"{definition.url}?{export.query}" if definition else "",
        "label": label,
        "tone": tone,
        "requested": displayed_time(export.requested_at, now),
        "until": background_exports.expiry_text(export, organization_time_zone()),
        "refusal": background_exports.why_not_downloadable(export, viewer) if is_ready else "",
        "is_ready": is_ready,
    }


@require_GET
@require_permission(Permission.EXPORT)
def export_file_view(request: HttpRequest, export_id: int) -> HttpResponseBase:
    """`GET /exports/<id>/file`, for its owner, whose permissions are checked again."""
    export = _own_export_or_404(request, export_id)
    if export.state != BackgroundExportState.READY:
        raise Http404
    try:
        response = background_exports.export_file_response(
            request, export, viewer_of_request(request)
        )
    except background_exports.DownloadRefused as error:
        return render(request, "403.html", {"sentence": str(error)}, status=403)
    background_exports.forget_in_session(request, [export])
    return response


@require_POST
@require_permission(Permission.EXPORT)
def delete_export_view(request: HttpRequest, export_id: int) -> HttpResponse:
    """`POST /exports/<id>/delete`."""
    background_exports.delete_export(_own_export_or_404(request, export_id))
    notes.success(request, "The export is deleted.")
    return HttpResponseRedirect(LIST_URL)


def _own_export_or_404(request: HttpRequest, export_id: int) -> BackgroundExport:
    export = background_exports.find_own_export(signed_in_user(request), export_id)
    if export is None:
        raise Http404
    return export


urlpatterns = [
    path("exports", export_list_view, name="background-exports"),
    path("exports/<int:export_id>/file", export_file_view, name="background-export-file"),
    path("exports/<int:export_id>/delete", delete_export_view, name="background-export-delete"),
]
