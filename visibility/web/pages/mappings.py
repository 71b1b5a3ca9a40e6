"""Mapping pages: unmapped terms with suggestions, the tables, and decisions about terms."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import count_with_noun
from visibility.master_data import ignored_terms, write_and_restore_rows
from visibility.master_data.cell_conversion import InvalidCell
from visibility.master_data.status_terms import STATUS_CHOICES, canonical_label
from visibility.master_data.tables import TABLES, MasterTable
from visibility.master_data.write_and_restore_rows import OverlappingRows
from visibility.models import IgnoredTerm, MasterImport, Source
from visibility.models.master import TermKind
from visibility.pipeline import job_functions
from visibility.screens.mappings import canonical_record_suggestions as suggestions
from visibility.screens.mappings import labels_and_sentences as labels
from visibility.screens.mappings import term_and_row_queries as queries
from visibility.screens.mappings.table_tabs import (
    selected_tab_code,
    tab_codes_and_titles_of_master_data_kind,
)
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.pages import master_data_files, master_data_rows
from visibility.web.pages.master_data_rows import (
    change_context_of_request,
    strip_nul_and_limit_length,
)
from visibility.web.permissions import Permission, has_permission, require_permission

MAX_SHOWN, MAX_ACCEPTED = 30, 500
# What the forms of an unmapped value offer.
DECISION_OPTIONS = {"certain": (100, 95, 90, 80, 70), "status_choices": STATUS_CHOICES}
MAPPING = TABLES["mapping"]


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def mapping_overview(request: HttpRequest) -> HttpResponse:
    """`/mappings`: unmapped terms with suggestions, the tables, and the latest imports."""
    now = database_now()
    recent = MasterImport.objects.select_related("created_by").order_by("-pk")[:5]
    context = {
        "sentence": labels.unmapped_sentence(*queries.count_unmapped_terms_and_orders()),
        "unmapped_terms": _unmapped_entries(""),
        **DECISION_OPTIONS,
        "tables": [_kind_card_with_tab_row_counts(code) for code in labels.KIND_LABELS],
        "ignored": IgnoredTerm.objects.select_related("decided_by").order_by("-decided_at")[:50],
        "imports": [
            master_data_files.import_state_and_time_context(master_import, now)
            for master_import in recent
        ],
        "may_edit": has_permission(request.user, Permission.MAPPINGS_EDIT),
        "governed": Source.objects.filter(config__has_key="governed").exists(),
    }
    return render(request, "mappings/list.html", context)


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def mappings_or_rows_of_kind_page(request: HttpRequest, kind: str) -> HttpResponse:
    """`/mappings/<kind>`: the mappings of one kind, or its master data rows."""
    if kind not in labels.KIND_LABELS:
        raise Http404(kind)
    now = database_now()
    tab = selected_tab_code(kind, strip_nul_and_limit_length(request.GET.get("tab", "")))
    master_table = MAPPING if tab == "words" else TABLES[kind]
    source = strip_nul_and_limit_length(request.GET.get("source", ""))
    filters = {"kind": kind} if tab == "words" else {}
    if tab == "words" and source:
        filters["source"] = source
    q = strip_nul_and_limit_length(request.GET.get("q", ""))
    after = parse_row_id(request.GET.get("after", "")) or 0
    rows = queries.list_table_rows(master_table, q=q, after=after, filters=filters)
    shown = rows[: queries.PAGE_SIZE]
    used = queries.count_orders_using_rows(master_table, shown, now=now)
    params = {"tab": tab, "q": q, "source": source}
    context = {
        "kind": kind,
        "title": labels.KIND_LABELS[kind][0],
        "tab": tab,
        "tabs": [
            (code, name, code == tab)
            for code, name in tab_codes_and_titles_of_master_data_kind(kind)
        ],
        "table": master_table,
        "columns": [c for c in master_table.own_columns if tab != "words" or c.name != "kind"],
        "rows": [
            _table_row_context(master_table, row, used.get(row.pk, 0), now, tab) for row in shown
        ],
        "unmapped_terms": _unmapped_entries(kind) if tab == "words" else [],
        **DECISION_OPTIONS,
        "asked": params,
        "sources": Source.objects.order_by("slug").values_list("slug", flat=True)[:500],
        "next": urlencode({**params, "after": shown[-1].pk}) if len(rows) > len(shown) else "",
        "first": urlencode(params) if after else "",
        "may_edit": has_permission(request.user, Permission.MAPPINGS_EDIT),
    }
    return render(request, "mappings/table.html", context)


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def orders_affected_by_term_page(request: HttpRequest) -> HttpResponse:
    """`/mappings/affected`: the orders affected by an unmapped term."""
    now = database_now()
    name = _requested_term(request.GET)
    orders = queries.orders_using_unmapped_term(name["kind"], name["source"], name["term"])
    context = {
        **name,
        "orders": [(order, displayed_time(order.last_at, now)) for order in orders],
        "title": labels.KIND_LABELS[name["kind"]][1],
        "contacts": has_permission(request.user, Permission.CONTACTS),
    }
    return render(request, "mappings/affected.html", context)


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def accept_mapping(request: HttpRequest) -> HttpResponse:
    """Map a term to a canonical value."""
    name = _requested_term(request.POST)
    _save_mappings(
        request,
        [
            {
                **_term_to_mapping_row_cells(name),
                "canonical": strip_nul_and_limit_length(request.POST.get("canonical", "")),
            }
        ],
    )
    return _redirect_back(request, name["kind"])


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def accept_certain_mappings(request: HttpRequest) -> HttpResponse:
    """Map every term whose best suggestion has at least the given certainty."""
    kind = strip_nul_and_limit_length(request.POST.get("kind", ""))
    least = request.POST.get("certainty", "")
    least_certain = min(parse_row_id(least) or 100, 100)
    unmapped = queries.unmapped_terms(
        kind if kind in labels.KIND_LABELS else "", limit=MAX_ACCEPTED
    )
    rows = [
        {
            "kind": term.kind,
            "source": term.source,
            "external": term.raw,
            "canonical": candidates[0].canonical,
        }
        for term, candidates in zip(
            unmapped, suggestions.suggest_canonical_records(unmapped), strict=True
        )
        if candidates
        and candidates[0].certainty >= least_certain
        and _has_unique_best_suggestion(candidates)
    ]
    if rows:
        _save_mappings(request, rows)
    else:
        notes.info(request, f"No suggestion is at least {least_certain}% certain.")
    return _redirect_back(request, kind)


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def ignore_term(request: HttpRequest) -> HttpResponse:
    """Ignore a term."""
    name = _requested_term(request.POST)
    reason = strip_nul_and_limit_length(request.POST.get("reason", ""))
    ignored_terms.ignore_term(
        name["kind"],
        name["source"],
        name["term"],
        reason=reason,
        context=change_context_of_request(request),
    )
    notes.success(request, f"“{name['term']}” is ignored. Its lines remain excluded.")
    return _redirect_back(request, name["kind"])


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def unignore_term(request: HttpRequest) -> HttpResponse:
    """Stop ignoring a term."""
    name = _requested_term(request.POST)
    ignored_terms.unignore_term(
        name["kind"], name["source"], name["term"], context=change_context_of_request(request)
    )
    notes.success(request, f"“{name['term']}” is no longer ignored.")
    return _redirect_back(request, name["kind"])


def _save_mappings(request: HttpRequest, rows: list[dict[str, str]]) -> None:
    try:
        done = write_and_restore_rows.write_rows(
            MAPPING,
            [MAPPING.parse_row_or_raise_invalid_cell(row) for row in rows],
            context=change_context_of_request(request),
        )
    except (InvalidCell, OverlappingRows) as error:
        notes.error(request, f"Nothing was mapped: {error}")
        return
    job_functions.ask_worker_to_run_job_now("refold")
    job_functions.ask_worker_to_run_job_now("import_master_data")
    mapped = count_with_noun(done.added + done.changed, "value")
    notes.success(request, f"{mapped} mapped.{labels.reprocessed_suffix(done.orders)}")


def _has_unique_best_suggestion(
    candidates: list[suggestions.TermSuggestion],
) -> bool:
    """Whether no other suggestion is equally certain."""
    return len(candidates) == 1 or candidates[0].certainty > candidates[1].certainty


def _unmapped_entries(kind: str) -> list[dict[str, Any]]:
    unmapped = queries.unmapped_terms(kind, limit=MAX_SHOWN)
    return [
        {
            "unmapped": term,
            "title": labels.KIND_LABELS[term.kind][1],
            "suggestions": candidates,
            "query": urlencode({"kind": term.kind, "source": term.source, "term": term.raw}),
            "spans": term.first_at != term.last_at,
        }
        for term, candidates in zip(
            unmapped, suggestions.suggest_canonical_records(unmapped), strict=True
        )
    ]


def _kind_card_with_tab_row_counts(kind: str) -> dict[str, Any]:
    tabs = []
    for code, name in tab_codes_and_titles_of_master_data_kind(kind):
        master_table = MAPPING if code == "words" else TABLES[kind]
        count, more = queries.capped_row_count_and_whether_more(
            master_table, {"kind": kind} if code == "words" else {}
        )
        tabs.append((code, name, count, more))
    return {"kind": kind, "title": labels.KIND_LABELS[kind][0], "tabs": tabs}


def _table_row_context(
    master_table: MasterTable, row: Any, used: int, now: Any, tab: str
) -> dict[str, Any]:
    cells = master_table.format_cells(row)
    own = [
        (column.title, canonical_label(cells, column.name))
        for column in master_table.own_columns
        if tab != "words" or column.name != "kind"
    ]
    return {
        "row": row,
        "cells": own,
        "dated": cells,
        "used": used,
        "at": displayed_time(row.changed_at, now),
    }


def _requested_term(params: Any) -> dict[str, str]:
    """The kind, source and term of a request. Raises Http404."""
    name = {
        key: strip_nul_and_limit_length(params.get(key, "")) for key in ("kind", "source", "term")
    }
    if name["kind"] not in set(TermKind.values) or not name["term"]:
        raise Http404
    return name


def _term_to_mapping_row_cells(name: dict[str, str]) -> dict[str, str]:
    return {"kind": name["kind"], "source": name["source"], "external": name["term"]}


def _redirect_back(request: HttpRequest, kind: str) -> HttpResponse:
    """Redirect to the page of the form."""
    there = kind if request.POST.get("on") == "table" and kind in labels.KIND_LABELS else ""
    return HttpResponseRedirect(f"/mappings/{there}" if there else "/mappings")


urlpatterns = [
    path("mappings", mapping_overview, name="mappings"),
    path("mappings/affected", orders_affected_by_term_page, name="mapping-affected"),
    path("mappings/accept", accept_mapping, name="mapping-accept"),
    path("mappings/accept-all", accept_certain_mappings, name="mapping-accept-all"),
    path("mappings/ignore", ignore_term, name="mapping-ignore"),
    path("mappings/unignore", unignore_term, name="mapping-unignore"),
    *master_data_files.urlpatterns,
    path("mappings/<slug:kind>", mappings_or_rows_of_kind_page, name="mapping-table"),
    *master_data_rows.urlpatterns,
]
