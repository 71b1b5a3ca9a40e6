"""Move alerts between orders: to the surviving order when orders merge, and back on undo.

If both orders have an alert for the same rule and subject, the two alerts become one. The rows of
MovedAlert and MovedAlertEntry record what is needed to restore both. An order that is split from
another gets copies of its active alerts: the refold then closes those that do not hold.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from visibility.db.database_time import database_now
from visibility.identity.pure.mentions_and_generations import RefKey
from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertClosingReason,
    AlertEntry,
    AlertState,
)
from visibility.models.decisions_and_merges import Merge, MovedAlert, MovedAlertEntry
from visibility.models.objects_and_identifiers import BusinessObject
from visibility.storage.alert_followers import queue_for_followers


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
    before = _serialize_alert_state(into)
    _take_state_owner_and_acknowledgment(alert, into=into)
    if _serialize_alert_state(into) != before:
        _record_original_order_and_state(into, previous_state=before, now=now, merged_alert=alert)
        into.changed_at = now
        into.save()
    _move_entries(alert, into=into)
    if alert.state in ACTIVE_ALERT_STATES:
        alert.state, alert.resolved_at = AlertState.WITHDRAWN, now
        alert.resolution = f"Its order was merged with another order: see alert {into.pk}."
        alert.closing_reason = AlertClosingReason.ORDERS_MERGED
        alert.changed_at = now
        alert.save()
        queue_for_followers(alert, alert.state)


def _take_state_owner_and_acknowledgment(alert: Alert, *, into: Alert) -> None:
    """Give the surviving alert what it lacks: an acknowledged or active alert stays one."""
    if alert.state not in ACTIVE_ALERT_STATES:
        return
    if into.state not in ACTIVE_ALERT_STATES:
        into.episode += 1
        into.state, into.snoozed_until = alert.state, alert.snoozed_until
        into.snooze_end = alert.snooze_end
        into.resolved_at, into.resolution, into.closing_reason = None, "", ""
        into.acknowledged_by_id, into.acknowledged_at = None, None
    into.owner_id = into.owner_id or alert.owner_id
    if into.acknowledged_at is None:
        into.acknowledged_by_id = alert.acknowledged_by_id
        into.acknowledged_at = alert.acknowledged_at
    if alert.state == AlertState.ACKNOWLEDGED:
        into.state, into.snoozed_until = AlertState.ACKNOWLEDGED, None


def _move_entries(alert: Alert, *, into: Alert) -> None:
    """Move the history to the surviving alert, without the entries that it has already."""
    known = {_entry_content(entry) for entry in AlertEntry.objects.filter(alert=into)}
    entries = [e for e in AlertEntry.objects.filter(alert=alert) if _entry_content(e) not in known]
    MovedAlertEntry.objects.bulk_create(
        [MovedAlertEntry(entry=entry, original_alert=alert) for entry in entries],
        ignore_conflicts=True,
    )
    AlertEntry.objects.filter(pk__in=[entry.pk for entry in entries]).update(alert=into)


def _entry_content(entry: AlertEntry) -> tuple[object, ...]:
    return entry.at, entry.action, entry.user_id, entry.text


def copy_alerts_to_split_orders(
    object_by_ref: Mapping[RefKey, int], previous: Mapping[RefKey, int]
) -> None:
    """Copy active alerts, with their history, to orders that had no events and got some of others.

    `object_by_ref` and `previous`: the object of each reference of an event, now and before. An
    order that was merged and is parted gets copies of what opened since the merge. A copy notifies
    nobody: what it is about was known before.
    """
    had_events = set(previous.values())
    origins: dict[int, set[int]] = {}
    for ref_key, object_id in object_by_ref.items():
        if object_id not in had_events and ref_key in previous:
            origins.setdefault(object_id, set()).add(previous[ref_key])
    if not origins:
        return
    alerts = list(
        Alert.objects.filter(
            order_id__in=set().union(*origins.values()),
            rule__isnull=False,
            state__in=ACTIVE_ALERT_STATES,
        ).order_by("pk")
    )
    present = set(
        Alert.objects.filter(order__in=origins).values_list("order", "rule", "subject_key")
    )
    merged_at = dict(
        Merge.objects.filter(loser__in=origins)
        .order_by("merged_at")
        .values_list("loser", "merged_at")
    )
    for order_id, of_order in sorted(origins.items()):
        for alert in alerts:
            key = (order_id, alert.rule_id or 0, alert.subject_key)
            is_older = order_id in merged_at and alert.opened_at < merged_at[order_id]
            if alert.order_id in of_order and key not in present and not is_older:
                present.add(key)
                _copy_alert(alert, order_id, now=database_now())


def _copy_alert(alert: Alert, order_id: int, *, now: datetime) -> None:
    fields = {f.attname: getattr(alert, f.attname) for f in Alert._meta.fields if not f.primary_key}
    copy = Alert.objects.create(**fields | {"order_id": order_id, "changed_at": now})
    entries = [
        AlertEntry(alert=copy, at=e.at, action=e.action, user_id=e.user_id, text=e.text)
        for e in AlertEntry.objects.filter(alert=alert).order_by("pk")
    ]
    text = f"Its order was split from another order: see alert {alert.pk}."
    entries.append(AlertEntry(alert=copy, at=now, action="copied", text=text))
    AlertEntry.objects.bulk_create(entries)


def _serialize_alert_state(alert: Alert) -> dict[str, object]:
    at = alert.acknowledged_at
    return {
        "state": str(alert.state),
        "episode": alert.episode,
        "owner_id": alert.owner_id,
        "acknowledged_by_id": alert.acknowledged_by_id,
        "acknowledged_at": at.isoformat() if at else None,
        "resolution": alert.resolution,
        "closing_reason": alert.closing_reason,
        "snoozed_until": alert.snoozed_until.isoformat() if alert.snoozed_until else None,
        "snooze_end": alert.snooze_end,
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
    states = {move.alert_id: move.previous_state or {} for move in moved}
    for move in moved:
        if move.merged_alert_id:
            if move.merged_alert_id in separated_ids:
                _return_what_was_taken(move, taken_state=states[move.merged_alert_id])
        elif move.previous_state:
            if move.alert_id in separated_ids:
                _move_entries_back(move.alert)
                _restore_alert(move)
        elif move.alert.order_id != survivors[move.original_order_id]:
            move.alert.order_id = survivors[move.original_order_id]
            move.alert.save(update_fields=["order_id"])
            if survivors[move.original_order_id] == move.original_order_id:
                move.delete()


def _restore_alert(move: MovedAlert) -> None:
    """Restore the state before the merge."""
    _set_serialized_fields(move.alert, move.previous_state or {})
    move.alert.save()
    move.delete()


def _return_what_was_taken(move: MovedAlert, *, taken_state: Mapping[str, object]) -> None:
    """Take back from the surviving alert what the other had; what people did since stays."""
    alert, taken, before = move.alert, move.merged_alert, move.previous_state or {}
    assert taken is not None
    if _is_still_as_reopened_by_merge(alert, before, taken_state):
        _set_serialized_fields(alert, before)
    if alert.owner_id == taken.owner_id:
        alert.owner_id = before["owner_id"]
    if alert.acknowledged_at == taken.acknowledged_at != _parse_time(before["acknowledged_at"]):
        was_taken = alert.state == AlertState.ACKNOWLEDGED
        unchanged = {"owner_id", "episode"}
        if not was_taken:
            unchanged |= {"state", "resolution", "resolved_at", "closing_reason"}
        _set_serialized_fields(alert, {k: v for k, v in before.items() if k not in unchanged})
    alert.save()
    move.delete()


def _is_still_as_reopened_by_merge(
    alert: Alert, before: Mapping[str, object], taken_state: Mapping[str, object]
) -> bool:
    """Whether the merge reopened the alert, and nobody closed or acknowledged it since."""
    now = _serialize_alert_state(alert)
    as_taken = ("state", "acknowledged_at", "snoozed_until")
    return (
        before["state"] not in ACTIVE_ALERT_STATES
        and before.get("episode", alert.episode) == alert.episode - 1
        and all(now[name] == taken_state.get(name) for name in as_taken)
    )


def _set_serialized_fields(alert: Alert, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        is_time = name in {"acknowledged_at", "resolved_at", "snoozed_until"}
        setattr(alert, name, _parse_time(value) if is_time else value)


def _parse_time(value: object) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None


def _move_entries_back(alert: Alert) -> None:
    moved = MovedAlertEntry.objects.filter(original_alert=alert)
    AlertEntry.objects.filter(pk__in=moved.values_list("entry_id", flat=True)).update(alert=alert)
    moved.delete()
