"""Evaluate the rules about KPIs and about alerts: open, reopen and close their alerts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max, Q

from visibility.alerts.reconcile_alerts_with_clocks import (
    NewAlertWithLogEntry,
    close_alert,
    create_alerts,
    reopen_alert,
)
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertClosingReason,
    AlertState,
)
from visibility.sla.kpi_and_alert_snapshots import AlertSnapshot, KpiSnapshot, KpiValueRequest
from visibility.sla.load_enabled_rules import LoadedRule, load_enabled_kpi_and_alert_rules
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import AlertRule, KpiRule, RuleSubject, SourceCondition

SUBJECTS = (RuleSubject.KPI, RuleSubject.ALERT)
# Rules evaluate so many open alerts, the oldest first, besides those that they opened alerts about.
MAX_ALERTS = 1_000
ENDED = "The condition has ended."
REOPENED = "The condition holds again."
NO_RULE = "The rule no longer applies."
LoadKpi = Callable[[KpiValueRequest, datetime], KpiSnapshot]


@dataclass(slots=True)
class KpiAndAlertRuleChanges:
    """Which alerts changed, and which rules failed for which subjects (rule id, subject)."""

    changed: list[int] = field(default_factory=list)
    failures: dict[int, list[tuple[str, RuleFailure]]] = field(default_factory=dict)


def update_alerts_about_kpis_and_alerts(
    load_kpi: LoadKpi, *, now: datetime
) -> KpiAndAlertRuleChanges:
    """Evaluate all rules about KPIs and alerts. Only one worker may do this at a time.

    A rule that fails leaves its alerts unchanged. The caller publishes the changes.
    """
    result = KpiAndAlertRuleChanges()
    new: list[NewAlertWithLogEntry] = []
    with transaction.atomic():
        rules = load_enabled_kpi_and_alert_rules()
        active = Alert.objects.filter(state__in=ACTIVE_ALERT_STATES, subject_kind__in=SUBJECTS)
        active_subjects = list(active.values_list("subject_kind", "subject_key"))
        if not rules and not active_subjects:
            return result
        alert_ids = {int(key) for kind, key in active_subjects if kind == RuleSubject.ALERT}
        has_alert_rule = any(isinstance(loaded.kind, AlertRule) for loaded in rules)
        snapshots = _load_alert_snapshots(alert_ids, now) if has_alert_rule else []
        # Values of KPIs can take seconds to load: people act on alerts meanwhile.
        evaluated = [(loaded, _evaluate(loaded, snapshots, load_kpi, now)) for loaded in rules]
        own = _lock_and_group_alerts_by_rule(alert_ids | {alert.id for alert in snapshots})
        for loaded, outcome in evaluated:
            alerts = own.pop(loaded.rule.pk, {})
            if isinstance(outcome, RuleFailure):
                result.failures[loaded.rule.pk] = [(loaded.rule.title, outcome)]
                continue
            conditions, titles = outcome
            for key, alert in alerts.items():
                if alert.state in ACTIVE_ALERT_STATES and key not in conditions:
                    close_alert(alert, AlertState.RESOLVED, now, now, ENDED)
                    result.changed.append(alert.pk)
            for key, condition in conditions.items():
                if key not in alerts:
                    alert = _build_alert(loaded, key, condition, titles[key], now)
                    new.append(NewAlertWithLogEntry(alert, "opened", alert.title))
                elif alerts[key].state not in ACTIVE_ALERT_STATES:
                    result.changed.append(
                        _reopen_with_title(alerts[key], condition, titles[key], now)
                    )
        for alerts in own.values():
            for alert in alerts.values():
                if alert.state in ACTIVE_ALERT_STATES:
                    changed = AlertClosingReason.RULE_CHANGED
                    close_alert(
                        alert, AlertState.WITHDRAWN, now, now, NO_RULE, closing_reason=changed
                    )
                    result.changed.append(alert.pk)
        result.changed += create_alerts(new, now)
    return result


def conditions_of_unsaved_rule(
    loaded: LoadedRule, load_kpi: LoadKpi, *, now: datetime
) -> dict[str, SourceCondition] | RuleFailure:
    """Return the conditions that hold under a rule about KPIs or alerts, by subject key."""
    snapshots = _load_alert_snapshots((), now) if isinstance(loaded.kind, AlertRule) else []
    outcome = _evaluate(loaded, snapshots, load_kpi, now)
    return outcome if isinstance(outcome, RuleFailure) else outcome[0]


class _RuleFailed(Exception):
    """The rule could not be loaded; `failure` says why."""

    def __init__(self, failure: RuleFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def _as_failure(error: Exception) -> RuleFailure:
    return error.failure if isinstance(error, _RuleFailed) else RuleFailure(error)


def _evaluate(
    loaded: LoadedRule, alerts: Iterable[AlertSnapshot], load_kpi: LoadKpi, now: datetime
) -> tuple[dict[str, SourceCondition], dict[str, str]] | RuleFailure:
    """Return the conditions of a rule that hold and their alert titles, by subject key."""
    try:
        conditions = _conditions_by_subject_key(loaded, alerts, load_kpi, now)
        return conditions, {key: _alert_title(loaded, c) for key, c in conditions.items()}
    except (OperationalError, InterfaceError):
        raise  # the database failed: the next sweep retries
    except Exception as error:  # reported by an alert; the others go on
        return _as_failure(error)


def _conditions_by_subject_key(
    loaded: LoadedRule, alerts: Iterable[AlertSnapshot], load_kpi: LoadKpi, now: datetime
) -> dict[str, SourceCondition]:
    """Return the conditions of a rule that hold. Raises whatever the rule raises."""
    kind = loaded.kind
    if isinstance(kind, RuleFailure):
        raise _RuleFailed(kind)
    scope = {name: str(value) for name, value in (loaded.scope or {}).items()}
    if isinstance(kind, KpiRule):
        request = replace(kind.kpi_request(loaded.params), filters=scope)
        with transaction.atomic():
            snapshot = load_kpi(request, now)
        condition = kind.condition(snapshot, loaded.params)
        return {snapshot.code: condition} if condition else {}
    assert isinstance(kind, AlertRule)
    return {
        str(alert.id): condition
        for alert in alerts
        if _is_in_scope(alert, scope) and (condition := kind.condition(alert, loaded.params))
    }


def _is_in_scope(alert: AlertSnapshot, scope: Mapping[str, str]) -> bool:
    actual = {"severity": alert.severity, "team": alert.team, "rule": alert.rule}
    return all(actual[name] == wanted for name, wanted in scope.items())


def _alert_title(loaded: LoadedRule, condition: SourceCondition) -> str:
    assert isinstance(loaded.kind, KpiRule | AlertRule)
    return loaded.kind.alert_title(loaded.params, condition.subject)


def _lock_and_group_alerts_by_rule(alert_ids: Iterable[int]) -> dict[int, dict[str, Alert]]:
    """Return the alerts about KPIs and about these alerts, by rule and subject key.

    Closed ones are among them, because they may be reopened.
    """
    subjects = Q(subject_kind=RuleSubject.KPI)
    subjects |= Q(subject_kind=RuleSubject.ALERT, subject_key__in=[str(pk) for pk in alert_ids])
    alerts: dict[int, dict[str, Alert]] = {}
    for alert in (
        Alert.objects.select_for_update().filter(subjects, order=None, source=None).order_by("pk")
    ):
        alerts.setdefault(alert.rule_id or 0, {})[alert.subject_key] = alert
    return alerts


def _load_alert_snapshots(alert_ids: Iterable[int], now: datetime) -> list[AlertSnapshot]:
    """Load the oldest open alerts, and those of `alert_ids` that are open."""
    has_open_state = Q(state=AlertState.OPEN) & ~Q(subject_kind=RuleSubject.ALERT)
    oldest = Alert.objects.filter(has_open_state).order_by("opened_at", "pk")[:MAX_ALERTS]
    ids = {*oldest.values_list("pk", flat=True), *alert_ids}
    shown = Q(entries__action__in=("opened", "reopened", "woke"))
    rows = (
        Alert.objects.filter(has_open_state, pk__in=ids)
        .select_related("rule")
        .annotate(open_since=Max("entries__at", filter=shown))
    )
    return [
        AlertSnapshot(
            id=alert.pk,
            title=alert.title,
            as_of=now,
            open_since=alert.open_since or alert.opened_at,
            severity=alert.severity,
            team=alert.team,
            rule=alert.rule.code if alert.rule else "",
            is_acknowledged=alert.acknowledged_at is not None,
        )
        for alert in rows.order_by("pk")
    ]


def _build_alert(
    loaded: LoadedRule, key: str, condition: SourceCondition, title: str, now: datetime
) -> Alert:
    rule = loaded.rule
    assert isinstance(loaded.kind, KpiRule | AlertRule)
    return Alert(
        kind=rule.kind,
        rule=rule,
        subject_kind=loaded.kind.subject,
        subject_key=key,
        severity=rule.severity,
        title=title,
        team=rule.team,
        owner_team_id=rule.owner_team_id,
        started_at=condition.started_at,
        due_at=condition.due_at,
        opened_at=now,
    )


def _reopen_with_title(alert: Alert, condition: SourceCondition, title: str, now: datetime) -> int:
    alert.started_at, alert.due_at, alert.title = condition.started_at, condition.due_at, title
    alert.save(update_fields=["started_at", "due_at", "title"])
    return reopen_alert(alert, now, REOPENED)
