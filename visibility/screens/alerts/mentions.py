"""The notes on alerts, and those that mention a user."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.models import QuerySet

from visibility.models import Alert, AlertEntry
from visibility.screens.alerts.inbox import visible_alerts

MAX_MENTIONS = 100


def history_with_mentions(alert: Alert, limit: int) -> Sequence[AlertEntry]:
    """The latest entries of an alert, newest first, with their authors and mentions."""
    rows = alert.entries.select_related("user").prefetch_related("mentions__user")
    return list(rows.order_by("-at", "-pk")[:limit])


def entries_mentioning(user: User, *, sources_only: bool) -> QuerySet[AlertEntry]:
    """The entries of alerts that mention the user, newest first; only of alerts they may see."""
    rows = AlertEntry.objects.filter(
        mentions__user=user, alert__in=visible_alerts(sources_only=sources_only)
    )
    rows = rows.select_related("user", "alert").prefetch_related("mentions__user")
    return rows.order_by("-at", "-pk")


def mentions_on_alerts(user: User, *, sources_only: bool) -> Sequence[AlertEntry]:
    """The latest notes on alerts that mention the user, newest first."""
    return list(entries_mentioning(user, sources_only=sources_only)[:MAX_MENTIONS])
