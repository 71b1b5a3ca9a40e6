"""The forms for notes on the charts of a KPI: add, change and remove."""

from dataclasses import replace

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_day, parse_row_version
from visibility.kpi.notes import (
    ALL_KPIS,
    InvalidKpiNote,
    KpiNoteChanged,
    KpiNoteValues,
    NotAuthorOfKpiNote,
    add_kpi_note,
    change_kpi_note,
    notes_of_kpis,
    remove_kpi_note,
)
from visibility.models import KpiNote
from visibility.screens.save_conflicts import conflict_with_latest_entry, latest_change
from visibility.web.kpi_detail_page import (
    KpiNoteForm,
    form_of_stored_note,
    kpi_or_404,
    note_editor,
    render_kpi_page,
    show_page_if_too_many_facts,
)
from visibility.web.permissions import Permission, require_permission

INVALID_DATE = "Enter a date, such as 2026-03-04."
TEXTS = {"start": "First day", "end": "Last day", "text": "Note"}


@require_POST
@require_permission(Permission.KPIS)
@require_permission(Permission.KPIS_NOTE)
@show_page_if_too_many_facts
def add_note(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /numbers/<kpi>/notes`: add a note."""
    kpi_or_404(code)
    form = _posted_form(request)
    try:
        add_kpi_note(_values(form, code), editor=note_editor(request), now=database_now())
    except InvalidKpiNote as error:
        return render_kpi_page(request, code, form=replace(form, errors=error.errors), status=400)
    messages.success(request, "Note added.")
    return _back(request, code)


@require_POST
@require_permission(Permission.KPIS)
@require_permission(Permission.KPIS_NOTE)
@show_page_if_too_many_facts
def change_note(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """`POST /numbers/<kpi>/notes/<id>`: change a note."""
    note = _note_or_404(code, number)
    version = parse_row_version(request.POST.get("version", ""))
    # The next version of the form is that which this one was opened with, until it is compared.
    form = replace(_posted_form(request), note=note.pk, version=version)
    try:
        change_kpi_note(
            note,
            _values(form, code),
            editor=note_editor(request),
            now=database_now(),
            version=version,
        )
    except InvalidKpiNote as error:
        return render_kpi_page(request, code, form=replace(form, errors=error.errors), status=400)
    except KpiNoteChanged:
        return _render_conflict(request, code, _note_or_404(code, number), form)
    except NotAuthorOfKpiNote as error:
        messages.error(request, str(error))
        return _back(request, code)
    messages.success(request, "Note saved.")
    return _back(request, code)


@require_POST
@require_permission(Permission.KPIS)
@require_permission(Permission.KPIS_NOTE)
def remove_note(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """`POST /numbers/<kpi>/notes/<id>/remove`: remove a note."""
    note = _note_or_404(code, number)
    try:
        remove_kpi_note(note, editor=note_editor(request), now=database_now())
    except NotAuthorOfKpiNote as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Note removed.")
    return _back(request, code)


def _render_conflict(
    request: HttpRequest, code: str, note: KpiNote, form: KpiNoteForm
) -> HttpResponse:
    form = replace(form, version=note.version)
    conflict = conflict_with_latest_entry(
        _values_by_label(form_of_stored_note(note)),
        _values_by_label(form),
        latest_change(f"KPI note {note.pk}", "kpi_note.changed"),
        now=database_now(),
        form_id=f"note-form-{note.pk}",
        reload_url=f"/numbers/{code}#notes",
    )
    return render_kpi_page(request, code, form=form, conflict=conflict, status=409)


def _values_by_label(form: KpiNoteForm) -> dict[str, str]:
    texts = {label: str(getattr(form, name)) for name, label in TEXTS.items()}
    return {**texts, "Show on all KPIs": "yes" if form.is_for_all else "no"}


def _note_or_404(code: str, number: int) -> KpiNote:
    kpi_or_404(code)
    note = notes_of_kpis([code]).filter(pk=number).first()
    if note is None:
        raise Http404
    return note


def _posted_form(request: HttpRequest) -> KpiNoteForm:
    start = request.POST.get("start", "").replace("\0", "")[:40]
    return KpiNoteForm(
        start=start,
        end=request.POST.get("end", "").replace("\0", "")[:40] or start,
        text=request.POST.get("text", "").replace("\0", "")[:2_000],
        is_for_all=request.POST.get("scope") == "all",
    )


def _values(form: KpiNoteForm, code: str) -> KpiNoteValues:
    """The fields of the form. Raises InvalidKpiNote."""
    days, errors = {}, {}
    for name, text in (("start", form.start), ("end", form.end)):
        day = parse_day(text)
        if day is None:
            errors[name] = INVALID_DATE
        else:
            days[name] = day
    if errors:
        raise InvalidKpiNote(errors)
    return KpiNoteValues(ALL_KPIS if form.is_for_all else code, text=form.text, **days)


def _back(request: HttpRequest, code: str) -> HttpResponse:
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"/numbers/{code}{'?' if query else ''}{query}#notes")


urlpatterns = [
    path("numbers/<slug:code>/notes", add_note, name="kpi-note-add"),
    path("numbers/<slug:code>/notes/<int:number>", change_note, name="kpi-note-change"),
    path("numbers/<slug:code>/notes/<int:number>/remove", remove_note, name="kpi-note-remove"),
]
