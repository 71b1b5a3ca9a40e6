"""Master data files: upload, validation, approval and export."""

from datetime import datetime
from typing import Any

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.master_data import imports
from visibility.master_data.export import TooManyRows
from visibility.master_data.file_reader import FILE_FORMATS
from visibility.master_data.xlsx_reader import InvalidFile
from visibility.models import ImportRow, ImportState, MasterImport
from visibility.models.imports import IN_PROGRESS
from visibility.models.master import TermKind
from visibility.pipeline import job_functions
from visibility.screens.mappings import labels_and_sentences
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.master_table_downloads import table_response
from visibility.web.pages.master_data_rows import MAX_ID, get_table_or_404
from visibility.web.permissions import Permission, has_permission, require_permission

MAX_PROBLEMS = 100


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def upload_file_for_validation(request: HttpRequest, code: str) -> HttpResponse:
    """Store an uploaded file for validation. Nothing is imported before approval."""
    table = get_table_or_404(code)
    file = request.FILES.get("file")
    if file is None:
        notes.error(request, "Choose a file first.")
        return HttpResponseRedirect(f"/mappings/{code}")
    assert isinstance(request.user, User)
    name = str(file.name or "file")
    file_format = name.rpartition(".")[2].lower()
    try:
        master_import = imports.store_import_file(
            table,
            file.chunks(),
            name=name,
            format=file_format,
            auto_apply=False,
            user=request.user,
            now=database_now(),
        )
    except InvalidFile as error:
        notes.error(request, str(error))
        return HttpResponseRedirect(f"/mappings/{code}")
    job_functions.ask_worker_to_run_job_now("import_master_data")
    return HttpResponseRedirect(f"/mappings/files/{master_import.pk}")


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def import_progress_page(request: HttpRequest, import_id: int) -> HttpResponse:
    """The progress of an import, its preview, and its invalid rows."""
    master_import = _load_import_with_progress(import_id)
    bad = ImportRow.objects.filter(master_import=master_import, verdict="invalid").order_by(
        "number"
    )
    context = {
        **import_state_and_time_context(master_import, database_now()),
        "kind": master_import.table,
        "problems": bad[:MAX_PROBLEMS],
        "more": max(0, master_import.invalid - MAX_PROBLEMS),
        "moving": master_import.state in IN_PROGRESS,
        "may_edit": has_permission(request.user, Permission.MAPPINGS_EDIT),
    }
    answer = render(request, "mappings/file.html", context)
    if context["moving"]:
        answer["Refresh"] = "2"
    return answer


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def approve_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Approve a validated import."""
    master_import = _load_import_with_progress(import_id)
    assert isinstance(request.user, User)
    if imports.confirm_import(master_import.pk, user=request.user, now=database_now()):
        job_functions.ask_worker_to_run_job_now("import_master_data")
    else:
        notes.error(request, "This file is not awaiting approval.")
    return HttpResponseRedirect(f"/mappings/files/{master_import.pk}")


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def discard_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Discard an import."""
    master_import = _load_import_with_progress(import_id)
    if not imports.discard_import(master_import.pk):
        notes.error(request, "This file cannot be discarded now.")
    return HttpResponseRedirect(f"/mappings/{master_import.table}")


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def export_table(request: HttpRequest, code: str, form: str) -> HttpResponseBase:
    """Download a table as CSV or XLSX; `?kind=` limits mappings to one kind."""
    table = get_table_or_404(code)
    if form not in FILE_FORMATS:
        raise Http404(form)
    kind = request.GET.get("kind", "")
    mapped = code == "mapping" and kind in set(TermKind.values)
    try:
        return table_response(request, table, form, filters={"kind": kind} if mapped else {})
    except TooManyRows as error:
        notes.error(request, str(error))
        return HttpResponseRedirect(f"/mappings/{code}")


def import_state_and_time_context(master_import: MasterImport, now: datetime) -> dict[str, Any]:
    """The template context of an import."""
    label, tone = labels_and_sentences.IMPORT_STATE_LABELS[ImportState(master_import.state)]
    return {
        "file": master_import,
        "label": label,
        "tone": tone,
        "sentence": labels_and_sentences.import_sentence(master_import),
        "at": displayed_time(master_import.created_at, now),
    }


def _load_import_with_progress(import_id: int) -> MasterImport:
    master_import = MasterImport.objects.filter(pk=min(import_id, MAX_ID)).first()
    if master_import is None:
        raise Http404
    if master_import.state == ImportState.WRITING:
        master_import.done = imports.rows_written_so_far(master_import)
    return master_import


urlpatterns = [
    path("mappings/files/<int:import_id>", import_progress_page, name="mapping-file"),
    path("mappings/files/<int:import_id>/apply", approve_import, name="mapping-file-apply"),
    path("mappings/files/<int:import_id>/discard", discard_import, name="mapping-file-discard"),
    path("mappings/<slug:code>/file", upload_file_for_validation, name="mapping-send"),
    path("mappings/<slug:code>/export.<slug:form>", export_table, name="mapping-export"),
]
