"""Open alerts of due clocks, end snoozes, and update alerts about sources."""

from collections.abc import Sequence
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from structlog.stdlib import get_logger

from visibility.alerts.failing_rule_alerts import update_failing_rule_alerts
from visibility.alerts.kpi_and_alert_rules import (
    KpiAndAlertRuleChanges,
    LoadKpi,
    update_alerts_about_kpis_and_alerts,
)
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.alerts.reconcile_alerts_with_clocks import (
    reconcile_alerts,
)
from visibility.alerts.release_suppressed_alerts import open_suppressed_alerts
from visibility.alerts.snooze_ends import seen_events, snooze_has_ended, wake_sentence
from visibility.alerts.source_alerts import update_source_alerts
from visibility.db.change_feed import append_changes
from visibility.db.lock_keys import LockKey
from visibility.models.alerts import Alert, AlertEntry, AlertState
from visibility.models.orders import COOLDOWN_MIN_EVENTS, MAX_COOLDOWN, Order
from visibility.models.refold_requests import RefoldRequest
from visibility.models.rules_clocks_and_calendars import ClockState, FailedClock, SlaClock
from visibility.sla import record_rule_errors_and_retry

log = get_logger(__name__)
BATCH_SIZE = 500
# Only one worker at a time evaluates the rules about sources; two would open the same alerts.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"


def sweep(*, now: datetime, load_kpi: LoadKpi | None = None) -> int:
    """Evaluate everything that is due; return how many alerts changed.

    `load_kpi` loads the values for rules about KPIs and alerts; without it, they are not evaluated.
    """
    return (
        open_alerts_of_due_clocks(now=now)
        + end_expired_snoozes(now=now)
        + update_source_and_failing_rule_alerts(now=now, load_kpi=load_kpi)
        + open_suppressed_alerts(now=now)
    )


def update_source_and_failing_rule_alerts(*, now: datetime, load_kpi: LoadKpi | None = None) -> int:
    """Update the alerts about sources, KPIs, alerts and failing rules, unless another worker does.

    `load_kpi`: see `sweep`.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(TRY_LOCK, [LockKey.RULE_EVALUATION])
            row = cursor.fetchone()
        if not (row and row[0]):
            return 0
        # First: values of KPIs can take seconds to load, and no alert may be locked meanwhile.
        others = KpiAndAlertRuleChanges()
        if load_kpi is not None:
            others = update_alerts_about_kpis_and_alerts(load_kpi, now=now)
        changes = update_source_alerts(now=now)
        failures = changes.failures | others.failures
        changed = changes.changed + others.changed
        changed += update_failing_rule_alerts(failures, now=now)
        # Last: it locks the row that everybody locks after the alerts.
        append_changes({"alert": changed, "source": [1] if changes.changed else []})
        return len(changed)


def has_backlog() -> bool:
    """Whether messages wait for longer than five seconds: they may contain the evidence."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM visibility_inbound_message WHERE state = 'waiting' "
            "AND received_at < clock_timestamp() - interval '5 seconds') "
            "OR EXISTS (SELECT 1 FROM visibility_refoldrequest "
            "WHERE due_at < clock_timestamp() - interval '5 seconds')"
        )
        row = cursor.fetchone()
    return bool(row[0])


def open_alerts_of_due_clocks(*, now: datetime) -> int:
    """Open the alerts of clocks past their due time. Each clock is handled by one worker.

    A deadline that was known before it passed is evaluated at once. One that was already past when
    it became known waits until the backlog is processed, which may contain the evidence. If a batch
    fails, its clocks are evaluated one by one, and those that fail are recorded.
    """
    failed = FailedClock.objects.filter(
        order=OuterRef("order"), rule=OuterRef("rule"), subject_key=OuterRef("subject_key")
    )
    is_due = Q(~Exists(failed), state=ClockState.RUNNING, stopped_at__isnull=True, due_at__lt=now)
    known_before = Q(due_at__gte=F("known_since"))
    is_due &= (
        known_before if has_backlog() else known_before | ~_large_order_awaits_refold_condition(now)
    )
    try:
        return _breach_clocks_and_open_alerts(is_due, now=now)
    except (OperationalError, InterfaceError):
        raise  # the database failed: the next sweep retries
    except Exception:  # the clocks are evaluated one by one
        log.info("sweep_one_by_one")
    clocks = SlaClock.objects.filter(is_due).select_related("rule").order_by("due_at")[:BATCH_SIZE]
    return sum(_open_alert_or_record_failure(clock, is_due, now=now) for clock in clocks)


def _large_order_awaits_refold_condition(now: datetime) -> Q:
    """Whether the order is large and in cooldown: a pending refold may bring the evidence."""
    request = RefoldRequest.objects.filter(
        object=OuterRef("order"), due_at__gt=now, due_at__lte=now + MAX_COOLDOWN
    )
    large = Order.objects.filter(pk=OuterRef("order"), event_count__gt=COOLDOWN_MIN_EVENTS)
    return Q(Exists(large)) & Q(Exists(request))


def _open_alert_or_record_failure(clock: SlaClock, is_due: Q, *, now: datetime) -> int:
    try:
        return _breach_clocks_and_open_alerts(is_due & Q(pk=clock.pk), now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # recorded on the clock, and retried later
        record_rule_errors_and_retry.record_failure_of_existing_clock(clock, error, now=now)
        return 0


def _breach_clocks_and_open_alerts(is_due: Q, *, now: datetime) -> int:
    with transaction.atomic():
        clocks = list(
            SlaClock.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(is_due)
            .select_related("rule")
            .order_by("due_at")[:BATCH_SIZE]
        )
        if not clocks:
            return 0
        for clock in clocks:
            clock.state = ClockState.BREACHED
        SlaClock.objects.bulk_update(clocks, ["state"])
        _set_money_of_older_clocks(clocks)
        changed = reconcile_alerts_of_due_clocks(clocks, now)
        append_changes({"alert": changed})
        return len(changed)


def _set_money_of_older_clocks(clocks: Sequence[SlaClock]) -> None:
    """Set the order's total on clocks that were written before clocks had money at risk."""
    older = [clock for clock in clocks if clock.currency is None]
    orders = Order.objects.in_bulk({clock.order_id for clock in older}) if older else {}
    for clock in older:
        order = orders.get(clock.order_id)
        clock.money, clock.currency = (order.total, order.currency) if order else (None, "")


def reconcile_alerts_of_due_clocks(clocks: list[SlaClock], now: datetime) -> list[int]:
    """Reconcile these clocks, together with the other clocks of their orders."""
    keys = {(c.order_id, c.rule_id, c.subject_key) for c in clocks}
    others = [
        c
        for c in SlaClock.objects.filter(order_id__in={c.order_id for c in clocks}).select_related(
            "rule"
        )
        if (c.order_id, c.rule_id, c.subject_key) not in keys
    ]
    return reconcile_alerts(
        [*clocks, *others],
        order_ids=sorted({c.order_id for c in clocks}),
        now=now,
    )


def end_expired_snoozes(*, now: datetime) -> int:
    """Reopen snoozed alerts whose snooze has ended, with the reason; return how many."""
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .annotate(**seen_events())
            .filter(snooze_has_ended(now), state=AlertState.SNOOZED)
            .order_by("pk")[:BATCH_SIZE]
        )
        for alert in rows:
            text = wake_sentence(alert, now=now)
            alert.state, alert.snoozed_until, alert.changed_at = AlertState.OPEN, None, now
            alert.save(update_fields=["state", "snoozed_until", "changed_at"])
            AlertEntry.objects.create(alert=alert, at=now, action="woke", text=text)
            queue_notifications_of_alert(alert, "woke")
        append_changes({"alert": [a.pk for a in rows]})
        return len(rows)
