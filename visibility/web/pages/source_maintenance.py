"""The page of the planned maintenance of a source: plan it, end it, and what was planned before."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.ingest.source_maintenance import (
    MAX_WHY,
    InvalidMaintenance,
    end_maintenance,
    list_current_maintenance,
    plan_maintenance,
)
from visibility.models import Source, SourceMaintenance
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.source_lookup import source_or_404

SHOWN_PAST = 20
INPUT_FORMAT = "%Y-%m-%dT%H:%M"


@require_http_methods(["GET", "POST"])
@require_permission(Permission.SOURCES_SEE)
def maintenance_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`/sources/<slug>/maintenance`: what is planned and was; POST plans one."""
    source, now = source_or_404(slug), database_now()
    if request.method == "GET":
        return _render(request, source, now, _proposed_values(now))
    if not has_permission(request.user, Permission.SOURCES_EDIT):
        raise PermissionDenied(Permission.SOURCES_EDIT.value)
    names = ("starts_at", "ends_at", "why")
    form: dict[str, Any] = {name: request.POST.get(name, "").replace("\0", "") for name in names}
    try:
        plan_maintenance(
            source,
            starts_at=_parse_local_time("starts_at", form["starts_at"]),
            ends_at=_parse_local_time("ends_at", form["ends_at"]),
            why=form["why"],
            by=signed_in_user(request),
            now=now,
        )
    except InvalidMaintenance as error:
        form["errors"] = {error.field: str(error)}
        return _render(request, source, now, form, status=422)
    notes.success(request, "Maintenance planned. It ends by itself.")
    return HttpResponseRedirect(f"/sources/{source.slug}/maintenance")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def end_maintenance_view(request: HttpRequest, slug: str, window_id: int) -> HttpResponse:
    """POST /sources/<slug>/maintenance/<id>/end: end it now, or cancel it before it starts."""
    source = source_or_404(slug)
    is_known = window_id < 2**63 and end_maintenance(
        window_id, source=source, by=signed_in_user(request), now=database_now()
    )
    if is_known:
        notes.success(request, "Maintenance ended.")
    else:
        notes.info(request, "Nothing changed: this maintenance has ended.")
    return HttpResponseRedirect(f"/sources/{source.slug}/maintenance")


def _proposed_values(now: datetime) -> dict[str, Any]:
    local = in_zone(now, organization_time_zone())
    return {
        "starts_at": local.strftime(INPUT_FORMAT),
        "ends_at": (local + timedelta(hours=2)).strftime(INPUT_FORMAT),
        "why": "",
    }


def _parse_local_time(field: str, text: str) -> datetime:
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(organization_time_zone()))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidMaintenance(field, "Enter a date and a time.") from None


def _render(
    request: HttpRequest,
    source: Source,
    now: datetime,
    form: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    current = list_current_maintenance(source, now)
    past = (
        SourceMaintenance.objects.select_related("planned_by", "ended_by")
        .filter(source=source)
        .exclude(pk__in=[window.pk for window in current])
        .order_by("-ends_at")[:SHOWN_PAST]
    )
    context = {
        "now": now,
        "source": source,
        "form": form,
        "current": [_row(window, now) for window in current],
        "past": [_row(window, now) for window in past],
        "may_edit": has_permission(request.user, Permission.SOURCES_EDIT),
        "max_why": MAX_WHY,
    }
    return render(request, "sources/maintenance.html", context, status=status)


def _row(window: SourceMaintenance, now: datetime) -> dict[str, Any]:
    until = min(window.ends_at, window.ended_at or window.ends_at)
    return {
        "window": window,
        "runs": window.starts_at <= now < until,
        "canceled": window.ended_at is not None and window.ended_at <= window.starts_at,
        "starts": displayed_time(window.starts_at, now),
        "ends": displayed_time(until, now),
    }


urlpatterns = [
    path("sources/<slug:slug>/maintenance", maintenance_view, name="source-maintenance"),
    path(
        "sources/<slug:slug>/maintenance/<int:window_id>/end",
        end_maintenance_view,
        name="source-maintenance-end",
    ),
]
