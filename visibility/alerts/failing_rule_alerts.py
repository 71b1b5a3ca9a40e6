"""One alert per rule that fails, whatever the number of orders or sources it fails for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from structlog.stdlib import get_logger

from visibility.alerts.reconcile_alerts_with_clocks import (
    NewAlertWithLogEntry,
    close_alert,
    create_alerts,
    reopen_alert,
)
from visibility.formatting import count_with_noun
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertKind, AlertState
from visibility.models.rules_clocks_and_calendars import Severity, SlaRule
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import RuleSubject

log = get_logger(__name__)
# Orders are counted up to this number.
MAX_COUNTED = 10_000
FAILED_ORDERS = """
SELECT rule.id, counted.orders, counted.error FROM visibility_slarule rule CROSS JOIN LATERAL (
    SELECT count(DISTINCT failed.order_id) AS orders,
        (array_agg(failed.error ORDER BY failed.id))[1] AS error
    FROM (
        SELECT id, order_id, error FROM visibility_failedclock
        WHERE rule_id = rule.id ORDER BY id LIMIT %s
    ) AS failed
) AS counted
WHERE counted.orders > 0 AND EXISTS (
    SELECT FROM visibility_failedclock failed WHERE failed.rule_id = rule.id
)
"""
RESOLUTION = "The rule works again."
SourceFailures = Mapping[int, Sequence[tuple[str, RuleFailure]]]


@dataclass(frozen=True, slots=True)
class FailingRule:
    """A rule that fails, its first error, and for what it fails in words."""

    rule: SlaRule
    error: str
    extent: str
    cause: Exception | None = None

    @property
    def rule_failed_alert_title(self) -> str:
        """The title of the alert, with the first error."""
        return f"Rule “{self.rule.title}” fails for {self.extent}: {self.error}"


def update_failing_rule_alerts(source_failures: SourceFailures, *, now: datetime) -> list[int]:
    """Open one alert per failing rule, update its count, and resolve it when the rule works.

    `source_failures`: by rule id, the sources for which rules about sources failed just now.
    Return the alerts that changed; the caller publishes them.
    """
    with transaction.atomic():
        failing = _load_rules_failing_for_orders_or_sources(source_failures)
        alerts = {
            alert.rule_id or 0: alert
            for alert in Alert.objects.select_for_update()
            .filter(kind=AlertKind.RULE_FAILED)
            .order_by("pk")
        }
        changed = []
        new = []
        for rule_id, entry in failing.items():
            alert = alerts.get(rule_id)
            if alert is None:
                new.append(
                    NewAlertWithLogEntry(
                        _build_rule_failed_alert(entry, now),
                        "opened",
                        entry.rule_failed_alert_title,
                    )
                )
                _log_rule_failed_warning(entry)
            elif _reopen_or_retitle_alert(alert, entry, now):
                changed.append(alert.pk)
        for rule_id, alert in alerts.items():
            if rule_id not in failing and alert.state in ACTIVE_ALERT_STATES:
                close_alert(alert, AlertState.RESOLVED, now, now, RESOLUTION)
                changed.append(alert.pk)
        changed += create_alerts(new, now)
        return changed


def _load_rules_failing_for_orders_or_sources(
    source_failures: SourceFailures,
) -> dict[int, FailingRule]:
    with connection.cursor() as cursor:
        cursor.execute(FAILED_ORDERS, [MAX_COUNTED])
        orders = {rule_id: (count, error) for rule_id, count, error in cursor.fetchall()}
    rules = SlaRule.objects.in_bulk({*orders, *source_failures})
    failing = {}
    for rule_id, rule in rules.items():
        if rule_id in orders:
            count, error = orders[rule_id]
            extent = count_with_noun(count, "order") + (" or more" if count >= MAX_COUNTED else "")
            failing[rule_id] = FailingRule(rule, error, extent)
        else:
            failures = source_failures[rule_id]
            failure, extent = failures[0][1], _count_of_failing_subjects(rule, len(failures))
            cause = failure.cause if failure.is_defect else None
            failing[rule_id] = FailingRule(rule, failure.message, extent, cause)
    return failing


def _count_of_failing_subjects(rule: SlaRule, count: int) -> str:
    kind = rule_kinds().get(rule.kind)
    noun = {RuleSubject.KPI: "KPI", RuleSubject.ALERT: "alert"}.get(
        kind.subject if kind else RuleSubject.SOURCE, "source"
    )
    return f"all {noun}s" if noun == "alert" else count_with_noun(count, noun)


def _log_rule_failed_warning(entry: FailingRule) -> None:
    """Log a new failure once; failures for orders have a traceback in `clock_failed`."""
    log.warning("rule_failed", rule=entry.rule.code, extent=entry.extent, exc_info=entry.cause)


def _build_rule_failed_alert(entry: FailingRule, now: datetime) -> Alert:
    rule = entry.rule
    return Alert(
        kind=AlertKind.RULE_FAILED,
        rule=rule,
        subject_kind=RuleSubject.RULE,
        subject_key=rule.code,
        severity=Severity.HIGH,
        title=entry.rule_failed_alert_title,
        team=rule.team,
        owner_team_id=rule.owner_team_id,
        started_at=now,
        due_at=now,
        opened_at=now,
    )


def _reopen_or_retitle_alert(alert: Alert, entry: FailingRule, now: datetime) -> bool:
    """Reopen a closed alert and update the title; return whether anything changed."""
    is_active = alert.state in ACTIVE_ALERT_STATES
    if is_active and alert.title == entry.rule_failed_alert_title:
        return False
    alert.title, alert.changed_at = entry.rule_failed_alert_title, now
    if not is_active:
        alert.started_at = alert.due_at = now
    alert.save(update_fields=["title", "changed_at", "started_at", "due_at"])
    if not is_active:
        reopen_alert(alert, now, entry.rule_failed_alert_title)
    return True
