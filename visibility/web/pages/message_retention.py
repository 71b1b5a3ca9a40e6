"""View of the page about the retention of message payloads."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.formatting import format_duration
from visibility.screens.messages import body_retention
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.permissions import Permission, require_permission


@require_GET
@require_permission(Permission.ADMINISTER)
def message_retention_view(request: HttpRequest) -> HttpResponse:
    """GET /messages/retention: the payloads by month, as of the latest check."""
    now, days = database_now(), settings.MESSAGE_BODY_DAYS
    months = body_retention.list_payload_months(now=now, days=days)
    checked_at = max((month.partition.checked_at for month in months), default=None)
    context = {
        "now": now,
        "policy": body_retention.policy_sentence(days),
        "months": [(month, format_duration(month.age) if month.age else "") for month in months],
        "checked": displayed_time(checked_at, now),
    }
    return render(request, "sources/retention.html", context)


urlpatterns = [path("messages/retention", message_retention_view, name="message-retention")]
