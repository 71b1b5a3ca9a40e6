"""Show the page of one KPI, also after an invalid note."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from visibility.db.database_time import database_now
from visibility.kpi import query as numbers
from visibility.kpi.dimensions import DIMENSIONS
from visibility.kpi.kpi import Kpi
from visibility.kpi.notes import MAX_TEXT, KpiNoteEditor
from visibility.kpi.registry import kpi_registry
from visibility.models import KpiNote
from visibility.screens.kpis.breakdown import Breakdown, BreakdownCell
from visibility.screens.kpis.kpi_error_sentences import kpi_failure_notes
from visibility.screens.kpis.kpi_page import build_kpi_page
from visibility.screens.save_conflicts import SaveConflict
from visibility.web.kpi_page_context import shared_kpi_context
from visibility.web.kpi_query_string import (
    BREAKDOWN_PARAMS,
    FILTER_PARAMS,
    KpiRequest,
    parse_kpi_query_string,
    slice_query_string,
    undelivered_orders_query_string,
)
from visibility.web.permissions import Permission, has_permission, signed_in_user

BREAKDOWN_TITLES = dict(zip(BREAKDOWN_PARAMS, ("Rows", "Columns"), strict=True))
PARAM_OF_DIMENSION = {dimension: name for name, dimension in FILTER_PARAMS.items()}


@dataclass(frozen=True, slots=True)
class KpiNoteForm:
    """The form of a note as it is shown. `note`: its number, None for a new one."""

    start: str
    end: str
    text: str = ""
    is_for_all: bool = False
    note: int | None = None
    version: int | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


def show_page_if_too_many_facts(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Show a page with the filters instead of a value that would be summed from too many facts."""

    @wraps(view)
    def explained(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except numbers.TooManyFacts as error:
            now = database_now()
            asked = parse_kpi_query_string(request, now)
            context = {"too_many": str(error)} | shared_kpi_context(asked, now, {})
            return render(request, "kpis/too_many_facts.html", context)

    return explained


def kpi_or_404(code: str) -> Kpi:
    """The KPI with this code. Raises Http404."""
    kpi = kpi_registry().get(code)
    if kpi is None:
        raise Http404(code)
    return kpi


def note_editor(request: HttpRequest) -> KpiNoteEditor:
    """The person of a request, as who changes a note."""
    user = signed_in_user(request)
    return KpiNoteEditor(user, has_permission(user, Permission.ADMINISTER))


def render_kpi_page(
    request: HttpRequest,
    code: str,
    *,
    form: KpiNoteForm | None = None,
    conflict: SaveConflict | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a KPI; `form` is that of a note that was refused. Raises TooManyFacts."""
    kpi, now = kpi_or_404(code), database_now()
    asked = parse_kpi_query_string(request, now)
    kpi_page = build_kpi_page(kpi, asked.selection, now=now)
    context = {
        "content": kpi_page,
        "kpi": kpi,
        "conflict": conflict,
        "breakdown": _link_breakdown(asked, kpi_page.breakdowns.selected),
        "tables": [
            {
                **_link_breakdown(asked, table),
                "name": DIMENSIONS[table.dimensions[0]],
                "all": asked.query_string_with(rows=table.dimensions[0], columns=""),
            }
            for table in kpi_page.breakdowns.tables
        ],
        "explaining": [
            (segment.label, segment.cell, _cell_query(asked, segment.cell))
            for segment in kpi_page.breakdowns.explaining
        ],
        "breakdown_choices": [
            (param, title, kpi_page.breakdowns.selected.dimensions[index : index + 1])
            for index, (param, title) in enumerate(BREAKDOWN_TITLES.items())
        ],
        "breakdown_dimensions": [(name, DIMENSIONS[name]) for name in kpi.dimensions],
        "other_params": [
            (name, value) for name, value in asked.query.items() if name not in BREAKDOWN_TITLES
        ],
        "undelivered": undelivered_orders_query_string(asked),
        "failures": kpi_failure_notes(code),
        "target_query": _target_query(asked),
    }
    context |= _notes_context(request, asked, kpi_page.notes, form)
    context |= shared_kpi_context(asked, now, kpi_page.choices)
    return render(request, "kpis/detail.html", context, status=status)


def _target_query(asked: KpiRequest) -> str:
    """The query string of the form for a target: of the filtered value, if there is one filter."""
    filtered = asked.filters.filtered_values_by_dimension()
    scope = ":".join(next(iter(filtered.items()))) if len(filtered) == 1 else ""
    return f"&{urlencode({'scope': scope})}" if scope and not scope.endswith(":") else ""


def _link_breakdown(asked: KpiRequest, breakdown: Breakdown) -> dict[str, Any]:
    """The breakdown, and its rows with the query string of the orders behind each cell."""
    rows = [
        (name, [(cell, _cell_query(asked, cell)) if cell else None for cell in cells])
        for name, cells in breakdown.rows
    ]
    return {"content": breakdown, "rows": rows}


def _cell_query(asked: KpiRequest, cell: BreakdownCell) -> str:
    return slice_query_string(
        asked, {PARAM_OF_DIMENSION[name]: value for name, value in cell.filters.items()}
    )


def _notes_context(
    request: HttpRequest, asked: KpiRequest, notes: Any, form: KpiNoteForm | None
) -> dict[str, Any]:
    editor, may_note = note_editor(request), has_permission(request.user, Permission.KPIS_NOTE)
    day = asked.span.end.isoformat()
    is_new = form is not None and form.note is None
    return {
        "notes": [
            (
                number,
                note,
                _form_of_note(note, form) if may_note and editor.may_change(note) else None,
            )
            for number, note in enumerate(notes, start=1)
        ],
        "may_note": may_note,
        "note_form": form if is_new else KpiNoteForm(day, day),
        "note_form_open": is_new,
        "note_of_error": form.note if form else None,
        "max_note": MAX_TEXT,
    }


def _form_of_note(note: KpiNote, form: KpiNoteForm | None) -> KpiNoteForm:
    if form is not None and form.note == note.pk:
        return form
    return form_of_stored_note(note)


def form_of_stored_note(note: KpiNote) -> KpiNoteForm:
    """The form of a note with what is stored."""
    return KpiNoteForm(
        note.start.isoformat(),
        note.end.isoformat(),
        note.text,
        not note.kpi,
        note.pk,
        note.version,
    )
