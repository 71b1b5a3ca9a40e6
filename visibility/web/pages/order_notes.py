"""The forms for notes on orders and for watching them, and the page of one's mentions."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.models import Order
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.screens.alerts.mentions import mentions_on_alerts
from visibility.screens.orders import people_on_order
from visibility.storage.order_notes_and_watches import (
    NoteRejected,
    add_order_note,
    unwatch_order,
    watch_order,
)
from visibility.web.mentionable_users import mention_sentences, mentionable_users
from visibility.web.permissions import (
    Permission,
    UserRole,
    has_permission,
    require_permission,
    roles,
    signed_in_user,
)


@require_POST
@require_permission(Permission.ORDERS_NOTE)
def add_note(request: HttpRequest, order_id: int) -> HttpResponse:
    """`POST /orders/<id>/notes`: add a note and redirect back."""
    _require_order(order_id)
    text = request.POST.get("note", "")
    try:
        note = add_order_note(
            order_id,
            by=signed_in_user(request),
            text=text,
            mentionable=mentionable_users(),
            now=database_now(),
        )
    except NoteRejected as rejected:
        messages.error(request, str(rejected))
    else:
        broadcast_change_number(latest_change_number(), ["order"])
        users = [mention.user for mention in note.mentions.select_related("user")]
        messages.success(request, f"Note added. {mention_sentences(text, users)}".strip())
    return HttpResponseRedirect(_return_url(request, order_id))


@require_POST
@require_permission(Permission.ORDERS)
def change_watch(request: HttpRequest, order_id: int, action: str) -> HttpResponse:
    """`POST /orders/<id>/watch` or `/unwatch`, and redirect back."""
    _require_order(order_id)
    change = {"watch": watch_order, "unwatch": unwatch_order}[action]
    if change(order_id, by=signed_in_user(request), now=database_now()):
        broadcast_change_number(latest_change_number(), ["order"])
    is_watched = action == "watch"
    sentence = "You watch this order." if is_watched else "You no longer watch this order."
    messages.success(request, sentence)
    return HttpResponseRedirect(_return_url(request, order_id))


@require_permission(Permission.ORDERS)
def mentions(request: HttpRequest) -> HttpResponse:
    """GET /mentions: the notes on orders and alerts that mention you, and the orders you watch."""
    user = signed_in_user(request)
    contacts = has_permission(user, Permission.CONTACTS)
    may_see_alerts = has_permission(user, Permission.ALERTS_SEE)
    sources_only = roles(user) == {UserRole.INTEGRATOR}
    context = {
        "mentions": people_on_order.mentions_of_user(user) if contacts else [],
        "alert_mentions": mentions_on_alerts(user, sources_only=sources_only)
        if may_see_alerts
        else [],
        "watched": people_on_order.orders_watched_by(user),
        "contacts": contacts,
        "now": database_now(),
    }
    return render(request, "orders/mentions.html", context)


def _require_order(order_id: int) -> None:
    if not Order.objects.filter(pk=order_id).exists():
        raise Http404


def _return_url(request: HttpRequest, order_id: int) -> str:
    """The page of the form, or that of the order; only paths of this site."""
    requested = request.POST.get("next", "")
    is_safe = requested and url_has_allowed_host_and_scheme(requested, None)
    return requested if is_safe else f"/orders/{order_id}"


urlpatterns = [
    path("orders/<int:order_id>/notes", add_note, name="order_note"),
    path("orders/<int:order_id>/watch", change_watch, {"action": "watch"}, name="order_watch"),
    path(
        "orders/<int:order_id>/unwatch", change_watch, {"action": "unwatch"}, name="order_unwatch"
    ),
    path("mentions", mentions, name="mentions"),
]
