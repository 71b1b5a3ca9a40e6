"""One row of master data: changed with its effect told before, its history, the way back."""

from typing import Any

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.clock import database_now
from visibility.master_data import impact, store
from visibility.master_data.cells import BadCell
from visibility.master_data.store import Author, Overlap, Stale, Written
from visibility.master_data.tables import TABLES, Row, Table
from visibility.models import MasterChange, Source
from visibility.models.master import Dated
from visibility.pipeline import stages
from visibility.screens.mappings import labels as words
from visibility.screens.mappings import queries
from visibility.screens.relative_time import when
from visibility.web.permissions import Right, may, needs

BIGGEST = 2**63 - 1


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.MAPPINGS_EDIT)
def new(request: HttpRequest, code: str) -> HttpResponse:
    """A row that is not there yet."""
    table = known(code)
    if request.method == "POST":
        return _act(request, table, None)
    return _form(request, table, None, cells=request.GET)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.MAPPINGS_SEE)
def one(request: HttpRequest, code: str, row_id: int) -> HttpResponse:
    """A row, its history, and for those who may, the form to change it."""
    table = known(code)
    row = table.model._base_manager.filter(pk=min(row_id, BIGGEST)).first()
    if row is None and not queries.history(table, min(row_id, BIGGEST)):
        raise Http404
    if request.method == "POST":
        edited: HttpResponse = _edit(request, table, row, row_id)
        return edited
    return _form(request, table, row, row_id=row_id, cells=table.cells(row) if row else {})


@needs(Right.MAPPINGS_EDIT)
def _edit(request: HttpRequest, table: Table, row: Dated | None, row_id: int) -> HttpResponse:
    if row is None:
        raise Http404
    if request.POST.get("act") == "remove":
        store.remove(table, row_id, by=author(request))
        _ring()
        notes.success(request, "Taken away. Its history stays, and it can be brought back.")
        return HttpResponseRedirect(f"/mappings/{table.code}/{row_id}")
    return _act(request, table, row)


@require_POST
@needs(Right.MAPPINGS_EDIT)
def back(request: HttpRequest, code: str, row_id: int, change_id: int) -> HttpResponse:
    """Make a row what it was."""
    table = known(code)
    kept = MasterChange.objects.filter(table=code, row=min(row_id, BIGGEST))
    change = kept.filter(pk=min(change_id, BIGGEST)).first()
    if change is None:
        raise Http404
    address = f"/mappings/{code}/{row_id}"
    try:
        done = store.roll_back(table, change, by=author(request))
    except (Overlap, BadCell, Stale) as error:
        notes.error(request, f"It stays as it is: {error}")
        return HttpResponseRedirect(address)
    _ring()
    notes.success(request, f"As it was in version {change.version}.{words.read_again(done.orders)}")
    if done.added:
        address = f"/mappings/{code}/{MasterChange.objects.get(pk=done.changes[-1]).row}"
    return HttpResponseRedirect(address)


def known(code: str) -> Table:
    """The table of that code. Raises Http404."""
    if code not in TABLES:
        raise Http404(code)
    return TABLES[code]


def author(request: HttpRequest) -> Author:
    """Who writes on a page."""
    assert isinstance(request.user, User)
    return Author(request.user, "page", database_now())


def text_of(given: str) -> str:
    """A short text without what no database takes."""
    return given.replace("\0", "").strip()[:250]


def _act(request: HttpRequest, table: Table, held: Dated | None) -> HttpResponse:
    """Tell the effect of what was entered, or write it."""
    cells = {c.name: request.POST.get(c.name, "") for c in table.columns}
    try:
        row = table.read(cells)
        store.refer(table, [row])
        if request.POST.get("act") != "save":
            return _form(request, table, held, cells=cells, row=row)
        done = _saved(request, table, held, row)
    except (BadCell, Overlap, Stale) as error:
        return _form(request, table, held, cells=cells, wrong=str(error))
    _ring()
    notes.success(request, f"Saved.{words.read_again(done.orders)}")
    if held is not None:
        return HttpResponseRedirect(f"/mappings/{table.code}/{held.pk}")
    kind = str(row.values["table"]) if table.code == "mapping" else table.code
    tab = "words" if table.code == "mapping" else "rows"
    return HttpResponseRedirect(f"/mappings/{kind}?tab={tab}")


def _saved(request: HttpRequest, table: Table, held: Dated | None, row: Row) -> Written:
    if held is None:
        return store.write(table, [row], by=author(request))
    given = request.POST.get("version", "")
    version = int(given) if given.isdecimal() and len(given) < 10 else None
    return store.replace(table, held.pk, row, version=version, by=author(request))


def _form(
    request: HttpRequest,
    table: Table,
    held: Dated | None,
    *,
    cells: Any,
    row_id: int = 0,
    row: Row | None = None,
    wrong: str = "",
) -> HttpResponse:
    now = database_now()
    past = queries.history(table, held.pk if held else row_id) if held or row_id else []
    before = [table.read(table.cells(held))] if held and row else []
    found = impact.effect(table, [row], before=before) if row else None
    kind = cells.get("table", "item") if table.code == "mapping" else table.code
    context = {
        "table": table,
        "kind": kind if kind in words.KINDS else "item",
        "held": held,
        "row_id": row_id,
        "name": " ".join(filter(None, (cells.get(name, "") for name in _called(table)))),
        "fields": [(c, cells.get(c.name, "")) for c in table.columns],
        "sources": Source.objects.order_by("slug").values_list("slug", flat=True)[:500],
        "effect": found,
        "effect_sentence": found
        and words.effect_sentence(found.orders, found.messages, found.first_at, found.last_at),
        "wrong": wrong,
        "history": [_change(table, change, now) for change in past],
        "may_edit": may(request.user, Right.MAPPINGS_EDIT),
    }
    return render(request, "mappings/row.html", context, status=400 if wrong else 200)


def _called(table: Table) -> tuple[str, ...]:
    """The columns that people know a row by."""
    return ("theirs",) if table.code == "mapping" else table.naming


def _change(table: Table, change: MasterChange, now: Any) -> dict[str, Any]:
    """One change: which columns it changed, from what to what."""
    before = table.cells(change.before) if change.before else {}
    after = table.cells(change.after) if change.after else {}
    differs = [
        (column.title, before.get(column.name, ""), after.get(column.name, ""))
        for column in table.columns
        if before.get(column.name, "") != after.get(column.name, "")
    ]
    what = words.WHAT.get(change.what, change.what)
    return {"change": change, "what": what, "differs": differs, "at": when(change.at, now)}


def _ring() -> None:
    """What was changed is folded again at once."""
    stages.nudge("fold")
    stages.nudge("master")


urlpatterns = [
    path("mappings/<slug:code>/new", new, name="mapping-new"),
    path("mappings/<slug:code>/<int:row_id>", one, name="mapping-row"),
    path("mappings/<slug:code>/<int:row_id>/back/<int:change_id>", back, name="mapping-back"),
]
