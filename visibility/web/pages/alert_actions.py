"""The forms that act on alerts: one alert, or many at a time."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from visibility.alerts.actions import ActionRejected
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.models import Alert, AlertState
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.screens.alerts import inbox
from visibility.web.alert_actions import (
    ALERT_ACTIONS,
    apply_alert_action,
    read_form,
    require_note_unless_optional,
)
from visibility.web.alert_selection import (
    BulkResult,
    continue_batch,
    replaced_states,
    selected_alert_ids,
    store_batch,
)
from visibility.web.mentionable_users import mention_sentences
from visibility.web.pages.alerts import (
    inbox_query_string,
    parse_inbox_query,
    sees_source_alerts_only,
)
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.undoable_alert_actions import (
    UndoExpired,
    remember_action,
    take_remembered_action,
    undo,
)

MAX_BULK = 500
# So many rejected alerts are listed; the others are only counted.
MAX_LISTED = 10
REOPENED_HINT = "the condition still holds. Snooze instead?"


@require_POST
@require_permission(Permission.ALERTS_SEE)
def alert_action(request: HttpRequest, alert_id: int, action: str) -> HttpResponse:
    """`POST /alerts/<id>/<action>`: run an action on one alert and redirect back."""
    now = _check_permission_and_return_now(request, action)
    if (
        not inbox.visible_alerts(sources_only=sees_source_alerts_only(request))
        .filter(pk=alert_id)
        .exists()
    ):
        raise Http404
    try:
        fields = read_form(request.POST.dict(), by=signed_in_user(request), now=now, action=action)
        alert = apply_alert_action(
            action, alert_id, by=signed_in_user(request), fields=fields, now=now
        )
    except ActionRejected as rejected:
        messages.error(request, str(rejected))
    else:
        broadcast_change_number(latest_change_number(), ["alert"])
        if _was_reopened(action, alert):
            messages.warning(request, f"Alert reopened: {REOPENED_HINT}")
        else:
            replaced = replaced_states([alert])
            tags = "undo" if remember_action(request, action, replaced, now=now) else ""
            sentence = f"{ALERT_ACTIONS[action].success_message}."
            mentions = _mention_sentences(fields.note, [alert]) if action == "note" else ""
            messages.success(request, f"{sentence} {mentions}".strip(), extra_tags=tags)
    return HttpResponseRedirect(_return_url(request, f"/alerts/{alert_id}"))


@require_POST
@require_permission(Permission.ALERTS_SEE)
def describe_selection(request: HttpRequest) -> HttpResponse:
    """`POST /alerts/selection`: the ids of the selected alerts, and how many would reopen.

    It changes nothing; it is a POST because a selection can be too long for a URL.
    """
    ids = selected_alert_ids(parse_inbox_query(request), request.POST, now=database_now())
    return JsonResponse({"ids": ids, "would_reopen": inbox.count_alerts_that_would_reopen(ids)})


@require_POST
@require_permission(Permission.ALERTS_SEE)
def run_bulk_action(request: HttpRequest) -> HttpResponse:
    """`POST /alerts/bulk`: run an action on the selected or on all matching alerts.

    A script that shows progress sends the ids in several requests with the same `batch`; all but
    the last with `more`, which answers with the numbers so far.
    """
    asked = parse_inbox_query(request)
    action, data = _parse_action_and_fields(request)
    now = _check_permission_and_return_now(request, action)
    back = _return_url(request, f"/alerts?{inbox_query_string(asked)}")
    batch, user = request.POST.get("batch", "")[:40], signed_in_user(request)
    selected = selected_alert_ids(asked, request.POST, now=now)
    try:
        fields = read_form(data, by=user, now=now, action=action)
        require_note_unless_optional(action, fields.note)
    except ActionRejected as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back)
    result = BulkResult()
    done: list[Alert] = []
    for number in selected[:MAX_BULK]:
        try:
            done.append(apply_alert_action(action, number, by=user, fields=fields, now=now))
        except ActionRejected as error:
            result.refused.append((number, str(error)))
    result.done = replaced_states([alert for alert in done if not _was_reopened(action, alert)])
    result.reopened = len(done) - len(result.done)
    result = continue_batch(request, batch, result)
    broadcast_change_number(latest_change_number(), ["alert"])
    if batch and request.POST.get("more"):
        store_batch(request, batch, result)
        return JsonResponse({"done": len(result.done), "refused": len(result.refused)})
    if not selected and not result.done:
        messages.error(request, "No alerts selected.")
        return HttpResponseRedirect(back)
    _add_result_messages(request, action, result, now=now)
    if len(selected) > MAX_BULK:
        left = count_with_noun(len(selected) - MAX_BULK, "more alert")
        messages.warning(request, f"{left} selected. Repeat the action for them.")
    return HttpResponseRedirect(back)


@require_POST
@require_permission(Permission.ALERTS_SEE)
def undo_latest_action(request: HttpRequest) -> HttpResponse:
    """`POST /alerts/undo`: undo the latest action of this session and redirect back."""
    now = database_now()
    try:
        remembered = take_remembered_action(request, now=now)
    except UndoExpired:
        messages.error(request, "This action can no longer be undone.")
        return HttpResponseRedirect(_return_url(request, "/alerts"))
    _check_permission_and_return_now(request, remembered.action)
    done, refused = undo(request, remembered, now=now)
    broadcast_change_number(latest_change_number(), ["alert"])
    if done:
        messages.success(request, f"Restored {count_with_noun(len(done), 'alert')}.")
    _add_refused_message(request, refused)
    return HttpResponseRedirect(_return_url(request, "/alerts"))


def _parse_action_and_fields(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """The action of the pressed button (`acknowledge`, `assign:me`, `snooze:4h`) and its fields."""
    what, _, choice = request.POST.get("act", "").partition(":")
    data = request.POST.dict()
    data["note"] = data.get(f"note_{what}", data.get("note", ""))
    if choice:
        data["to"] = data["until"] = choice
    return what, data


def _add_result_messages(
    request: HttpRequest, action: str, result: BulkResult, *, now: datetime
) -> None:
    if result.done:
        count = count_with_noun(len(result.done), "alert")
        done_text = ALERT_ACTIONS[action].success_message
        sentence = f"Note added to {count}." if action == "note" else f"{done_text} {count}."
        tags = "undo" if remember_action(request, action, result.done, now=now) else ""
        messages.success(request, sentence, extra_tags=tags)
    if result.reopened:
        count = count_with_noun(result.reopened, "alert")
        messages.warning(request, f"{count} reopened: {REOPENED_HINT}")
    _add_refused_message(request, result.refused)


def _add_refused_message(request: HttpRequest, refused: list[tuple[int, str]]) -> None:
    if refused:
        listed = " ".join(f"Alert #{number}: {why}" for number, why in refused[:MAX_LISTED])
        more = f" And {len(refused) - MAX_LISTED} more." if len(refused) > MAX_LISTED else ""
        messages.error(
            request, f"{count_with_noun(len(refused), 'alert')} not changed. {listed}{more}"
        )


def _mention_sentences(note: str, alerts: Sequence[Alert]) -> str:
    entries = [alert.replaced.entry_id for alert in alerts if alert.replaced]
    users = User.objects.filter(alertmention__entry__in=entries).distinct().order_by("username")
    return mention_sentences(note, list(users))


def _was_reopened(action: str, alert: Alert) -> bool:
    return action == "resolve" and alert.state == AlertState.OPEN


def _check_permission_and_return_now(request: HttpRequest, action: str) -> datetime:
    """Check the permission and return the current time. Raises Http404 or PermissionDenied."""
    if action not in ALERT_ACTIONS:
        raise Http404
    if not has_permission(request.user, ALERT_ACTIONS[action].permission):
        raise PermissionDenied(ALERT_ACTIONS[action].permission.value)
    return database_now()


def _return_url(request: HttpRequest, default: str) -> str:
    """The page of the form, or `default`; only paths of this site."""
    requested = request.POST.get("next", "")
    return requested if requested and url_has_allowed_host_and_scheme(requested, None) else default


urlpatterns = [
    path("alerts/bulk", run_bulk_action, name="alerts_bulk"),
    path("alerts/selection", describe_selection, name="alerts_selection"),
    path("alerts/undo", undo_latest_action, name="alerts_undo"),
    path("alerts/<int:alert_id>/<slug:action>", alert_action, name="alert_act"),
]
