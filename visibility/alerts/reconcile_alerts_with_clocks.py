"""Reconcile alerts with clocks: open, resolve, withdraw and reopen them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from visibility.alerts.load_source_evidence import load_evidence_of_enabled_sources
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertEntry,
    AlertState,
    Notification,
    Subscription,
)
from visibility.models.rules_clocks_and_calendars import ClockState, SlaClock
from visibility.sla import record_rule_errors_and_retry
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import RuleSubject
from visibility.sla.source_evidence import SourceEvidence, gaps_before_deadline
from visibility.storage.refold_queue import orders_with_pending_refold


@dataclass(frozen=True, slots=True)
class LazyEvidence:
    """What proves a missed deadline. Most batches open no alert, and so load neither.

    `of_sources`: by slug. `unfolded`: the orders with events that are not folded yet.
    """

    of_sources: Callable[[], Mapping[str, SourceEvidence]]
    unfolded: Callable[[], Collection[int]]


def reconcile_alerts(
    clocks: Sequence[SlaClock], *, order_ids: Sequence[int], now: datetime
) -> list[int]:
    """Bring the alerts of these orders in line with their clocks; return ids of changed alerts.

    Without order ids, the clocks are those of orders that have no alerts yet.
    """
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
        elif _reconcile_alert_with_clock(clock, alert, now):
            changed.append(alert.pk)
    changed += create_alerts(new, now)
    unclaimed = [alert for alert in alerts.values() if alert.state in ACTIVE_ALERT_STATES]
    failed = record_rule_errors_and_retry.failed_order_rule_pairs(order_ids) if unclaimed else set()
    for alert in unclaimed:
        if (alert.order_id, alert.rule_id) not in failed:
            close_alert(
                alert, AlertState.WITHDRAWN, now, now, "The rule no longer applies to this order."
            )
            changed.append(alert.pk)
    return changed


def _reconcile_alert_with_clock(clock: SlaClock, alert: Alert, now: datetime) -> bool:
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
        )
        return True
    if clock.state == ClockState.BREACHED:
        if alert.state not in {AlertState.RESOLVED, AlertState.WITHDRAWN}:
            return False
        reopen_alert(alert, now, "The condition still holds.")
        return True
    overdue = clock.stopped_at is None and clock.due_at < now
    if alert.state == AlertState.WITHDRAWN or overdue:
        return False
    why = "Late evidence: completed on time." if clock.stopped_at else "The due time is later now."
    close_alert(alert, AlertState.WITHDRAWN, now, now, why)
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
        title=_build_alert_title(clock, now),
        team=rule.team,
        owner_team_id=rule.owner_team_id,
        money=clock.money,
        currency=clock.currency or "",
        started_at=clock.started_at,
        due_at=clock.due_at,
        opened_at=now,
    )
    if clock.stopped_at is not None:
        # Discovered after the fact: the breach is recorded, and nobody is notified.
        alert.state, alert.resolved_at = AlertState.RESOLVED, clock.stopped_at
        alert.resolution = _completed_late_sentence(clock, clock.stopped_at)
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
    Alert.objects.bulk_create([entry.alert for entry in new])
    AlertEntry.objects.bulk_create(
        [AlertEntry(alert=n.alert, at=now, action=n.action, text=n.text) for n in new if n.action]
    )
    queue_notifications([entry.alert for entry in new if entry.action == "opened"], "opened")
    return [entry.alert.pk for entry in new]


def _build_alert_title(clock: SlaClock, now: datetime) -> str:
    """Return the title, which is stored: the rule may change later."""
    rule = clock.rule
    try:
        kind = rule_kinds()[rule.kind]
        return kind.alert_title(kind.parse_params(rule.params), clock.subject)
    except Exception as error:  # recorded; the breach is still an alert
        record_rule_errors_and_retry.record_failure_of_existing_clock(clock, error, now=now)
        return f"{rule.title}: {clock.subject}" if clock.subject else rule.title


def close_alert(alert: Alert, state: AlertState, at: datetime, now: datetime, reason: str) -> None:
    """Close an alert as resolved or withdrawn, as of `at`."""
    alert.state, alert.resolved_at, alert.resolution = state, at, reason
    alert.snoozed_until, alert.changed_at = None, now
    alert.save(update_fields=["state", "resolved_at", "resolution", "snoozed_until", "changed_at"])
    _insert_alert_log_entry(alert, state.value, now, reason)


def reopen_alert(alert: Alert, now: datetime, reason: str) -> int:
    """Reopen an alert as its next episode; return its id."""
    alert.state, alert.episode, alert.changed_at = AlertState.OPEN, alert.episode + 1, now
    alert.resolved_at, alert.resolution = None, ""
    alert.acknowledged_at = alert.acknowledged_by = None
    alert.save(
        update_fields=[
            "state",
            "episode",
            "changed_at",
            "resolved_at",
            "resolution",
            "acknowledged_at",
            "acknowledged_by",
        ]
    )
    _insert_alert_log_entry(alert, "reopened", now, reason)
    queue_notifications_of_alert(alert, "reopened")
    return alert.pk


def _insert_alert_log_entry(alert: Alert, action: str, now: datetime, text: str) -> None:
    AlertEntry.objects.create(alert=alert, at=now, action=action, text=text)


def queue_notifications_of_alert(alert: Alert, transition: str) -> None:
    """Queue notifications of one alert; see notify_all()."""
    queue_notifications([alert], transition)


def queue_notifications(alerts: Sequence[Alert], transition: str) -> None:
    """Add a notification to the outbox for each alert and matching subscription."""
    subscriptions = Subscription.objects.filter(enabled=True) if alerts else ()
    Notification.objects.bulk_create(
        [
            Notification(alert=a, episode=a.episode, transition=transition, subscription=s)
            for s in subscriptions
            for a in alerts
            if s.rule_id in {None, a.rule_id} and (not s.severities or a.severity in s.severities)
        ],
        ignore_conflicts=True,
    )


def _completed_late_sentence(clock: SlaClock, completed_at: datetime) -> str:
    return f"Completed {str(completed_at - clock.due_at).split('.')[0]} late."
