"""Messages: found by any number, read one by one, set going again."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from connectors.sdk.normalization import spellings
from connectors.sdk.payload import PayloadError
from visibility.db.clock import database_now
from visibility.formatting import clock, many, span
from visibility.ingest import parse
from visibility.models import InboundMessage, MessageState, Source
from visibility.models.audit import record
from visibility.pipeline import stages
from visibility.screens.messages import message_list, parked
from visibility.screens.relative_time import took, when
from visibility.timeline.answer import TITLES
from visibility.timeline.model import Status
from visibility.web.pages import lineage
from visibility.web.permissions import Right, may, needs

STATES = {
    MessageState.APPLIED: ("Applied", "ok"),
    MessageState.PARKED: ("Parked", "late"),
    MessageState.WAITING: ("Waiting", "waiting"),
}


@require_GET
@needs(Right.SOURCES_SEE)
def listed(request: HttpRequest) -> HttpResponse:
    """Messages of all sources, by source, state, or any number."""
    now = database_now()
    slug = request.GET.get("source", "").replace("\0", "")
    chosen = Source.objects.filter(slug=slug).first() if slug else None
    state = request.GET.get("state", "")
    state = state if state in set(MessageState) else ""
    text = request.GET.get("q", "").replace("\0", "").strip()[:200]
    kept = {"source": chosen.slug if chosen else "", "state": state, "q": text}
    ids = message_list.found(text, spellings(text)) if text else None
    context = page(
        request, now, source_id=chosen.id if chosen else None, state=state, ids=ids, kept=kept
    )
    context |= {
        "now": now,
        "sources": Source.objects.order_by("title").values_list("slug", "title")[:500],
        "states": [(code, words[0]) for code, words in STATES.items()],
        "asked": kept,
    }
    return render(request, "sources/messages.html", context)


@require_GET
@needs(Right.SOURCES_SEE)
def one(request: HttpRequest, message_id: int) -> HttpResponse:
    """One message: its verdict, its events, the orders it touched; its body by right, audited."""
    found = message_list.detail(message_id) if message_id < 2**63 else None
    if found is None:
        raise Http404(str(message_id))
    now = database_now()
    context = _verdict(found.message) | {
        "now": now,
        "found": found,
        "received": when(found.message.received_at, now),
        "processed": when(found.message.processed_at, now),
        "took": took(found.message.processed_at, found.message.received_at),
        "headers": message_list.redacted(found.message.headers),
        "events": [
            (
                said,
                clock(said.occurred_at),
                span(said.late) if said.late.total_seconds() > 0 else "",
            )
            for said in found.events
        ],
        "orders": [(order, TITLES[Status(order.status)]) for order in found.orders],
        "versions": [shown_message(row, now) for row in found.versions],
        "fed": lineage.of_message(request, found.message.id),
        "may_read": may(request.user, Right.RAW),
        "may_replay": may(request.user, Right.PARKED_REPLAY),
    }
    if request.GET.get("body"):
        context["raw"] = _raw(request, found.message, now)
    return render(request, "sources/message.html", context)


@require_POST
@needs(Right.PARKED_REPLAY)
def replay_one(request: HttpRequest, message_id: int) -> HttpResponse:
    """Set one parked message going again."""
    if not InboundMessage.objects.filter(id=min(message_id, 2**63 - 1)).exists():
        raise Http404(str(message_id))
    replay(request, [message_id])
    return HttpResponseRedirect(f"/messages/{message_id}")


def replay(request: HttpRequest, ids: Sequence[int]) -> None:
    assert isinstance(request.user, User)  # needs() let nobody else in
    count = parse.replay(ids, by=request.user, now=database_now()) if ids else 0
    stages.nudge("advance")
    if count:
        notes.success(request, f"{many(count)} message{'s' if count > 1 else ''} set going again.")
    else:
        notes.info(request, "Nothing to replay: no such message is parked any more.")


def page(
    request: HttpRequest,
    now: datetime,
    *,
    source_id: int | None,
    kept: dict[str, str],
    state: str = "",
    ids: Sequence[int] | None = None,
) -> dict[str, Any]:
    after = request.GET.get("after", "")
    rows = message_list.listed(source_id=source_id, state=state, ids=ids, after=after)
    shown = rows[: message_list.PAGE]
    asked = {name: value for name, value in kept.items() if value}
    more = len(rows) > message_list.PAGE
    return {
        "message_rows": [shown_message(row, now) for row in shown],
        "next": urlencode({**asked, "after": shown[-1].place}) if more else "",
        "first": urlencode(asked) if after else "",
        "is_first": not after,
    }


def shown_message(row: message_list.Row, now: datetime) -> dict[str, Any]:
    word, tone = STATES[MessageState(row.state)]
    what = parked.words(row.reason)[0] if row.state == MessageState.PARKED else row.detail
    return {
        "row": row,
        "word": word,
        "tone": tone,
        "what": what,
        "received": when(row.received_at, now),
        "took": took(row.processed_at, row.received_at),
    }


def _verdict(kept: InboundMessage) -> dict[str, Any]:
    word, tone = STATES[MessageState(kept.state)]
    what, then = parked.words(kept.reason) if kept.state == MessageState.PARKED else ("", "")
    return {"word": word, "tone": tone, "what": what, "then": then}


def _raw(request: HttpRequest, kept: InboundMessage, now: datetime) -> dict[str, Any]:
    """The message as it came. Whoever reads it is written down first."""
    if not may(request.user, Right.RAW):
        raise PermissionDenied(Right.RAW.value)
    assert isinstance(request.user, User)  # may() let nobody else in
    detail = {"source": kept.source.slug}
    record("message.read", who=request.user, object=f"message {kept.id}", detail=detail, now=now)
    found = message_list.body(kept.id)
    if found is None:
        raise Http404(str(kept.id))
    raw, headers = found
    try:
        plain = parse.inflate(raw, headers)
    except PayloadError:
        plain = raw
    exact = plain[: message_list.SHOWN].decode("utf-8", "replace")
    laid_out = ""
    if len(plain) <= message_list.SHOWN:
        with suppress(ValueError, RecursionError):  # not JSON: shown as it is
            laid_out = json.dumps(json.loads(plain), indent=2, ensure_ascii=False)
    cut = len(plain) > message_list.SHOWN
    return {"exact": exact, "laid_out": laid_out, "size": many(len(raw)), "cut": cut}


urlpatterns = [
    path("messages", listed, name="messages"),
    path("messages/<int:message_id>", one, name="message"),
    path("messages/<int:message_id>/replay", replay_one, name="message-replay"),
]
