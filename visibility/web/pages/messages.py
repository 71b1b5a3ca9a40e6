"""Views of the message pages: list, search, one message, replay."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from connectors.sdk.payload import PayloadError
from visibility.db.database_time import database_now
from visibility.db.sorted_pages import load_sorted_rows
from visibility.formatting import format_duration, format_number, format_timestamp
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.models import InboundMessage, MessageState
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import load_message_body
from visibility.screens.lists.load_page_and_count import count_filtered_rows
from visibility.screens.messages import (
    discards,
    edited_copies,
    message_queries,
    message_selections,
    parked,
)
from visibility.screens.messages.delivery import describe_delivery
from visibility.screens.messages.message_columns import (
    MESSAGE_LIST,
    STATE_LABELS,
    problem_of_message,
)
from visibility.screens.messages.payload_with_error_marked import (
    format_json_and_highlight_error,
    highlight_position,
)
from visibility.screens.relative_and_absolute_time import (
    displayed_time,
    format_time_from_start_to_end,
)
from visibility.storage.organization import organization_time_zone
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.list_filter_context import build_filter_tools
from visibility.web.list_page_context import (
    build_list_tools,
    query_without_page,
    viewer_of_request,
)
from visibility.web.pages import lineage_context
from visibility.web.pages.list_exports import list_export_response_of_format
from visibility.web.pages.message_replays import start_replay_and_redirect
from visibility.web.permissions import Permission, has_permission, require_permission


@require_GET
@require_permission(Permission.SOURCES_SEE)
def message_list_view(request: HttpRequest) -> HttpResponse:
    """GET /messages: messages of all sources, filtered and sorted, without their payloads."""
    query, now = request.GET, database_now()
    viewer = viewer_of_request(request)
    applied = MESSAGE_LIST.applied_filters(query, viewer).values
    rows = MESSAGE_LIST.queryset(query, viewer, now)
    tools = build_list_tools(request, MESSAGE_LIST, viewer=viewer, count=count_filtered_rows(rows))
    page = load_sorted_rows(
        rows,
        tools.sort,
        limit=message_queries.PAGE_SIZE + 1,
        after=tools.sort.sort_key_or_none_from_cursor(query.get("after", "")),
    )
    shown = page[: message_queries.PAGE_SIZE]
    first = query_without_page(query)
    following = first.copy()
    following["after"] = tools.sort.cursor_after(shown[-1]) if shown else ""
    filters = {name: values[0] for name, values in applied.items()}
    reason = filters.get("reason")
    context = {
        "now": now,
        "message_rows": [
            message_row_context(row, now)
            for row in MESSAGE_LIST.rows_of_objects(shown, viewer, now)
        ],
        "next": following.urlencode() if len(page) > len(shown) else "",
        "first": first.urlencode(),
        "is_first": "after" not in query,
        "filters": filters,
        "cause": parked.cause_and_remedy_of_park_reason(reason)[0] if reason else "",
        "filter_tools": build_filter_tools(request, MESSAGE_LIST, viewer=viewer),
        "list_tools": tools,
    }
    return render(request, "sources/messages.html", context)


@require_GET
@require_permission(Permission.SOURCES_SEE)
@require_permission(Permission.EXPORT)
def export_messages_view(request: HttpRequest) -> HttpResponseBase:
    """GET /messages/export: the messages of /messages with the same filters, and a `format`."""
    return list_export_response_of_format(request, MESSAGE_LIST)


@require_GET
@require_permission(Permission.SOURCES_SEE)
def message_view(request: HttpRequest, message_id: int) -> HttpResponse:
    """GET /messages/<id>: one message with its results; `?body=1` shows the payload, audited.

    `?preview=1` answers only the preview beside the list.
    """
    detail = message_queries.message_detail(message_id) if message_id < 2**63 else None
    if detail is None:
        raise Http404(str(message_id))
    now = database_now()
    is_preview = bool(request.GET.get("preview"))
    context = _state_context(detail.message) | {
        "now": now,
        "detail": detail,
        "received": displayed_time(detail.message.received_at, now),
        "processed": displayed_time(detail.message.processed_at, now),
        "took": format_time_from_start_to_end(
            detail.message.processed_at, detail.message.received_at
        ),
        "headers": message_queries.redact_headers_or_settings(detail.message.headers),
        "events": [
            (
                event,
                format_timestamp(event.occurred_at, organization_time_zone()),
                format_duration(event.delay_from_event_to_receipt)
                if event.delay_from_event_to_receipt.total_seconds() >= 1
                else "",
            )
            for event in detail.events
        ],
        "orders": [(order, STATUS_LABELS[Status(order.status)]) for order in detail.orders],
        "versions": [message_row_context(row, now) for row in detail.versions],
        "delivery": describe_delivery(detail.message),
        "may_read": has_permission(request.user, Permission.MESSAGE_BODIES),
        "may_replay": has_permission(request.user, Permission.PARKED_REPLAY),
        "edited": edited_copies.load_edited_links(detail.message.pk),
        "discard": discards.discard_of_message(detail.message.pk)
        if detail.message.state == MessageState.DISCARDED
        else None,
    }
    context["removed"] = (
        message_queries.removed_payload_sentence(detail.body_removed_at)
        if detail.body_removed_at
        else ""
    )
    if is_preview:
        return render(request, "sources/message_preview.html", context)
    context["lineage"] = lineage_context.message_lineage_context(request, detail.message.id)
    context["neighbors"] = [
        message_row_context(row, now)
        for row in message_selections.list_messages_around(detail.message)
    ]
    status = 200
    if request.GET.get("body") and context["removed"]:
        status = 410
    elif request.GET.get("body"):
        context["raw"] = _audited_payload_context(request, detail.message, now)
    return render(request, "sources/message.html", context, status=status)


@require_POST
@require_permission(Permission.PARKED_REPLAY)
def replay_view(request: HttpRequest, message_id: int) -> HttpResponse:
    """POST /messages/<id>/replay: queue a parked message for reprocessing."""
    if not InboundMessage.objects.filter(id=min(message_id, 2**63 - 1)).exists():
        raise Http404(str(message_id))
    if sentence := message_queries.why_message_cannot_be_replayed(message_id):
        notes.error(request, sentence)
        return HttpResponseRedirect(f"/messages/{message_id}")
    return start_replay_and_redirect(request, [message_id], f"/messages/{message_id}")


def message_list_context(
    request: HttpRequest,
    now: datetime,
    *,
    source_id: int,
    filters: dict[str, str],
) -> dict[str, Any]:
    """One page of the messages of a source, on its own page."""
    after = request.GET.get("after", "")
    rows = message_queries.list_messages(source_id=source_id, after=after)
    shown = rows[: message_queries.PAGE_SIZE]
    has_next = len(rows) > message_queries.PAGE_SIZE
    return {
        "message_rows": [message_row_context(row, now) for row in shown],
        "next": urlencode({**filters, "after": shown[-1].cursor}) if has_next else "",
        "first": urlencode(filters) if after else "",
        "is_first": not after,
    }


def message_row_context(row: message_queries.MessageRow, now: datetime) -> dict[str, Any]:
    label, tone = STATE_LABELS[MessageState(row.state)]
    return {
        "row": row,
        "label": label,
        "tone": tone,
        "problem": problem_of_message(row),
        "received": displayed_time(row.received_at, now),
        "took": format_time_from_start_to_end(row.processed_at, row.received_at),
    }


def _state_context(message: InboundMessage) -> dict[str, Any]:
    label, tone = STATE_LABELS[MessageState(message.state)]
    problem, remedy = (
        parked.cause_and_remedy_of_park_reason(message.reason)
        if message.state == MessageState.PARKED
        else ("", "")
    )
    return {"label": label, "tone": tone, "problem": problem, "remedy": remedy}


def _audited_payload_context(
    request: HttpRequest, message: InboundMessage, now: datetime
) -> dict[str, Any]:
    """The payload for display. Records the access in the audit log first."""
    if not has_permission(request.user, Permission.MESSAGE_BODIES):
        raise PermissionDenied(Permission.MESSAGE_BODIES.value)
    assert isinstance(request.user, User)
    detail = {"source": message.source.slug}
    append_audit_entry(
        "message.read", user=request.user, object=f"message {message.id}", detail=detail, now=now
    )
    raw = load_message_body(message.pk)
    if raw is None:  # removed just now
        raise Http404(str(message.id))
    try:
        payload = decompress_body_if_gzip(raw, message.headers)
    except PayloadError:
        payload = raw
    text = payload[: message_queries.MAX_SHOWN_BYTES].decode("utf-8", "replace")
    is_truncated = len(payload) > message_queries.MAX_SHOWN_BYTES
    error = message.detail if message.state == MessageState.PARKED else ""
    return {
        "exact": highlight_position(text, error),
        "formatted": None if is_truncated else format_json_and_highlight_error(text, error),
        "size": format_number(len(raw)),
        "cut": is_truncated,
    }


urlpatterns = [
    path("messages", message_list_view, name="messages"),
    path("messages/export", export_messages_view, name="messages-export"),
    path("messages/<int:message_id>", message_view, name="message"),
    path("messages/<int:message_id>/replay", replay_view, name="message-replay"),
]
