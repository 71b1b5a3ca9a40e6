"""Views of the list of sources: the page, its exports, and the preview of a source."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from connectors.catalog import own_manifest_problems
from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.models import Source
from visibility.operations import operational_problems
from visibility.screens.messages import parked, replay_results
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.sources import health as sources
from visibility.screens.sources.pipeline_stages import load_pipeline
from visibility.screens.sources.role_and_state_labels import SourceState
from visibility.screens.sources.source_columns import SOURCE_LIST
from visibility.web.list_page import build_list_page
from visibility.web.list_page_context import viewer_of_request
from visibility.web.pages.list_exports import list_export_response_of_format
from visibility.web.pages.sources import parked_cause_context
from visibility.web.permissions import Permission, has_permission, require_permission

UNHEALTHY = frozenset({SourceState.FAILING, SourceState.PARKED, SourceState.SILENT})


@require_GET
@require_permission(Permission.SOURCES_SEE)
def source_list(request: HttpRequest) -> HttpResponse:
    """`/sources`: the health of sources, the pipeline, and parked messages."""
    viewer, now = viewer_of_request(request), database_now()
    page = build_list_page(request, SOURCE_LIST, viewer=viewer, now=now)
    chosen = SOURCE_LIST.applied_filters(request.GET, viewer).values
    archived = chosen.get("archived") == ["yes"]
    is_complete = not chosen and page["is_first"] and not page["next"]
    sees_parked = has_permission(request.user, Permission.PARKED_SEE)
    causes = parked.group_parked_messages_by_cause() if sees_parked else []
    replays = replay_results.latest_replays() if sees_parked else []
    if archived:
        sentence = "Archived sources receive nothing; their history stays."
    else:
        reports = page["rows"] if is_complete else sources.load_source_health_reports(now)
        sentence = _summary_sentence(reports)
    context = page | {
        "archived": archived,
        "archived_count": Source.objects.exclude(archived_at=None).count(),
        "has_polled_duplicates": any(h.is_polled and h.duplicates for h in page["rows"]),
        "sentence": sentence,
        "problems": operational_problems.current_problems(now),
        "manifest_problems": own_manifest_problems(),
        "pipeline": _pipeline_context(now),
        "causes": [parked_cause_context(cause, now) for cause in causes],
        "replays": [(replay, displayed_time(replay.requested_at, now)) for replay in replays],
        "may_replay": has_permission(request.user, Permission.PARKED_REPLAY),
        "sees_prices": has_permission(request.user, Permission.PRICES),
        "may_edit": has_permission(request.user, Permission.SOURCES_EDIT),
        "may_administer": has_permission(request.user, Permission.ADMINISTER),
    }
    return render(request, "sources/list.html", context)


@require_GET
@require_permission(Permission.SOURCES_SEE)
@require_permission(Permission.EXPORT)
def export_sources_view(request: HttpRequest) -> HttpResponseBase:
    """GET /sources/export: the sources of /sources with the same filters, and a `format`."""
    return list_export_response_of_format(request, SOURCE_LIST)


@require_GET
@require_permission(Permission.SOURCES_SEE)
def source_preview_view(request: HttpRequest, slug: str) -> HttpResponse:
    """GET /sources/<slug>/preview: a page with the element #preview only."""
    source = Source.objects.select_related("owner_user").filter(slug=slug).first()
    if source is None:
        raise Http404(slug)
    now = database_now()
    [report] = sources.load_source_health_reports(now, [source])
    sees_parked = has_permission(request.user, Permission.PARKED_SEE)
    causes = parked.group_parked_messages_by_cause(source.id) if sees_parked else []
    context = {
        "now": now,
        "health": report,
        "causes": [parked_cause_context(cause, now) for cause in causes],
    }
    return render(request, "sources/preview.html", context)


def _pipeline_context(now: datetime) -> dict[str, Any]:
    pipeline = load_pipeline(now)
    stages = [(stage, displayed_time(stage.oldest_at, now)) for stage in pipeline.stages]
    return {"stages": stages, "parked": pipeline.parked}


def _summary_sentence(health_rows: Sequence[sources.HealthReport]) -> str:
    """Summarize the health of all sources."""
    if not health_rows:
        return "No sources connected yet."
    unhealthy = [h for h in health_rows if h.state in UNHEALTHY]
    parked_count = sum(h.parked for h in health_rows)
    tail = f" {count_with_noun(parked_count, 'message')} parked." if parked_count else ""
    if not unhealthy:
        live = sum(h.state is SourceState.LIVE for h in health_rows)
        down = [h.source.title for h in health_rows if h.state is SourceState.MAINTENANCE]
        planned = f" In maintenance: {', '.join(down[:3])}." if down else ""
        return f"{live} of {len(health_rows)} sources reporting, none failing.{planned}{tail}"
    named = ", ".join(f"{h.source.title} ({h.state.value.lower()})" for h in unhealthy[:3])
    more = f" and {len(unhealthy) - 3} more" if len(unhealthy) > 3 else ""
    verb = "needs" if len(unhealthy) == 1 else "need"
    return f"{len(unhealthy)} of {len(health_rows)} sources {verb} attention: {named}{more}.{tail}"


urlpatterns = [
    path("sources", source_list, name="sources"),
    path("sources/export", export_sources_view, name="sources-export"),
    path("sources/<slug:slug>/preview", source_preview_view, name="source-preview"),
]
