"""Open alerts of due clocks, end snoozes, and update alerts about silent sources."""

from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from structlog.stdlib import get_logger

from visibility.alerts.reconcile import (
    NewAlert,
    close_alert,
    create_alerts,
    last_message_received_at,
    queue_notifications_of_alert,
    reconcile_alerts,
    reopen_alert,
    silent_sources,
)
from visibility.alerts.unmapped_statuses import update_unmapped_alerts
from visibility.db.change_feed import append_changes
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertEntry, AlertKind, AlertState
from visibility.models.intake import Source
from visibility.models.orders import COOLDOWN_MIN_EVENTS, MAX_COOLDOWN, Order
from visibility.models.refold import RefoldRequest
from visibility.models.sla import ClockState, FailedClock, Severity, SlaClock
from visibility.sla import rule_failures

log = get_logger(__name__)
BATCH_SIZE = 500


def sweep(*, now: datetime) -> int:
    """Evaluate everything that is due; return how many alerts changed."""
    return (
        open_alerts_of_due_clocks(now=now)
        + end_expired_snoozes(now=now)
        + update_silent_source_alerts(now=now)
        + open_suppressed_alerts(now=now)
        + update_unmapped_alerts(now=now)
    )


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
    is_due &= known_before if has_backlog() else known_before | ~_order_cooldown_condition(now)
    try:
        return _breach_clocks_and_open_alerts(is_due, now=now)
    except (OperationalError, InterfaceError):
        raise  # the database failed: the next sweep retries
    except Exception:  # the clocks are evaluated one by one
        log.info("sweep_one_by_one")
    clocks = SlaClock.objects.filter(is_due).select_related("rule").order_by("due_at")[:BATCH_SIZE]
    return sum(_open_alert_or_record_failure(clock, is_due, now=now) for clock in clocks)


def _order_cooldown_condition(now: datetime) -> Q:
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
        rule_failures.record_failure(clock, error, now=now)
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
        orders = Order.objects.filter(object_id__in={c.order_id for c in clocks})
        totals = {o.pk: (str(o.total) if o.total is not None else None, o.currency) for o in orders}
        changed = reconcile_alerts_of_due_clocks(clocks, totals, now)
        append_changes({"alert": changed})
        return len(changed)


def reconcile_alerts_of_due_clocks(
    clocks: list[SlaClock], totals: dict[int, tuple[str | None, str]], now: datetime
) -> list[int]:
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
        totals=totals,
        now=now,
    )


def end_expired_snoozes(*, now: datetime) -> int:
    """Reopen snoozed alerts whose snooze has ended; return how many."""
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(state=AlertState.SNOOZED, snoozed_until__lte=now)
            .order_by("pk")[:BATCH_SIZE]
        )
        for alert in rows:
            alert.state, alert.snoozed_until, alert.changed_at = AlertState.OPEN, None, now
            alert.save(update_fields=["state", "snoozed_until", "changed_at"])
            AlertEntry.objects.create(alert=alert, at=now, action="woke", text="The snooze ended.")
            queue_notifications_of_alert(alert, "woke")
        append_changes({"alert": [a.pk for a in rows]})
        return len(rows)


def update_silent_source_alerts(*, now: datetime) -> int:
    """Open one alert per silent source; resolve it at the next message of the source."""
    with transaction.atomic():
        silent = silent_sources(now)
        changed = []
        for source in Source.objects.filter(enabled=True).order_by("pk"):
            alert = (
                Alert.objects.select_for_update()
                .filter(source=source, kind=AlertKind.SOURCE_SILENT)
                .first()
            )
            since = silent.get(source.slug)
            if since and alert is None:
                alert = Alert(
                    kind=AlertKind.SOURCE_SILENT,
                    source=source,
                    severity=Severity.HIGH,
                    title=f"No data from {source.title}",
                    team=source.owner or "Integration",
                    started_at=since,
                    due_at=since + (source.expect_every or now - since),
                    opened_at=now,
                )
                changed += create_alerts([NewAlert(alert, "opened", alert.title)], now)
            elif since and alert and alert.state not in ACTIVE_ALERT_STATES:
                alert.started_at = since
                alert.due_at = since + (source.expect_every or now - since)
                alert.save(update_fields=["started_at", "due_at"])
                changed.append(reopen_alert(alert, now, "No data again."))
            elif not since and alert and alert.state in ACTIVE_ALERT_STATES:
                at = last_message_received_at(source.pk) or now
                close_alert(
                    alert, AlertState.RESOLVED, at, now, "The source is sending data again."
                )
                changed.append(alert.pk)
        append_changes({"alert": changed, "source": [1] if changed else []})
        return len(changed)


def open_suppressed_alerts(*, now: datetime) -> int:
    """Open alerts that were suppressed for a silent source, once it sends data again."""
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(state=AlertState.SUPPRESSED, order__isnull=False)
            .order_by("pk")[:BATCH_SIZE]
        )
        if not rows:
            return 0
        silent = silent_sources(now)
        clocks = {
            (c.order_id, c.rule_id, c.subject_key): c
            for c in SlaClock.objects.filter(order_id__in={a.order_id for a in rows})
        }
        changed = []
        for alert in rows:
            clock = clocks.get((alert.order_id or 0, alert.rule_id or 0, alert.subject_key))
            if clock is None:  # its rule failed: the state is unknown
                continue
            expected = clock.expected_sources
            if expected and all(slug in silent for slug in expected):
                continue
            alert.state, alert.changed_at = AlertState.OPEN, now
            alert.save(update_fields=["state", "changed_at"])
            AlertEntry.objects.create(
                alert=alert,
                at=now,
                action="opened",
                text="The source is sending data again; the condition still holds.",
            )
            queue_notifications_of_alert(alert, "opened")
            changed.append(alert.pk)
        append_changes({"alert": changed})
        return len(changed)
