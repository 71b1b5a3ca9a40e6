"""GET /alerts/health: how well the alerts work."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.screens.alerts.alert_health import DEFAULT_DAYS, PERIODS, load_alert_health
from visibility.screens.alerts.inbox import visible_alerts
from visibility.web.pages.alerts import sees_source_alerts_only
from visibility.web.permissions import Permission, has_permission, require_permission


@require_GET
@require_permission(Permission.ALERTS_SEE)
def alert_health_view(request: HttpRequest) -> HttpResponse:
    """`?days=7`, 28 or 90."""
    text = request.GET.get("days", "")
    days = int(text) if text in {str(period) for period in PERIODS} else DEFAULT_DAYS
    alerts = visible_alerts(sources_only=sees_source_alerts_only(request))
    context = {
        "health": load_alert_health(alerts, days=days, now=database_now()),
        "periods": PERIODS,
        "may_open_rules": has_permission(request.user, Permission.RULES_SEE),
    }
    return render(request, "alerts/health.html", context)


urlpatterns = [path("alerts/health", alert_health_view, name="alert_health")]
