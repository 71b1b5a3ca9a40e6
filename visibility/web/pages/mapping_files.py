"""Files of master data on pages: sent, judged, confirmed; and given out."""

from datetime import datetime
from typing import Any

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.clock import database_now
from visibility.master_data import imports
from visibility.master_data.export import TooMany
from visibility.master_data.files import FORMATS
from visibility.master_data.xlsx import BadFile
from visibility.models import ImportRow, ImportState, MasterImport
from visibility.models.imports import MOVING
from visibility.models.master import WordTable
from visibility.pipeline import stages
from visibility.screens.mappings import labels as words
from visibility.screens.relative_time import when
from visibility.web.pages.mapping_rows import BIGGEST, known
from visibility.web.permissions import Right, may, needs
from visibility.web.table_downloads import exported

PROBLEMS = 100


@require_POST
@needs(Right.MAPPINGS_EDIT)
def send(request: HttpRequest, code: str) -> HttpResponse:
    """Keep a file; what it would do is told before anything is written."""
    table = known(code)
    file = request.FILES.get("file")
    if file is None:
        notes.error(request, "Choose a file first.")
        return HttpResponseRedirect(f"/mappings/{_kind(code)}")
    assert isinstance(request.user, User)
    name = str(file.name or "file")
    form = name.rpartition(".")[2].lower()
    try:
        kept = imports.keep(
            table,
            file.chunks(),
            name=name,
            format=form,
            apply=False,
            who=request.user,
            now=database_now(),
        )
    except BadFile as error:
        notes.error(request, str(error))
        return HttpResponseRedirect(f"/mappings/{_kind(code)}")
    stages.nudge("master")
    return HttpResponseRedirect(f"/mappings/files/{kept.pk}")


@require_GET
@needs(Right.MAPPINGS_SEE)
def file(request: HttpRequest, import_id: int) -> HttpResponse:
    """How far a file has come, what it would do, which rows can't be taken."""
    found = _import(import_id)
    bad = ImportRow.objects.filter(of=found, verdict="invalid").order_by("number")
    context = {
        **shown(found, database_now()),
        "kind": _kind(found.table),
        "problems": bad[:PROBLEMS],
        "more": max(0, found.invalid - PROBLEMS),
        "moving": found.state in MOVING,
        "may_edit": may(request.user, Right.MAPPINGS_EDIT),
    }
    answer = render(request, "mappings/file.html", context)
    if context["moving"]:
        answer["Refresh"] = "2"
    return answer


@require_POST
@needs(Right.MAPPINGS_EDIT)
def apply(request: HttpRequest, import_id: int) -> HttpResponse:
    """Write what was judged."""
    found = _import(import_id)
    assert isinstance(request.user, User)
    if imports.confirm(found.pk, who=request.user, now=database_now()):
        stages.nudge("master")
    else:
        notes.error(request, "It does not wait for a yes.")
    return HttpResponseRedirect(f"/mappings/files/{found.pk}")


@require_POST
@needs(Right.MAPPINGS_EDIT)
def discard(request: HttpRequest, import_id: int) -> HttpResponse:
    """Forget a file."""
    found = _import(import_id)
    if not imports.discard(found.pk):
        notes.error(request, "It can't be discarded any more, or not yet.")
    return HttpResponseRedirect(f"/mappings/{_kind(found.table)}")


@require_GET
@needs(Right.MAPPINGS_SEE)
def export(request: HttpRequest, code: str, form: str) -> HttpResponseBase:
    """A table as a file; of the words only those of one kind, if asked."""
    table = known(code)
    if form not in FORMATS:
        raise Http404(form)
    kind = request.GET.get("kind", "")
    mapped = code == "mapping" and kind in set(WordTable.values)
    try:
        return exported(request, table, form, filters={"table": kind} if mapped else {})
    except TooMany as error:
        notes.error(request, str(error))
        return HttpResponseRedirect(f"/mappings/{_kind(code)}?tab=rows")


def shown(found: MasterImport, now: datetime) -> dict[str, Any]:
    """A file in words."""
    word, tone = words.STATES[ImportState(found.state)]
    return {
        "file": found,
        "word": word,
        "tone": tone,
        "sentence": words.import_sentence(found),
        "at": when(found.created_at, now),
    }


def _kind(code: str) -> str:
    return "item" if code == "mapping" else code


def _import(import_id: int) -> MasterImport:
    found = MasterImport.objects.filter(pk=min(import_id, BIGGEST)).first()
    if found is None:
        raise Http404
    if found.state == ImportState.WRITING:
        found.done = imports.written_rows(found)
    return found


urlpatterns = [
    path("mappings/files/<int:import_id>", file, name="mapping-file"),
    path("mappings/files/<int:import_id>/apply", apply, name="mapping-file-apply"),
    path("mappings/files/<int:import_id>/discard", discard, name="mapping-file-discard"),
    path("mappings/<slug:code>/file", send, name="mapping-send"),
    path("mappings/<slug:code>/export.<slug:form>", export, name="mapping-export"),
]
