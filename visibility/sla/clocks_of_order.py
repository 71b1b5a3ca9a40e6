"""The clocks that the enabled rules set on a folded order."""

from collections.abc import Iterable
from datetime import datetime

from visibility.models.rules_clocks_and_calendars import ClockState
from visibility.sla.load_enabled_rules import LoadedRule
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import Clock
from visibility.timeline.model import Timeline


def order_clocks_of_most_specific_rules(
    timeline: Timeline, rules: Iterable[LoadedRule]
) -> Iterable[tuple[LoadedRule, Clock | RuleFailure]]:
    """Yield the clocks of one order: of each kind, the most specific rule that covers it."""
    applied_kinds: set[str] = set()
    for loaded in rules:
        kind = loaded.rule.kind
        if (kind in applied_kinds and loaded.scope is not None) or not loaded.covers_order(
            timeline
        ):
            continue
        if loaded.scope is not None:
            applied_kinds.add(kind)
        clocks = loaded.clocks_or_failure(timeline)
        if isinstance(clocks, RuleFailure):
            yield loaded, clocks
        else:
            yield from ((loaded, clock) for clock in clocks)


def met_breached_or_running_at(clock: Clock, at: datetime) -> ClockState:
    """Return met, breached or running as of `at`. Stopped exactly at the due time is met."""
    if clock.stopped_at and clock.stopped_at <= clock.due_at:
        return ClockState.MET
    return ClockState.BREACHED if clock.due_at < at or clock.stopped_at else ClockState.RUNNING
