"""What people do with alerts: each act is one transaction with its history, audit and change."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.alerts.reconcile import reopen
from visibility.db.change_feed import change
from visibility.models.alerts import STANDING, Alert, AlertEntry, AlertState
from visibility.models.audit import record
from visibility.models.sla import ClockState, SlaClock


class Refused(ValueError):
    """The act is not possible as the alert stands; the text is a sentence for the person."""


@contextmanager
def _act(alert_id: int, what: str, *, by: User, now: datetime, note: str) -> Iterator[Alert]:
    with transaction.atomic():
        alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
        if alert is None:
            raise Refused("This alert does not exist.")
        yield alert
        alert.changed_at = now
        alert.save()
        AlertEntry.objects.create(alert=alert, at=now, what=what, who=by, text=note[:4000])
        record(f"alert.{what}", who=by, object=f"alert {alert_id}", detail={"note": note}, now=now)
        change({"alert": [alert_id]})


def _standing(alert: Alert) -> None:
    if alert.state not in STANDING:
        raise Refused(f"It is already {AlertState(alert.state).label.lower()}.")


def acknowledge(alert_id: int, *, by: User, now: datetime, note: str = "") -> Alert:
    """I am on it: the acknowledger becomes the owner unless somebody is. Raises Refused."""
    with _act(alert_id, "acknowledged", by=by, now=now, note=note) as alert:
        _standing(alert)
        if alert.state == AlertState.ACKNOWLEDGED and alert.acknowledged_by_id == by.pk:
            raise Refused("You have acknowledged it already.")
        if alert.state == AlertState.ACKNOWLEDGED and alert.acknowledged_by:
            raise Refused(f"{alert.acknowledged_by.get_username()} has acknowledged it already.")
        alert.state, alert.snoozed_until = AlertState.ACKNOWLEDGED, None
        alert.acknowledged_by, alert.acknowledged_at = by, now
        alert.owner = alert.owner or by
    return alert


def assign(alert_id: int, *, by: User, to: User | None, now: datetime, note: str = "") -> Alert:
    """Give it to a person, or to nobody. Raises Refused."""
    text = f"to {to.get_username()}" if to else "to nobody"
    with _act(alert_id, "assigned", by=by, now=now, note=f"{text} {note}".strip()) as alert:
        _standing(alert)
        alert.owner = to
    return alert


def snooze(alert_id: int, *, by: User, until: datetime, now: datetime, note: str = "") -> Alert:
    """Out of sight until a moment that must lie ahead. Raises Refused."""
    with _act(alert_id, "snoozed", by=by, now=now, note=note) as alert:
        _standing(alert)
        if until <= now:
            raise Refused("A snooze must end in the future.")
        alert.state, alert.snoozed_until = AlertState.SNOOZED, until
    return alert


def resolve(alert_id: int, *, by: User, now: datetime, note: str = "") -> Alert:
    """Close it by hand. If the promise is still broken it opens again at once. Raises Refused."""
    with _act(alert_id, "resolved", by=by, now=now, note=note) as alert:
        _standing(alert)
        alert.state, alert.resolved_at = AlertState.RESOLVED, now
        alert.resolution, alert.snoozed_until = note, None
        alert.save()
        broken = SlaClock.objects.filter(
            order_id=alert.order_id,
            rule_id=alert.rule_id,
            obligation=alert.obligation,
            state=ClockState.BREACHED,
            stopped_at__isnull=True,
        ).exists()
        if broken:
            reopen(alert, now, "Resolved by hand while the promise is still broken.")
    return alert


def add_note(alert_id: int, *, by: User, now: datetime, note: str) -> Alert:
    """Write something down. Raises Refused."""
    if not note.strip():
        raise Refused("An empty note says nothing.")
    with _act(alert_id, "noted", by=by, now=now, note=note) as alert:
        pass
    return alert
