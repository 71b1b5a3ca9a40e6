"""Accept the changes of the fields of a source's messages."""

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.ingest.accept_field_changes import accept_field_changes
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.source_lookup import source_or_404


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def accept_field_changes_view(request: HttpRequest, slug: str) -> HttpResponse:
    """POST /sources/<slug>/drift/accept: accept the changes that the page showed."""
    source = source_or_404(slug)
    count = accept_field_changes(
        source,
        up_to=parse_row_id(request.POST.get("up_to", "")) or 0,
        by=signed_in_user(request),
        now=database_now(),
    )
    if count:
        notes.success(request, f"Accepted {count} {'change' if count == 1 else 'changes'}.")
    else:
        notes.info(request, "Nothing changed: the changes were accepted before.")
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=drift")


urlpatterns = [
    path(
        "sources/<slug:slug>/drift/accept",
        accept_field_changes_view,
        name="source-accept-field-changes",
    ),
]
