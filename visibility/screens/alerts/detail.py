"""Load one alert with its explanation, its history and its notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from visibility.alerts.queue_notifications import is_subscribed_to_now
from visibility.kpi.registry import kpi_registry
from visibility.models import (
    Alert,
    AlertEntry,
    ClockState,
    Event,
    EventObjectLink,
    Notification,
    Order,
    SlaClock,
)
from visibility.models.alerts import AlertKind
from visibility.screens.alerts.explanation import (
    describe_closing_condition,
    expected_sources_phrase,
    explain_opening,
    explain_rule_failure,
    format_alert_time,
    overdue_text,
)
from visibility.screens.alerts.inbox import CLOSED, visible_alerts
from visibility.screens.alerts.mentions import history_with_mentions
from visibility.screens.alerts.source_alert_links import source_alert_links
from visibility.screens.rules.subject_and_consequence_labels import consequence_label
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import RuleSubject

MAX_HISTORY = 200
SIMILAR_PERIOD = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ClockBar:
    """The timer as a bar.

    `due_percent` and `overdue_percent`: the shares before and after the due time.
    """

    due_percent: float
    overdue_percent: float
    started_text: str
    due_text: str
    end_text: str
    end_label: str
    overdue_text: str


@dataclass(frozen=True, slots=True)
class RecentRuleAlertCounts:
    """How the other alerts of the same rule in the last 90 days ended."""

    total: int
    active: int
    resolved: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """Everything the alert page shows."""

    alert: Alert
    order: Order | None
    clock: SlaClock | None
    explanation: str
    closing_condition: str
    clock_bar: ClockBar
    history: Sequence[AlertEntry]
    notifications: Sequence[Notification]
    last_events: Sequence[Event]
    similar: RecentRuleAlertCounts | None
    # What a breach of the rule costs, in words.
    consequences: Sequence[str] = ()
    # No subscription selected the alert when it was raised, but one does now.
    is_subscribed_since: bool = False

    @property
    def has_deadline(self) -> bool:
        """Whether the alert is about a deadline, and not about a condition that holds."""
        return self.alert.kind == AlertKind.SLA or self.alert.due_at > self.alert.started_at

    @property
    def would_reopen(self) -> bool:
        """Whether the condition still holds, so that the alert reopens when it is resolved."""
        clock = self.clock
        return bool(clock and clock.state == ClockState.BREACHED and clock.stopped_at is None)

    @property
    def has_guidance(self) -> bool:
        """Whether the rule says what to do; it does not if the rule itself fails."""
        rule = self.alert.rule
        has_text = rule is not None and bool(rule.response or rule.consequence)
        return has_text and self.alert.kind != AlertKind.RULE_FAILED

    @property
    def is_silent_source(self) -> bool:
        """Whether the alert is about a source that sends no data."""
        return self.alert.kind == AlertKind.SOURCE_SILENT

    @property
    def subject_address_and_label(self) -> tuple[str, str] | None:
        """The page of the KPI or alert that the alert is about, and the text of the link."""
        key = self.alert.subject_key
        if self.alert.subject_kind == RuleSubject.KPI and key in kpi_registry():
            return f"/numbers/{key}", kpi_registry()[key].title
        if self.alert.subject_kind == RuleSubject.ALERT:
            return f"/alerts/{key}", f"Alert {key}"
        return None

    @property
    def source_links(self) -> list[tuple[str, str]]:
        """Where the cause of an alert about a source is shown: addresses and labels."""
        return source_alert_links(self.alert)


def load_alert_detail(alert_id: int, *, now: datetime, sources_only: bool) -> AlertDetail | None:
    """The alert, or None if the user may not see it. At most nine SQL statements."""
    alert = (
        visible_alerts(sources_only=sources_only)
        .select_related("rule__calendar", "source", "owner", "acknowledged_by", "order__order")
        .filter(pk=alert_id)
        .first()
    )
    if alert is None:
        return None
    clock = None
    if alert.order_id and alert.rule_id:
        clock = SlaClock.objects.filter(
            order=alert.order_id, rule=alert.rule_id, subject_key=alert.subject_key
        ).first()
    expected_from = expected_sources_phrase(clock)
    failed = explain_rule_failure(alert) if clock is None else ""
    notifications = list(
        Notification.objects.filter(alert=alert)
        .select_related("subscription__user")
        .order_by("-pk")[:MAX_HISTORY]
    )
    return AlertDetail(
        alert=alert,
        order=getattr(alert.order, "order", None),
        clock=clock,
        explanation=failed or explain_opening(alert, clock, expected_from, now),
        closing_condition=describe_closing_condition(alert, "" if failed else expected_from),
        clock_bar=_clock_bar(alert, clock, now),
        history=history_with_mentions(alert, MAX_HISTORY),
        notifications=notifications,
        is_subscribed_since=not notifications and is_subscribed_to_now(alert),
        last_events=_last_three_events_of_order(alert),
        similar=_count_recent_alerts_of_rule(alert, now),
        consequences=_rule_breach_cost_labels(alert),
    )


def _rule_breach_cost_labels(alert: Alert) -> list[str]:
    """What a breach of the rule costs; nothing if the rule itself fails or its kind is unknown."""
    kind = rule_kinds().get(alert.rule.kind) if alert.rule else None
    if kind is None or alert.kind == AlertKind.RULE_FAILED:
        return []
    return [consequence_label(consequence) for consequence in kind.consequences]


def _clock_bar(alert: Alert, clock: SlaClock | None, now: datetime) -> ClockBar:
    stopped = (clock.stopped_at if clock else None) or alert.resolved_at
    end = max(stopped or now, alert.started_at)
    total = max((max(end, alert.due_at) - alert.started_at).total_seconds(), 1.0)
    due = round(100 * max((alert.due_at - alert.started_at).total_seconds(), 0) / total, 2)
    return ClockBar(
        due_percent=due,
        overdue_percent=round(100 - due, 2) if end > alert.due_at else 0,
        started_text=format_alert_time(alert.started_at),
        due_text=format_alert_time(alert.due_at),
        end_text=format_alert_time(end),
        end_label="Stopped" if stopped else "Now",
        overdue_text=overdue_text(alert, end) if end > alert.due_at else "",
    )


def _last_three_events_of_order(alert: Alert) -> list[Event]:
    """The last three events that name the order itself."""
    if not alert.order_id:
        return []
    links = EventObjectLink.objects.filter(object=alert.order_id).order_by(
        "-occurred_at", "-event_id"
    )
    latest = list(links.values_list("event_id", "occurred_at")[:3])
    if not latest:
        return []
    return list(
        Event.objects.filter(
            pk__in=[number for number, _ in latest], occurred_at__in=[at for _, at in latest]
        )
        .select_related("source")
        .order_by("-occurred_at", "-pk")
    )


def _count_recent_alerts_of_rule(alert: Alert, now: datetime) -> RecentRuleAlertCounts | None:
    if alert.rule_id is None:
        return None
    states = dict(
        Alert.objects.filter(
            rule=alert.rule_id, kind=alert.kind, opened_at__gte=now - SIMILAR_PERIOD
        )
        .exclude(pk=alert.pk)
        .values_list("state")
        .annotate(many=Count("pk"))
    )
    active = sum(many for state, many in states.items() if state not in CLOSED)
    resolved, withdrawn = (states.get(state, 0) for state in CLOSED)
    total = active + resolved + withdrawn
    return RecentRuleAlertCounts(total, active, resolved, withdrawn) if total else None
