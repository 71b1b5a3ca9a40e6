"""One alert for each subscription that was disabled because its messages failed."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from visibility.alerts.reconcile_alerts_with_clocks import (
    NewAlertWithLogEntry,
    close_alert,
    create_alerts,
    reopen_alert,
)
from visibility.db.change_feed import append_changes
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertKind,
    AlertState,
    Subscription,
)
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.sla.rule import RuleSubject

RESOLUTION = "The subscription was enabled again or deleted."


def update_channel_alerts(*, now: datetime) -> int:
    """Open an alert for each disabled subscription, and resolve it when it is enabled or deleted.

    Return how many alerts changed. Two statements if there is nothing to do.
    """
    kind = AlertKind.CHANNEL_FAILED
    if not _disabled_subscriptions().exists() and not (
        Alert.objects.filter(kind=kind, state__in=ACTIVE_ALERT_STATES).exists()
    ):
        return 0
    with transaction.atomic():
        # The locks keep two workers from opening two alerts.
        disabled = {
            str(row.pk): row
            for row in _disabled_subscriptions()
            .select_for_update(of=("self",))
            .select_related("user", "team")
            .order_by("pk")
        }
        alerts = {a.subject_key: a for a in Alert.objects.select_for_update().filter(kind=kind)}
        changed = []
        for key, alert in alerts.items():
            is_active = alert.state in ACTIVE_ALERT_STATES
            if is_active and key not in disabled:
                close_alert(alert, AlertState.RESOLVED, now, now, RESOLUTION)
                changed.append(alert.pk)
            elif not is_active and key in disabled:
                alert.title = _title(disabled[key])
                alert.started_at = alert.due_at = now
                alert.save(update_fields=["title", "started_at", "due_at"])
                changed.append(reopen_alert(alert, now, alert.title))
        new = [_build_alert(row, now) for key, row in disabled.items() if key not in alerts]
        changed += create_alerts([NewAlertWithLogEntry(a, "opened", a.title) for a in new], now)
        append_changes({"alert": changed})
    return len(changed)


def _disabled_subscriptions() -> QuerySet[Subscription]:
    return Subscription.objects.filter(enabled=False, removed_at=None).exclude(disabled_reason="")


def _title(subscription: Subscription) -> str:
    return f"Subscription {subscription.pk} was disabled: {subscription.disabled_reason}"


def _build_alert(subscription: Subscription, now: datetime) -> Alert:
    return Alert(
        kind=AlertKind.CHANNEL_FAILED,
        subject_kind=RuleSubject.SUBSCRIPTION,
        subject_key=str(subscription.pk),
        severity=Severity.HIGH,
        title=_title(subscription),
        team=subscription.team.title if subscription.team else "",
        owner_team=subscription.team,
        owner=subscription.user if subscription.user.is_active else None,
        started_at=now,
        due_at=now,
        opened_at=now,
    )
