"""Pages of the discard of parked messages: the effect before, the result, and its undo."""

from urllib.parse import urlencode

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.ingest.discard_messages import discard_parked_messages, undo_discard
from visibility.screens.messages.discards import load_discard_result, preview_discard
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.pages.message_replays import ReplaySelection
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)

MAX_WHY = 2_000
WHY_IS_MISSING = "Enter a reason: it is stored with the messages and in the audit log."


@require_GET
@require_permission(Permission.PARKED_REPLAY)
def discard_preview_view(request: HttpRequest) -> HttpResponse:
    """GET /messages/discard?source=&reason=&detail=&id=: what a discard would affect."""
    return _render_preview(request, ReplaySelection.of_request(request.GET.dict()))


@require_POST
@require_permission(Permission.PARKED_REPLAY)
def start_discard_view(request: HttpRequest) -> HttpResponse:
    """POST /messages/discards: discard the selected messages; the result page follows."""
    selection = ReplaySelection.of_request(request.POST.dict())
    why = request.POST.get("why", "").replace("\0", "").strip()[:MAX_WHY]
    if not why:
        return _render_preview(request, selection, error=WHY_IS_MISSING)
    discard = discard_parked_messages(
        selection.message_ids(), why=why, by=signed_in_user(request), now=database_now()
    )
    if discard is None:
        notes.info(request, "Nothing to discard: no message is parked any more.")
        return HttpResponseRedirect("/sources")
    return HttpResponseRedirect(f"/messages/discards/{discard.pk}")


@require_GET
@require_permission(Permission.PARKED_SEE)
def discard_result_view(request: HttpRequest, discard_id: int) -> HttpResponse:
    """GET /messages/discards/<id>: who discarded which messages and why, and its undo."""
    result = load_discard_result(discard_id) if discard_id < 2**63 else None
    if result is None:
        raise Http404(str(discard_id))
    now = database_now()
    context = {
        "now": now,
        "result": result,
        "discarded": displayed_time(result.discard.discarded_at, now),
        "undone": displayed_time(result.discard.undone_at, now),
        "may_undo": has_permission(request.user, Permission.PARKED_REPLAY),
    }
    return render(request, "sources/discard_result.html", context)


@require_POST
@require_permission(Permission.PARKED_REPLAY)
def undo_discard_view(request: HttpRequest, discard_id: int) -> HttpResponse:
    """POST /messages/discards/<id>/undo: park its messages as before."""
    if discard_id >= 2**63 or load_discard_result(discard_id) is None:
        raise Http404(str(discard_id))
    restored = undo_discard(discard_id, by=signed_in_user(request), now=database_now())
    if restored:
        notes.success(request, f"Parked as before: {count_with_noun(len(restored), 'message')}.")
    elif restored is None:
        notes.info(request, "Nothing changed: the discard is already undone.")
    else:
        notes.error(request, "Nothing changed: no message of this discard can be parked again.")
    return HttpResponseRedirect(f"/messages/discards/{discard_id}")


def _render_preview(
    request: HttpRequest, selection: ReplaySelection, *, error: str = ""
) -> HttpResponse:
    preview = preview_discard(selection.message_ids())
    context = {
        "now": database_now(),
        "preview": preview,
        "selection": selection,
        "parked_query": urlencode({**selection.values, "state": "parked"}),
        "orders": [(order, STATUS_LABELS[Status(order.status)]) for order in preview.orders],
        "error": error,
        "max_why": MAX_WHY,
    }
    return render(request, "sources/discard_preview.html", context, status=422 if error else 200)


urlpatterns = [
    path("messages/discard", discard_preview_view, name="discard-preview"),
    path("messages/discards", start_discard_view, name="discard-start"),
    path("messages/discards/<int:discard_id>", discard_result_view, name="discard-result"),
    path("messages/discards/<int:discard_id>/undo", undo_discard_view, name="discard-undo"),
]
