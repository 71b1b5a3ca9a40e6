"""Message texts: one alert in full, or several with a line each."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings

from visibility.formatting import format_duration
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertState, Notification
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.notify.alert_facts import AlertFacts, load_alert_facts, local_time, readers_of
from visibility.notify.channel import AlertSummary, OutgoingMessage
from visibility.notify.message_facts import (
    list_alert_facts,
    short_alert_line,
    title_with_order,
)

MAX_LINES = 50
NO_FACTS = AlertFacts("", "", "", "", "")
SEVERITIES_WORST_FIRST = tuple(reversed(Severity.values))


def compose_message_for_notifications(
    rows: Sequence[Notification], *, message_id: str, sent_at: datetime
) -> OutgoingMessage:
    """Return the message for these notifications of one subscription.

    Titles have the age at the time of sending, and times are those of the organization.
    """
    alerts = sorted(
        {row.alert_id: row.alert for row in rows}.values(),
        key=lambda a: (SEVERITIES_WORST_FIRST.index(a.severity), a.due_at, a.pk),
    )
    facts = load_alert_facts(alerts[:MAX_LINES], readers_of(rows[0].subscription))
    transitions: dict[int, list[str]] = {}
    for row in rows:
        transitions.setdefault(row.alert_id, []).append(row.transition)
    summaries = tuple(
        _convert_to_alert_summary(
            alert, facts.get(alert.pk, NO_FACTS), transitions[alert.pk], sent_at
        )
        for alert in alerts
    )
    return OutgoingMessage(
        id=message_id,
        subject=_compose_subject(alerts, summaries),
        text=_compose_text(alerts, summaries, is_personal=False),
        personal_text=_compose_text(alerts, summaries, is_personal=True),
        sent_at=sent_at,
        alerts=summaries,
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


def _convert_to_alert_summary(
    alert: Alert, fact: AlertFacts, transitions: Sequence[str], sent_at: datetime
) -> AlertSummary:
    order = getattr(alert.order, "order", None)
    end = alert.resolved_at if alert.state not in ACTIVE_ALERT_STATES else None
    return AlertSummary(
        id=alert.pk,
        title=alert.title_with_age(sent_at),
        state=alert.state,
        severity=alert.severity,
        team=alert.team,
        rule=alert.rule.code if alert.rule else "",
        order=order.number if order else "",
        source=alert.source.slug if alert.source else "",
        due_at=alert.due_at,
        opened_at=alert.opened_at,
        url=f"{settings.PUBLIC_URL}/alerts/{alert.pk}",
        started_at=alert.started_at,
        age=format_duration(max((end or sent_at) - alert.started_at, timedelta(0))),
        customer=fact.customer,
        value=fact.value,
        value_label=fact.value_label,
        missing=fact.missing,
        response=alert.rule.response if alert.rule else "",
        transitions=tuple(transitions),
    )


def _compose_subject(alerts: Sequence[Alert], summaries: Sequence[AlertSummary]) -> str:
    worst = summaries[0]
    if len(summaries) == 1:
        return f"[{worst.severity}] {title_with_order(worst)}"
    return f"[{worst.severity}] {len(summaries)} alerts: {_count_by_rule(alerts)}"


def _count_by_rule(alerts: Sequence[Alert]) -> str:
    kinds = Counter(alert.rule.title if alert.rule else alert.title for alert in alerts)
    return ", ".join(f"{title} ({many})" for title, many in kinds.most_common(3))


def _compose_text(
    alerts: Sequence[Alert], summaries: Sequence[AlertSummary], *, is_personal: bool
) -> str:
    """One alert in full, or up to 50: the most severe first, then the longest overdue."""
    if len(summaries) == 1:
        (alert,) = summaries
        facts = list_alert_facts(alert, is_personal=is_personal)
        return "\n".join((alert.title, *(f"{label}: {text}" for label, text in facts), alert.url))
    more = [f"... and {len(alerts) - MAX_LINES} more."] if len(alerts) > MAX_LINES else []
    return "\n".join(
        [
            f"{len(alerts)} new alerts: {_count_by_rule(alerts)}.",
            f"Alert inbox: {settings.PUBLIC_URL}/alerts",
            "",
            *(_format_alert(alert, is_personal=is_personal) for alert in summaries[:MAX_LINES]),
            *more,
        ]
    )


def _format_alert(alert: AlertSummary, *, is_personal: bool) -> str:
    is_closed = alert.state not in ACTIVE_ALERT_STATES
    suffix = f" ({AlertState(alert.state).label.lower()} since)" if is_closed else ""
    lines = (
        f"[{alert.severity}] {title_with_order(alert)}{suffix}, due {local_time(alert.due_at)}",
        short_alert_line(alert, is_personal=is_personal),
        alert.url,
    )
    return "\n    ".join(line for line in lines if line)
