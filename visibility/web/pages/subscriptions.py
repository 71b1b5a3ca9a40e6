"""Pages of subscriptions: the list, one subscription with its form, and a test message."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import Severity, Subscription
from visibility.models.alerts import SCOPE_NAMES
from visibility.notify import change_and_test_subscriptions
from visibility.notify.change_and_test_subscriptions import (
    InvalidSubscription,
    UnknownSubscription,
)
from visibility.notify.channel import Channel
from visibility.notify.check_selection import SCOPE, SubscriptionChange
from visibility.notify.outbox import channel_registry
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import (
    SEEN,
    fingerprint_of_values,
    has_changed_since,
)
from visibility.screens.subscriptions import load_subscription_summaries
from visibility.screens.subscriptions.change_history import describe_audit_entry
from visibility.screens.subscriptions.load_subscription_summaries import SubscriptionSummary
from visibility.screens.subscriptions.selection_fields import (
    FIELD_NAMES,
    selection_context,
)
from visibility.web.pages.deliveries import delivery_log_context
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.subscription_conflicts import (
    subscription_conflict,
    subscription_values_by_label,
)

LIST_URL = "/subscriptions"
# Settings of a channel have names of their own: they must not meet those of the form.
PREFIX = "setting."


@require_GET
@require_permission(Permission.SUBSCRIPTIONS_SEE)
def subscription_list(request: HttpRequest) -> HttpResponse:
    """`/subscriptions`: who receives which alerts, and whether the messages arrive."""
    after = request.GET.get("after", "")
    position = parse_row_id(after) or 0
    rows = load_subscription_summaries.list_subscriptions(
        after=position, limit=load_subscription_summaries.PAGE_SIZE + 1
    )
    shown = rows[: load_subscription_summaries.PAGE_SIZE]
    now = database_now()
    context = {
        "rows": [(row, displayed_time(row.subscription.accepted_at, now)) for row in shown],
        "next": shown[-1].subscription.pk if len(rows) > len(shown) else "",
        "is_first": not position,
        "channels": load_subscription_summaries.list_channels(),
        "not_installed": load_subscription_summaries.channels_not_installed(),
        "missing_servers": load_subscription_summaries.channels_without_server(),
        "may_edit": has_permission(request.user, Permission.SUBSCRIPTIONS_EDIT),
    }
    return render(request, "subscriptions/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.SUBSCRIPTIONS_EDIT)
def new_subscription(request: HttpRequest, code: str) -> HttpResponse:
    """`/subscriptions/new/<channel>`: the empty form; POST adds the subscription."""
    channel = channel_registry().get(code)
    if channel is None or channel.not_installed_sentence():
        raise Http404(code)
    if request.method != "POST":
        return _render_form(request, channel)
    try:
        created = change_and_test_subscriptions.add_subscription(
            code, _read_form(request.POST), by=signed_in_user(request), now=database_now()
        )
    except InvalidSubscription as error:
        return _render_form(request, channel, errors=error.errors)
    messages.success(request, "Subscription added. Send a test message to check that it arrives.")
    return HttpResponseRedirect(f"{LIST_URL}/{created.pk}")


@require_http_methods(["GET", "HEAD"])
@require_permission(Permission.SUBSCRIPTIONS_SEE)
def subscription_detail(request: HttpRequest, number: int) -> HttpResponse:
    """`/subscriptions/<id>`: one subscription, its form and its history."""
    summary = _summary_or_404(number)
    return _render_form(request, summary.channel, summary=summary)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.SUBSCRIPTIONS_EDIT)
@transaction.atomic
def save_subscription(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /subscriptions/<id>/save`: change it, or show the form again with the errors."""
    # Nobody else changes it until the transaction ends.
    Subscription.objects.select_for_update(no_key=True).filter(pk=min(number, 2**63 - 1)).first()
    summary = _summary_or_404(number)
    if request.method != "POST":
        return HttpResponseRedirect(f"{LIST_URL}/{number}")
    if has_changed_since(request.POST.get(SEEN, ""), subscription_values_by_label(summary)):
        return _render_form(request, summary.channel, summary=summary, is_conflict=True)
    try:
        change_and_test_subscriptions.change_subscription(
            number, _read_form(request.POST), by=signed_in_user(request), now=database_now()
        )
    except InvalidSubscription as error:
        return _render_form(request, summary.channel, summary=summary, errors=error.errors)
    messages.success(request, "Subscription saved.")
    return HttpResponseRedirect(f"{LIST_URL}/{number}")


@require_POST
@require_permission(Permission.SUBSCRIPTIONS_EDIT)
def enable_or_disable_subscription(request: HttpRequest, number: int, action: str) -> HttpResponse:
    """`POST /subscriptions/<id>/enable` or `/disable`."""
    _summary_or_404(number)
    change = SubscriptionChange(enabled=action == "enable")
    try:
        change_and_test_subscriptions.change_subscription(
            number, change, by=signed_in_user(request), now=database_now()
        )
    except InvalidSubscription as error:
        messages.error(request, f"Not enabled. {error.errors[0].sentence}")
    else:
        messages.success(request, f"Subscription {action}d.")
    return HttpResponseRedirect(f"{LIST_URL}/{number}")


@require_POST
@require_permission(Permission.SUBSCRIPTIONS_EDIT)
def delete_subscription(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /subscriptions/<id>/delete`."""
    _summary_or_404(number)
    change_and_test_subscriptions.remove_subscription(
        number, by=signed_in_user(request), now=database_now()
    )
    messages.success(request, "Subscription deleted.")
    return HttpResponseRedirect(LIST_URL)


@require_POST
@require_permission(Permission.SUBSCRIPTIONS_EDIT)
def send_test(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /subscriptions/<id>/test`: send a test message, and say whether it was accepted."""
    _summary_or_404(number)
    result = change_and_test_subscriptions.send_test_message(
        number, by=signed_in_user(request), now=database_now()
    )
    if result.is_accepted:
        messages.success(request, result.detail)
    else:
        messages.error(request, f"The test message was not sent. {result.detail}")
    return HttpResponseRedirect(f"{LIST_URL}/{number}")


def _render_form(
    request: HttpRequest,
    channel: Channel | None,
    *,
    summary: SubscriptionSummary | None = None,
    errors: Sequence[SettingError] = (),
    is_conflict: bool = False,
) -> HttpResponse:
    """Render the form with stored values, or with entered ones and their errors (422).

    `is_conflict`: with entered ones and what somebody else has stored meanwhile (409).
    """
    entered = _read_form(request.POST) if errors or is_conflict else None
    stored = summary.subscription if summary else None
    chosen = entered.severities if entered else (summary.severities if summary else [])
    now = database_now()
    fields = (
        load_subscription_summaries.build_channel_setting_fields(
            channel,
            stored=summary,
            entered=entered.settings if entered else None,
            errors=errors,
        )
        if channel
        else []
    )
    names = {field.name for field in fields} | FIELD_NAMES
    context: dict[str, Any] = {
        "channel": channel,
        "summary": summary,
        "fields": fields,
        "prefix": PREFIX,
        "errors": errors,
        "other_errors": [error for error in errors if error.name not in names],
        "problem": summary.problem
        if summary
        else channel.missing_server_sentence()
        if channel
        else "",
        "severities": [(v, label, v in (chosen or ())) for v, label in Severity.choices],
        **selection_context(stored, entered, errors),
        "enabled": bool(entered.enabled if entered else stored is None or stored.enabled),
        "accepted": displayed_time(stored.accepted_at, now) if stored else None,
        "history": [
            (describe_audit_entry(entry), displayed_time(entry.at, now), entry.user)
            for entry in (
                load_subscription_summaries.subscription_history(stored.pk) if stored else ()
            )
        ],
        "may_edit": has_permission(request.user, Permission.SUBSCRIPTIONS_EDIT),
    }
    if summary:
        values = subscription_values_by_label(summary)
        context["seen"] = fingerprint_of_values(values)
        if is_conflict:
            context["conflict"] = subscription_conflict(summary, entered, now=now)
    if stored:
        before = parse_row_id(request.GET.get("before", "")) or 0
        context |= delivery_log_context(stored.pk, before, now)
    status = 409 if is_conflict else 422 if errors else 200
    return render(request, "subscriptions/form.html", context, status=status)


def _read_form(form: QueryDict) -> SubscriptionChange:
    """Read the form with the settings of the channel and the team."""
    texts = {
        name.removeprefix(PREFIX): text
        for name, text in form.items()
        if name.startswith(PREFIX) and isinstance(text, str)
    }
    team = form.get("team", "").replace("\0", "")
    return replace(read_selection(form), settings=texts, team=team)


def read_selection(form: QueryDict) -> SubscriptionChange:
    """Read what is selected and when. A box that is not checked is not sent: it is false."""

    def text(name: str) -> str:
        return form.get(name, "").replace("\0", "")

    return SubscriptionChange(
        rules=[code.replace("\0", "") for code in form.getlist("rule")],
        severities=form.getlist("severities"),
        scope={name: text(f"{SCOPE}{name}") for name in SCOPE_NAMES},
        critical_at_once=form.get("critical_at_once") == "on",
        enabled=form.get("enabled") == "on",
        time_zone=text("time_zone"),
        quiet_from=text("quiet_from"),
        quiet_until=text("quiet_until"),
        digest=text("digest"),
        digest_at=text("digest_at"),
    )


def _summary_or_404(number: int) -> SubscriptionSummary:
    try:
        return load_subscription_summaries.summarize_subscription(
            change_and_test_subscriptions.load_subscription_not_removed(number)
        )
    except UnknownSubscription:
        raise Http404 from None


urlpatterns = [
    path("subscriptions", subscription_list),
    path("subscriptions/new/<slug:code>", new_subscription),
    path("subscriptions/<int:number>", subscription_detail),
    path("subscriptions/<int:number>/save", save_subscription),
    path("subscriptions/<int:number>/delete", delete_subscription),
    path("subscriptions/<int:number>/test", send_test),
    path("subscriptions/<int:number>/enable", enable_or_disable_subscription, {"action": "enable"}),
    path(
        "subscriptions/<int:number>/disable", enable_or_disable_subscription, {"action": "disable"}
    ),
]
