"""The enabled rules, and the clocks they set on a folded order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.events import Attribute
from visibility.models.sla import ClockState, SlaRule
from visibility.sla.calendar import Calendar
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import Clock, Rule
from visibility.sla.rule_failures import InvalidScope, RuleFailure, UnknownRuleKind
from visibility.timeline.model import Timeline

SCOPE_FIELDS = {
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

    def covers(self, timeline: Timeline) -> bool:
        """Whether the order is in the rule's scope. An invalid scope covers every order."""
        return all(
            timeline.attributes.get(SCOPE_FIELDS[name], "").upper() == str(wanted).upper()
            for name, wanted in (self.scope or {}).items()
        )

    def clocks(self, timeline: Timeline) -> list[Clock] | RuleFailure:
        """Return the clocks of this rule on one order, or the failure."""
        if isinstance(self.kind, RuleFailure):
            return self.kind
        try:
            clocks = list(self.kind.clocks(timeline, self.params, self.calendar))
            for clock in clocks:
                _check_clock(clock)
        except Exception as error:  # recorded on the clock; the others go on
            return RuleFailure(error)
        return clocks


def _check_clock(clock: Clock) -> None:
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


def load_enabled_rules() -> list[LoadedRule]:
    """Load the enabled rules, the most specific scope first."""
    rules = SlaRule.objects.filter(enabled=True).select_related("calendar")
    return sorted(map(_load_rule, rules), key=lambda p: (-len(p.scope or ()), p.rule.code))


def _load_rule(rule: SlaRule) -> LoadedRule:
    scope = None
    try:
        scope = _parse_scope(rule.scope)
        kind = rule_kinds().get(rule.kind)
        if kind is None:
            raise UnknownRuleKind(f"{rule.kind!r}")
        calendar_row = rule.calendar
        calendar = Calendar(calendar_row.zone, calendar_row.hours, calendar_row.holidays)
        calendar.validate()
        return LoadedRule(rule, kind, kind.parse_params(rule.params), calendar, scope)
    except Exception as error:  # recorded on the rule's clocks; the others go on
        return LoadedRule(rule, RuleFailure(error), scope=scope)


def _parse_scope(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise InvalidScope("it must be an object of names and values")
    unknown = sorted(set(raw) - set(SCOPE_FIELDS))
    if unknown:
        raise InvalidScope(f"orders have no field {unknown[0]!r}")
    return raw


def clocks_for(
    timeline: Timeline, rules: Iterable[LoadedRule]
) -> Iterable[tuple[LoadedRule, Clock | RuleFailure]]:
    """Yield the clocks of one order: of each kind, the most specific rule that covers it."""
    applied_kinds: set[str] = set()
    for loaded in rules:
        kind = loaded.rule.kind
        if (kind in applied_kinds and loaded.scope is not None) or not loaded.covers(timeline):
            continue
        if loaded.scope is not None:
            applied_kinds.add(kind)
        clocks = loaded.clocks(timeline)
        if isinstance(clocks, RuleFailure):
            yield loaded, clocks
        else:
            yield from ((loaded, clock) for clock in clocks)


def clock_state_at(clock: Clock, at: datetime) -> ClockState:
    """Return met, breached or running as of `at`. Stopped exactly at the due time is met."""
    if clock.stopped_at and clock.stopped_at <= clock.due_at:
        return ClockState.MET
    return ClockState.BREACHED if clock.due_at < at or clock.stopped_at else ClockState.RUNNING
