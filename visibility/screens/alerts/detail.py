"""Load one alert with its explanation, its history and its notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from visibility.formatting import format_duration_with_working_time, format_timestamp
from visibility.kpi.registry import kpi_registry
from visibility.models import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertEntry,
    ClockState,
    Event,
    EventObjectLink,
    FailedClock,
    Notification,
    Order,
    SlaClock,
    Source,
)
from visibility.models.alerts import AlertKind
from visibility.screens.alerts.inbox import CLOSED, visible_alerts
from visibility.screens.alerts.mentions import history_with_mentions
from visibility.screens.alerts.silence_sentences import (
    CLOSING_CONDITIONS,
    describe_closing_of_silence,
    explain_failing_rule,
    explain_silence,
)
from visibility.screens.rules.subject_and_consequence_labels import consequence_label
from visibility.sla.calendar_versions import load_calendar
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import RuleSubject
from visibility.storage.organization import organization_time_zone

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
    def unmapped_status(self) -> str:
        """The status text of an "unmapped status" alert, else ""."""
        unmapped = self.alert.kind == AlertKind.UNMAPPED_STATUS
        return self.alert.subject_key if unmapped else ""


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
    expected_from = _expected_sources_phrase(clock)
    failed = _explain_rule_failure(alert) if clock is None else ""
    return AlertDetail(
        alert=alert,
        order=getattr(alert.order, "order", None),
        clock=clock,
        explanation=failed or _explain_opening(alert, clock, expected_from, now),
        closing_condition=_describe_closing_condition(alert, "" if failed else expected_from),
        clock_bar=_clock_bar(alert, clock, now),
        history=history_with_mentions(alert, MAX_HISTORY),
        notifications=list(
            Notification.objects.filter(alert=alert)
            .select_related("subscription__user")
            .order_by("-pk")[:MAX_HISTORY]
        ),
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


def _format_time(moment: datetime) -> str:
    return format_timestamp(moment, organization_time_zone())


def _overdue_text(alert: Alert, end: datetime) -> str:
    """The time since the deadline; for a rule that counts working hours also how many they are."""
    working = None
    if alert.rule and alert.kind == AlertKind.SLA:
        working = load_calendar(alert.rule.calendar).working_time_between(alert.due_at, end)
    return format_duration_with_working_time(end - alert.due_at, working)


def _expected_sources_phrase(clock: SlaClock | None) -> str:
    """The titles of the sources whose report would stop the timer."""
    slugs = clock.expected_sources if clock else []
    titles = list(Source.objects.filter(slug__in=slugs).values_list("title", flat=True)[:5])
    return " or ".join(sorted(titles))


def _explain_rule_failure(alert: Alert) -> str:
    """The explanation for an alert whose rule cannot be evaluated any more, else ""."""
    failure = FailedClock.objects.filter(order=alert.order_id, rule=alert.rule_id).first()
    if failure is None or alert.state not in ACTIVE_ALERT_STATES:
        return ""
    return (
        f"It was due {_format_time(alert.due_at)}. "
        f"The current status is unknown because the rule fails: {failure.error} "
        "The alert does not change until the rule is corrected."
    )


def _explain_opening(
    alert: Alert, clock: SlaClock | None, expected_from: str, now: datetime
) -> str:
    """Explain why the alert opened, with its times."""
    if alert.source and alert.kind == AlertKind.UNMAPPED_STATUS:
        return (
            f"The status “{alert.subject_key}” is not mapped. {alert.source.title} first sent it "
            f"{_format_time(alert.started_at)}. Its messages are stored and shown on the timelines "
            "of their orders, but they do not change any order until the status is mapped."
        )
    if alert.kind == AlertKind.RULE_FAILED:
        return explain_failing_rule(alert)
    if alert.kind == AlertKind.CHANNEL_FAILED:
        return f"{alert.title} Correct it, send a test message, and enable it again."
    if alert.source and alert.kind != AlertKind.SOURCE_SILENT:
        since = _format_time(alert.started_at)
        return f"The condition of the rule has held for {alert.source.title} since {since}."
    if alert.source:
        return explain_silence(alert, alert.source)
    if alert.subject_kind in {RuleSubject.KPI, RuleSubject.ALERT}:
        return (
            f"The condition of the rule holds: {alert.title}. It has been so since "
            f"{_format_time(alert.opened_at)}."
        )
    opening = f"The timer started {_format_time(alert.started_at)}"
    if alert.rule:
        opening += f" and counts the working hours of “{alert.rule.calendar.title}”"
    due = f"the next step was due {_format_time(alert.due_at)}"
    if expected_from:
        due += f" from {expected_from}"
    stopped_at = clock.stopped_at if clock else None
    if stopped_at and stopped_at <= alert.due_at:
        happened = f"It happened on time, {_format_time(stopped_at)}, but was reported late."
        return f"{opening}; {due}. {happened}"
    if stopped_at:
        late_by = _overdue_text(alert, stopped_at)
        return f"{opening}; {due}. It happened {_format_time(stopped_at)}, {late_by} late."
    return f"{opening}; {due}. It is {_overdue_text(alert, now)} overdue."


def _describe_closing_condition(alert: Alert, expected_from: str) -> str:
    if alert.state not in ACTIVE_ALERT_STATES:
        return ""
    if alert.source and alert.kind == AlertKind.UNMAPPED_STATUS:
        return "Closes automatically when the status is mapped or ignored on the Mappings page."
    if alert.kind in CLOSING_CONDITIONS:
        return CLOSING_CONDITIONS[AlertKind(alert.kind)]
    has_condition = alert.subject_kind in {RuleSubject.KPI, RuleSubject.ALERT}
    if has_condition or (alert.source and alert.kind != AlertKind.SOURCE_SILENT):
        return "Closes automatically when the condition of the rule no longer holds."
    if alert.source:
        return describe_closing_of_silence(alert, alert.source)
    return (
        f"Closes automatically when {expected_from or 'the responsible system'} reports the step "
        f"(withdrawn if it happened by {_format_time(alert.due_at)}, resolved if later)."
    )


def _clock_bar(alert: Alert, clock: SlaClock | None, now: datetime) -> ClockBar:
    stopped = (clock.stopped_at if clock else None) or alert.resolved_at
    end = max(stopped or now, alert.started_at)
    total = max((max(end, alert.due_at) - alert.started_at).total_seconds(), 1.0)
    due = round(100 * max((alert.due_at - alert.started_at).total_seconds(), 0) / total, 2)
    return ClockBar(
        due_percent=due,
        overdue_percent=round(100 - due, 2) if end > alert.due_at else 0,
        started_text=_format_time(alert.started_at),
        due_text=_format_time(alert.due_at),
        end_text=_format_time(end),
        end_label="Stopped" if stopped else "Now",
        overdue_text=_overdue_text(alert, end) if end > alert.due_at else "",
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
