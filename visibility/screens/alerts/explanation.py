"""Explain in sentences why an alert opened, and what closes it."""

from collections.abc import Mapping
from datetime import datetime

from visibility.formatting import format_duration_with_working_time, format_timestamp
from visibility.models import ACTIVE_ALERT_STATES, Alert, FailedClock, SlaClock, Source
from visibility.models.alerts import AlertKind
from visibility.screens.alerts.silence_sentences import (
    CLOSING_CONDITIONS,
    describe_closing_of_silence,
    explain_failing_rule,
    explain_silence,
)
from visibility.sla.batch_finding import BatchFindingKind
from visibility.sla.calendar_versions import load_calendar
from visibility.sla.rule import RuleSubject
from visibility.storage.organization import organization_time_zone

_OLD = "when a person resolves it, or after 7 days"
BATCH_CLOSING_CONDITIONS: Mapping[BatchFindingKind, str] = {
    BatchFindingKind.LATE: "Closes automatically when the batch arrives. Otherwise it closes "
    f"{_OLD}.",
    BatchFindingKind.EMPTY: f"The file stays as it is. The alert closes {_OLD}.",
    BatchFindingKind.SHORT: f"The file stays as it is. The alert closes {_OLD}.",
    BatchFindingKind.DOUBLED: f"The file stays as it is. The alert closes {_OLD}.",
    BatchFindingKind.OUT_OF_ORDER: "Closes automatically when missing batches arrive. Otherwise it "
    f"closes {_OLD}.",
}


def format_alert_time(moment: datetime) -> str:
    return format_timestamp(moment, organization_time_zone())


def overdue_text(alert: Alert, end: datetime) -> str:
    """The time since the deadline; for a rule that counts working hours also how many they are."""
    working = None
    if alert.rule and alert.kind == AlertKind.SLA:
        working = load_calendar(alert.rule.calendar).working_time_between(alert.due_at, end)
    return format_duration_with_working_time(end - alert.due_at, working)


def expected_sources_phrase(clock: SlaClock | None) -> str:
    """The titles of the sources whose report would stop the timer."""
    slugs = clock.expected_sources if clock else []
    titles = list(Source.objects.filter(slug__in=slugs).values_list("title", flat=True)[:5])
    return " or ".join(sorted(titles))


def explain_rule_failure(alert: Alert) -> str:
    """The explanation for an alert whose rule cannot be evaluated any more, else ""."""
    failure = FailedClock.objects.filter(order=alert.order_id, rule=alert.rule_id).first()
    if failure is None or alert.state not in ACTIVE_ALERT_STATES:
        return ""
    return (
        f"It was due {format_alert_time(alert.due_at)}. "
        f"The current status is unknown because the rule fails: {failure.error} "
        "The alert does not change until the rule is corrected."
    )


def explain_opening(alert: Alert, clock: SlaClock | None, expected_from: str, now: datetime) -> str:
    """Explain why the alert opened, with its times."""
    if alert.source and alert.kind == AlertKind.UNMAPPED_STATUS:
        return (
            f"The status “{alert.subject_key}” is not mapped. {alert.source.title} first sent it "
            f"{format_alert_time(alert.started_at)}. Its messages are stored and shown on the "
            "timelines of their orders, but they do not change any order until the status is "
            "mapped."
        )
    if alert.source and alert.kind in set(BatchFindingKind):
        return _explain_batch(alert)
    if alert.kind == AlertKind.RULE_FAILED:
        return explain_failing_rule(alert)
    if alert.kind == AlertKind.CHANNEL_FAILED:
        return f"{alert.title} Correct it, send a test message, and enable it again."
    if alert.source and alert.kind != AlertKind.SOURCE_SILENT:
        since = format_alert_time(alert.started_at)
        return f"The condition of the rule has held for {alert.source.title} since {since}."
    if alert.source:
        return explain_silence(alert, alert.source)
    if alert.subject_kind in {RuleSubject.KPI, RuleSubject.ALERT}:
        return (
            f"The condition of the rule holds: {alert.title}. It has been so since "
            f"{format_alert_time(alert.opened_at)}."
        )
    opening = f"The timer started {format_alert_time(alert.started_at)}"
    if alert.rule:
        opening += f" and counts the working hours of “{alert.rule.calendar.title}”"
    due = f"the next step was due {format_alert_time(alert.due_at)}"
    if expected_from:
        due += f" from {expected_from}"
    stopped_at = clock.stopped_at if clock else None
    if stopped_at and stopped_at <= alert.due_at:
        happened = f"It happened on time, {format_alert_time(stopped_at)}, but was reported late."
        return f"{opening}; {due}. {happened}"
    if stopped_at:
        late_by = overdue_text(alert, stopped_at)
        return f"{opening}; {due}. It happened {format_alert_time(stopped_at)}, {late_by} late."
    return f"{opening}; {due}. It is {overdue_text(alert, now)} overdue."


def _explain_batch(alert: Alert) -> str:
    if alert.kind == BatchFindingKind.LATE:
        return (
            f"A batch was expected {format_alert_time(alert.started_at)}, and had to arrive by "
            f"{format_alert_time(alert.due_at)}. None has arrived for that time."
        )
    return f"{alert.title}. It was received {format_alert_time(alert.started_at)}."


def describe_closing_condition(alert: Alert, expected_from: str) -> str:
    if alert.state not in ACTIVE_ALERT_STATES:
        return ""
    if alert.source and alert.kind == AlertKind.UNMAPPED_STATUS:
        return "Closes automatically when the status is mapped or ignored on the Mappings page."
    if alert.kind in BATCH_CLOSING_CONDITIONS:
        return BATCH_CLOSING_CONDITIONS[BatchFindingKind(alert.kind)]
    if alert.kind in CLOSING_CONDITIONS:
        return CLOSING_CONDITIONS[AlertKind(alert.kind)]
    has_condition = alert.subject_kind in {RuleSubject.KPI, RuleSubject.ALERT}
    if has_condition or (alert.source and alert.kind != AlertKind.SOURCE_SILENT):
        return "Closes automatically when the condition of the rule no longer holds."
    if alert.source:
        return describe_closing_of_silence(alert, alert.source)
    return (
        f"Closes automatically when {expected_from or 'the responsible system'} reports the step "
        f"(withdrawn if it happened by {format_alert_time(alert.due_at)}, resolved if later)."
    )
