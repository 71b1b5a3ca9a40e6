"""The page on which a copy of a parked message is edited, tried, and stored to be processed."""

from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now
from visibility.ingest.edit_parked_message import CannotBeEdited, store_edited_copy
from visibility.models import InboundMessage, MessageState
from visibility.models.audit import append_audit_entry
from visibility.pipeline import job_functions
from visibility.screens.messages import edited_copies, parked
from visibility.screens.messages.trial_reading import TrialReading
from visibility.web.permissions import Permission, require_permission, signed_in_user

MAX_WHY = 2_000
WHY_IS_MISSING = "Enter a reason: it is stored with the copy and in the audit log."


@require_http_methods(["GET", "POST"])
@require_permission(Permission.PARKED_REPLAY)
@require_permission(Permission.MESSAGE_BODIES)
def edit_message_view(request: HttpRequest, message_id: int) -> HttpResponse:
    """`/messages/<id>/edit`: edit the payload; POST with `try` reads it, without stores a copy."""
    message = _parked_message(message_id)
    try:
        original = edited_copies.load_editable_text(message)
    except edited_copies.NotEditable as error:
        notes.error(request, f"{error} Ask the sender to correct it and send it again.")
        return HttpResponseRedirect(f"/messages/{message_id}")
    if request.method == "GET":
        append_audit_entry(
            "message.read",
            user=signed_in_user(request),
            object=f"message {message.pk}",
            detail={"source": message.source.slug},
            now=database_now(),
        )
        return _render(request, message, {"text": original.text})
    entered = request.POST.get("body", "").replace("\0", "\ufffd")
    why = request.POST.get("why", "").replace("\0", "").strip()[:MAX_WHY]
    form: dict[str, Any] = {"text": entered, "why": why}
    try:
        body = original.encode(entered)
    except edited_copies.NotEditable as error:
        body, form["body_error"] = b"", str(error)
    if len(body) > edited_copies.MAX_EDITED_BYTES:
        form["body_error"] = f"At most {edited_copies.MAX_EDITED_BYTES // 1000} kB."
    elif body == original.encode(original.text):
        form["body_error"] = "Change the payload first: it is the same as the original."
    if "try" in request.POST and "body_error" not in form:
        return _render(request, message, form | {"trial": _trial(message, body)})
    if not why:
        form["why_error"] = WHY_IS_MISSING
    if "body_error" in form or "why_error" in form:
        return _render(request, message, form, status=422)
    try:
        edited = store_edited_copy(
            message, body, why=why, by=signed_in_user(request), now=database_now()
        )
    except CannotBeEdited as error:
        return _render(request, message, form | {"body_error": str(error)}, status=422)
    job_functions.ask_worker_to_run_job_now("process")
    notes.success(request, "The edited copy is stored and queued. The original is unchanged.")
    return HttpResponseRedirect(f"/messages/{edited.message_id}")


def _parked_message(message_id: int) -> InboundMessage:
    message = (
        InboundMessage.objects.select_related("source")
        .defer("unmoved_body")
        .filter(id=min(message_id, 2**63 - 1), state=MessageState.PARKED)
        .first()
    )
    if message is None:
        raise Http404(str(message_id))
    return message


def _trial(message: InboundMessage, body: bytes) -> dict[str, Any]:
    reading: TrialReading = edited_copies.try_edited_body(message, body)
    if not reading.results:
        return {"tone": "unknown", "label": "Not tried", "detail": "The trial did not end in time."}
    [result] = reading.results
    if result.reason:
        what, _ = parked.cause_and_remedy_of_park_reason(result.reason)
        detail = f"{what}: {result.detail}" if result.detail else what
        return {"tone": "late", "label": "Would be parked", "detail": detail}
    return {"tone": "ok", "label": "Can be read", "events": result.events}


def _render(
    request: HttpRequest, message: InboundMessage, form: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    what, remedy = parked.cause_and_remedy_of_park_reason(message.reason)
    context = {
        "now": database_now(),
        "message": message,
        "form": form,
        "what": what,
        "remedy": remedy,
        "max_why": MAX_WHY,
    }
    return render(request, "sources/edit_message.html", context, status=status)


urlpatterns = [path("messages/<int:message_id>/edit", edit_message_view, name="message-edit")]
