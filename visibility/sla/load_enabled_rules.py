"""The enabled rules with their parameters, ready to be evaluated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.sdk.events import Attribute
from visibility.models.rules_clocks_and_calendars import SlaRule
from visibility.sla.calendar import Calendar
from visibility.sla.calendar_versions import load_calendar
from visibility.sla.record_rule_errors_and_retry import (
    RuleFailure,
    UnknownFieldInRuleScope,
    UnknownRuleKind,
)
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import (
    AlertRule,
    Clock,
    KpiRule,
    OrderRule,
    Rule,
    SourceCondition,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot
from visibility.storage import configuration_cache
from visibility.timeline.model import Timeline

ORDER_SCOPE_FIELDS = {
    "channel": Attribute.CHANNEL,
    "warehouse": Attribute.WAREHOUSE,
    "customer_no": Attribute.CUSTOMER_NO,
    "carrier": Attribute.CARRIER,
}


class InvalidClock(TypeError):
    """A rule returned a clock that cannot be stored: a defect of the rule."""


@dataclass(frozen=True)
class LoadedRule:
    """A rule with its parameters and calendar, or the reason why it cannot run."""

    rule: SlaRule
    kind: Rule | RuleFailure
    params: object = None
    calendar: Calendar = field(default_factory=Calendar)
    scope: Mapping[str, object] | None = None

    def covers_order(self, timeline: Timeline) -> bool:
        """Whether the order is in the rule's scope. An invalid scope covers every order."""
        return all(
            timeline.attributes.get(ORDER_SCOPE_FIELDS[name], "").upper() == str(wanted).upper()
            for name, wanted in (self.scope or {}).items()
        )

    def covers_source(self, source: SourceSnapshot) -> bool:
        """Whether the source is in the rule's scope. An invalid scope covers every source."""
        actual = {"source": source.slug, "role": source.role.value}
        return all(actual[name] == str(wanted) for name, wanted in (self.scope or {}).items())

    def clocks_or_failure(self, timeline: Timeline) -> list[Clock] | RuleFailure:
        """Return the clocks of this rule on one order with their money at risk, or the failure."""
        if isinstance(self.kind, RuleFailure):
            return self.kind
        assert isinstance(self.kind, OrderRule)
        try:
            clocks = list(self.kind.clocks(timeline, self.params, self.calendar))
            for clock in clocks:
                raise_if_clock_malformed(clock)
            return [
                replace(clock, money_at_risk=self.kind.money_at_risk(timeline, clock.subject_key))
                for clock in clocks
            ]
        except Exception as error:  # recorded on the clock; the others go on
            return RuleFailure(error)

    def conditions_or_failure(self, source: SourceSnapshot) -> list[SourceCondition] | RuleFailure:
        """Return the conditions of this rule on one source, or the failure."""
        if isinstance(self.kind, RuleFailure):
            return self.kind
        assert isinstance(self.kind, SourceRule)
        try:
            return list(self.kind.conditions(source, self.params))
        except Exception as error:  # reported by an alert; the others go on
            return RuleFailure(error)


def raise_if_clock_malformed(clock: Clock) -> None:
    """Check that a clock can be stored and compared. Raises InvalidClock."""
    if not isinstance(clock, Clock):
        raise InvalidClock("it is no Clock")
    times = [clock.started_at, clock.due_at]
    times += [clock.stopped_at] if clock.stopped_at is not None else []
    if not all(isinstance(at, datetime) and at.tzinfo is not None for at in times):
        raise InvalidClock("its times need a time zone")
    if not (isinstance(clock.subject_key, str) and isinstance(clock.subject, str)):
        raise InvalidClock("its subject is no text")
    if not isinstance(clock.expected_from, tuple):
        raise InvalidClock("expected_from is no tuple")


def load_enabled_order_rules() -> list[LoadedRule]:
    """Load the enabled rules about orders, the most specific scope first.

    A rule of an unknown kind is one of them: it is reported on every order.
    """
    about_others = rule_kind_codes_not_about_orders()
    rules = configuration_cache.load_once_per_configuration_version(
        "enabled_rules", _read_enabled_rules
    )
    return _load_rules_most_specific_scope_first(
        rule for rule in rules if rule.kind not in about_others
    )


def _read_enabled_rules() -> list[SlaRule]:
    return list(SlaRule.objects.filter(enabled=True).select_related("calendar"))


def load_enabled_source_rules() -> list[LoadedRule]:
    """Load the enabled rules about sources, the most specific scope first."""
    rules = SlaRule.objects.filter(enabled=True, kind__in=source_rule_kind_codes())
    return _load_rules_most_specific_scope_first(rules.select_related("calendar"))


def source_rule_kind_codes() -> list[str]:
    """Return the codes of the kinds of rules about sources."""
    return [code for code, kind in rule_kinds().items() if isinstance(kind, SourceRule)]


def rule_kind_codes_not_about_orders() -> list[str]:
    """Return the codes of the kinds of rules that the sweep evaluates, and no fold."""
    return [code for code, kind in rule_kinds().items() if not isinstance(kind, OrderRule)]


def load_enabled_kpi_and_alert_rules() -> list[LoadedRule]:
    """Load the enabled rules about KPIs and alerts."""
    codes = sorted({*rule_kind_codes_not_about_orders()} - {*source_rule_kind_codes()})
    rules = SlaRule.objects.filter(enabled=True, kind__in=codes).select_related("calendar")
    return _load_rules_most_specific_scope_first(rules)


def _load_rules_most_specific_scope_first(rules: Iterable[SlaRule]) -> list[LoadedRule]:
    return sort_by_precedence(map(load_rule_or_failure, rules))


def sort_by_precedence(rules: Iterable[LoadedRule]) -> list[LoadedRule]:
    """Sort rules so that of each kind, the first that covers an order applies to it."""
    return sorted(rules, key=lambda loaded: (-len(loaded.scope or ()), loaded.rule.code))


def load_rule_or_failure(rule: SlaRule) -> LoadedRule:
    """Return a rule, stored or not, ready to be evaluated."""
    scope = None
    try:
        kind = rule_kinds().get(rule.kind)
        scope = scope_or_raise_on_unknown_field(rule.scope, kind)
        if kind is None:
            raise UnknownRuleKind(f"{rule.kind!r}")
        calendar = load_calendar(rule.calendar)
        calendar.validate()
        return LoadedRule(rule, kind, kind.parse_params(rule.params), calendar, scope)
    except Exception as error:  # recorded on the rule's clocks; the others go on
        return LoadedRule(rule, RuleFailure(error), scope=scope)


def scope_or_raise_on_unknown_field(raw: object, kind: Rule | None) -> Mapping[str, object]:
    """Return the scope of a rule of this kind. Raises UnknownFieldInRuleScope."""
    if not isinstance(raw, Mapping):
        raise UnknownFieldInRuleScope("it must be an object of names and values")
    unknown = sorted(set(raw) - set(kind.scope_fields if kind else ORDER_SCOPE_FIELDS))
    if unknown:
        subject = _plural_of_subject(kind)
        raise UnknownFieldInRuleScope(f"{subject} have no field {unknown[0]!r}")
    return raw


def _plural_of_subject(kind: Rule | None) -> str:
    if isinstance(kind, SourceRule):
        return "sources"
    if isinstance(kind, KpiRule):
        return "KPIs"
    return "alerts" if isinstance(kind, AlertRule) else "orders"
