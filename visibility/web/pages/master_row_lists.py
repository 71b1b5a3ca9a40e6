"""Views of the tables of master data: each a list, and its exports."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.master_data.tables import TABLES
from visibility.models.master import TermKind
from visibility.screens.mappings.labels_and_sentences import KIND_LABELS
from visibility.screens.mappings.master_row_columns import MASTER_ROW_LISTS
from visibility.screens.mappings.table_tabs import tabs_of_kind
from visibility.web.list_page import build_list_page
from visibility.web.list_page_context import viewer_of_request
from visibility.web.pages.list_exports import list_export_response_of_format
from visibility.web.pages.mappings import DECISION_OPTIONS, unmapped_entries
from visibility.web.pages.master_data_rows import get_table_or_404
from visibility.web.permissions import Permission, has_permission, require_permission


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def master_table_page(request: HttpRequest, code: str) -> HttpResponse:
    """`/mappings/<table>`: the rows of a table; of mappings the unmapped source values first.

    `?tab=` is of links of earlier releases: they lead to the list that has the rows now.
    """
    if (code in TermKind.values and "tab" in request.GET) or code not in TABLES:
        return _redirect_to_list_of_kind(request, code)
    table, definition = TABLES[code], MASTER_ROW_LISTS[code]
    viewer, now = viewer_of_request(request), database_now()
    page = build_list_page(request, definition, viewer=viewer, now=now)
    values = definition.applied_filters(request.GET, viewer).values
    kind = str(values.get("kind", [""])[0]) if code == "mapping" else code
    context = page | {
        "table": table,
        "kind": kind,
        "title": KIND_LABELS[kind][0] if kind else table.title,
        "tabs": tabs_of_kind(kind),
        "unmapped_terms": unmapped_entries(kind, sources=values.get("source", ()))
        if code == "mapping" and page["is_first"]
        else [],
        "asked_sources": values.get("source", ()),
        **DECISION_OPTIONS,
        "may_edit": has_permission(request.user, Permission.MAPPINGS_EDIT),
    }
    return render(request, "mappings/table.html", context)


def _redirect_to_list_of_kind(request: HttpRequest, code: str) -> HttpResponse:
    """Raises Http404 if there is no such kind."""
    query = {n: v for n in ("q", "source") if (v := request.GET.get(n, "").replace("\0", ""))}
    if code not in TABLES and code not in TermKind.values:
        get_table_or_404(code)
    if code in TABLES and request.GET["tab"] != "words":
        query.pop("source", None)
        return HttpResponseRedirect(f"/mappings/{code}?{urlencode(query)}")
    return HttpResponseRedirect(f"/mappings/mapping?{urlencode({'kind': code, **query})}")


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
@require_permission(Permission.EXPORT)
def export_master_rows(request: HttpRequest, code: str) -> HttpResponseBase:
    """`/mappings/<table>/export`: the rows of the list with the same filters, and a `format`."""
    return list_export_response_of_format(request, MASTER_ROW_LISTS[get_table_or_404(code).code])


urlpatterns = [
    path("mappings/<slug:code>", master_table_page, name="mapping-table"),
    path("mappings/<slug:code>/export", export_master_rows, name="mapping-table-export"),
]
