"""Due clocks -> alerts; snoozes that end; feeds that fall silent and come back."""

import logging
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q

from visibility.alerts.reconcile import (
    New,
    end,
    judge,
    keep,
    last_heard,
    notify,
    reopen,
    silent_sources,
)
from visibility.alerts.unmapped_statuses import unknown
from visibility.db.change_feed import change
from visibility.models.alerts import STANDING, Alert, AlertEntry, AlertState
from visibility.models.intake import Source
from visibility.models.objects import Refold
from visibility.models.orders import LONGEST_REST, MANY_EVENTS, Order
from visibility.models.sla import ClockState, FailedClock, Severity, SlaClock
from visibility.sla import rule_failures

log = logging.getLogger(__name__)
BATCH = 500


def sweep(*, now: datetime) -> int:
    """Everything whose time has come; how many alerts changed."""
    return due(now=now) + snoozed(now=now) + silence(now=now) + held(now=now) + unknown(now=now)


def behind() -> bool:
    """Whether messages wait for longer than a moment: what they say may be the evidence."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM visibility_inbound_message WHERE state = 'waiting' "
            "AND received_at < clock_timestamp() - interval '5 seconds') "
            "OR EXISTS (SELECT 1 FROM visibility_refold "
            "WHERE touched_at < clock_timestamp() - interval '5 seconds')"
        )
        row = cursor.fetchone()
    return bool(row[0])


def due(*, now: datetime) -> int:
    """Take clocks that ran out, each by one worker only, and open their alerts.

    A deadline we knew of before it passed is judged at once. One that had passed when we first
    heard of it waits until nothing older is left to be read: the evidence may be among it.
    A batch that fails is judged one by one, and what cannot be judged is put aside.
    """
    aside = FailedClock.objects.filter(
        order=OuterRef("order"), rule=OuterRef("rule"), obligation=OuterRef("obligation")
    )
    ripe = Q(~Exists(aside), state=ClockState.RUNNING, stopped_at__isnull=True, due_at__lt=now)
    known_before = Q(due_at__gte=F("heard_at"))
    ripe &= known_before if behind() else known_before | ~_resting(now)
    try:
        return _due(ripe, now=now)
    except (OperationalError, InterfaceError):
        raise  # the database's own trouble: the next sweep tries again
    except Exception:  # the edge of a clock: the others go on
        log.info("event=sweep_one_by_one")
    clocks = SlaClock.objects.filter(ripe).select_related("rule").order_by("due_at")[:BATCH]
    return sum(_alone(clock, ripe, now=now) for clock in clocks)


def _resting(now: datetime) -> Q:
    """Whether a clock's order has many events and is folded again soon: there may be evidence."""
    mark = Refold.objects.filter(
        object=OuterRef("order"), touched_at__gt=now, touched_at__lte=now + LONGEST_REST
    )
    large = Order.objects.filter(pk=OuterRef("order"), event_count__gt=MANY_EVENTS)
    return Q(Exists(large)) & Q(Exists(mark))


def _alone(clock: SlaClock, ripe: Q, *, now: datetime) -> int:
    try:
        return _due(ripe & Q(pk=clock.pk), now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # the edge of a clock: recorded, and tried again later
        rule_failures.note(clock, error, now=now)
        return 0


def _due(ripe: Q, *, now: datetime) -> int:
    with transaction.atomic():
        clocks = list(
            SlaClock.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(ripe)
            .select_related("rule")
            .order_by("due_at")[:BATCH]
        )
        if not clocks:
            return 0
        for clock in clocks:
            clock.state = ClockState.BREACHED
        SlaClock.objects.bulk_update(clocks, ["state"])
        orders = Order.objects.filter(object_id__in={c.order_id for c in clocks})
        totals = {o.pk: (str(o.total) if o.total is not None else None, o.currency) for o in orders}
        # Alerts of other clocks of these orders are not looked at: order_ids names none.
        changed = judge_only(clocks, totals, now)
        change({"alert": changed})
        return len(changed)


def judge_only(
    clocks: list[SlaClock], totals: dict[int, tuple[str | None, str]], now: datetime
) -> list[int]:
    """Judge clocks whose orders' other alerts stay as they are."""
    mine = {(c.order_id, c.rule_id, c.obligation) for c in clocks}
    others = [
        c
        for c in SlaClock.objects.filter(order_id__in={c.order_id for c in clocks}).select_related(
            "rule"
        )
        if (c.order_id, c.rule_id, c.obligation) not in mine
    ]
    return judge(
        [*clocks, *others],
        order_ids=sorted({c.order_id for c in clocks}),
        totals=totals,
        now=now,
    )


def snoozed(*, now: datetime) -> int:
    """A snooze always ends."""
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(state=AlertState.SNOOZED, snoozed_until__lte=now)
            .order_by("pk")[:BATCH]
        )
        for alert in rows:
            alert.state, alert.snoozed_until, alert.changed_at = AlertState.OPEN, None, now
            alert.save(update_fields=["state", "snoozed_until", "changed_at"])
            AlertEntry.objects.create(alert=alert, at=now, what="woke", text="The snooze ended.")
            notify(alert, "woke")
        change({"alert": [a.pk for a in rows]})
        return len(rows)


def silence(*, now: datetime) -> int:
    """One alert per silent source; it ends with the source's next word."""
    with transaction.atomic():
        silent = silent_sources(now)
        changed = []
        for source in Source.objects.filter(enabled=True).order_by("pk"):
            alert = (
                Alert.objects.select_for_update().filter(source=source, obligation="silent").first()
            )
            since = silent.get(source.slug)
            if since and alert is None:
                alert = Alert(
                    source=source,
                    obligation="silent",
                    severity=Severity.HIGH,
                    title=f"{source.title} has been silent",
                    team=source.owner or "Integration",
                    started_at=since,
                    due_at=since + (source.expect_every or now - since),
                    opened_at=now,
                )
                changed += keep([New(alert, "opened", alert.title)], now)
            elif since and alert and alert.state not in STANDING:
                alert.started_at = since
                alert.due_at = since + (source.expect_every or now - since)
                alert.save(update_fields=["started_at", "due_at"])
                changed.append(reopen(alert, now, "Silent again."))
            elif not since and alert and alert.state in STANDING:
                at = last_heard(source.pk) or now
                end(alert, AlertState.RESOLVED, at, now, "It speaks again.")
                changed.append(alert.pk)
        change({"alert": changed, "source": [1] if changed else []})
        return len(changed)


def held(*, now: datetime) -> int:
    """Alerts held for a silent feed open once it speaks, if the promise is still broken."""
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(state=AlertState.HELD, order__isnull=False)
            .order_by("pk")[:BATCH]
        )
        if not rows:
            return 0
        silent = silent_sources(now)
        clocks = {
            (c.order_id, c.rule_id, c.obligation): c
            for c in SlaClock.objects.filter(order_id__in={a.order_id for a in rows})
        }
        changed = []
        for alert in rows:
            clock = clocks.get((alert.order_id or 0, alert.rule_id or 0, alert.obligation))
            if clock is None:  # its rule fails: nothing is known of the promise
                continue
            waits = clock.waits_for.split()
            if waits and all(slug in silent for slug in waits):
                continue
            alert.state, alert.changed_at = AlertState.OPEN, now
            alert.save(update_fields=["state", "changed_at"])
            AlertEntry.objects.create(
                alert=alert, at=now, what="opened", text="The feed speaks again: still broken."
            )
            notify(alert, "opened")
            changed.append(alert.pk)
        change({"alert": changed})
        return len(changed)
