"""Reconcile alerts with clocks: open, resolve, withdraw and reopen them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from visibility.alerts.default_owners import assign_default_owners
from visibility.alerts.load_source_evidence import load_evidence_of_enabled_sources
from visibility.alerts.queue_notifications import (
    queue_notifications,
    queue_notifications_of_alert,
)
from visibility.alerts.rule_change_reasons import ClockKey, RuleChangeReasons
from visibility.formatting import AGE_PLACEHOLDER
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertClosingReason,
    AlertEntry,
    AlertState,
)
from visibility.models.rules_clocks_and_calendars import ClockState, SlaClock
from visibility.sla import record_rule_errors_and_retry
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import RuleSubject
from visibility.sla.source_evidence import SourceEvidence, gaps_before_deadline
from visibility.storage.alert_followers import queue_for_followers
from visibility.storage.refold_queue import orders_with_pending_refold


@dataclass(frozen=True, slots=True)
class LazyEvidence:
    """What proves a missed deadline. Most batches open no alert, and so load neither.

    `of_sources`: by slug. `unfolded`: the orders with events that are not folded yet.
    """

    of_sources: Callable[[], Mapping[str, SourceEvidence]]
    unfolded: Callable[[], Collection[int]]


def reconcile_alerts(
    clocks: Sequence[SlaClock],
    *,
    order_ids: Sequence[int],
    now: datetime,
    clocks_before: Mapping[ClockKey, SlaClock] | None = None,
) -> list[int]:
    """Bring the alerts of these orders in line with their clocks; return ids of changed alerts.

    Without order ids, the clocks are those of orders that have no alerts yet. `clocks_before`: the
    stored clocks by (order, rule, subject key), if `clocks` differ from them.
    """
    reasons = RuleChangeReasons(clocks_before or {})
    alerts = {
        (a.order_id, a.rule_id, a.subject_key): a
        for a in (
            Alert.objects.select_for_update().filter(order_id__in=order_ids).order_by("pk")
            if order_ids
            else ()
        )
    }
    breached = {c.order_id for c in clocks if c.state == ClockState.BREACHED}
    evidence = LazyEvidence(
        cache(partial(load_evidence_of_enabled_sources, now)),
        cache(partial(orders_with_pending_refold, breached)),
    )
    changed: list[int] = []
    new: list[NewAlertWithLogEntry] = []
    for clock in clocks:
        alert = alerts.pop((clock.order_id, clock.rule_id, clock.subject_key), None)
        if alert is None:
            if clock.state == ClockState.BREACHED:
                new.append(_build_alert_for_breach(clock, evidence, now))
        elif _reconcile_alert_with_clock(clock, alert, reasons, now):
            changed.append(alert.pk)
    changed += create_alerts(new, now)
    unclaimed = [alert for alert in alerts.values() if alert.state in ACTIVE_ALERT_STATES]
    failed = record_rule_errors_and_retry.failed_order_rule_pairs(order_ids) if unclaimed else set()
    for alert in unclaimed:
        if (alert.order_id, alert.rule_id) not in failed:
            closing_reason, text = reasons.closing_without_clock(alert)
            close_alert(alert, AlertState.WITHDRAWN, now, now, text, closing_reason=closing_reason)
            changed.append(alert.pk)
    return changed


def _reconcile_alert_with_clock(
    clock: SlaClock, alert: Alert, reasons: RuleChangeReasons, now: datetime
) -> bool:
    """Reconcile one clock with its alert; return whether the alert changed."""
    if clock.state == ClockState.BREACHED and clock.stopped_at is not None:
        if alert.state == AlertState.RESOLVED:
            return False
        close_alert(
            alert,
            AlertState.RESOLVED,
            clock.stopped_at,
            now,
            _completed_late_sentence(clock, clock.stopped_at),
            closing_reason=AlertClosingReason.COMPLETED_LATE,
        )
        return True
    if clock.state == ClockState.BREACHED:
        is_closed = alert.state in {AlertState.RESOLVED, AlertState.WITHDRAWN}
        if is_closed:
            reopen_alert(alert, now, "The condition still holds.")
        return _follow_times_of_clock(alert, clock, now) or is_closed
    overdue = clock.stopped_at is None and clock.due_at < now
    if alert.state == AlertState.WITHDRAWN or overdue:
        return False
    closing_reason, text = reasons.closing_of_unbreached(clock)
    close_alert(alert, AlertState.WITHDRAWN, now, now, text, closing_reason=closing_reason)
    return True


def _follow_times_of_clock(alert: Alert, clock: SlaClock, now: datetime) -> bool:
    """Give an alert the times and the title of its clock; return whether they changed."""
    is_same = (alert.started_at, alert.due_at) == (clock.started_at, clock.due_at)
    if is_same and alert.title_template:
        return False
    alert.started_at, alert.due_at = clock.started_at, clock.due_at
    before = alert.title_template
    _set_title(alert, clock, now)
    if is_same and alert.title_template == before:
        return False
    alert.changed_at = now
    alert.save(update_fields=["started_at", "due_at", "title", "title_template", "changed_at"])
    return True


@dataclass(frozen=True, slots=True)
class NewAlertWithLogEntry:
    """An alert to create, with its first log entry.

    `action` is empty for breaches discovered after the fact, which notify nobody.
    """

    alert: Alert
    action: str = ""
    text: str = ""


def _build_alert_for_breach(
    clock: SlaClock, evidence: LazyEvidence, now: datetime
) -> NewAlertWithLogEntry:
    """Return the alert for a breached clock that has none yet."""
    rule = clock.rule
    kind = rule_kinds().get(rule.kind)
    alert = Alert(
        rule=rule,
        order_id=clock.order_id,
        subject_kind=kind.subject if kind else RuleSubject.ORDER,
        subject_key=clock.subject_key,
        severity=rule.severity,
        team=rule.team,
        owner_team_id=rule.owner_team_id,
        money=clock.money,
        currency=clock.currency or "",
        started_at=clock.started_at,
        due_at=clock.due_at,
        opened_at=now,
    )
    _set_title(alert, clock, now)
    if clock.stopped_at is not None:
        # Discovered after the fact: the breach is recorded, and nobody is notified.
        alert.state, alert.resolved_at = AlertState.RESOLVED, clock.stopped_at
        alert.resolution = _completed_late_sentence(clock, clock.stopped_at)
        alert.closing_reason = AlertClosingReason.COMPLETED_LATE
        alert.opened_at = clock.due_at
        return NewAlertWithLogEntry(alert)
    if reason := reason_to_suppress(clock, evidence):
        alert.state = AlertState.SUPPRESSED
        return NewAlertWithLogEntry(alert, "suppressed", reason)
    return NewAlertWithLogEntry(alert, "opened", alert.title)


def reason_to_suppress(clock: SlaClock, evidence: LazyEvidence) -> str:
    """Return a sentence that says why the step may still be reported; empty: it will not."""
    if not clock.expected_sources:
        return ""
    sources = evidence.of_sources()
    gaps = gaps_before_deadline(
        clock.due_at, clock.expected_sources, sources, are_known=clock.sources_are_known
    )
    if gaps:
        clauses = [f"{sources[slug].title} {gap}" for slug, gap in sorted(gaps.items())]
        return f"On hold: {' and '.join(clauses)}."
    expected = [sources[slug] for slug in clock.expected_sources if slug in sources]
    if any(e.may_report_in_bulk for e in expected) and clock.order_id in evidence.unfolded():
        return "On hold: the order has events that are not processed yet."
    return ""


def create_alerts(new: Sequence[NewAlertWithLogEntry], now: datetime) -> list[int]:
    """Create alerts in a fixed number of statements; return their ids."""
    if not new:
        return []
    owners = assign_default_owners([entry.alert for entry in new if entry.action == "opened"])
    Alert.objects.bulk_create([entry.alert for entry in new])
    texts = [entry.text + owners.get(id(entry.alert), "") for entry in new]
    AlertEntry.objects.bulk_create(
        AlertEntry(alert=entry.alert, at=now, action=entry.action, text=text)
        for entry, text in zip(new, texts, strict=True)
        if entry.action
    )
    queue_notifications([entry.alert for entry in new if entry.action == "opened"], "opened")
    return [entry.alert.pk for entry in new]


def _set_title(alert: Alert, clock: SlaClock, now: datetime) -> None:
    """Set the title, which is stored: the rule may change later. Its age is that of `now`."""
    title = _title_with_age_placeholder(clock, now)
    alert.title_template = title if AGE_PLACEHOLDER in title else ""
    alert.title = title
    alert.title = alert.title_with_age(now)


def _title_with_age_placeholder(clock: SlaClock, now: datetime) -> str:
    rule = clock.rule
    try:
        kind = rule_kinds()[rule.kind]
        return kind.alert_title(kind.parse_params(rule.params), clock.subject)
    except Exception as error:  # recorded; the breach is still an alert
        record_rule_errors_and_retry.record_failure_of_existing_clock(clock, error, now=now)
        return f"{rule.title}: {clock.subject}" if clock.subject else rule.title


def close_alert(
    alert: Alert,
    state: AlertState,
    at: datetime,
    now: datetime,
    reason: str,
    *,
    closing_reason: AlertClosingReason = AlertClosingReason.CONDITION_ENDED,
) -> None:
    """Close an alert as resolved or withdrawn, as of `at`. `reason`: why, as a sentence."""
    alert.state, alert.resolved_at, alert.resolution = state, at, reason
    alert.closing_reason = closing_reason
    alert.snoozed_until, alert.changed_at = None, now
    alert.save(
        update_fields=[
            "state",
            "resolved_at",
            "resolution",
            "closing_reason",
            "snoozed_until",
            "changed_at",
        ]
    )
    _insert_alert_log_entry(alert, state.value, now, reason)
    queue_for_followers(alert, state.value)


def reopen_alert(alert: Alert, now: datetime, reason: str) -> int:
    """Reopen an alert as its next episode; return its id."""
    alert.state, alert.episode, alert.changed_at = AlertState.OPEN, alert.episode + 1, now
    alert.resolved_at, alert.resolution, alert.closing_reason = None, "", ""
    alert.acknowledged_at = alert.acknowledged_by = None
    alert.save(
        update_fields=[
            "state",
            "episode",
            "changed_at",
            "resolved_at",
            "resolution",
            "closing_reason",
            "acknowledged_at",
            "acknowledged_by",
        ]
    )
    _insert_alert_log_entry(alert, "reopened", now, reason)
    queue_notifications_of_alert(alert, "reopened")
    return alert.pk


def _insert_alert_log_entry(alert: Alert, action: str, now: datetime, text: str) -> None:
    AlertEntry.objects.create(alert=alert, at=now, action=action, text=text)


def _completed_late_sentence(clock: SlaClock, completed_at: datetime) -> str:
    return f"Completed {str(completed_at - clock.due_at).split('.')[0]} late."
