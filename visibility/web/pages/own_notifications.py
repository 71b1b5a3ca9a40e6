"""`/account/notifications`: which alerts are emailed to the person who is signed in, and when."""

from collections.abc import Sequence

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.models import Severity, Subscription
from visibility.notify.change_and_test_subscriptions import InvalidSubscription, send_test_message
from visibility.notify.mail import has_mail_server
from visibility.notify.own_notifications import (
    NO_ADDRESS,
    change_own_notifications,
    own_subscription,
)
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import SEEN, fingerprint_of_values, has_changed_since
from visibility.screens.subscriptions.load_subscription_summaries import summarize_subscription
from visibility.screens.subscriptions.selection_fields import FIELD_NAMES, selection_context
from visibility.web.pages.subscriptions import read_selection
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.subscription_conflicts import (
    subscription_conflict,
    subscription_values_by_label,
)

URL = "/account/notifications"


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ALERTS_SEE)
@transaction.atomic
def own_notifications(request: HttpRequest) -> HttpResponse:
    """`/account/notifications`: the form; POST saves it, or shows it again with the errors."""
    if request.method != "POST":
        return _render_page(request)
    # Another session of the person waits until this one has saved.
    user = User.objects.select_for_update(no_key=True).get(pk=signed_in_user(request).pk)
    if has_changed_since(request.POST.get(SEEN, ""), _values_by_label(own_subscription(user))):
        return _render_page(request, is_conflict=True)
    change = read_selection(request.POST)
    try:
        change_own_notifications(user, change, now=database_now())
    except InvalidSubscription as error:
        return _render_page(request, errors=error.errors)
    messages.success(request, "Notifications saved.")
    return HttpResponseRedirect(URL)


@require_POST
@require_permission(Permission.ALERTS_SEE)
def test_own_notifications(request: HttpRequest) -> HttpResponse:
    """`POST /account/notifications/test`: send a test message to the own address."""
    user = signed_in_user(request)
    stored = own_subscription(user)
    if stored is None:
        messages.error(request, "Save your notifications first.")
        return HttpResponseRedirect(URL)
    result = send_test_message(stored.pk, by=user, now=database_now())
    if result.is_accepted:
        messages.success(request, result.detail)
    else:
        messages.error(request, f"The test message was not sent. {result.detail}")
    return HttpResponseRedirect(URL)


def _render_page(
    request: HttpRequest, *, errors: Sequence[SettingError] = (), is_conflict: bool = False
) -> HttpResponse:
    user, now = signed_in_user(request), database_now()
    stored = own_subscription(user)
    entered = read_selection(request.POST) if errors or is_conflict else None
    summary = summarize_subscription(stored) if stored else None
    conflict = (
        subscription_conflict(summary, entered, now=now, reload_url=URL, note="")
        if is_conflict and summary
        else None
    )
    if is_conflict and not summary:
        messages.error(request, "Not saved: somebody removed your notifications meanwhile.")
    chosen = (entered.severities if entered else stored.severities if stored else ()) or ()
    context = {
        "address": user.email,
        "no_address": NO_ADDRESS,
        "has_mail_server": has_mail_server(),
        "summary": summary,
        "seen": fingerprint_of_values(_values_by_label(stored)),
        "conflict": conflict,
        "accepted": displayed_time(stored.accepted_at, now) if stored else None,
        "enabled": bool(entered.enabled if entered else stored is None or stored.enabled),
        "severities": [(value, label, value in chosen) for value, label in Severity.choices],
        "errors": errors,
        "other_errors": [error for error in errors if error.name not in FIELD_NAMES],
        **selection_context(stored, entered, errors),
    }
    status = 409 if is_conflict else 422 if errors else 200
    return render(request, "own_notifications/page.html", context, status=status)


def _values_by_label(stored: Subscription | None) -> dict[str, str]:
    """What is stored as the form shows it; empty until it is saved."""
    return subscription_values_by_label(summarize_subscription(stored)) if stored else {}


urlpatterns = [
    path("account/notifications", own_notifications),
    path("account/notifications/test", test_own_notifications),
]
