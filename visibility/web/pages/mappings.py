"""Mappings: what is unmapped and what it could mean; the tables; decisions about words."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.clock import database_now
from visibility.master_data import store
from visibility.master_data.cells import BadCell
from visibility.master_data.store import Overlap
from visibility.master_data.tables import TABLES, Table
from visibility.models import MasterImport, NeverMap, Source
from visibility.models.master import WordTable
from visibility.pipeline import stages
from visibility.screens.mappings import labels as words
from visibility.screens.mappings import queries, suggestions
from visibility.screens.relative_time import when
from visibility.web.pages import mapping_files, mapping_rows
from visibility.web.pages.mapping_rows import author, text_of
from visibility.web.permissions import Right, may, needs

SHOWN = 30
ACCEPTED = 500
CERTAIN = (100, 95, 90, 80, 70)
MAPPING = TABLES["mapping"]


@require_GET
@needs(Right.MAPPINGS_SEE)
def overview(request: HttpRequest) -> HttpResponse:
    """Unmapped words by the orders they hurt, with suggestions; the tables; the latest files."""
    now = database_now()
    recent = MasterImport.objects.select_related("created_by").order_by("-pk")[:5]
    context = {
        "sentence": words.unmapped_sentence(*queries.open_words()),
        "unmapped": _unmapped(""),
        "certain": CERTAIN,
        "tables": [_card(code) for code in words.KINDS],
        "never": NeverMap.objects.select_related("decided_by").order_by("-decided_at")[:50],
        "imports": [mapping_files.shown(found, now) for found in recent],
        "may_edit": may(request.user, Right.MAPPINGS_EDIT),
        "governed": Source.objects.filter(config__has_key="governed").exists(),
    }
    return render(request, "mappings/list.html", context)


@require_GET
@needs(Right.MAPPINGS_SEE)
def table(request: HttpRequest, kind: str) -> HttpResponse:
    """One kind: its words and what they mean, or its rows."""
    if kind not in words.KINDS:
        raise Http404(kind)
    now = database_now()
    tab = _tab(kind, text_of(request.GET.get("tab", "")))
    found = MAPPING if tab == "words" else TABLES[kind]
    source = text_of(request.GET.get("source", ""))
    filters = {"table": kind} if tab == "words" else {}
    if tab == "words" and source:
        filters["source"] = source
    q = text_of(request.GET.get("q", ""))
    after = request.GET.get("after", "0")
    rows = queries.listed(found, q=q, after=int(after) if after.isdecimal() else 0, filters=filters)
    shown = rows[: queries.PAGE]
    used = queries.used(found, shown, now=now)
    kept = {"tab": tab, "q": q, "source": source}
    context = {
        "kind": kind,
        "title": words.KINDS[kind][0],
        "tab": tab,
        "tabs": [(code, name, code == tab) for code, name in _tabs(kind)],
        "table": found,
        "columns": [c for c in found.own if tab != "words" or c.name != "table"],
        "rows": [_row(found, row, used.get(row.pk, 0), now, tab) for row in shown],
        "unmapped": _unmapped(kind) if tab == "words" else [],
        "certain": CERTAIN,
        "asked": kept,
        "sources": Source.objects.order_by("slug").values_list("slug", flat=True)[:500],
        "next": urlencode({**kept, "after": shown[-1].pk}) if len(rows) > len(shown) else "",
        "first": urlencode(kept) if after not in {"", "0"} else "",
        "may_edit": may(request.user, Right.MAPPINGS_EDIT),
    }
    return render(request, "mappings/table.html", context)


@require_GET
@needs(Right.MAPPINGS_SEE)
def hurt(request: HttpRequest) -> HttpResponse:
    """The orders that an unmapped word hurts."""
    now = database_now()
    name = _name(request.GET)
    found = queries.hurt_by(name["table"], name["source"], name["word"])
    context = {
        **name,
        "orders": [(one, when(one.last_at, now)) for one in found],
        "title": words.KINDS[name["table"]][1],
        "contacts": may(request.user, Right.CONTACTS),
    }
    return render(request, "mappings/affected.html", context)


@require_POST
@needs(Right.MAPPINGS_EDIT)
def accept(request: HttpRequest) -> HttpResponse:
    """A word means this of ours."""
    name = _name(request.POST)
    _map(request, [{**_cells(name), "ours": text_of(request.POST.get("ours", ""))}])
    return _back(request, name["table"])


@require_POST
@needs(Right.MAPPINGS_EDIT)
def accept_all(request: HttpRequest) -> HttpResponse:
    """Every word whose best suggestion is certain enough means it."""
    kind = text_of(request.POST.get("table", ""))
    least = request.POST.get("certainty", "")
    least_certain = int(least) if least.isdecimal() and len(least) < 4 else 100
    found = queries.unmapped(kind if kind in words.KINDS else "", most=ACCEPTED)
    rows = [
        {"table": word.table, "source": word.source, "theirs": word.raw, "ours": some[0].ours}
        for word, some in zip(found, suggestions.suggested(found), strict=True)
        if some and some[0].certainty >= least_certain and _alone(some)
    ]
    if rows:
        _map(request, rows)
    else:
        notes.info(request, f"No suggestion is {least_certain} % certain.")
    return _back(request, kind)


@require_POST
@needs(Right.MAPPINGS_EDIT)
def never(request: HttpRequest) -> HttpResponse:
    """A word shall stay unknown."""
    name = _name(request.POST)
    why = text_of(request.POST.get("why", ""))
    store.never(name["table"], name["source"], name["word"], why=why, by=author(request))
    notes.success(request, f"“{name['word']}” stays unknown: its lines stay set aside.")
    return _back(request, name["table"])


@require_POST
@needs(Right.MAPPINGS_EDIT)
def again(request: HttpRequest) -> HttpResponse:
    """List a word again."""
    name = _name(request.POST)
    store.list_again(name["table"], name["source"], name["word"], by=author(request))
    notes.success(request, f"“{name['word']}” is listed again where orders use it.")
    return _back(request, name["table"])


def _map(request: HttpRequest, rows: list[dict[str, str]]) -> None:
    try:
        done = store.write(MAPPING, [MAPPING.read(row) for row in rows], by=author(request))
    except (BadCell, Overlap) as error:
        notes.error(request, f"Nothing was mapped: {error}")
        return
    stages.nudge("fold")
    stages.nudge("master")
    said = words.counted(done.added + done.changed, "word")
    notes.success(request, f"{said} mapped.{words.read_again(done.orders)}")


def _alone(some: list[suggestions.Suggestion]) -> bool:
    """Two that are equally certain are a question, no answer."""
    return len(some) == 1 or some[0].certainty > some[1].certainty


def _unmapped(kind: str) -> list[dict[str, Any]]:
    found = queries.unmapped(kind, most=SHOWN)
    return [
        {
            "word": word,
            "title": words.KINDS[word.table][1],
            "suggestions": some,
            "query": urlencode({"table": word.table, "source": word.source, "word": word.raw}),
            "spans": word.first_at != word.last_at,
        }
        for word, some in zip(found, suggestions.suggested(found), strict=True)
    ]


def _card(kind: str) -> dict[str, Any]:
    tabs = []
    for code, name in _tabs(kind):
        found = MAPPING if code == "words" else TABLES[kind]
        count, more = queries.counted(found, {"table": kind} if code == "words" else {})
        tabs.append((code, name, count, more))
    return {"kind": kind, "title": words.KINDS[kind][0], "tabs": tabs}


def _tabs(kind: str) -> list[tuple[str, str]]:
    tabs = [("words", "Their words")] if kind in set(WordTable.values) else []
    return [*tabs, *([("rows", TABLES[kind].title)] if kind in TABLES else [])]


def _tab(kind: str, wish: str) -> str:
    codes = [code for code, _ in _tabs(kind)]
    return wish if wish in codes else codes[0]


def _row(found: Table, row: Any, used: int, now: Any, tab: str) -> dict[str, Any]:
    cells = found.cells(row)
    own = [
        (column.title, cells[column.name])
        for column in found.own
        if tab != "words" or column.name != "table"
    ]
    return {"row": row, "cells": own, "dated": cells, "used": used, "at": when(row.changed_at, now)}


def _name(given: Any) -> dict[str, str]:
    """Which word is meant. Raises Http404."""
    name = {key: text_of(given.get(key, "")) for key in ("table", "source", "word")}
    if name["table"] not in set(WordTable.values) or not name["word"]:
        raise Http404
    return name


def _cells(name: dict[str, str]) -> dict[str, str]:
    return {"table": name["table"], "source": name["source"], "theirs": name["word"]}


def _back(request: HttpRequest, kind: str) -> HttpResponse:
    """To the page the form stood on."""
    there = kind if request.POST.get("on") == "table" and kind in words.KINDS else ""
    return HttpResponseRedirect(f"/mappings/{there}" if there else "/mappings")


urlpatterns = [
    path("mappings", overview, name="mappings"),
    path("mappings/hurt", hurt, name="mapping-hurt"),
    path("mappings/accept", accept, name="mapping-accept"),
    path("mappings/accept-all", accept_all, name="mapping-accept-all"),
    path("mappings/never", never, name="mapping-never"),
    path("mappings/again", again, name="mapping-again"),
    *mapping_files.urlpatterns,
    path("mappings/<slug:kind>", table, name="mapping-table"),
    *mapping_rows.urlpatterns,
]
