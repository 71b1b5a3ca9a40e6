"""Parts of the inbox that its script asks for: previews, and the first rows of a group."""

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.screens.alerts import detail as alert_detail
from visibility.screens.alerts import groups, inbox
from visibility.screens.alerts.grouping import AlertGrouping
from visibility.web.page_access import check_record
from visibility.web.pages.alerts import (
    inbox_query_string,
    may_see_alert,
    parse_inbox_query,
    sees_source_alerts_only,
)
from visibility.web.permissions import Permission, has_permission, require_permission


@require_GET
@require_permission(Permission.ALERTS_SEE)
@check_record(may_see_alert)
def alert_preview(request: HttpRequest, alert_id: int) -> HttpResponse:
    """`/alerts/<id>/preview`: enough of one alert to act on it."""
    now = database_now()
    detail = alert_detail.load_alert_detail(
        alert_id, now=now, sources_only=sees_source_alerts_only(request)
    )
    if detail is None:
        raise Http404
    context = {
        "detail": detail,
        "alert": detail.alert,
        "active": detail.alert.state not in inbox.CLOSED,
        "now": now,
    }
    return render(request, "alerts/preview.html", context | _permissions(request))


@require_GET
@require_permission(Permission.ALERTS_SEE)
def group_preview(request: HttpRequest) -> HttpResponse:
    """`/alerts/groups/preview`: what the alerts of a group have in common, and what to do."""
    now, asked = database_now(), parse_inbox_query(request)
    summary = groups.load_group_summary(asked, now)
    if summary is None:
        raise Http404
    busiest = max(summary.arrivals, default=0)
    context = {
        "summary": summary,
        "group": summary.group,
        "query": inbox_query_string(replace(asked, by=AlertGrouping.NONE)),
        "arrivals": [round(100 * many / busiest) for many in summary.arrivals] if busiest else [],
        "arrived": sum(summary.arrivals),
        "active": asked.view is not inbox.InboxViewName.RESOLVED,
        "now": now,
    }
    return render(request, "alerts/group_preview.html", context | _permissions(request))


@require_GET
@require_permission(Permission.ALERTS_SEE)
def group_rows(request: HttpRequest) -> HttpResponse:
    """`/alerts/groups/rows`: the first rows of a group, for the list that expands it."""
    now, asked = database_now(), parse_inbox_query(request)
    group = groups.load_group(asked, now)
    if group is None:
        raise Http404
    alerts = groups.load_worst_alerts(asked, now)
    context = {
        "alerts": alerts,
        "group": group,
        "query": inbox_query_string(replace(asked, by=AlertGrouping.NONE)),
        "more": group.alerts - len(alerts),
        "now": now,
    }
    return render(request, "alerts/group_rows.html", context | _permissions(request))


def _permissions(request: HttpRequest) -> dict[str, Any]:
    return {
        "prices": has_permission(request.user, Permission.PRICES),
        "contacts": has_permission(request.user, Permission.CONTACTS),
        "can_manage": has_permission(request.user, Permission.ALERTS_MANAGE),
        "can_note": has_permission(request.user, Permission.ALERTS_NOTE),
        "can_resolve": has_permission(request.user, Permission.ALERTS_RESOLVE),
    }


urlpatterns = [
    path("alerts/<int:alert_id>/preview", alert_preview, name="alert_preview"),
    path("alerts/groups/preview", group_preview, name="alert_group_preview"),
    path("alerts/groups/rows", group_rows, name="alert_group_rows"),
]
