"""The delivery log on the page of a subscription, and messages that are sent again."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_POST

from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.notify.change_and_test_subscriptions import (
    UnknownSubscription,
    load_subscription_not_removed,
)
from visibility.notify.delivery_log import CannotResend, resend_message
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.subscriptions import load_subscription_summaries
from visibility.web.permissions import Permission, require_permission, signed_in_user


@require_POST
@require_permission(Permission.SUBSCRIPTIONS_EDIT)
def resend_delivery(request: HttpRequest, number: int, attempt_id: int) -> HttpResponse:
    """`POST /subscriptions/<id>/deliveries/<attempt>/resend`: send its message again."""
    try:
        subscription = load_subscription_not_removed(number)
    except UnknownSubscription:
        raise Http404 from None
    try:
        alerts = resend_message(
            subscription, attempt_id, by=signed_in_user(request), now=database_now()
        )
    except CannotResend as error:
        messages.error(request, f"Not sent again. {error}")
    else:
        count = count_with_noun(alerts, "notification")
        messages.success(request, f"{count} will be sent again within seconds.")
    return HttpResponseRedirect(f"/subscriptions/{number}")


def delivery_log_context(number: int, before: int, now: datetime) -> dict[str, Any]:
    """The context of the log: a page of attempts before an id, and what waits to be sent."""
    attempts = load_subscription_summaries.latest_deliveries(number, before)
    shown = attempts[: load_subscription_summaries.DELIVERIES_PER_PAGE]
    waiting = load_subscription_summaries.waiting_messages(number)
    return {
        "attempts": [(attempt, displayed_time(attempt.at, now)) for attempt in shown],
        "older": shown[-1].pk if len(attempts) > len(shown) else "",
        "is_latest": not before,
        "waiting": waiting.count,
        "next_attempt": displayed_time(waiting.next_at, now),
    }


urlpatterns = [
    path("subscriptions/<int:number>/deliveries/<int:attempt_id>/resend", resend_delivery),
]
