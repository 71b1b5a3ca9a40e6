"""Sources, their messages, what is parked and how it is set going again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from connectors.catalog import systems
from visibility.db.clock import database_now
from visibility.formatting import many, span
from visibility.models import Source
from visibility.operations import problems
from visibility.screens.messages import message_list, parked
from visibility.screens.relative_time import when
from visibility.screens.sources import health as sources
from visibility.screens.sources.labels import State
from visibility.web.pages import messages as message_pages
from visibility.web.pages.messages import page, replay, shown_message
from visibility.web.permissions import Right, may, needs

TABS = (("overview", "Overview"), ("messages", "Messages"), ("parked", "Parked"))
SETTINGS_TAB = ("settings", "Settings")


@require_GET
@needs(Right.SOURCES_SEE)
def listed(request: HttpRequest) -> HttpResponse:
    """Every feed and how it is, the worst first; the pipeline above them."""
    now = database_now()
    found = sources.health(now)
    causes = parked.groups() if may(request.user, Right.PARKED_SEE) else []
    context = {
        "now": now,
        "rows": [_row(health, now) for health in found],
        "sentence": _sentence(found),
        "troubles": problems.troubles(now),
        "pipeline": _pipeline(now),
        "groups": [_group(group, now) for group in causes[:20]],
        "may_replay": may(request.user, Right.PARKED_REPLAY),
    }
    return render(request, "sources/list.html", context)


@require_GET
@needs(Right.SOURCES_SEE)
def one(request: HttpRequest, slug: str) -> HttpResponse:
    """One source: overview, messages, parked, settings."""
    source = _source(slug)
    now = database_now()
    edits = may(request.user, Right.SOURCES_EDIT)
    tabs = [*TABS, *([SETTINGS_TAB] if edits else [])]
    tab = request.GET.get("tab", "overview")
    if tab == "settings" and not edits:
        raise PermissionDenied(Right.SOURCES_EDIT.value)
    tab = tab if tab in dict(tabs) else "overview"
    health = sources.health(now, [source])[0]
    context: dict[str, Any] = {
        "now": now,
        "source": source,
        "health": health,
        "row": _row(health, now),
        "tab": tab,
        "tabs": [(code, title, code == tab) for code, title in tabs],
        "may_replay": may(request.user, Right.PARKED_REPLAY),
    }
    if tab == "overview":
        context["balance"] = sources.balance(source)
        rows = message_list.listed(source_id=source.id)
        context["message_rows"] = [shown_message(row, now) for row in rows[:10]]
    elif tab == "messages":
        context |= page(request, now, source_id=source.id, kept={"tab": "messages"})
    elif tab == "parked":
        context["groups"] = [_group(group, now) for group in parked.groups(source.id)]
    else:
        context |= _settings(source, now)
    return render(request, "sources/one.html", context)


@require_POST
@needs(Right.PARKED_REPLAY)
def replay_source(request: HttpRequest, slug: str) -> HttpResponse:
    """Set a source's parked messages going again: all of them, or those of one cause."""
    source = _source(slug)
    reason = request.GET.get("reason", "").replace("\0", "")
    detail = request.POST.get("detail")
    ids = parked.ids(
        source.id, reason=reason, detail=None if detail is None else detail.replace("\0", "")
    )
    replay(request, ids)
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=parked")


def _source(slug: str) -> Source:
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        raise Http404(slug)
    return source


def _settings(source: Source, now: datetime) -> dict[str, Any]:
    connector = systems().get(source.connector)
    address = f"{settings.PUBLIC_URL}/hooks/{source.slug}"
    return {
        "address": address,
        "curl": f"curl -X POST {address} -H 'content-type: application/json' --data @message.json",
        "config": message_list.redacted(source.config),
        "secret": when(source.changed_at, now) if source.sealed_secrets else None,
        "expect": span(source.expect_every) if source.expect_every else "",
        "polls": bool(connector and connector.polls),
        "poll": span(source.poll_every),
    }


def _row(health: sources.Health, now: datetime) -> dict[str, Any]:
    return {
        "health": health,
        "last": when(health.last_at, now),
        "expected": when(health.expected_at, now),
        "overdue": health.expected_at is not None and health.expected_at < now,
        "delay": span(health.delay) if health.delay is not None else "",
        "parked_since": when(health.parked_since, now),
    }


def _group(group: parked.Group, now: datetime) -> dict[str, Any]:
    what, then = group.words
    first, last = when(group.first_at, now), when(group.last_at, now)
    return {"group": group, "what": what, "then": then, "first": first, "last": last}


def _pipeline(now: datetime) -> dict[str, Any]:
    found = sources.pipeline(now)
    return {"found": found, "oldest": when(found.oldest, now)}


def _sentence(found: Sequence[sources.Health]) -> str:
    """The answer: is every feed alive, and if not, which."""
    if not found:
        return "No source is connected yet."
    bad = [h for h in found if h.state in {State.FAILING, State.SILENT}]
    lying = sum(h.parked for h in found)
    tail = f" {many(lying)} message{'s are' if lying != 1 else ' is'} parked." if lying else ""
    if not bad:
        live = sum(h.state is State.LIVE for h in found)
        return f"{live} of {len(found)} sources live, none silent or failing.{tail}"
    named = ", ".join(f"{h.source.title} ({h.state.value.lower()})" for h in bad[:3])
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return f"{len(bad)} of {len(found)} sources need a look: {named}{more}.{tail}"


urlpatterns = [
    path("sources", listed, name="sources"),
    path("sources/<slug:slug>", one, name="source"),
    path("sources/<slug:slug>/replay", replay_source, name="source-replay"),
    *message_pages.urlpatterns,
]
