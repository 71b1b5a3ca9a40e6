"""The fields of an event, each with the raw fields of its message that it came from."""

from math import ceil

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_page_number
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models import InboundMessage, Order
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import load_message_body
from visibility.screens.messages.field_map import REMOVED, FieldMap, map_fields
from visibility.screens.orders import milestones
from visibility.screens.orders.event_labels import EVENT_LABELS
from visibility.timeline import RecordedEvent
from visibility.web.permissions import Permission, require_permission, signed_in_user

PAGE_SIZE = 100


@require_GET
@require_permission(Permission.ORDERS)
@require_permission(Permission.MESSAGE_BODIES)
def event_fields_view(request: HttpRequest, order_id: int, event_id: int) -> HttpResponse:
    """GET /orders/<id>/events/<event>/fields: reads the stored message again, which is audited."""
    order, now = get_object_or_404(Order, pk=order_id), database_now()
    timeline = milestones.load_timeline(order.pk, as_of=now)
    entry = milestones.find_timeline_entry_by_event_id(timeline, event_id)
    if entry is None:
        raise Http404
    recorded = entry.recorded
    append_audit_entry(
        "message.read",
        user=signed_in_user(request),
        object=f"message {recorded.message_id}",
        detail={"source": recorded.source, "event": event_id},
        now=now,
    )
    mapped = _map_fields_of_stored_message(recorded)
    pages = max(ceil(len(mapped.fields) / PAGE_SIZE), 1)
    number = min(parse_page_number(request.GET.get("page", "")), pages)
    context = {
        "order": order,
        "event_id": event_id,
        "message_id": recorded.message_id,
        "title": EVENT_LABELS[recorded.event.type],
        "mapped": mapped,
        "fields": mapped.fields[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
        "has_current": any(field.current for field in mapped.fields),
        "number": number,
        "pages": pages,
    }
    response = render(request, "orders/event_fields.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _map_fields_of_stored_message(recorded: RecordedEvent) -> FieldMap:
    message = InboundMessage.objects.select_related("source").filter(pk=recorded.message_id).first()
    body = load_message_body(recorded.message_id) if message else None
    if message is None or body is None:
        return FieldMap(problem=REMOVED)
    stored = StoredMessage(
        message.pk,
        message.source_id,
        message.received_at,
        message.dedupe_key,
        message.content_hash,
        message.headers,
        body,
    )
    return map_fields(stored, message.source, recorded.event)


urlpatterns = [
    path(
        "orders/<int:order_id>/events/<int:event_id>/fields",
        event_fields_view,
        name="event_fields",
    )
]
