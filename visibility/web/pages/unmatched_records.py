"""Views of unmatched records: the list, its exports, and one record."""

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.identity import duplicate_order_suggestions
from visibility.models import UnmatchedObject
from visibility.screens.identity import unmatched_filters
from visibility.screens.identity.unmatched_columns import UNMATCHED_LIST, count_unmatched_by_kind
from visibility.screens.identity.unmatched_records import (
    count_unmatched,
    load_unmatched_records,
    unmatched_record_count_sentence,
)
from visibility.web.list_page import build_list_page
from visibility.web.list_page_context import viewer_of_request
from visibility.web.pages.list_exports import list_export_response_of_format
from visibility.web.permissions import Permission, has_permission, require_permission
from visibility.web.read_decision_form_values import parse_row_id_or_zero


@require_GET
@require_permission(Permission.MATCHING_SEE)
def unmatched_list_view(request: HttpRequest) -> HttpResponse:
    """GET /joins: unmatched records, filtered and sorted. `?record=` opens its row."""
    viewer, now = viewer_of_request(request), database_now()
    page = build_list_page(request, UNMATCHED_LIST, viewer=viewer, now=now)
    unmatched = count_unmatched()
    numbers = _searched_numbers(request)
    context = page | {
        "unmatched": unmatched,
        "unmatched_sentence": unmatched_record_count_sentence(unmatched),
        "kinds": count_unmatched_by_kind(),
        "kind": request.GET.getlist("kind"),
        "numbers": numbers,
        "not_found": unmatched_filters.numbers_without_unmatched_record(numbers)
        if len(numbers) > 1
        else [],
        "suggestions": duplicate_order_suggestions.find_suggestions(),
        "open_id": parse_row_id_or_zero(request.GET.get("record", "")),
        "can_decide": has_permission(request.user, Permission.MATCHING_EDIT),
    }
    return render(request, "identity/unmatched.html", context)


def _searched_numbers(request: HttpRequest) -> list[str]:
    values = UNMATCHED_LIST.applied_filters(request.GET, viewer_of_request(request)).values
    return unmatched_filters.split_pasted_numbers(values["q"][0]) if "q" in values else []


@require_GET
@require_permission(Permission.MATCHING_SEE)
@require_permission(Permission.EXPORT)
def export_unmatched_view(request: HttpRequest) -> HttpResponseBase:
    """GET /joins/export: the records of /joins with the same filters, and a `format`."""
    return list_export_response_of_format(request, UNMATCHED_LIST)


@require_GET
@require_permission(Permission.MATCHING_SEE)
def unmatched_record_view(request: HttpRequest, record_id: int) -> HttpResponse:
    """GET /joins/records/<id>: what is known about one record, to decide by.

    `?preview=1` answers only the preview beside the list. Redirects to the list if the record is
    no longer unmatched.
    """
    is_unmatched = UnmatchedObject.objects.filter(pk=min(record_id, 2**63 - 1)).exists()
    if not is_unmatched:
        notes.info(request, "This record has an order now, or no longer exists.")
        return HttpResponseRedirect(UNMATCHED_LIST.url)
    [record] = load_unmatched_records([record_id])
    context = {
        "now": database_now(),
        "record": record,
        "can_decide": has_permission(request.user, Permission.MATCHING_EDIT),
    }
    is_preview = bool(request.GET.get("preview"))
    return render(
        request, "identity/record_preview.html" if is_preview else "identity/record.html", context
    )


urlpatterns = [
    path("joins", unmatched_list_view, name="joins"),
    path("joins/export", export_unmatched_view, name="joins-export"),
    path("joins/records/<int:record_id>", unmatched_record_view, name="joins-record"),
]
