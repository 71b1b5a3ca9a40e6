"""Actions on release checks: cancel, promote, roll back."""

from collections.abc import Callable

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.models.message_replays import MessageReplay
from visibility.pipeline import job_functions
from visibility.release_checks.promote import CannotPromote, promote_check, roll_back_check
from visibility.release_checks.requests import cancel_check
from visibility.web.pages.release_checks import LIST_URL, check_or_404
from visibility.web.permissions import Permission, require_permission, signed_in_user


@require_POST
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
def cancel_release_check(request: HttpRequest, check_id: int) -> HttpResponse:
    """`POST /release-checks/<id>/cancel`: its worker stops at its next step."""
    check = check_or_404(check_id)
    if not cancel_check(check, by=signed_in_user(request), now=database_now()):
        notes.info(request, "Nothing to cancel: the check has ended.")
    return HttpResponseRedirect(f"{LIST_URL}/{check.pk}")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.PARKED_REPLAY)
def promote_release_check(request: HttpRequest, check_id: int) -> HttpResponse:
    """`POST /release-checks/<id>/promote`: publish the draft, and read the messages again."""
    return _apply(request, check_id, promote_check, "Not promoted.")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.PARKED_REPLAY)
def roll_back_release_check(request: HttpRequest, check_id: int) -> HttpResponse:
    """`POST /release-checks/<id>/rollback`: the version before is live again, and reads again."""
    return _apply(request, check_id, roll_back_check, "Not rolled back.")


def _apply(
    request: HttpRequest, check_id: int, action: Callable[..., MessageReplay | None], refusal: str
) -> HttpResponse:
    check = check_or_404(check_id)
    try:
        replay = action(
            check,
            messages=parse_row_id(request.POST.get("messages", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except CannotPromote as error:
        notes.error(request, f"{refusal} {error}")
        return HttpResponseRedirect(f"{LIST_URL}/{check.pk}")
    job_functions.ask_worker_to_run_job_now("process")
    return HttpResponseRedirect(
        f"/messages/replays/{replay.pk}" if replay else f"{LIST_URL}/{check.pk}"
    )


urlpatterns = [
    path("release-checks/<int:check_id>/cancel", cancel_release_check),
    path("release-checks/<int:check_id>/promote", promote_release_check),
    path("release-checks/<int:check_id>/rollback", roll_back_release_check),
]
