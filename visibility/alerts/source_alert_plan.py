"""Decide which alerts of a rule and a source to open, reopen and close; nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertState
from visibility.sla.load_enabled_rules import LoadedRule
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import SourceCondition, SourceConditionEnd, SourceRule
from visibility.sla.source_snapshot import SourceSnapshot


@dataclass(slots=True)
class SourceAlertPlan:
    """What to do with the alerts of one rule and one source. `opening`: conditions and titles."""

    closing: list[tuple[Alert, SourceConditionEnd]] = field(default_factory=list)
    reopening: list[tuple[Alert, SourceCondition]] = field(default_factory=list)
    opening: list[tuple[SourceCondition, str]] = field(default_factory=list)


def plan_source_alerts(
    loaded: LoadedRule, source: SourceSnapshot, alerts: Mapping[str, Alert]
) -> SourceAlertPlan | RuleFailure:
    """Compare the conditions that hold with the alerts by subject key."""
    conditions = loaded.conditions_or_failure(source)
    if isinstance(conditions, RuleFailure):
        return conditions
    assert isinstance(loaded.kind, SourceRule)
    try:
        return _build_plan(loaded, loaded.kind, source, conditions, alerts)
    except Exception as error:  # reported by an alert; the other rules go on
        return RuleFailure(error)


def _build_plan(
    loaded: LoadedRule,
    kind: SourceRule,
    source: SourceSnapshot,
    conditions: Sequence[SourceCondition],
    alerts: Mapping[str, Alert],
) -> SourceAlertPlan:
    plan = SourceAlertPlan()
    holding = {condition.subject_key: condition for condition in conditions}
    active = {key for key, alert in alerts.items() if alert.state in ACTIVE_ALERT_STATES}
    for key in sorted(active - holding.keys()):
        end = kind.condition_end(source, loaded.params, key)
        if end is not None:
            plan.closing.append((alerts[key], end))
            active.discard(key)
    limit = kind.max_active(loaded.params)
    for key, condition in holding.items():
        if key in active or (limit is not None and len(active) >= limit):
            continue
        alert = alerts.get(key)
        if alert is None:
            title = condition.title or kind.alert_title(loaded.params, condition.subject)
            plan.opening.append((condition, title))
        elif alert.state == AlertState.WITHDRAWN or kind.may_reopen(alert.resolution):
            plan.reopening.append((alert, condition))
        else:
            continue
        active.add(key)
    return plan
