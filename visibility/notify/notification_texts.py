"""Message texts: one alert in full, or several with a line each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings

from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertState, Notification
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.notify.alert_facts import AlertFacts, load_alert_facts, local_time
from visibility.notify.channel import AlertSummary, OutgoingMessage

MAX_LINES = 50
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
    facts = load_alert_facts(alerts[:MAX_LINES], rows[0].subscription.user)
    compose = _compose_single_alert_text if len(alerts) == 1 else _compose_several_alerts_text
    return OutgoingMessage(
        id=message_id,
        subject=_compose_subject(alerts, sent_at),
        text=compose(alerts, _without_customers_and_values(facts), sent_at),
        personal_text=compose(alerts, facts, sent_at),
        sent_at=sent_at,
        alerts=tuple(_convert_to_alert_summary(alert, sent_at) for alert in alerts),
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


def _convert_to_alert_summary(alert: Alert, sent_at: datetime) -> AlertSummary:
    order = getattr(alert.order, "order", None)
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
    )


def _without_customers_and_values(facts: Mapping[int, AlertFacts]) -> dict[int, AlertFacts]:
    return {key: replace(fact, customer="", value="") for key, fact in facts.items()}


def _compose_subject(alerts: Sequence[Alert], sent_at: datetime) -> str:
    worst = alerts[0]
    if len(alerts) == 1:
        return f"[{worst.severity}] {_title_with_order_number(worst, sent_at)}"
    return f"[{worst.severity}] {len(alerts)} alerts: {_count_by_rule(alerts)}"


def _title_with_order_number(alert: Alert, sent_at: datetime) -> str:
    order = getattr(alert.order, "order", None)
    prefix = f"{order.number}: " if order else ""
    return " ".join(f"{prefix}{alert.title_with_age(sent_at)}".split())


def _count_by_rule(alerts: Sequence[Alert]) -> str:
    kinds = Counter(alert.rule.title if alert.rule else alert.title for alert in alerts)
    return ", ".join(f"{title} ({many})" for title, many in kinds.most_common(3))


def _compose_single_alert_text(
    alerts: Sequence[Alert], facts: Mapping[int, AlertFacts], sent_at: datetime
) -> str:
    alert, fact = alerts[0], facts[alerts[0].pk]
    lines = (
        alert.title_with_age(sent_at),
        f"Order: {fact.order}" if fact.order else "",
        f"Customer: {fact.customer}" if fact.customer else "",
        fact.value,
        f"Missing: {fact.missing}" if fact.missing else "",
        f"Started: {local_time(alert.started_at)}",
        f"Due: {local_time(alert.due_at)}",
        f"Team: {alert.team}" if alert.team else "",
        f"Expected response: {alert.rule.response}" if alert.rule else "",
        f"{settings.PUBLIC_URL}/alerts/{alert.pk}",
    )
    return "\n".join(line for line in lines if line)


def _compose_several_alerts_text(
    alerts: Sequence[Alert], facts: Mapping[int, AlertFacts], sent_at: datetime
) -> str:
    """List up to 50 alerts: the most severe first, then the longest overdue."""
    more = [f"... and {len(alerts) - MAX_LINES} more."] if len(alerts) > MAX_LINES else []
    return "\n".join(
        [
            f"{len(alerts)} new alerts: {_count_by_rule(alerts)}.",
            f"Alert inbox: {settings.PUBLIC_URL}/alerts",
            "",
            *(_format_alert(alert, facts[alert.pk], sent_at) for alert in alerts[:MAX_LINES]),
            *more,
        ]
    )


def _format_alert(alert: Alert, fact: AlertFacts, sent_at: datetime) -> str:
    suffix = (
        ""
        if alert.state in ACTIVE_ALERT_STATES
        else f" ({AlertState(alert.state).label.lower()} since)"
    )
    details = (
        f"Customer: {fact.customer}" if fact.customer else "",
        fact.value,
        f"Missing: {fact.missing}" if fact.missing else "",
    )
    lines = (
        f"[{alert.severity}] {_title_with_order_number(alert, sent_at)}{suffix}, "
        f"due {local_time(alert.due_at)}",
        ". ".join(" ".join(detail.split()) for detail in details if detail),
        f"{settings.PUBLIC_URL}/alerts/{alert.pk}",
    )
    return "\n    ".join(line for line in lines if line)
