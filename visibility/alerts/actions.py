"""Actions on alerts. Each is one transaction with its history, audit entry and change number."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.alerts.reconcile_alerts_with_clocks import (
    reopen_alert,
)
from visibility.alerts.snooze_ends import NoSnoozeEnd, SnoozeEnd, find_snooze_end
from visibility.db.change_feed import append_changes
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertClosingReason,
    AlertEntry,
    AlertMention,
    AlertState,
    ReplacedAlertState,
)
from visibility.models.audit import append_audit_entry
from visibility.models.rules_clocks_and_calendars import ClockState, Severity, SlaClock
from visibility.storage.alert_followers import queue_for_followers
from visibility.storage.order_notes_and_watches import NoteRejected, find_mentioned

# The columns that actions change and that an undo restores.
COLUMNS_OF_ACTIONS = (
    "state",
    "severity",
    "owner_id",
    "acknowledged_by_id",
    "acknowledged_at",
    "snoozed_until",
    "snooze_end",
    "resolved_at",
    "resolution",
    "closing_reason",
)


class ActionRejected(ValueError):
    """The action is not possible in this state; the message is a sentence for the user."""


@contextmanager
def _lock_alert_then_save_and_log(
    alert_id: int, action: str, *, by: User, now: datetime, note: str
) -> Iterator[Alert]:
    with transaction.atomic():
        alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
        if alert is None:
            raise ActionRejected("This alert does not exist.")
        before = {name: getattr(alert, name) for name in COLUMNS_OF_ACTIONS}
        yield alert
        alert.changed_at = now
        alert.save()
        entry = AlertEntry.objects.create(
            alert=alert, at=now, action=action, user=by, text=note[:4000]
        )
        append_audit_entry(
            f"alert.{action}", user=by, object=f"alert {alert_id}", detail={"note": note}, now=now
        )
        append_changes({"alert": [alert_id]})
        alert.replaced = ReplacedAlertState(entry.pk, before)


def _require_active(alert: Alert) -> None:
    if alert.state not in ACTIVE_ALERT_STATES:
        raise ActionRejected(f"This alert is already {AlertState(alert.state).label.lower()}.")


def acknowledge(alert_id: int, *, by: User, now: datetime, note: str = "") -> Alert:
    """Acknowledge an alert; the user becomes its owner if it has none. Raises ActionRejected."""
    with _lock_alert_then_save_and_log(
        alert_id, "acknowledged", by=by, now=now, note=note
    ) as alert:
        _require_active(alert)
        if alert.state == AlertState.ACKNOWLEDGED and alert.acknowledged_by_id == by.pk:
            raise ActionRejected("You have already acknowledged this alert.")
        if alert.state == AlertState.ACKNOWLEDGED and alert.acknowledged_by:
            raise ActionRejected(
                f"{alert.acknowledged_by.get_username()} has already acknowledged this alert."
            )
        alert.state, alert.snoozed_until = AlertState.ACKNOWLEDGED, None
        alert.acknowledged_by, alert.acknowledged_at = by, now
        alert.owner = alert.owner or by
        queue_for_followers(alert, alert.state)
    return alert


def assign(alert_id: int, *, by: User, to: User | None, now: datetime, note: str = "") -> Alert:
    """Assign an alert to a user, or to nobody. Raises ActionRejected."""
    text = f"to {to.get_username()}" if to else "to nobody"
    with _lock_alert_then_save_and_log(
        alert_id, "assigned", by=by, now=now, note=f"{text} {note}".strip()
    ) as alert:
        _require_active(alert)
        alert.owner = to
    return alert


def snooze(
    alert_id: int, *, by: User, until: datetime | SnoozeEnd, now: datetime, note: str = ""
) -> Alert:
    """Hide an alert until a time in the future, or what else ends it. Raises ActionRejected."""
    with _lock_alert_then_save_and_log(alert_id, "snoozed", by=by, now=now, note=note) as alert:
        _require_active(alert)
        alert.snooze_end = {}
        if isinstance(until, SnoozeEnd):
            try:
                until, alert.snooze_end = find_snooze_end(alert, until, now=now)
            except NoSnoozeEnd as error:
                raise ActionRejected(str(error)) from error
        if until <= now:
            raise ActionRejected("A snooze must end in the future.")
        alert.state, alert.snoozed_until = AlertState.SNOOZED, until
    return alert


def escalate(alert_id: int, *, by: User, now: datetime, note: str = "") -> Alert:
    """Raise the severity by one level and notify its subscribers. Raises ActionRejected.

    A snoozed alert opens.
    """
    levels = [*Severity]
    with _lock_alert_then_save_and_log(alert_id, "escalated", by=by, now=now, note=note) as alert:
        _require_active(alert)
        level = levels.index(Severity(alert.severity))
        if level + 1 == len(levels):
            raise ActionRejected("This alert already has the highest severity.")
        alert.severity = levels[level + 1].value
        if alert.state == AlertState.SNOOZED:
            alert.state, alert.snoozed_until = AlertState.OPEN, None
        queue_notifications_of_alert(alert, f"escalated_{alert.severity}")
    return alert


def resolve(alert_id: int, *, by: User, now: datetime, note: str = "") -> Alert:
    """Resolve an alert; it reopens while its clock is breached. Raises ActionRejected."""
    with _lock_alert_then_save_and_log(alert_id, "resolved", by=by, now=now, note=note) as alert:
        _require_active(alert)
        alert.state, alert.resolved_at = AlertState.RESOLVED, now
        alert.resolution, alert.snoozed_until = note, None
        alert.closing_reason = AlertClosingReason.BY_USER
        alert.save()
        still_breached = SlaClock.objects.filter(
            order_id=alert.order_id,
            rule_id=alert.rule_id,
            subject_key=alert.subject_key,
            state=ClockState.BREACHED,
            stopped_at__isnull=True,
        ).exists()
        if still_breached:
            reopen_alert(alert, now, "Reopened: the condition still holds.")
        else:
            queue_for_followers(alert, alert.state)
    return alert


def undo(alert_id: int, *, replaced: ReplacedAlertState, by: User, now: datetime) -> Alert:
    """Restore what the user's latest action replaced.

    Raises ActionRejected if the alert has changed since then.
    """
    latest = AlertEntry.objects.filter(alert=alert_id).order_by("-pk")
    with _lock_alert_then_save_and_log(
        alert_id, "undone", by=by, now=now, note="The latest action was undone."
    ) as alert:
        entry = latest.first()
        if entry is None or (entry.pk, entry.user_id) != (replaced.entry_id, by.pk):
            raise ActionRejected("This alert has changed since then.")
        for name in COLUMNS_OF_ACTIONS:
            setattr(alert, name, replaced.values.get(name, getattr(alert, name)))
        queue_for_followers(alert, "undone")
    return alert


def add_note(
    alert_id: int, *, by: User, now: datetime, note: str, mentionable: Iterable[User] = ()
) -> Alert:
    """Add a note to an alert, and a mention of each of the `mentionable` users that it names.

    Another name after an @ stays text. Raises ActionRejected.
    """
    if not note.strip():
        raise ActionRejected("Enter a note.")
    try:
        mentioned = find_mentioned(note, mentionable)
    except NoteRejected as rejected:
        raise ActionRejected(str(rejected)) from rejected
    with transaction.atomic():
        with _lock_alert_then_save_and_log(alert_id, "noted", by=by, now=now, note=note) as alert:
            pass
        assert alert.replaced is not None
        AlertMention.objects.bulk_create(
            [AlertMention(entry_id=alert.replaced.entry_id, user=user) for user in mentioned]
        )
    return alert
