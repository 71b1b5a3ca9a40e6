"""Mapping pages: unmapped terms with suggestions, the tables, and decisions about terms."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import count_with_noun
from visibility.master_data import ignored_terms, write_and_restore_rows
from visibility.master_data.cell_conversion import InvalidCell
from visibility.master_data.status_terms import STATUS_CHOICES
from visibility.master_data.tables import TABLES
from visibility.master_data.write_and_restore_rows import OverlappingRows
from visibility.models import IgnoredTerm, MasterImport, Source
from visibility.models.master import TermKind
from visibility.pipeline import job_functions
from visibility.screens.mappings import canonical_record_suggestions as suggestions
from visibility.screens.mappings import labels_and_sentences as labels
from visibility.screens.mappings import term_and_row_queries as queries
from visibility.screens.mappings.table_tabs import tabs_of_kind
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
    terms, orders = queries.count_unmapped_terms_and_orders()
    context = {
        "sentence": labels.unmapped_sentence(terms, orders),
        "unmapped_count": terms,
        "unmapped_terms": unmapped_entries(""),
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
def orders_affected_by_term_page(request: HttpRequest) -> HttpResponse:
    """`/mappings/affected`: the orders affected by an unmapped term."""
    now = database_now()
    name = requested_term(request.GET)
    orders = queries.orders_using_unmapped_term(name["kind"], name["source"], name["term"])
    context = {
        **name,
        "orders": [(order, displayed_time(order.last_at, now)) for order in orders],
        "title": labels.KIND_LABELS[name["kind"]][1],
        "contacts": has_permission(request.user, Permission.CONTACTS),
    }
    return render(request, "mappings/affected.html", context)


class MappedMeanwhile(Exception):
    """Another value is stored for a term that the page showed as unmapped."""


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def accept_mapping(request: HttpRequest) -> HttpResponse:
    """Map a term to a canonical value."""
    name = requested_term(request.POST)
    canonical = strip_nul_and_limit_length(request.POST.get("canonical", ""))
    _save_mappings(request, [{**_term_to_mapping_row_cells(name), "canonical": canonical}])
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
    name = requested_term(request.POST)
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
    name = requested_term(request.POST)
    ignored_terms.unignore_term(
        name["kind"], name["source"], name["term"], context=change_context_of_request(request)
    )
    notes.success(request, f"“{name['term']}” is no longer ignored.")
    return _redirect_back(request, name["kind"])


def _save_mappings(request: HttpRequest, rows: list[dict[str, str]]) -> None:
    """Add the rows. A term that somebody else has mapped meanwhile keeps its mapping."""
    try:
        with transaction.atomic():
            done = write_and_restore_rows.write_rows(
                MAPPING,
                [MAPPING.parse_row_or_raise_invalid_cell(row) for row in rows],
                context=change_context_of_request(request),
            )
            if done.changed:
                raise MappedMeanwhile
    except MappedMeanwhile:
        notes.error(
            request,
            "Nothing was mapped: somebody else has mapped this value meanwhile. Find it in the "
            "table of mapped values to change it.",
        )
        return
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


def unmapped_entries(kind: str, *, sources: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Unmapped terms with suggestions, for `mappings/_unmapped.html`."""
    unmapped = queries.unmapped_terms(kind, sources=sources, limit=MAX_SHOWN)
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
    tabs = [
        (
            tab,
            *queries.capped_row_count_and_whether_more(
                TABLES[tab.table], {"kind": tab.kind} if tab.kind else {}
            ),
        )
        for tab in tabs_of_kind(kind)
    ]
    return {"kind": kind, "title": labels.KIND_LABELS[kind][0], "tabs": tabs}


def requested_term(params: Any) -> dict[str, str]:
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
    if request.POST.get("on") == "list":
        return HttpResponseRedirect("/mappings/unmapped")
    if request.POST.get("on") != "table" or kind not in labels.KIND_LABELS:
        return HttpResponseRedirect("/mappings")
    return HttpResponseRedirect(f"/mappings/mapping?kind={kind}")


urlpatterns = [
    path("mappings", mapping_overview, name="mappings"),
    path("mappings/affected", orders_affected_by_term_page, name="mapping-affected"),
    path("mappings/accept", accept_mapping, name="mapping-accept"),
    path("mappings/accept-all", accept_certain_mappings, name="mapping-accept-all"),
    path("mappings/ignore", ignore_term, name="mapping-ignore"),
    path("mappings/unignore", unignore_term, name="mapping-unignore"),
    *master_data_files.urlpatterns,
    *master_data_rows.urlpatterns,
]
