"""The event panel of the order page: what the event says and changed, and whether it is wrong."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path
from django.views.decorators.http import require_POST

from connectors.sdk.events import Attribute
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import format_timestamp
from visibility.models import Order, Source
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.screens.messages.timer_effects import load_timer_effects_at
from visibility.screens.orders import event_labels, milestones
from visibility.screens.orders.activity import activity_item
from visibility.screens.orders.people_on_order import person_name
from visibility.screens.orders.site_time import site_time_text
from visibility.screens.orders.source_reports import load_source_reports
from visibility.storage.order_notes_and_watches import NoteRejected, report_wrong_event
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline, TimelineEntry
from visibility.web.mentionable_users import mentionable_users
from visibility.web.pages.order_tabs import ReadOrder
from visibility.web.permissions import (
    Permission,
    UserRole,
    has_permission,
    require_permission,
    roles,
    signed_in_user,
)

# Event attributes that need a permission; free text can name a person.
ATTRIBUTE_PERMISSIONS = {
    Attribute.TOTAL: Permission.PRICES,
    Attribute.CUSTOMER_NAME: Permission.CONTACTS,
    Attribute.DETAIL: Permission.CONTACTS,
}


def selected_event_context(request: HttpRequest, read: ReadOrder) -> dict[str, Any] | None:
    """What the panel shows of the event that `event` names; None without one."""
    event_id = parse_row_id(request.GET.get("event", ""))
    entry = (
        milestones.find_timeline_entry_by_event_id(read.timeline, event_id) if event_id else None
    )
    if entry is None:
        return None
    event = entry.recorded.event
    received_at = entry.recorded.received_at
    may_see_alerts = has_permission(request.user, Permission.ALERTS_SEE) and roles(
        request.user
    ) != {UserRole.INTEGRATOR}
    may_note = has_permission(request.user, Permission.ORDERS_NOTE) and not read.known_at
    owner = (
        _owner_who_can_be_mentioned(entry.recorded.source, mentionable_users())
        if may_note
        else None
    )
    has_effects = not entry.superseded and not read.known_at
    return {
        "item": activity_item(
            entry, read.reports, contacts=has_permission(request.user, Permission.CONTACTS)
        ),
        "recorded": entry.recorded,
        "site_time": site_time_text(event, entry.recorded.occurred_at),
        "before": (received_at - timedelta(microseconds=1)).isoformat(),
        "after": received_at.isoformat(),
        "flags": [
            event_labels.FLAG_LABELS[flag]
            for flag in entry.recorded.flags_with_future_if_after_receipt
        ],
        "attributes": [
            (name.value.replace("_", " "), value)
            for name, value in event.attributes.items()
            if name not in ATTRIBUTE_PERMISSIONS
            or has_permission(request.user, ATTRIBUTE_PERMISSIONS[name])
        ],
        "objects": [
            (ref.kind.value, ", ".join(i.value for i in ref.identifiers)) for ref in event.objects
        ],
        "owner": person_name(owner) if owner else "",
        "milestones": _milestones_of_event(read.timeline, entry) if has_effects else [],
        "timers": load_timer_effects_at(read.order.pk, entry.recorded.occurred_at)
        if has_effects and may_see_alerts
        else [],
    }


def _milestones_of_event(timeline: Timeline, entry: TimelineEntry) -> list[str]:
    """`Milestone reached: shipped`, for those that have the time and the source of the event."""
    recorded = entry.recorded
    texts = []
    for code, milestone in timeline.milestones.items():
        if milestone.source != recorded.source:
            continue
        name = code.value.replace("_", " ")
        if milestone.completed_at == recorded.occurred_at:
            texts.append(f"Milestone completed: {name}")
        elif milestone.reached_at == recorded.occurred_at:
            texts.append(f"Milestone reached: {name}")
    return texts


@require_POST
@require_permission(Permission.ORDERS_NOTE)
def report_event_view(request: HttpRequest, order_id: int, event_id: int) -> HttpResponse:
    """`POST /orders/<id>/events/<event>/wrong`: a note about the event, for the source's owner."""
    order, now = get_object_or_404(Order, pk=order_id), database_now()
    timeline = milestones.load_timeline(order.pk, as_of=now)
    entry = milestones.find_timeline_entry_by_event_id(timeline, event_id)
    if entry is None:
        raise Http404
    people = mentionable_users()
    owner = _owner_who_can_be_mentioned(entry.recorded.source, people)
    item = activity_item(entry, load_source_reports(now), contacts=False)
    at = format_timestamp(item.at, organization_time_zone())
    heading = (
        f"{item.label.title} from {item.source}, {at} (event {item.event_id}, "
        f"message {item.message_id}), is reported as wrong."
    )
    try:
        report_wrong_event(
            order.pk,
            event_id=event_id,
            by=signed_in_user(request),
            heading=f"@{owner.get_username()} {heading}" if owner else heading,
            text=request.POST.get("wrong", ""),
            mentionable=people,
            now=now,
        )
    except NoteRejected as rejected:
        messages.error(request, str(rejected))
        return HttpResponseRedirect(f"/orders/{order.pk}?event={event_id}#event")
    broadcast_change_number(latest_change_number(), ["order"])
    whom = f"your team and {person_name(owner)}" if owner else "your team"
    messages.success(request, f"Noted for {whom}. Nothing was sent to {item.source}.")
    return HttpResponseRedirect(f"/orders/{order.pk}?tab=notes")


def _owner_who_can_be_mentioned(slug: str, people: Sequence[User]) -> User | None:
    owner_id = Source.objects.filter(slug=slug).values_list("owner_user_id", flat=True).first()
    return next((user for user in people if user.pk == owner_id), None)


urlpatterns = [
    path(
        "orders/<int:order_id>/events/<int:event_id>/wrong",
        report_event_view,
        name="order_event_wrong",
    ),
]
