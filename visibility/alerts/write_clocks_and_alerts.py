"""Write the clocks of folded orders, and open or close their alerts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from visibility.alerts.expected_sources import expected_sources_of_clock
from visibility.alerts.reconcile_alerts_with_clocks import reconcile_alerts
from visibility.db import bulk
from visibility.models.rules_clocks_and_calendars import ClockState, SlaClock, SlaRule
from visibility.sla import record_rule_errors_and_retry
from visibility.sla.clocks_of_order import (
    met_breached_or_running_at,
    order_clocks_of_most_specific_rules,
)
from visibility.sla.load_enabled_rules import load_enabled_order_rules
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import Clock
from visibility.storage import configuration_cache
from visibility.timeline.model import Timeline

# One row at least: the clocks are null for orders without clocks.
LOAD_CLOCKS = """
SELECT clock.*, has_failed_clocks, has_failed_kpis, has_alerts
FROM (
    SELECT EXISTS (SELECT FROM visibility_failedclock WHERE order_id = ANY(%(orders)s))
            AS has_failed_clocks,
        EXISTS (SELECT FROM visibility_failedkpi WHERE order_id = ANY(%(orders)s))
            AS has_failed_kpis,
        EXISTS (SELECT FROM visibility_alert WHERE order_id = ANY(%(orders)s)) AS has_alerts
) AS others
LEFT JOIN visibility_slaclock clock ON clock.order_id = ANY(%(orders)s)
"""


@dataclass(frozen=True, slots=True)
class StoredClocksAndFailureFlags:
    """The clocks of orders by (order, rule, subject key), and whether other rows exist for them."""

    clocks: Mapping[tuple[int, int, str], SlaClock]
    has_failed_clocks: bool
    has_failed_kpis: bool
    has_alerts: bool


def load_clocks_and_failure_flags(order_ids: Collection[int]) -> StoredClocksAndFailureFlags:
    """Load the clocks of these orders; most have no failures and no alerts to load."""
    rows = list(SlaClock.objects.raw(LOAD_CLOCKS, {"orders": list(order_ids)}))
    columns = vars(rows[0])
    return StoredClocksAndFailureFlags(
        {(c.order_id, c.rule_id, c.subject_key): c for c in rows if c.pk is not None},
        columns["has_failed_clocks"],
        columns["has_failed_kpis"],
        columns["has_alerts"],
    )


def write_clocks_and_reconcile_alerts(
    timelines: Mapping[int, Timeline], stored: StoredClocksAndFailureFlags, *, now: datetime
) -> list[int]:
    """Write the clocks of these orders and reconcile their alerts; return ids of changed alerts.

    Call it in the transaction that wrote the orders: an order, its clocks, alerts and notifications
    are committed together.
    """
    rules = load_enabled_order_rules()
    sources = [s for s in configuration_cache.load_all_sources_by_id().values() if s.enabled]
    wanted: dict[tuple[int, int, str], SlaClock] = {}
    failed: dict[tuple[SlaRule, int], RuleFailure] = {}
    for order_id, timeline in timelines.items():
        for loaded, clock in order_clocks_of_most_specific_rules(timeline, rules):
            if isinstance(clock, RuleFailure):
                failed[(loaded.rule, order_id)] = clock
                continue
            expected = expected_sources_of_clock(clock, timeline, sources)
            row = SlaClock(
                rule=loaded.rule,
                order_id=order_id,
                subject_key=clock.subject_key,
                started_at=clock.started_at,
                due_at=clock.due_at,
                stopped_at=clock.stopped_at,
                state=ClockState.RUNNING,
                subject=clock.subject,
                expected_sources=expected.slugs,
                sources_are_known=expected.are_known,
                rule_version=loaded.rule.version,
                money=clock.money_at_risk.amount if clock.money_at_risk else None,
                currency=clock.money_at_risk.currency[:8] if clock.money_at_risk else "",
            )
            wanted[(order_id, loaded.rule.pk, clock.subject_key)] = row
    changed_stored = _write_changed_clocks(wanted, stored.clocks, now=now)
    if failed or stored.has_failed_clocks:
        record_rule_errors_and_retry.replace_failed_clocks_of_orders(failed, list(timelines))
    # A write of a stored clock may have waited for a sweep that opened its alert.
    may_have_alerts = stored.has_alerts or changed_stored
    return reconcile_alerts(
        list(wanted.values()),
        order_ids=list(timelines) if may_have_alerts else (),
        now=now,
        clocks_before=stored.clocks,
    )


def _write_changed_clocks(
    wanted: Mapping[tuple[int, int, str], SlaClock],
    old: Mapping[tuple[int, int, str], SlaClock],
    *,
    now: datetime,
) -> bool:
    """Write only clocks that changed; return whether stored clocks are among them.

    An update that changes no clock costs no write. A stopped clock is met or breached. A running
    clock past its due time is breached by the sweep alone, which waits for a backlog that may
    contain the evidence.
    """
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
    return bool(stale_ids) or any((c.order_id, c.rule_id, c.subject_key) in old for c in changed)


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
        "sources_are_known": clock.sources_are_known,
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
        clock.sources_are_known,
        clock.rule_version,
        clock.money,
        clock.currency,
    )
