"""Move alerts between orders: to the surviving order when orders merge, and back on undo.

If both orders have an alert for the same rule and subject, the two alerts become one. The rows of
MovedAlert and MovedAlertEntry record what is needed to restore both.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from visibility.db.database_time import database_now
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertClosingReason,
    AlertEntry,
    AlertState,
)
from visibility.models.decisions_and_merges import MovedAlert, MovedAlertEntry
from visibility.models.objects_and_identifiers import BusinessObject


def move_alerts(into: Mapping[int, int]) -> None:
    """Move the SLA alerts of merged orders to the surviving orders. `into`: {merged: surviving}."""
    alerts = list(
        Alert.objects.select_for_update()
        .filter(order_id__in={*into, *into.values()}, rule__isnull=False)
        .order_by("pk")
    )
    if any(alert.order_id in into for alert in alerts):
        _move_or_merge(alerts, into, now=database_now())


def _move_or_merge(alerts: Sequence[Alert], into: Mapping[int, int], *, now: datetime) -> None:
    """Move each alert; merge it if the surviving order has an alert for the same subject."""
    alert_by_key = {
        (a.order_id, a.rule_id, a.subject_key): a for a in alerts if a.order_id not in into
    }
    for alert in alerts:
        order_id = alert.order_id
        if order_id is None or order_id not in into:
            continue
        key = (into[order_id], alert.rule_id, alert.subject_key)
        if key not in alert_by_key:
            MovedAlert.objects.get_or_create(
                alert=alert, defaults={"original_order_id": order_id, "moved_at": now}
            )
            alert.order_id = into[order_id]
            alert.save(update_fields=["order_id"])
            alert_by_key[key] = alert
        else:
            _merge_alert(alert, into=alert_by_key[key], now=now)


def _merge_alert(alert: Alert, *, into: Alert, now: datetime) -> None:
    """Merge two alerts of one rule and subject: keep both histories and any acknowledgment."""
    _record_original_order_and_state(alert, previous_state=_serialize_alert_state(alert), now=now)
    takes_acknowledgment = alert.state == AlertState.ACKNOWLEDGED and into.state == AlertState.OPEN
    if takes_acknowledgment or (into.owner_id is None and alert.owner_id is not None):
        _record_original_order_and_state(
            into, previous_state=_serialize_alert_state(into), now=now, merged_alert=alert
        )
        into.owner_id = into.owner_id or alert.owner_id
        if takes_acknowledgment:
            into.state = AlertState.ACKNOWLEDGED
            into.acknowledged_by_id = alert.acknowledged_by_id
            into.acknowledged_at = alert.acknowledged_at
        into.changed_at = now
        into.save()
    entries = list(AlertEntry.objects.filter(alert=alert))
    MovedAlertEntry.objects.bulk_create(
        [MovedAlertEntry(entry=entry, original_alert=alert) for entry in entries],
        ignore_conflicts=True,
    )
    AlertEntry.objects.filter(alert=alert).update(alert=into)
    if alert.state in ACTIVE_ALERT_STATES:
        alert.state, alert.resolved_at = AlertState.WITHDRAWN, now
        alert.resolution = f"Its order was merged with another order: see alert {into.pk}."
        alert.closing_reason = AlertClosingReason.ORDERS_MERGED
        alert.changed_at = now
        alert.save()


def _serialize_alert_state(alert: Alert) -> dict[str, object]:
    at = alert.acknowledged_at
    return {
        "state": str(alert.state),
        "owner_id": alert.owner_id,
        "acknowledged_by_id": alert.acknowledged_by_id,
        "acknowledged_at": at.isoformat() if at else None,
        "resolution": alert.resolution,
        "closing_reason": alert.closing_reason,
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
    }


def _record_original_order_and_state(
    alert: Alert,
    *,
    previous_state: dict[str, object],
    now: datetime,
    merged_alert: Alert | None = None,
) -> None:
    assert alert.order_id is not None
    MovedAlert.objects.get_or_create(
        alert=alert,
        defaults={
            "original_order_id": alert.order_id,
            "previous_state": previous_state,
            "merged_alert": merged_alert,
            "moved_at": now,
        },
    )


def undo_moves(object_ids: Collection[int]) -> None:
    """Return alerts and notes to the objects of a merge that was undone."""
    moved = list(
        MovedAlert.objects.filter(original_order_id__in=object_ids)
        .select_related("alert", "merged_alert")
        .order_by("pk")
    )
    survivors = {
        o.pk: o.merged_into_id or o.pk
        for o in BusinessObject.objects.filter(pk__in={m.original_order_id for m in moved})
    }
    separated_ids = {
        m.alert_id
        for m in moved
        if m.previous_state
        and not m.merged_alert_id
        and survivors[m.original_order_id] == m.original_order_id
    }
    for move in moved:
        if move.merged_alert_id:
            if move.merged_alert_id in separated_ids:
                _restore_alert(move, only_if_untouched=True)
        elif move.previous_state:
            if move.alert_id in separated_ids:
                _move_entries_back(move.alert)
                _restore_alert(move, only_if_untouched=False)
        elif move.alert.order_id != survivors[move.original_order_id]:
            move.alert.order_id = survivors[move.original_order_id]
            move.alert.save(update_fields=["order_id"])
            if survivors[move.original_order_id] == move.original_order_id:
                move.delete()


def _restore_alert(move: MovedAlert, *, only_if_untouched: bool) -> None:
    """Restore the state before the merge, unless somebody has changed the alert since."""
    alert, fields = move.alert, move.previous_state or {}
    if not only_if_untouched or alert.changed_at == move.moved_at:
        for name, value in fields.items():
            is_timestamp = value and name.endswith("_at")
            setattr(alert, name, datetime.fromisoformat(str(value)) if is_timestamp else value)
        alert.save()
    move.delete()


def _move_entries_back(alert: Alert) -> None:
    moved = MovedAlertEntry.objects.filter(original_alert=alert)
    AlertEntry.objects.filter(pk__in=moved.values_list("entry_id", flat=True)).update(alert=alert)
    moved.delete()
