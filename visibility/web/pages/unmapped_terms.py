"""Views of unmapped source values: the list, its exports, and the preview of one value."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.models.master import normalize_term
from visibility.screens.mappings.labels_and_sentences import KIND_LABELS, unmapped_sentence
from visibility.screens.mappings.term_and_row_queries import (
    count_unmapped_terms_and_orders,
    orders_using_unmapped_term,
)
from visibility.screens.mappings.unmapped_columns import UNMAPPED_LIST
from visibility.web.list_page import build_list_page
from visibility.web.list_page_context import viewer_of_request
from visibility.web.pages.list_exports import list_export_response_of_format
from visibility.web.pages.mappings import DECISION_OPTIONS, requested_term
from visibility.web.permissions import Permission, has_permission, require_permission

SHOWN_ORDERS = 6


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def unmapped_list_page(request: HttpRequest) -> HttpResponse:
    """`/mappings/unmapped`: all source values that must be mapped and are not."""
    viewer, now = viewer_of_request(request), database_now()
    context = build_list_page(request, UNMAPPED_LIST, viewer=viewer, now=now) | {
        "sentence": unmapped_sentence(*count_unmapped_terms_and_orders()),
    }
    return render(request, "mappings/unmapped_list.html", context)


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
@require_permission(Permission.EXPORT)
def export_unmapped_page(request: HttpRequest) -> HttpResponseBase:
    """`/mappings/unmapped/export`: the values of the list with the same filters, and a `format`."""
    return list_export_response_of_format(request, UNMAPPED_LIST)


@require_GET
@require_permission(Permission.MAPPINGS_SEE)
def unmapped_term_preview(request: HttpRequest) -> HttpResponse:
    """`/mappings/unmapped/preview?kind=&source=&term=`: a page with the element #preview only."""
    asked = requested_term(request.GET)
    viewer, now = viewer_of_request(request), database_now()
    query = QueryDict(mutable=True)
    query.update({"kind": asked["kind"], "source": asked["source"]})
    terms = UNMAPPED_LIST.queryset(query, viewer, now).filter(term=normalize_term(asked["term"]))
    unmapped = UNMAPPED_LIST.rows_of_objects(list(terms[:1]), viewer, now)
    if not unmapped:
        raise Http404
    orders = orders_using_unmapped_term(**asked, limit=SHOWN_ORDERS)
    context = {
        "unmapped": unmapped[0],
        "title": KIND_LABELS[unmapped[0].kind][1],
        "orders": orders,
        "status_choices": DECISION_OPTIONS["status_choices"],
        "may_edit": has_permission(request.user, Permission.MAPPINGS_EDIT),
        "now": now,
    }
    return render(request, "mappings/unmapped_preview.html", context)


urlpatterns = [
    path("mappings/unmapped", unmapped_list_page, name="unmapped-list"),
    path("mappings/unmapped/export", export_unmapped_page, name="unmapped-export"),
    path("mappings/unmapped/preview", unmapped_term_preview, name="unmapped-preview"),
]
