"""Clocks against alerts: what must be open, closed, withdrawn or opened again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial

from django.db import connection

from visibility.models.alerts import (
    STANDING,
    Alert,
    AlertEntry,
    AlertState,
    Notification,
    Subscription,
)
from visibility.models.intake import Source, silent_since
from visibility.models.sla import ClockState, SlaClock
from visibility.sla import rule_failures
from visibility.sla.registry import kinds

Totals = Mapping[int, tuple[str | None, str]]
Silent = Callable[[], Mapping[str, datetime]]


def judge(
    clocks: Sequence[SlaClock], *, order_ids: Sequence[int], totals: Totals, now: datetime
) -> list[int]:
    """Bring the alerts of these orders in line with their clocks; ids of those that changed."""
    alerts = {
        (a.order_id, a.rule_id, a.obligation): a
        for a in Alert.objects.select_for_update().filter(order_id__in=order_ids).order_by("pk")
    }
    silent = cache(partial(silent_sources, now))  # most batches open nothing, and never ask
    changed: list[int] = []
    new: list[New] = []
    for clock in clocks:
        alert = alerts.pop((clock.order_id, clock.rule_id, clock.obligation), None)
        if alert is None:
            if clock.state == ClockState.BREACHED:
                new.append(_new(clock, totals, silent, now))
        elif _one(clock, alert, now):
            changed.append(alert.pk)
    changed += keep(new, now)
    left = [alert for alert in alerts.values() if alert.state in STANDING]
    unknown = rule_failures.failing(order_ids) if left else set()
    for alert in left:
        if (alert.order_id, alert.rule_id) not in unknown:
            end(alert, AlertState.WITHDRAWN, now, now, "The order no longer makes this promise.")
            changed.append(alert.pk)
    return changed


def _one(clock: SlaClock, alert: Alert, now: datetime) -> bool:
    """One clock and the alert it has; whether that changed."""
    if clock.state == ClockState.BREACHED and clock.stopped_at is not None:
        if alert.state == AlertState.RESOLVED:
            return False
        end(alert, AlertState.RESOLVED, clock.stopped_at, now, _late(clock, clock.stopped_at))
        return True
    if clock.state == ClockState.BREACHED:
        if alert.state not in {AlertState.RESOLVED, AlertState.WITHDRAWN}:
            return False
        reopen(alert, now, "The promise is still broken.")
        return True
    overdue = clock.stopped_at is None and clock.due_at < now
    if alert.state == AlertState.WITHDRAWN or overdue:
        return False
    why = "Late evidence: it had happened in time." if clock.stopped_at else "Due later."
    end(alert, AlertState.WITHDRAWN, now, now, why)
    return True


@dataclass(frozen=True, slots=True)
class New:
    """An alert to be kept, and what its log begins with; history that nobody is told has none."""

    alert: Alert
    what: str = ""
    text: str = ""


def _new(clock: SlaClock, totals: Totals, silent: Silent, now: datetime) -> New:
    """The alert of a broken promise that has none yet."""
    rule = clock.rule
    total, currency = totals.get(clock.order_id, (None, ""))
    alert = Alert(
        rule=rule,
        order_id=clock.order_id,
        obligation=clock.obligation,
        severity=rule.severity,
        title=_title(clock, now),
        team=rule.team,
        money=Decimal(total) if total else None,
        currency=currency,
        started_at=clock.started_at,
        due_at=clock.due_at,
        opened_at=now,
    )
    if clock.stopped_at is not None:
        # Judged only now: the breach is history, and told nobody.
        alert.state, alert.resolved_at = AlertState.RESOLVED, clock.stopped_at
        alert.resolution = _late(clock, clock.stopped_at)
        alert.opened_at = clock.due_at
        return New(alert)
    waits = clock.waits_for.split()
    quiet = [slug for slug in waits if slug in silent()]
    if quiet and len(quiet) == len(waits):
        alert.state = AlertState.HELD
        return New(alert, "held", f"Unknown: {', '.join(quiet)} is silent.")
    return New(alert, "opened", alert.title)


def keep(new: Sequence[New], now: datetime) -> list[int]:
    """Write them, some statements for any number; their ids."""
    if not new:
        return []
    Alert.objects.bulk_create([one.alert for one in new])
    AlertEntry.objects.bulk_create(
        [AlertEntry(alert=n.alert, at=now, what=n.what, text=n.text) for n in new if n.what]
    )
    notify_all([one.alert for one in new if one.what == "opened"], "opened")
    return [one.alert.pk for one in new]


def _title(clock: SlaClock, now: datetime) -> str:
    """The rule's words, kept on the alert, since a rule may change later."""
    rule = clock.rule
    try:
        kind = kinds()[rule.kind]
        return kind.sentence(kind.read(rule.params), clock.subject)
    except Exception as error:  # the edge of a clock: the breach is a fact all the same
        rule_failures.note(clock, error, now=now)
        return f"{rule.title}: {clock.subject}" if clock.subject else rule.title


def end(alert: Alert, state: AlertState, at: datetime, now: datetime, why: str) -> None:
    """It is over since `at`, as one or the other of the last two states."""
    alert.state, alert.resolved_at, alert.resolution = state, at, why
    alert.snoozed_until, alert.changed_at = None, now
    alert.save(update_fields=["state", "resolved_at", "resolution", "snoozed_until", "changed_at"])
    _enter(alert, state.value, now, why)


def reopen(alert: Alert, now: datetime, why: str) -> int:
    """The same row, one episode further."""
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
    _enter(alert, "reopened", now, why)
    notify(alert, "reopened")
    return alert.pk


def _enter(alert: Alert, what: str, now: datetime, text: str) -> None:
    AlertEntry.objects.create(alert=alert, at=now, what=what, text=text)


def notify(alert: Alert, transition: str) -> None:
    """See notify_all()."""
    notify_all([alert], transition)


def notify_all(alerts: Sequence[Alert], transition: str) -> None:
    """One notification for each alert and subscription into the outbox, in the same transaction."""
    wanted = Subscription.objects.filter(enabled=True) if alerts else ()
    Notification.objects.bulk_create(
        [
            Notification(alert=a, episode=a.episode, transition=transition, subscription=s)
            for s in wanted
            for a in alerts
            if s.rule_id in {None, a.rule_id} and (not s.severities or a.severity in s.severities)
        ],
        ignore_conflicts=True,
    )


def silent_sources(now: datetime) -> dict[str, datetime]:
    """Slugs of the enabled sources that owe us a word, and since when."""
    found = {}
    for source in Source.objects.filter(enabled=True, expect_every__isnull=False):
        since = silent_since(source, last_heard(source.pk), now)
        if since:
            found[source.slug] = since
    return found


def last_heard(source_id: int) -> datetime | None:
    """When the source last said anything."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(received_at) FROM visibility_inbound_message WHERE source_id = %s "
            "AND received_at > now() - interval '31 days'",
            [source_id],
        )
        row = cursor.fetchone()
    found: datetime | None = row[0]
    return found


def _late(clock: SlaClock, happened_at: datetime) -> str:
    return f"It happened {str(happened_at - clock.due_at).split('.')[0]} late."
