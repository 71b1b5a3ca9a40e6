"""Tell whether an alert closes because its rule changed, and not because of new evidence."""

from collections.abc import Mapping
from functools import cached_property

from visibility.models.alerts import Alert, AlertClosingReason
from visibility.models.rule_rechecks import RuleRecheck
from visibility.models.rules_clocks_and_calendars import SlaClock

ClockKey = tuple[int, int, str]
Closing = tuple[AlertClosingReason, str]


class RuleChangeReasons:
    """Compares the clocks of orders before and after a refold.

    `clocks_before`: by (order, rule, subject key). Without them, a change is never the rule's.
    Rules are loaded only when an alert closes.
    """

    def __init__(self, clocks_before: Mapping[ClockKey, SlaClock]) -> None:
        self._clocks_before = clocks_before

    @cached_property
    def _recheck_by_rule(self) -> Mapping[int, RuleRecheck]:
        return {r.rule_id: r for r in RuleRecheck.objects.select_related("rule")}

    def _clock_of_other_definition(self, rule_id: int | None, key: ClockKey) -> SlaClock | None:
        """Return the clock before the refold if its rule has another definition since."""
        before = self._clocks_before.get(key)
        recheck = self._recheck_by_rule.get(rule_id or 0) if before else None
        is_older = before and recheck and before.rule_version < recheck.rule_version
        return before if is_older else None

    def closing_of_unbreached(self, clock: SlaClock) -> Closing:
        """Why a clock is not breached any more."""
        before = self._clock_of_other_definition(
            clock.rule_id, (clock.order_id, clock.rule_id, clock.subject_key)
        )
        text = "it was completed on time." if clock.stopped_at else "the due time is later now."
        if before and (before.started_at, before.stopped_at) == (
            clock.started_at,
            clock.stopped_at,
        ):
            return AlertClosingReason.RULE_CHANGED, f"Rule changed: {text}"
        if clock.stopped_at:
            return AlertClosingReason.COMPLETED_ON_TIME, "Late evidence: completed on time."
        return AlertClosingReason.DUE_LATER, "The due time is later now."

    def closing_without_clock(self, alert: Alert) -> Closing:
        """Why an order has no clock of the alert's rule any more."""
        rule_id = alert.rule_id or 0
        recheck = self._recheck_by_rule.get(rule_id)
        if recheck and not recheck.rule.enabled:
            state = "archived" if recheck.rule.archived_at else "disabled"
            return AlertClosingReason.RULE_CHANGED, f"Rule changed: the rule is {state}."
        if self._clock_of_other_definition(
            rule_id, (alert.order_id or 0, rule_id, alert.subject_key)
        ) or self._is_narrower_rule_new(recheck):
            text = "Rule changed: the rule no longer applies to this order."
            return AlertClosingReason.RULE_CHANGED, text
        return AlertClosingReason.NOT_APPLICABLE, "The rule no longer applies to this order."

    def _is_narrower_rule_new(self, recheck: RuleRecheck | None) -> bool:
        """Whether orders are being checked against another rule of the same kind."""
        return recheck is not None and any(
            other.rule.kind == recheck.rule.kind
            and other.rule_id != recheck.rule_id
            and other.finished_at is None
            for other in self._recheck_by_rule.values()
        )
