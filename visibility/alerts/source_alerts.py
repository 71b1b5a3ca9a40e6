"""Evaluate the rules about sources: open, reopen and close their alerts."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from visibility.alerts.reconcile_alerts_with_clocks import (
    NewAlertWithLogEntry,
    close_alert,
    create_alerts,
    reopen_alert,
)
from visibility.alerts.source_alert_plan import SourceAlertPlan, plan_source_alerts
from visibility.alerts.source_snapshots import WatchedSource, load_watched_sources
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertClosingReason, AlertState
from visibility.models.teams import find_or_create_team
from visibility.sla.create_default_source_rules import create_source_rules_for_kinds_without_rule
from visibility.sla.load_enabled_rules import (
    LoadedRule,
    load_enabled_source_rules,
    source_rule_kind_codes,
)
from visibility.sla.recheck_orders import (
    finish_rechecks_of_source_rules,
    ids_of_changed_source_rules,
)
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import RuleSubject, SourceCondition, SourceRule

NO_RULE = "The rule no longer applies to this source."
NOT_MET = "The condition does not hold under the new rule."
DISABLED = "The source is disabled."


@dataclass(slots=True)
class SourceAlertChanges:
    """What one evaluation changed, and which rules failed for which sources (rule id, title)."""

    changed: list[int] = field(default_factory=list)
    new: list[NewAlertWithLogEntry] = field(default_factory=list)
    failures: dict[int, list[tuple[str, RuleFailure]]] = field(default_factory=dict)

    def add_failure(self, loaded: LoadedRule, watched: WatchedSource, error: RuleFailure) -> None:
        """Record that a rule could not be evaluated for a source; its alerts stay unchanged."""
        self.failures.setdefault(loaded.rule.pk, []).append((watched.source.title, error))


def update_source_alerts(*, now: datetime) -> SourceAlertChanges:
    """Evaluate all rules about sources. Only one worker may do this at a time.

    The caller publishes the changes, after it has locked all alerts.
    """
    changes = SourceAlertChanges()
    with transaction.atomic():
        create_source_rules_for_kinds_without_rule()
        rules = load_enabled_source_rules()
        changed_rules = ids_of_changed_source_rules()
        watched_sources = load_watched_sources(now)
        alerts = _lock_and_group_alerts_by_source(watched_sources)
        for watched in watched_sources:
            own = alerts.get(watched.source.pk, {})
            for kind in source_rule_kind_codes():
                alerts_of_kind = {key: a for (code, key), a in own.items() if code == kind}
                loaded = _most_specific_rule(kind, watched, rules)
                if loaded is None:
                    _withdraw_active_alerts_without_rule(
                        alerts_of_kind.values(), changed_rules, changes, now
                    )
                    continue
                _point_active_alerts_to_rule(loaded, alerts_of_kind.values())
                plan = plan_source_alerts(loaded, watched.snapshot, alerts_of_kind)
                if isinstance(plan, RuleFailure):
                    changes.add_failure(loaded, watched, plan)
                else:
                    is_rule_changed = loaded.rule.pk in changed_rules
                    _apply_plan(loaded, watched, plan, changes, is_rule_changed=is_rule_changed)
        _withdraw_alerts_of_disabled_sources(changes, now)
        finish_rechecks_of_source_rules(changed_rules, now=now)
        changes.changed += create_alerts(changes.new, now)
    return changes


def _withdraw_alerts_of_disabled_sources(changes: SourceAlertChanges, now: datetime) -> None:
    active = Alert.objects.filter(source__enabled=False, state__in=ACTIVE_ALERT_STATES)
    for alert in (
        active.select_for_update(of=("self",))
        .filter(kind__in=source_rule_kind_codes())
        .order_by("pk")
    ):
        not_applicable = AlertClosingReason.NOT_APPLICABLE
        close_alert(alert, AlertState.WITHDRAWN, now, now, DISABLED, closing_reason=not_applicable)
        changes.changed.append(alert.pk)


def _lock_and_group_alerts_by_source(
    watched_sources: Sequence[WatchedSource],
) -> dict[int, dict[tuple[str, str], Alert]]:
    """Return the alerts of each source by kind and subject key."""
    alerts: dict[int, dict[tuple[str, str], Alert]] = {}
    for alert in (
        Alert.objects.select_for_update()
        .filter(
            source__in=[w.source.pk for w in watched_sources], kind__in=source_rule_kind_codes()
        )
        .order_by("pk")
    ):
        alerts.setdefault(alert.source_id or 0, {})[(alert.kind, alert.subject_key)] = alert
    return alerts


def _most_specific_rule(
    kind: str, watched: WatchedSource, rules: Sequence[LoadedRule]
) -> LoadedRule | None:
    """Return the rule of this kind that applies to the source; `rules` begin with the narrowest."""
    for loaded in rules:
        if loaded.rule.kind == kind and loaded.covers_source(watched.snapshot):
            return loaded
    return None


def _withdraw_active_alerts_without_rule(
    alerts: Iterable[Alert],
    changed_rules: Collection[int],
    changes: SourceAlertChanges,
    now: datetime,
) -> None:
    for alert in alerts:
        if alert.state not in ACTIVE_ALERT_STATES:
            continue
        if alert.rule_id in changed_rules:
            _withdraw_for_rule_change(alert, NO_RULE, now)
        else:
            not_applicable = AlertClosingReason.NOT_APPLICABLE
            close_alert(
                alert, AlertState.WITHDRAWN, now, now, NO_RULE, closing_reason=not_applicable
            )
        changes.changed.append(alert.pk)


def _withdraw_for_rule_change(alert: Alert, sentence: str, now: datetime) -> None:
    text = f"Rule changed: {sentence[:1].lower()}{sentence[1:]}"
    close_alert(
        alert,
        AlertState.WITHDRAWN,
        now,
        now,
        text,
        closing_reason=AlertClosingReason.RULE_CHANGED,
    )


def _apply_plan(
    loaded: LoadedRule,
    watched: WatchedSource,
    plan: SourceAlertPlan,
    changes: SourceAlertChanges,
    *,
    is_rule_changed: bool,
) -> None:
    """Write a plan. `is_rule_changed`: the rule was not evaluated since its change until now."""
    now = watched.snapshot.as_of
    for alert, end in plan.closing:
        if is_rule_changed:
            _withdraw_for_rule_change(alert, NOT_MET, now)
        else:
            close_alert(alert, AlertState.RESOLVED, end.at, now, end.reason)
        changes.changed.append(alert.pk)
    assert isinstance(loaded.kind, SourceRule)
    for alert, condition in plan.reopening:
        alert.started_at, alert.due_at = condition.started_at, condition.due_at
        alert.save(update_fields=["started_at", "due_at"])
        changes.changed.append(reopen_alert(alert, now, loaded.kind.reopening_reason))
    for condition, title in plan.opening:
        alert = _build_alert_for_source_condition(loaded, watched, condition, title)
        changes.new.append(NewAlertWithLogEntry(alert, "opened", title))


def _build_alert_for_source_condition(
    loaded: LoadedRule, watched: WatchedSource, condition: SourceCondition, title: str
) -> Alert:
    """Build the alert of a condition. The owner of the source goes before the team of the rule."""
    rule, source = loaded.rule, watched.source
    source_team = find_or_create_team(source.owner)
    return Alert(
        kind=rule.kind,
        rule=rule,
        source=source,
        subject_kind=RuleSubject.SOURCE,
        subject_key=condition.subject_key,
        severity=rule.severity,
        title=title,
        team=source_team.title if source_team else rule.team,
        owner_team_id=source_team.pk if source_team else rule.owner_team_id,
        owner_id=source.owner_user_id,
        started_at=condition.started_at,
        due_at=condition.due_at,
        opened_at=watched.snapshot.as_of,
    )


def _point_active_alerts_to_rule(loaded: LoadedRule, alerts: Iterable[Alert]) -> None:
    """Refer to the rule from active alerts that an older release, or another rule, opened."""
    for alert in alerts:
        if alert.state in ACTIVE_ALERT_STATES and alert.rule_id != loaded.rule.pk:
            alert.rule, alert.subject_kind = loaded.rule, RuleSubject.SOURCE
            alert.save(update_fields=["rule", "subject_kind"])
