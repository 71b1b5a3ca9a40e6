"""Message texts: one alert in full, or several with a line each."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertState, Notification
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.notify.channel import AlertSummary, OutgoingMessage

MAX_LINES = 50
SEVERITIES_WORST_FIRST = tuple(reversed(Severity.values))


def compose_message_for_notifications(
    rows: Sequence[Notification], *, message_id: str, sent_at: datetime
) -> OutgoingMessage:
    """Return the message for these notifications of one subscription."""
    alerts = list({row.alert_id: row.alert for row in rows}.values())
    return (
        _compose_single_alert_message(alerts[0], message_id, sent_at)
        if len(alerts) == 1
        else _compose_several_alerts_message(alerts, message_id, sent_at)
    )


def compose_test_message(*, message_id: str, sent_at: datetime) -> OutgoingMessage:
    """Return the message that a person sends to try a subscription."""
    return OutgoingMessage(
        id=message_id,
        subject="Test message from Throughline",
        text="This is a test. Alerts of this subscription will arrive here.\n"
        f"{settings.PUBLIC_URL}/subscriptions",
        sent_at=sent_at,
    )


def _convert_to_alert_summary(alert: Alert) -> AlertSummary:
    order = getattr(alert.order, "order", None)
    return AlertSummary(
        id=alert.pk,
        title=alert.title,
        state=alert.state,
        severity=alert.severity,
        team=alert.team,
        rule=alert.rule.code if alert.rule else "",
        order=order.number if order else "",
        source=alert.source.slug if alert.source else "",
        due_at=alert.due_at,
        opened_at=alert.opened_at,
        url=f"{settings.PUBLIC_URL}/alerts/{alert.pk}",
    )


def _compose_single_alert_message(
    alert: Alert, message_id: str, sent_at: datetime
) -> OutgoingMessage:
    rule = alert.rule
    return OutgoingMessage(
        id=message_id,
        subject=f"[{alert.severity}] {alert.title}",
        text="\n".join(
            line
            for line in (
                alert.title,
                f"Due {alert.due_at:%Y-%m-%d %H:%M} UTC. Team: {alert.team}.",
                f"Expected response: {rule.response}" if rule else "",
                f"{settings.PUBLIC_URL}/alerts/{alert.pk}",
            )
            if line
        ),
        sent_at=sent_at,
        alerts=(_convert_to_alert_summary(alert),),
    )


def _compose_several_alerts_message(
    alerts: Sequence[Alert], message_id: str, sent_at: datetime
) -> OutgoingMessage:
    """List up to 50 alerts in the text: the most severe first, then the longest overdue."""
    ranked = sorted(
        alerts, key=lambda a: (SEVERITIES_WORST_FIRST.index(a.severity), a.due_at, a.pk)
    )
    kinds = Counter(a.rule.title if a.rule else a.title for a in ranked)
    summary = ", ".join(f"{title} ({many})" for title, many in kinds.most_common(3))
    more = [f"... and {len(ranked) - MAX_LINES} more."] if len(ranked) > MAX_LINES else []
    return OutgoingMessage(
        id=message_id,
        subject=f"[{ranked[0].severity}] {len(ranked)} alerts: {summary}",
        text="\n".join(
            [
                f"{len(ranked)} new alerts: {summary}.",
                f"Alert inbox: {settings.PUBLIC_URL}/alerts",
                "",
                *map(_format_alert_line, ranked[:MAX_LINES]),
                *more,
            ]
        ),
        sent_at=sent_at,
        alerts=tuple(map(_convert_to_alert_summary, ranked)),
    )


def _format_alert_line(alert: Alert) -> str:
    order = getattr(alert.order, "order", None)
    prefix = f"{order.number}: " if order else ""
    suffix = (
        ""
        if alert.state in ACTIVE_ALERT_STATES
        else f" ({AlertState(alert.state).label.lower()} since)"
    )
    text = " ".join(f"{prefix}{alert.title}".split())
    return (
        f"[{alert.severity}] {text}{suffix}, due {alert.due_at:%Y-%m-%d %H:%M} UTC\n"
        f"    {settings.PUBLIC_URL}/alerts/{alert.pk}"
    )
