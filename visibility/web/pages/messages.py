"""Views of the message pages: list, search, one message, replay."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from connectors.sdk.identifier_normalization import possible_normalized_values
from connectors.sdk.payload import PayloadError
from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun, format_duration, format_number, format_timestamp
from visibility.ingest import parse_messages_and_pick_versions
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.models import InboundMessage, MessageState, Source
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import load_message_body
from visibility.pipeline import job_functions
from visibility.screens.messages import message_queries, parked
from visibility.screens.relative_and_absolute_time import (
    displayed_time,
    format_time_from_start_to_end,
)
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.pages import lineage_context
from visibility.web.permissions import Permission, has_permission, require_permission

STATE_LABELS = {
    MessageState.APPLIED: ("Processed", "ok"),
    MessageState.PARKED: ("Parked", "late"),
    MessageState.WAITING: ("Queued", "waiting"),
}


@require_GET
@require_permission(Permission.SOURCES_SEE)
def message_list_view(request: HttpRequest) -> HttpResponse:
    """GET /messages: messages of all sources, filtered by source, state or number."""
    now = database_now()
    slug = request.GET.get("source", "").replace("\0", "")
    source = Source.objects.filter(slug=slug).first() if slug else None
    state = request.GET.get("state", "")
    state = state if state in set(MessageState) else ""
    text = request.GET.get("q", "").replace("\0", "").strip()[:200]
    filters = {"source": source.slug if source else "", "state": state, "q": text}
    ids = (
        message_queries.find_message_ids_by_id_key_or_event_number(
            text, possible_normalized_values(text)
        )
        if text
        else None
    )
    context = message_list_context(
        request, now, source_id=source.id if source else None, state=state, ids=ids, filters=filters
    )
    context |= {
        "now": now,
        "sources": Source.objects.order_by("title").values_list("slug", "title")[:500],
        "states": [(code, label) for code, (label, _) in STATE_LABELS.items()],
        "filters": filters,
    }
    return render(request, "sources/messages.html", context)


@require_GET
@require_permission(Permission.SOURCES_SEE)
def message_view(request: HttpRequest, message_id: int) -> HttpResponse:
    """GET /messages/<id>: one message with its results; `?body=1` shows the payload, audited."""
    detail = message_queries.message_detail(message_id) if message_id < 2**63 else None
    if detail is None:
        raise Http404(str(message_id))
    now = database_now()
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
                format_timestamp(event.occurred_at, settings.TIME_ZONE),
                format_duration(event.delay_from_event_to_receipt)
                if event.delay_from_event_to_receipt.total_seconds() > 0
                else "",
            )
            for event in detail.events
        ],
        "orders": [(order, STATUS_LABELS[Status(order.status)]) for order in detail.orders],
        "versions": [message_row_context(row, now) for row in detail.versions],
        "lineage": lineage_context.message_lineage_context(request, detail.message.id),
        "may_read": has_permission(request.user, Permission.MESSAGE_BODIES),
        "may_replay": has_permission(request.user, Permission.PARKED_REPLAY),
    }
    context["removed"] = (
        message_queries.removed_payload_sentence(detail.body_removed_at)
        if detail.body_removed_at
        else ""
    )
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
    else:
        replay_messages(request, [message_id])
    return HttpResponseRedirect(f"/messages/{message_id}")


def replay_messages(request: HttpRequest, ids: Sequence[int]) -> None:
    assert isinstance(request.user, User)
    count = (
        parse_messages_and_pick_versions.requeue_parked_messages(
            ids, by=request.user, now=database_now()
        )
        if ids
        else 0
    )
    job_functions.ask_worker_to_run_job_now("process")
    if count < len(ids) and len(ids) > 1:
        notes.info(
            request,
            f"{count_with_noun(len(ids) - count, 'message')} not queued: no longer parked, or the "
            "payload was removed by the retention policy.",
        )
    if count:
        notes.success(request, f"{count_with_noun(count, 'message')} queued for reprocessing.")
    elif len(ids) <= 1:
        notes.info(request, "Nothing to replay: the message is no longer parked.")


def message_list_context(
    request: HttpRequest,
    now: datetime,
    *,
    source_id: int | None,
    filters: dict[str, str],
    state: str = "",
    ids: Sequence[int] | None = None,
) -> dict[str, Any]:
    after = request.GET.get("after", "")
    rows = message_queries.list_messages(source_id=source_id, state=state, ids=ids, after=after)
    shown = rows[: message_queries.PAGE_SIZE]
    query = {name: value for name, value in filters.items() if value}
    has_next = len(rows) > message_queries.PAGE_SIZE
    return {
        "message_rows": [message_row_context(row, now) for row in shown],
        "next": urlencode({**query, "after": shown[-1].cursor}) if has_next else "",
        "first": urlencode(query) if after else "",
        "is_first": not after,
    }


def message_row_context(row: message_queries.MessageRow, now: datetime) -> dict[str, Any]:
    label, tone = STATE_LABELS[MessageState(row.state)]
    problem = (
        parked.cause_and_remedy_of_park_reason(row.reason)[0]
        if row.state == MessageState.PARKED
        else row.detail
    )
    return {
        "row": row,
        "label": label,
        "tone": tone,
        "problem": problem,
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
    formatted = ""
    if len(payload) <= message_queries.MAX_SHOWN_BYTES:
        with suppress(ValueError, RecursionError):  # not JSON: shown as it is
            formatted = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    is_truncated = len(payload) > message_queries.MAX_SHOWN_BYTES
    return {
        "exact": text,
        "formatted": formatted,
        "size": format_number(len(raw)),
        "cut": is_truncated,
    }


urlpatterns = [
    path("messages", message_list_view, name="messages"),
    path("messages/<int:message_id>", message_view, name="message"),
    path("messages/<int:message_id>/replay", replay_view, name="message-replay"),
]
