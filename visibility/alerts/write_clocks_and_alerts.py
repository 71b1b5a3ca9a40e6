"""Write the clocks of folded orders, and open or close their alerts."""

from collections.abc import Mapping
from datetime import datetime

from connectors.sdk.connector import SourceRole
from visibility.alerts.reconcile_alerts_with_clocks import reconcile_alerts
from visibility.db import bulk
from visibility.models.rules_clocks_and_calendars import ClockState, SlaClock, SlaRule
from visibility.models.sources_and_messages import Source
from visibility.sla import record_rule_errors_and_retry
from visibility.sla.clocks_of_order import (
    met_breached_or_running_at,
    order_clocks_of_most_specific_rules,
)
from visibility.sla.load_enabled_rules import load_enabled_order_rules
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import Clock
from visibility.timeline.model import Timeline


def write_clocks_and_reconcile_alerts(
    timelines: Mapping[int, Timeline], *, now: datetime
) -> list[int]:
    """Write the clocks of these orders and reconcile their alerts; return ids of changed alerts.

    Call it in the transaction that wrote the orders: an order, its clocks, alerts and notifications
    are committed together.
    """
    rules = load_enabled_order_rules()
    roles_by_source = {
        s.slug: SourceRole.from_stored(s.role) for s in Source.objects.filter(enabled=True)
    }
    wanted: dict[tuple[int, int, str], SlaClock] = {}
    failed: dict[tuple[SlaRule, int], RuleFailure] = {}
    for order_id, timeline in timelines.items():
        for loaded, clock in order_clocks_of_most_specific_rules(timeline, rules):
            if isinstance(clock, RuleFailure):
                failed[(loaded.rule, order_id)] = clock
                continue
            row = SlaClock(
                rule=loaded.rule,
                order_id=order_id,
                subject_key=clock.subject_key,
                started_at=clock.started_at,
                due_at=clock.due_at,
                stopped_at=clock.stopped_at,
                state=ClockState.RUNNING,
                subject=clock.subject,
                expected_sources=list(_expected_sources(clock, timeline, roles_by_source)),
                rule_version=loaded.rule.version,
                money=clock.money_at_risk.amount if clock.money_at_risk else None,
                currency=clock.money_at_risk.currency[:8] if clock.money_at_risk else "",
            )
            wanted[(order_id, loaded.rule.pk, clock.subject_key)] = row
    _write_changed_clocks(wanted, list(timelines), now=now)
    record_rule_errors_and_retry.replace_failures(failed, list(timelines))
    return reconcile_alerts(list(wanted.values()), order_ids=list(timelines), now=now)


def _expected_sources(
    clock: Clock, timeline: Timeline, roles_by_source: Mapping[str, SourceRole]
) -> list[str]:
    """Return the sources of the expected roles that know this order; if none does, all of them."""
    candidates = sorted(
        slug for slug, role in roles_by_source.items() if role in clock.expected_from
    )
    sources_of_order = {claim.source for claim in timeline.claims}
    return [slug for slug in candidates if slug in sources_of_order] or candidates


def _write_changed_clocks(
    wanted: Mapping[tuple[int, int, str], SlaClock], order_ids: list[int], *, now: datetime
) -> None:
    """Write only clocks that changed: an update that changes no clock costs no write.

    A stopped clock is met or breached. A running clock past its due time is breached by the sweep
    alone, which waits for a backlog that may contain the evidence.
    """
    old = {
        (c.order_id, c.rule_id, c.subject_key): c
        for c in SlaClock.objects.filter(order_id__in=order_ids)
    }
    for key, clock in wanted.items():
        before = old.get(key)
        breached = before is not None and before.state == ClockState.BREACHED
        if clock.stopped_at or (breached and clock.due_at < now):
            clock.state = met_breached_or_running_at(
                Clock(clock.started_at, clock.due_at, clock.stopped_at), now
            )
    stale_ids = [c.pk for key, c in old.items() if key not in wanted]
    if stale_ids:
        SlaClock.objects.filter(pk__in=stale_ids).delete()
    changed = [
        c
        for key, c in wanted.items()
        if key not in old or _clock_values_to_compare(old[key]) != _clock_values_to_compare(c)
    ]
    bulk.insert_or_update_rows(
        SlaClock,
        [_build_clock_row(c) for c in changed],
        conflict_columns=["order_id", "rule_id", "subject_key"],
    )


def _build_clock_row(clock: SlaClock) -> bulk.Row:
    return {
        "order_id": clock.order_id,
        "rule_id": clock.rule_id,
        "subject_key": clock.subject_key,
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "stopped_at": clock.stopped_at,
        "state": str(clock.state),
        "subject": clock.subject,
        "expected_sources": clock.expected_sources,
        "rule_version": clock.rule_version,
        "money": clock.money,
        "currency": clock.currency,
    }


def _clock_values_to_compare(clock: SlaClock) -> tuple[object, ...]:
    return (
        clock.started_at,
        clock.due_at,
        clock.stopped_at,
        str(clock.state),
        clock.subject,
        clock.expected_sources,
        clock.rule_version,
        clock.money,
        clock.currency,
    )
